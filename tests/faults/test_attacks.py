"""Each role of the road tries each object that evidence binds: to overwrite it, to put an older one in its place, to delete it, for good.

AWS refuses, or whoever looks next notices and says which object it is. `docs/threats.md` has the table of both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from botocore.exceptions import ClientError

import naming
from pipelines.deployment import compare_evidence, ledger
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError
from tests.reference import CONFIG, MODEL, ROOT
from tests.support.production import ENVIRONMENT, HOME, Production, keys_of

pytestmark = [pytest.mark.fault("somebody changes what evidence binds"), pytest.mark.slow]
STAGING, PRODUCTION = CONFIG.environments
ROLES = {
    "training jobs": naming.training_role(CONFIG, MODEL),
    "Build": naming.stage_project(CONFIG, MODEL, naming.BUILD),
    "Update": naming.stage_project(CONFIG, MODEL, naming.UPDATE),
    "Train": naming.stage_project(CONFIG, MODEL, naming.TRAIN),
    "first environment's stage": naming.deploy_role(CONFIG, MODEL, STAGING),
    "approved environment's stage": naming.deploy_role(CONFIG, MODEL, PRODUCTION),
    "retraining controller": naming.controller_role(CONFIG, MODEL),
}
OBJECTS = ("data set", "model", "report", "bill of materials", "evidence", "its signature", "approval", "ledger")
UNVERSIONED = ("bill of materials", "evidence", "its signature", "approval")  # the same bytes once more are the same thing
FORBIDDEN = 403
Outcome = Literal["refused", "noticed", "missed"]
START, END = "<!-- the table of tests/faults/test_attacks.py -->\n", "<!-- its end -->\n"


def objects(production: Production) -> dict[str, str]:
    """Where everything lies that the evidence of the version that serves binds, and what tells of it."""
    registry, arn = production.registry, production.served()
    uri = pack.evidence_uri(registry.artifacts, arn)
    evidence = document.load_evidence(pack.read(registry.s3, uri) or b"")
    places = (
        evidence.data.uri,
        evidence.artifact.uri,
        evidence.report.uri,
        pack.bill_of_materials(registry.artifacts, evidence.image.uri),
        uri,
        f"{uri}.sig",
        pack.approval_uri(registry.artifacts, arn),
        list(pack.ledger_objects(registry.s3, registry.artifacts, ENVIRONMENT.name))[-1],
    )
    return dict(zip(OBJECTS, places, strict=True))


def sound(production: Production) -> bool:
    """Whether those who look find everything as it was: the check before a deployment, and whoever reads the ledger."""
    try:
        ledger.entries(production.registry, ENVIRONMENT.name)
        return all(comparison.matches for comparison in compare_evidence.compare(production.registry, production.served()))
    except (DeploymentError, DocumentError):
        return False


@contextmanager
def mended(production: Production, uri: str) -> Iterator[None]:
    """Whatever is done to an object meanwhile, its very version is the newest one again afterwards."""
    s3, (bucket, _, key) = production.home("s3"), uri.removeprefix("s3://").partition("/")
    before = versions(s3, bucket, key)
    yield
    assert before <= versions(s3, bucket, key), f"a version of {uri} is gone for good"
    for version in versions(s3, bucket, key) - before:
        s3.delete_object(Bucket=bucket, Key=key, VersionId=version, BypassGovernanceRetention=True)


def versions(s3: Any, bucket: str, key: str) -> set[str]:
    listed = s3.list_object_versions(Bucket=bucket, Prefix=key)
    return {each["VersionId"] for each in (*listed.get("Versions", []), *listed.get("DeleteMarkers", [])) if each["Key"] == key}


def attack(s3: Any, uri: str, how: str) -> None:
    """One thing that a role may try. Raises ClientError where AWS refuses."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if how == "overwrite":
        s3.put_object(Bucket=bucket, Key=key, Body=b"another")
    elif how == "replay":
        where = {"Bucket": bucket, "Key": key}
        s3.copy_object(**where, CopySource=where, MetadataDirective="REPLACE", Metadata={"again": "1"})
    elif how == "delete":
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        version = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
        s3.delete_object(Bucket=bucket, Key=key, VersionId=version, BypassGovernanceRetention=True)


def outcome(production: Production, s3: Any, uri: str, how: str) -> Outcome:
    with mended(production, uri):
        try:
            attack(s3, uri, how)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != FORBIDDEN:
                raise
            return "refused"
        return "missed" if sound(production) else "noticed"


def table(outcomes: dict[tuple[str, str], str]) -> str:
    """The outcomes as docs/threats.md has them."""
    head = f"| role | {' | '.join(OBJECTS)} |\n|---|{'---|' * len(OBJECTS)}\n"
    return head + "".join(f"| {role} | {' | '.join(outcomes[role, each] for each in OBJECTS)} |\n" for role in ROLES)


def worst(seen: dict[str, Outcome]) -> str:
    """What is said of several attacks: that all were refused, or which of them was noticed only afterwards."""
    assert "missed" not in seen.values(), seen
    noticed = [how for how, result in seen.items() if result == "noticed"]
    return f"{', '.join(noticed)}: noticed" if noticed else "refused"


def test_each_role_tries_each_object(production: Production) -> None:
    assert sound(production)
    places, outcomes = objects(production), dict[tuple[str, str], str]()
    for role, name in ROLES.items():
        s3 = production.cloud.client("s3", HOME, **keys_of(production.cloud, name))
        for each, uri in places.items():
            ways = (*(() if each in UNVERSIONED else ("replay",)), "overwrite", "delete", "delete for good")
            outcomes[role, each] = worst({how: outcome(production, s3, uri, how) for how in ways})
    assert sound(production)

    document_file = Path(ROOT) / "docs/threats.md"
    text = document_file.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    written = f"{before}{START}{table(outcomes)}{END}{after}"
    if os.environ.get("THREATS_DOCUMENT"):
        document_file.write_text(written, encoding="utf-8")
    assert text == written, "THREATS_DOCUMENT=1 ./road test -m slow tests/faults/test_attacks.py writes it"
