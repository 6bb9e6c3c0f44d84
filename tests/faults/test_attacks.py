"""Each role of the road tries each object that evidence binds: to overwrite it, to put an older one in its place, to delete it, for good.

AWS refuses, or whoever looks next notices and says which object it is. `docs/threats.md` has the table of both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from botocore.exceptions import ClientError

import naming
from pipelines.deployment import compare_evidence, ledger, package
from pipelines.deployment.candidate import gather
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import pack
from pipelines.evidence.document import DocumentError
from tests.reference import CONFIG, MODEL, ROOT
from tests.support.production import ENVIRONMENT, HOME, Production, keys_of
from tests.support.world import World

pytestmark = [pytest.mark.fault("somebody changes what evidence binds"), pytest.mark.slow, pytest.mark.timeout(900)]
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
PINNED = ("data set", "model", "report")  # once there is evidence
WAYS = ("replay", "overwrite", "delete", "delete for good")
FORBIDDEN = 403
Outcome = Literal["refused", "noticed", "missed"]
START, END = "<!-- the table of tests/faults/test_attacks.py -->\n", "<!-- its end -->\n"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A version on its way: where everything lies by then, and whether those who look next find it as it was.

    `pinned` are the objects of which the very version counts by then: of others the same bytes once more are the same thing.
    """

    objects: dict[str, str]
    pinned: tuple[str, ...]
    sound: Callable[[], bool]


def on_the_way(production: Production) -> list[Point]:
    """A version that was registered, one that was proven and waits for a person, and one that was approved and serves."""
    trained, proven = production.candidate(score=0.3), production.candidate(score=0.3)
    proven.prove()
    approved = production.served()
    return [
        Point(objects=_registered(production, trained.arn), pinned=("data set",), sound=lambda: _sound(lambda: _gathered(trained))),
        Point(
            objects=_made(production, proven.arn) | _proven(production, proven.arn),
            pinned=PINNED,
            sound=lambda: _sound(lambda: _compared(production, proven.arn, but="approval")),
        ),
        Point(
            objects=_made(production, approved) | _proven(production, approved) | _decided(production, approved),
            pinned=(*PINNED, "ledger"),
            sound=lambda: _sound(lambda: _compared(production, approved)),
        ),
    ]


def _registered(production: Production, arn: str) -> dict[str, str]:
    """Without the bill of materials, which is Build's own until there is evidence."""
    return {name: uri for name, uri in _made(production, arn).items() if name != "bill of materials"}


def _made(production: Production, arn: str) -> dict[str, str]:
    version = package.read(production.home("sagemaker"), arn)
    bill = pack.bill_of_materials(production.registry.artifacts, version.image)
    return dict(zip(OBJECTS, (version.metadata["data_uri"], version.data, pack.report_of(version.data), bill), strict=False))


def _proven(production: Production, arn: str) -> dict[str, str]:
    uri = pack.evidence_uri(production.registry.artifacts, arn)
    return {"evidence": uri, "its signature": f"{uri}.sig"}


def _decided(production: Production, arn: str) -> dict[str, str]:
    registry = production.registry
    entries = list(pack.ledger_objects(registry.s3, registry.artifacts, ENVIRONMENT.name))
    return {"approval": pack.approval_uri(registry.artifacts, arn), "ledger": entries[-1]}


def _gathered(world: World) -> bool:
    """What Staging does before it signs."""
    return bool(gather(world.registry(), world.candidate(), created="2026-11-21T10:00:00Z"))


def _compared(production: Production, arn: str, *, but: str = "") -> bool:
    """What `road approve`, Production and `road rollback` look at, and whoever reads the ledger."""
    ledger.entries(production.registry, ENVIRONMENT.name)
    compared = compare_evidence.compare(production.registry, arn)
    return all(comparison.matches for comparison in compared if comparison.what != but)


def _sound(look: Callable[[], bool]) -> bool:
    try:
        return look()
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


def outcome(production: Production, point: Point, s3: Any, uri: str, how: str) -> Outcome:
    with mended(production, uri):
        try:
            attack(s3, uri, how)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != FORBIDDEN:
                raise
            return "refused"
        return "missed" if point.sound() else "noticed"


def table(outcomes: dict[tuple[str, str], str]) -> str:
    """The outcomes as docs/threats.md has them."""
    head = f"| role | {' | '.join(OBJECTS)} |\n|---|{'---|' * len(OBJECTS)}\n"
    return head + "".join(f"| {role} | {' | '.join(outcomes[role, each] for each in OBJECTS)} |\n" for role in ROLES)


def worst(seen: dict[tuple[int, str], Outcome]) -> str:
    """What is said of several attacks: that all were refused, or which of them was noticed only afterwards."""
    assert "missed" not in seen.values(), seen
    noticed = [how for how in WAYS if "noticed" in {result for (_, tried), result in seen.items() if tried == how}]
    return f"{', '.join(noticed)}: noticed" if noticed else "refused"


def test_each_role_tries_each_object_at_each_point(production: Production) -> None:
    points, outcomes = on_the_way(production), dict[tuple[str, str], str]()
    assert [point.sound() for point in points] == [True] * 3
    for role, name in ROLES.items():
        s3 = production.cloud.client("s3", HOME, **keys_of(production.cloud, name))
        for each in OBJECTS:
            tries = [(number, how) for number, point in enumerate(points) if each in point.objects for how in WAYS]
            seen = {
                (number, how): outcome(production, points[number], s3, points[number].objects[each], how)
                for number, how in tries
                if how != "replay" or each in points[number].pinned
            }
            outcomes[role, each] = worst(seen)
    assert all(point.sound() for point in points)

    document_file = Path(ROOT) / "docs/threats.md"
    text = document_file.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    written = f"{before}{START}{table(outcomes)}{END}{after}"
    if os.environ.get("THREATS_DOCUMENT"):
        document_file.write_text(written, encoding="utf-8")
        text = written
    assert text == written, "THREATS_DOCUMENT=1 ./road test -m slow tests/faults/test_attacks.py writes it"
