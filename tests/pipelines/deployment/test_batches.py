"""Files handed in once, runs that go on, and which version scored what."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.deployment.batches import Batches
from pipelines.deployment.errors import DeploymentError
from tests.support.fakes import Fake, clients, refusal
from tests.support.scored_files import RUN, Objects, manifest, scoring


def files(folder: Path, **contents: str) -> list[Path]:
    written = [folder / f"{name}.csv" for name in contents]
    for file, content in zip(written, contents.values(), strict=True):
        file.write_text(content)
    return written


def test_the_same_files_lie_in_one_folder_and_others_in_another(tmp_path: Path) -> None:
    batches, _ = scoring(dict)
    one, two = files(tmp_path, one="a\n1\n", two="a\n2\n")

    assert batches.put([one, two]) == batches.put([two, one]) != batches.put([one])
    assert batches.put([one]).startswith("s3://batches/input/")
    files(tmp_path, one="a\n2\n", two="a\n1\n")
    assert batches.put([one, two]) not in (batches.put([one]), batches.put([two]))


def test_results_go_to_another_folder_only_where_one_is_given() -> None:
    batches, sagemaker = scoring(dict)
    batches.start("s3://rows/leads/", "s3://rows/scores/")
    batches.start("s3://rows/leads/")
    given, default = (
        {each["Name"]: each["Value"] for each in asked["PipelineParameters"]} for asked in sagemaker.asked("start_pipeline_execution")
    )

    assert given == {"InputUri": "s3://rows/leads/", "OutputUri": "s3://rows/scores/"}
    assert default == {"InputUri": "s3://rows/leads/"}


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_run_that_failed_goes_on_as_the_same_execution(status: str) -> None:
    batches, sagemaker = scoring(dict, statuses=(status,))
    batches.retry(batches.arn("run1"))

    assert [asked["PipelineExecutionArn"] for asked in sagemaker.asked("retry_pipeline_execution")] == [RUN]


@pytest.mark.parametrize("status", ["Executing", "Succeeded"])
def test_one_that_has_not_failed_does_not(status: str) -> None:
    batches, sagemaker = scoring(dict, statuses=(status,))

    with pytest.raises(DeploymentError, match=f"batch run1 is {status}: only one that failed"):
        batches.retry(RUN)
    assert not sagemaker.asked("retry_pipeline_execution")


def test_a_run_that_is_not_there_is_said() -> None:
    with pytest.raises(DeploymentError, match=r"batch run9: .* has no such execution"):
        scoring(dict)[0].arn("run9")


def test_why_a_run_failed_is_its_steps_word() -> None:
    run = scoring(dict, statuses=("Failed",), why="leads.csv: no header")[0].look(RUN)

    assert (run.ended, run.why) == (True, "step Prepare: leads.csv: no header")


def test_manifests_are_those_of_every_run_that_has_one() -> None:
    batches, _ = scoring(dict)
    batches.start("s3://batches/input/1/")
    objects = batches.s3
    assert isinstance(objects, Objects)
    objects.held["runs/run2/parts/part-00000.jsonl"] = b""

    assert list(batches.manifests()) == [manifest()]
    assert batches.manifest("run2") is None


def test_what_is_not_deployed_is_said() -> None:
    def describe_stacks(**_: object) -> None:
        raise refusal("ValidationError", "Stack with id x does not exist")

    with pytest.raises(DeploymentError, match="x is not deployed: no batch can be scored"):
        Batches.open(Fake(describe_stacks=describe_stacks), clients({}), "x")
