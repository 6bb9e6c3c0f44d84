"""Every role of the road tries to sign with both keys of a model, its own policy being as broad as a mistake can make it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import naming
from localcloud.testing.running import Running
from pipelines.deployment.registry import Registry
from pipelines.evidence.signature import Signer
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import STEADY, configuration, models, synth
from tests.support.production import HOME, create, keys_of

pytestmark = [pytest.mark.fault("somebody signs what is not theirs to sign"), pytest.mark.slow]
STAGING, PRODUCTION = CONFIG.environments
BROAD = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
MEASURES, RELEASES = (naming.deploy_role(CONFIG, MODEL, environment) for environment in (STAGING, PRODUCTION))
OTHERS = [
    *(naming.stage_project(CONFIG, MODEL, stage) for stage in (naming.BUILD, naming.UPDATE, naming.TRAIN)),
    *(naming.deploy_role(CONFIG, STEADY, environment) for environment in (STAGING, PRODUCTION)),  # of another model
    *(naming.deploy_role(CONFIG, naming.PLATFORM, environment) for environment in (STAGING, PRODUCTION)),
    naming.training_role(CONFIG, MODEL),
    naming.controller_role(CONFIG, MODEL),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The toolchain's account with every stack of it, two models' among them; each role may do anything with any key by its own policy."""
    folder = tmp_path_factory.mktemp("keys")
    layout = synth(configuration("three"), models(), folder / "cdk.out")
    accounts = [account.id for account in CONFIG.accounts]
    with Running(folder / "cloud", accounts=accounts, region=CONFIG.toolchain.region) as running:
        running.client("ssm", HOME).put_parameter(Name=f"/cdk-bootstrap/{CONFIG.qualifier}/version", Value="30", Type="String")
        for kind in ("Toolchain", "Registry", "Delivery"):
            for stack in (name for name, account in layout.account_of.items() if account == HOME and name.endswith(kind)):
                create(running, HOME, layout.folder, stack)
        for role in (MEASURES, RELEASES, *OTHERS):
            running.client("iam", HOME).put_role_policy(RoleName=role, PolicyName="broad", PolicyDocument=json.dumps(BROAD))
        yield running


@pytest.fixture(scope="module")
def registry(cloud: Running) -> Registry:
    """The model's."""
    return Registry.read(CONFIG, reference.model(), lambda service, /, **_: cloud.client(service, HOME))


def signs(cloud: Running, registry: Registry, role: str | None) -> tuple[bool, bool]:
    """Whether a role, or a person without one, signs with the evidence key, and with the release key; what it signs must hold."""
    keys = keys_of(cloud, role) if role else {}
    kms = cloud.client("kms", HOME, **keys)
    return tuple(_signs(kms, signer) for signer in (registry.signer, registry.release_signer))  # type: ignore[return-value]


def _signs(kms: Any, signer: Signer) -> bool:
    try:
        signature = Signer(kms=kms, key=signer.key).sign(b"approved")
    except ClientError as error:
        if "with an explicit deny in a resource-based policy" not in str(error):
            raise
        return False
    assert signer.verify(b"approved", signature)
    return True


def test_the_stage_that_measures_signs_evidence_and_no_approval(cloud: Running, registry: Registry) -> None:
    assert signs(cloud, registry, MEASURES) == (True, False)


def test_the_stage_behind_the_approval_signs_decisions_and_no_evidence(cloud: Running, registry: Registry) -> None:
    assert signs(cloud, registry, RELEASES) == (False, True)


@pytest.mark.parametrize("role", OTHERS)
def test_no_other_role_of_a_road_signs_anything(cloud: Running, registry: Registry, role: str) -> None:
    assert signs(cloud, registry, role) == (False, False)


def test_a_person_who_may_use_keys_signs_a_rollback_and_no_evidence(cloud: Running, registry: Registry) -> None:
    assert signs(cloud, registry, None) == (False, True)
