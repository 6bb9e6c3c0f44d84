"""Evidence is gathered from where each fact was made; contradictions are named, and doing it twice gives the same document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.deployment.candidate import gather
from pipelines.deployment.consistency import contradictions
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.proof import settled
from pipelines.evidence import document, pack
from pipelines.evidence.publish import hyperparameters
from tests.support import sample
from tests.support.fakes import Altered, Killed, archive
from tests.support.world import BILL, DATA, EXECUTION, MODEL, World, mortal, source

OTHER = "d" * 40


def gathered(world: World, **changes: Any) -> document.Evidence:
    return gather(world.registry(), world.candidate(**changes), created="2026-11-21T07:31:59Z")


def repack(world: World, *, evaluation: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Another model.tar.gz, with some facts changed."""
    files = pack.members(world.read(world.model_data), "evaluation.json", "metadata.json")
    changed = {
        "evaluation": {**json.loads(files["evaluation.json"]), **evaluation},
        "metadata": {**json.loads(files["metadata.json"]), **metadata},
    }
    pack.write(world.s3, world.model_data, archive(model=b"model", **changed))


def test_evidence_binds_everything(approved: World) -> None:
    evidence, sha256 = approved.evidence, document.sha256
    definition = approved.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=approved.training)["PipelineDefinition"]

    assert (evidence.model, evidence.purpose, evidence.owner) == (MODEL.name, MODEL.purpose, MODEL.owner)
    assert evidence.commit.model_dump() == {
        "id": sample.COMMIT,
        "author": "dana@example.com",
        "date": "2026-11-21T07:29:12Z",
        "message": "Fewer leaves",
    }
    assert evidence.delivery.execution == EXECUTION
    assert evidence.training.definition_sha256 == sha256(definition.encode())
    assert evidence.data.sha256 == sha256(DATA)
    assert evidence.image.digest == evidence.image.uri.rpartition("@")[2]
    assert (evidence.image.sbom_sha256, evidence.image.components) == (sha256(json.dumps(BILL).encode()), 1)
    assert evidence.artifact.sha256 == sha256(approved.read(evidence.artifact.uri))
    assert evidence.report.sha256 == sha256(approved.read(evidence.report.uri))
    assert evidence.evaluation.metrics["roc_auc"].value == 0.809346
    assert evidence.staging.load.p99_ms == 12.85


def test_a_pack_is_complete_and_in_order(approved: World) -> None:
    files = {name: approved.read(pack.beside(approved.uri, name)) for name in pack.FILES}

    assert set(approved.versions) == {*pack.FILES, *pack.DECISION}
    assert pack.signed(approved.s3, approved.signer, approved.uri, files["evidence.json"])
    assert json.loads(files["sbom.json"]) == BILL
    assert json.loads(files["report.json"]) == sample.report()
    assert files["public-key.pem"].decode() == approved.signer.public_key()
    assert files["release-key.pem"].decode() == approved.releaser.public_key()
    assert files["evidence.html"].startswith(b"<!doctype html>")
    assert json.loads(files["model-card.json"]) == json.loads(approved.card["Content"])


def test_proving_twice_changes_nothing(staged: World) -> None:
    first, versions = staged.prove(), staged.versions
    second = staged.prove()

    assert document.canonical(second) == document.canonical(first)
    assert staged.versions == versions == dict.fromkeys(pack.FILES, 1)
    assert (staged.card["ModelCardVersion"], staged.card["ModelCardStatus"]) == (1, "PendingReview")


def test_killed_in_the_middle_it_goes_on_and_shows_the_same_digest(staged: World) -> None:
    shown = set()
    for _ in range(len(pack.FILES) // 2):
        with pytest.raises(Killed):
            staged.prove(s3=mortal(staged.s3, writes=2))
        shown.add(document.shown_sha256(staged.evidence))
        assert not pack.signed(staged.s3, staged.signer, staged.uri, staged.read(staged.uri))
    last = staged.prove()

    assert shown == {document.shown_sha256(last)}
    assert staged.versions == dict.fromkeys(pack.FILES, 1)
    assert pack.signed(staged.s3, staged.signer, staged.uri, document.canonical(last))


def test_another_run_of_staging_is_other_evidence(staged: World) -> None:
    first = staged.prove()
    report = {**json.loads(staged.candidate().staging), "memory_mb": 165.0}
    second = staged.prove(staging=json.dumps(report).encode())

    assert document.shown_sha256(second) != document.shown_sha256(first)
    assert staged.evidence == second
    assert staged.approve().startswith("Approved by")


def test_approved_evidence_is_kept_as_it_is(approved: World) -> None:
    before = approved.evidence

    assert approved.prove() == before
    assert approved.wrong() == set()
    assert approved.card["ModelCardStatus"] == "Approved"


def test_approved_evidence_is_never_replaced(approved: World) -> None:
    before = approved.evidence
    with pytest.raises(DeploymentError, match=r"other evidence of it was approved by arn:.*/ada at 2026-11-21T09:12:40Z"):
        approved.prove(cause="another")

    assert approved.evidence == before


def test_an_approval_that_nobody_signed_is_dropped() -> None:
    planted, new = sample.approved(), sample.evidence(created="2026-11-22T00:00:00Z")

    assert settled(planted, new, signed=True, approval=None) == planted
    assert settled(planted, new, signed=False, approval=None) == sample.evidence()
    assert settled(planted, sample.evidence(owner="eve@example.com"), signed=False, approval=None).owner == "eve@example.com"


@pytest.mark.parametrize(
    ("variables", "author"),
    [
        ({}, "dana@example.com"),
        ({"AuthorEmail": "", "AuthorDisplayName": "Dana"}, "Dana"),
        ({"AuthorEmail": ""}, "not told by the repository's provider"),
    ],
)
def test_the_author_is_who_the_provider_says(staged: World, variables: dict[str, str], author: str) -> None:
    staged.actions[:] = [source(**variables)]

    assert gathered(staged).commit.author == author


def test_the_source_of_another_execution_is_not_taken(staged: World) -> None:
    staged.actions[:] = [{**source(), "pipelineExecutionId": "another"}]

    with pytest.raises(DeploymentError, match=f"the source of execution {EXECUTION} names no commit"):
        gathered(staged)


def test_the_registry_or_the_source_contradicts(staged: World) -> None:
    staged.actions[:] = [source(CommitId=OTHER)]
    said = f"commit: the source revision says {OTHER}, the registry says {sample.COMMIT}, metadata.json says {sample.COMMIT},"

    with pytest.raises(DeploymentError, match=said):
        gathered(staged)


@pytest.mark.parametrize(
    ("evaluation", "metadata", "said"),
    [
        (
            {"commit": OTHER},
            {},
            rf"commit: .*evaluation.json says {OTHER}.*; commit: evaluation.json says {OTHER}, the pipeline definition",
        ),
        ({}, {"commit": OTHER}, rf"commit: .*metadata.json says {OTHER}"),
        ({"image_uri": f"other@sha256:{'0' * 64}"}, {}, "image: the model package says .*, evaluation.json says other@sha256:0"),
        ({}, {"image_uri": ""}, "image: .*metadata.json says nothing"),
        ({"data_sha256": "0" * 64}, {}, rf"data: .*evaluation.json says {'0' * 64}, the file at s3://data.*csv says "),
        ({"model": "churn"}, {}, f"model: the command says {MODEL.name}, .*evaluation.json says churn"),
        ({"gates_failed": 2}, {}, "gates_failed: evaluation.json says 2, accepted is 0"),
        (
            {"gates": [sample.verdict("floor", "ROC AUC", 0.7, ">=", 0.75, passed=False, advice="train more")]},
            {},
            "floor: ROC AUC: found 0.7",
        ),
        ({"gates": []}, {}, "calibration: no verdict: .*; champion: no verdict: .*; fairness: no verdict: .*; slices: no verdict: "),
        ({"gates_failed": -1}, {}, "evaluation.json: gates_failed: found '-1': "),
    ],
)
def test_the_artifact_contradicts(staged: World, evaluation: dict[str, Any], metadata: dict[str, Any], said: str) -> None:
    repack(staged, evaluation=evaluation, metadata=metadata)

    with pytest.raises(DeploymentError, match=said) as refused:
        staged.prove()
    assert "nothing was signed" in str(refused.value)
    assert staged.versions == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_package_arn": f"{sample.ARN}/6"}, "model package: the command says .*, the staging report says .*/6"),
        ({"gates": [sample.verdict("latency", "p99, ms", 3000, "<=", 2000, passed=False, advice="more")]}, "latency: p99, ms: found 3000"),
        (
            {"gates": sample.staging()["gates"][1:]},
            "golden requests: no verdict: the image runs another version of the runtime: nothing was",
        ),
        ({"load": None}, "staging report: load: found 'None'"),
        ({"surprise": 1}, "staging report: surprise: found '1': Extra inputs are not permitted"),
    ],
)
def test_the_staging_report_contradicts(staged: World, changes: dict[str, Any], said: str) -> None:
    report = {**json.loads(staged.candidate().staging), **changes}

    with pytest.raises(DeploymentError, match=said):
        staged.prove(staging=json.dumps(report).encode())


def test_something_is_missing_or_broken(staged: World) -> None:
    bill = pack.bill_of_materials(staged.artifacts, gathered(staged).image.uri)
    with staged.holding(bill, None), pytest.raises(DeploymentError, match=f"{bill} is not there: nothing was signed"):
        staged.prove()
    with staged.holding(bill, b"[]"), pytest.raises(DeploymentError, match=r"sbom.json: not a JSON object: nothing was signed"):
        staged.prove()
    with (
        staged.holding(staged.model_data, b"no archive"),
        pytest.raises(DeploymentError, match=r"model.tar.gz: no archive: .*: nothing was signed"),
    ):
        staged.prove()
    with (
        staged.holding(staged.model_data, archive(evaluation={})),
        pytest.raises(DeploymentError, match=r"holds no metadata.json: nothing was signed"),
    ):
        staged.prove()
    assert gathered(staged)


def test_a_thing_that_changes_while_it_is_proven(staged: World) -> None:
    changes = iter([" ", "\n"])
    definition = staged.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=staged.training)["PipelineDefinition"]
    changing = Altered(
        staged.sagemaker, describe_pipeline_definition_for_execution=lambda **_: {"PipelineDefinition": definition + next(changes)}
    )

    with pytest.raises(DeploymentError, match=r"pipeline definition: found sha256 \w+, the evidence says"):
        staged.prove(sagemaker=changing)
    assert staged.versions == {}


def test_facts_on_which_all_agree_are_no_contradiction() -> None:
    assert contradictions({"a": {"x": "1", "y": "1"}, "b": {"x": None, "y": "2"}}) == ["b: x says nothing, y says 2"]


def test_hyperparameters_are_those_of_the_training_step() -> None:
    steps = [{"Type": "Processing", "Arguments": {}}, {"Type": "Training", "Arguments": {"HyperParameters": {"eta": "0.1"}}}]

    assert hyperparameters(json.dumps({"Steps": steps})) == {"eta": "0.1"}
    assert hyperparameters("{}") == {}
