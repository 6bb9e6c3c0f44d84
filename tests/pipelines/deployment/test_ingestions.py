"""What ingestions have left of themselves comes into the evidence as it is; records that name none that there was are refused."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from typing import Any

import pytest

import naming
from cli import ingestions as put
from cli.ingestions import Ingestion
from pipelines.deployment import ingestions
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError
from tests.reference import CONFIG
from tests.support import sample
from tests.support.feature_groups import GROUP
from tests.support.world import World, deliver

HOME = CONFIG.toolchain
KNOWN = Ingestion(
    format=put.FORMAT,
    group=GROUP,
    ingestion="20261129T000000Z-abcdef01",
    source=[{"name": "may.csv", "bytes": 7, "sha256": "a" * 64}, {"name": "june.csv", "bytes": 8, "sha256": "b" * 64}],
    sql_sha256="c" * 64,
    group_sha256="d" * 64,
    commit="e" * 40,
    rows=1200,
    first="2026-11-01T00:00:00Z",
    last="2026-11-29T00:00:00Z",
    began="2026-11-29T00:00:00Z",
    ended=None,
    places=["toolchain"],
)
KEPT = document.Ingestion(source=["a" * 64, "b" * 64], sql_sha256="c" * 64, group_sha256="d" * 64, commit="e" * 40)


def evaluation(*names: str) -> document.Evaluation:
    """That of a version which has learnt from the records of these ingestions."""
    known = sample.looked_up().evaluation
    (features, *_) = (known.features or {}).values()
    return known.model_copy(update={"features": {GROUP: features.model_copy(update={"ingestions": dict.fromkeys(names, 10)})}})


@pytest.fixture(scope="module")
def world(evidence_server: str) -> World:
    """A version that has learnt from the records of KNOWN, and beside it a bucket of features."""
    made = deliver(evidence_server, features=evaluation(KNOWN.ingestion).model_dump(mode="json")["features"])
    bucket = naming.features_bucket(CONFIG, HOME)
    made.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HOME.region})
    return made


def keep(world: World, ingestion: Ingestion, **changes: Any) -> None:
    """Leave a manifest, as an ingestion does."""
    content = json.dumps({**asdict(ingestion), **changes})
    pack.write(world.s3, naming.ingestion_manifest(CONFIG, HOME, ingestion.group, ingestion.ingestion), content.encode())


def test_evidence_says_of_what_each_ingestion_was_made(world: World, approved: World) -> None:
    keep(world, KNOWN)

    assert world.prove().ingestions == {GROUP: {KNOWN.ingestion: KEPT}}
    assert world.evidence.ingestions == {GROUP: {KNOWN.ingestion: KEPT}}
    assert approved.evidence.ingestions is None


def test_an_ingestion_that_ends_meanwhile_is_the_same_evidence(world: World) -> None:
    under_way = replace(KNOWN, ingestion="20261130T000000Z-abcdef02")
    keep(world, under_way)
    before = ingestions.behind(world.registry(), evaluation(under_way.ingestion, KNOWN.ingestion))
    keep(world, replace(under_way, ended="2026-11-30T01:00:00Z"))

    assert ingestions.behind(world.registry(), evaluation(under_way.ingestion, KNOWN.ingestion)) == before
    assert before == {GROUP: {under_way.ingestion: KEPT, KNOWN.ingestion: KEPT}}


def test_records_of_an_ingestion_that_nobody_knows_are_refused(world: World) -> None:
    uri = naming.ingestion_manifest(CONFIG, HOME, GROUP, "made-up")
    with pytest.raises(
        DeploymentError, match=rf"records name the ingestion made-up, and {re.escape(uri)} is not there: nothing was signed"
    ):
        ingestions.behind(world.registry(), evaluation("made-up"))


@pytest.mark.parametrize(("changes", "why"), [({"sql_sha256": None}, "sql_sha256"), ({"source": [{"name": "a.csv"}]}, "source")])
def test_a_manifest_that_says_too_little_is_refused(world: World, changes: dict[str, Any], why: str) -> None:
    poor = replace(KNOWN, ingestion=f"without-{why}")
    keep(world, poor, **changes)
    with pytest.raises(DocumentError, match=why):
        ingestions.behind(world.registry(), evaluation(poor.ingestion))
