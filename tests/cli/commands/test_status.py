"""What `road status` shows: what runs and what ended last, what failed, what waits for whom; and each change of it through a pipe."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

import naming
from cli import executions
from cli.commands import status
from cli.roads import Road
from pipelines.deployment.standing import Standing
from pipelines.deployment.unproven import Unproven
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.code_pipeline import APPROVAL, PIPELINE, PRODUCTION, STAGING, CodePipeline, Run
from tests.support.fakes import Fake
from tests.support.target import FakeTarget

WHY = "alarm config-2-ServerErrors went into ALARM at 2026-11-21T10:04:00Z: Threshold Crossed: 2 out of 3 were above"
SENTENCE = f"Rolled back in production by SageMaker at 2026-11-21T10:05:00Z: {WHY}"


def road(*runs: Run, rollback: str = "") -> Road:
    read = executions.current(CodePipeline(list(runs)), PIPELINE)
    return Road(model=MODEL, executions=[replace(execution, rollback=rollback) for execution in read])


def shown(known: Road) -> str:
    out = Console(file=io.StringIO(), width=1000)
    out.print(status.view([known]))
    return str(out.file.getvalue())  # type: ignore[attr-defined]


def line(known: Road, stage: str) -> str:
    """What is shown of one stage."""
    (about,) = [line for line in shown(known).splitlines() if line.split()[:1] == [stage]]
    return about


def test_the_failure_is_named_and_where() -> None:
    about = line(road(Run("a", naming.TRAIN, "Failed", "roc_auc is 0.61,\nunder the gate's 0.75")), naming.TRAIN)
    assert "Failed" in about
    assert "roc_auc is 0.61,; under the gate's 0.75" in about


def test_a_source_that_failed_says_why() -> None:
    assert "no such branch" in line(road(Run("a", naming.SOURCE, "Failed", "no such branch")), naming.SOURCE)


def test_a_failed_execution_does_not_vanish_behind_the_next() -> None:
    text = shown(road(Run("b", naming.BUILD), Run("a", naming.TRAIN, "Failed", "gate")))
    assert [word in text for word in ("(a)", "(b)", "gate")] == [True] * 3


def test_a_failed_execution_does_not_vanish_behind_another_commits_success() -> None:
    text = shown(road(Run("b"), Run("a", naming.TRAIN, "Failed", "roc_auc is 0.61"), rollback=""))
    assert f"{PIPELINE}  Failed  commit aaaaaaaa" in text
    assert f"  {naming.TRAIN} Failed  roc_auc is 0.61" in text.splitlines()


def test_what_serves_and_what_is_wrong_with_it_is_said() -> None:
    gone = Standing(state="gone", lines=("endpoint e is gone: ./road rollback",))
    known = replace(
        road(Run("a")),
        endpoints={"staging": Standing(state="in line", serves=f"{sample.ARN}/7"), "production": gone},
        unproven=[Unproven(model_package_arn=f"{sample.ARN}/9", why="it has no evidence")],
    )
    lines = shown(known).splitlines()

    assert "  staging  serves version 7" in lines
    assert "  production  gone  endpoint e is gone: ./road rollback" in lines
    assert any(line.startswith("  unproven  version 9 is approved in the registry though it has no evidence: ") for line in lines)


def test_a_version_that_must_be_asked_is_said_to_and_how() -> None:
    rows = reference.model().serving[CONFIG.environments[-1].name].deployment.minimum_requests
    asked = f"a new version must answer {rows} rows, real ones or ./road traffic {MODEL} --data FILE.csv"

    assert asked in line(road(Run("a", PRODUCTION)), PRODUCTION)
    assert "must answer" not in shown(road(Run("a", PRODUCTION, "Failed")))
    assert "must answer" not in shown(road(Run("a", STAGING)))


def test_what_waits_is_said_and_what_to_type() -> None:
    about = line(road(Run("a", APPROVAL)), APPROVAL)
    assert "waits for you" in about
    assert f"commit aaaaaaaa: ./road approve {MODEL} --reason" in about


def test_the_platforms_road_is_approved_by_its_own_name() -> None:
    read = executions.current(CodePipeline([Run("a", APPROVAL)]), PIPELINE)
    assert "./road approve platform --reason" in shown(Road(model=naming.PLATFORM, executions=read))


def test_before_the_first_push() -> None:
    assert f"{PIPELINE}: nothing was pushed yet" in shown(road())


def test_what_was_skipped_or_cancelled_is_shown_as_that() -> None:
    known = road(Run("a", naming.TRAIN, "Abandoned", ended="Cancelled"))
    assert line(known, naming.UPDATE).split() == [naming.UPDATE, "Skipped"]
    assert f"{PIPELINE}  Cancelled  commit aaaaaaaa" in shown(known)


def test_a_rollback_is_told_beside_what_the_stage_said() -> None:
    """On AWS a build that failed says little more than that it did."""
    failed = Run("a", PRODUCTION, "Failed", "Build terminated with state: FAILED")
    assert f"Build terminated with state: FAILED {SENTENCE}" in line(road(failed, rollback=SENTENCE), PRODUCTION)


def test_what_the_stage_said_itself_is_not_said_twice() -> None:
    failed = Run("a", PRODUCTION, "Failed", f"verify: endpoint e serves config-1, not config-2: {WHY}: correct the model")
    assert shown(road(failed, rollback=SENTENCE)).count("config-2-ServerErrors") == 1


def test_each_stage_that_has_begun_has_a_line_of_its_own_and_each_end() -> None:
    first, then = (status.standing([road(run)]) for run in (Run("a", naming.BUILD), Run("a", naming.TRAIN, "Failed", "gate")))
    news = [line for place, line in then.items() if first.get(place) != line]

    assert list(first.values()) == [f"{MODEL} a  {naming.SOURCE} Succeeded", f"{MODEL} a  {naming.BUILD} InProgress"]
    assert news == [
        f"{MODEL} a  {naming.BUILD} Succeeded",
        f"{MODEL} a  {naming.UPDATE} Skipped",
        f"{MODEL} a  {naming.TRAIN} Failed: gate",
        f"{MODEL} a  Failed",
    ]


class Moving(CodePipeline):
    """A pipeline that is further on at each look."""

    def __init__(self, *looks: Run) -> None:
        super().__init__([])
        self.looks = list(looks)

    def list_pipeline_executions(self, **request: Any) -> dict[str, Any]:
        self.runs = [self.looks.pop(0)]
        return super().list_pipeline_executions(**request)


@pytest.mark.parametrize("as_json", [False, True])
def test_through_a_pipe_a_line_is_printed_whenever_a_stage_changes(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    looks = (Run("a", naming.BUILD), Run("a", naming.BUILD), Run("a", naming.TRAIN), Run("a", APPROVAL))
    aws = FakeTarget(codepipeline=Moving(*looks), s3=Fake(list_objects_v2=lambda **_: {}))

    (known,) = status.print_changes(aws, [MODEL], json=as_json)

    printed = capsys.readouterr()
    lines, facts = (printed.err, printed.out) if as_json else (printed.out, printed.err)
    stages = [line.partition("  ")[2].partition(":")[0] for line in lines.splitlines()]
    begun = [f"{naming.SOURCE} Succeeded", f"{naming.BUILD} InProgress"]
    then = [f"{naming.BUILD} Succeeded", f"{naming.UPDATE} Skipped", f"{naming.TRAIN} InProgress"]
    assert stages == [*begun, *then, f"{naming.TRAIN} Succeeded", "Staging Succeeded", f"{APPROVAL} waits for you"]
    assert facts == ""
    assert known.as_dict()["executions"][0]["status"] == "InProgress"
