"""How often Python asks JavaScript while the stacks of one model are made: it is what they cost, on whatever machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference import ROOT

pytestmark = pytest.mark.laptop("how templates are made")

MOST = 1900  # calls; they were 1,784 when this was written
PROGRAM = """
import sys
from pathlib import Path
from tests import reference
from tests.support.layouts import configuration, synth
synth(configuration("three"), [reference.model()], Path(sys.argv[1]))
"""


def test_the_stacks_of_one_model_take_few_calls(tmp_path: Path) -> None:
    environment = {**os.environ, "JSII_DEBUG": "1", "CDK_VALIDATION": "false"}

    traced = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert traced.returncode == 0, traced.stderr[-2000:]
    calls = [line for line in (traced.stdout + traced.stderr).splitlines() if line.startswith('> {"') and '"api":' in line]
    assert 500 < len(calls) <= MOST
