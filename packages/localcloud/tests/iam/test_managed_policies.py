"""AWS's own policies are in every account, and are read for no partition where there are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

COUNT = """
import json
from moto.iam.models import iam_backends
from localcloud.iam import managed_policies
managed_policies.install()
print(json.dumps({name: len(iam_backends["111111111111"][name].managed_policies) for name in ("aws", "aws-cn", "aws-us-gov")}))
"""


@pytest.mark.laptop("how much of moto's data localcloud reads")
def test_accounts_of_localclouds_partition_alone_have_them() -> None:
    environment = {**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}

    counted = subprocess.run([sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=True)

    of_aws, *others = json.loads(counted.stdout).values()
    assert of_aws > 1000
    assert others == [0, 0]
