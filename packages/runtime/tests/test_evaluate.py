"""Evaluation as the road gets it: every gate is judged, a failed one is told and not raised; what cannot be judged is an error."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container import environment

from paved_runtime import artifact, contract, gates, report, tasks
from paved_runtime.__main__ import main
from paved_runtime.gates import Findings
from paved_runtime.holdout import CHAMPION, Champion, Holdout
from paved_runtime.invocations import Invocations
from paved_runtime.protocol import PARITY, REPORT
from paved_runtime.reasons import Reasons
from paved_runtime.spec import Gates, ModelSpec
from paved_runtime.table import Table, Values

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/scores/7"
KINDS = {"data contract", "floor", "calibration", "champion", "plausibility", "slices", "fairness", "behaviour", "reason codes"}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def files(trained: Path) -> Json:
    return {
        "evaluation": artifact.read_json(trained / "model" / artifact.EVALUATION),
        "report": artifact.read_json(trained / "output/data" / REPORT),
        "parity": artifact.read_json(trained / "output/data" / PARITY),
    }


def test_every_gate_is_judged_and_the_synthetic_data_pass(files: Json, trained: Path) -> None:
    evaluation = files["evaluation"]

    assert (evaluation["version"], evaluation["champion"], evaluation["gates_failed"]) == (1, None, 0)
    assert {verdict["gate"] for verdict in evaluation["gates"]} == KINDS
    assert {verdict["passed"] for verdict in evaluation["gates"]} == {True, None}
    assert all(verdict["advice"] for verdict in evaluation["gates"] if verdict["passed"] is None)
    for metric in evaluation["metrics"].values():
        assert metric["low"] <= metric["value"] <= metric["high"]
        assert metric["high"] - metric["low"] < 0.2
    stdout = (trained / "stdout").read_text()
    assert "metric gates_failed=0\n" in stdout
    assert f"metric calibration_error={evaluation['metrics']['calibration_error']['value']:.6f}\n" in stdout


def test_the_report_draws_what_was_measured(files: Json, model_spec: ModelSpec, trained: Path) -> None:
    report, rows = files["report"], files["evaluation"]["rows"]["holdout"]
    drawn = report["drawn"]["challenger"]

    for name, ends in (("roc", (0, 1)), ("precision_recall", (1, 0))):
        curve = drawn[name]
        assert (curve["x"][0], curve["x"][-1]) == ends
        assert 10 < len(curve["x"]) == len(curve["y"]) <= 200
    assert sum(drawn["reliability"]["count"]) == sum(drawn["scores"]) == rows
    assert (len(report["edges"]), len(drawn["scores"])) == (21, 20)
    assert model_spec.gates.slices is not None
    for column in model_spec.gates.slices.by:
        assert sum(part["rows"] for part in report["slices"] if part["column"] == column) == rows
    weights = [weight["mean_contribution"] for weight in report["importance"]]
    assert sorted(weight["column"] for weight in report["importance"]) == sorted(model_spec.column_names)
    assert weights == sorted(weights, reverse=True)
    assert report["data"] == artifact.read_json(trained / "model" / artifact.DATA)


def test_parity_rows_score_what_they_say(files: Json, invocations: Invocations) -> None:
    parity = files["parity"]
    reply = invocations.reply(parity["content_type"], json.dumps({"instances": parity["instances"]}).encode())

    assert len(parity["instances"]) == 500
    assert [prediction["score"] for prediction in json.loads(reply.body)["predictions"]] == pytest.approx(parity["scores"], abs=1e-7)


@pytest.fixture(scope="module")
def holdout(trained: Path, model_spec: ModelSpec, invocations: Invocations) -> Holdout:
    examples = contract.read(trained / "work/holdout", model_spec.data)
    scores = invocations.scores(examples.table).astype(np.float64)
    return Holdout(task=tasks.of(model_spec.data), table=examples.table, labels=examples.labels, challenger=scores, champion=None)


def examined(model_spec: ModelSpec, holdout: Holdout, **judged: object) -> Findings:
    """Findings under other gates, by a model that gives every row its share of 0.1."""
    spec = model_spec.model_copy(update={"gates": Gates.model_validate({"roc_auc": 0.5, "calibration_error": 1, **judged})})

    def score(table: Table) -> Values:
        return np.full(len(table), 0.1)

    def explain(table: Table) -> Reasons:
        columns = model_spec.column_names
        contributions = np.zeros((len(table), len(columns)), dtype=np.float32)
        return Reasons(columns=columns, scores=score(table), base=float(np.log(1 / 9)), contributions=contributions)

    return gates.examine(spec, holdout, {"checks": [{"column": "age", "rule": "range", "passed": True}]}, score, explain)


@pytest.mark.parametrize(
    ("judged", "gate", "threshold"),
    [
        ({"roc_auc": 0.99, "suspicious_roc_auc": 0.995}, "floor", 0.99),
        ({"calibration_error": 0.0001}, "calibration", 0.0001),
        ({"slices": {"by": {"age": [40]}, "roc_auc": 0.95}}, "slices", 0.95),
        ({"fairness": {"groups": {"marital": []}, "threshold": 0.1, "selection_rate_ratio": 0.99}}, "fairness", 0.99),
        (
            {"behaviour": {"minimum_function": [{"name": "housing", "higher": {"housing": "no"}, "lower": {"housing": "yes"}}]}},
            "behaviour",
            0.95,
        ),
    ],
)
def test_each_gate_fails_with_number_threshold_and_advice(
    model_spec: ModelSpec, holdout: Holdout, judged: Json, gate: str, threshold: float
) -> None:
    findings = examined(model_spec, holdout, **judged)
    verdicts = list(gates.verdicts(findings))
    failed = [verdict for verdict in verdicts if verdict.passed is False]

    assert {verdict.gate for verdict in failed} == {gate}
    for verdict in failed:
        assert isinstance(verdict.found, float)
        assert verdict.threshold == threshold
        assert len(verdict.advice) > 20
    metadata = {"model": "m", "commit": "c", "rows": {"train": 1}}
    assert report.evaluation(findings, verdicts, metadata)["gates_failed"] == len(failed)


@pytest.mark.parametrize(("above", "passed"), [(-0.001, None), (0.001, True)])
def test_a_result_better_than_is_declared_plausible_asks_a_person(
    model_spec: ModelSpec, holdout: Holdout, above: float, passed: bool | None
) -> None:
    area = holdout.task.metrics(holdout.labels, holdout.challenger)["roc_auc"]
    findings = examined(model_spec, holdout, suspicious_roc_auc=area + above)
    (verdict,) = [verdict for verdict in gates.verdicts(findings) if verdict.gate == "plausibility"]

    assert (verdict.passed, verdict.comparison) == (passed, "<=")
    assert verdict.found == pytest.approx(area, abs=1e-5)
    assert ("raise gates.suspicious_roc_auc" in verdict.advice) is (passed is None)


def test_a_model_without_reasons_is_asked_about_without_naming_columns(model_spec: ModelSpec, holdout: Holdout) -> None:
    findings = _with(examined(model_spec, holdout, suspicious_roc_auc=0.51), reasons=None)
    verdicts = list(gates.verdicts(findings))
    (question,) = [verdict for verdict in verdicts if verdict.gate == "plausibility"]
    (reasons,) = [verdict for verdict in verdicts if verdict.gate == "reason codes"]

    assert question.advice.startswith(
        "ask when each of its columns is filled, before you approve: which of them move its scores is not known"
    )
    assert "raise gates.suspicious_roc_auc" in question.advice
    assert reasons.passed is None
    assert report.report(findings)["importance"] == []


def test_data_that_were_not_checked_do_not_pass(model_spec: ModelSpec, holdout: Holdout) -> None:
    findings = examined(model_spec, holdout)
    for checks in ([], [{"column": "age", "rule": "range", "passed": False}]):
        verdict = next(gates.verdicts(_with(findings, data={"checks": checks})))
        assert (verdict.gate, verdict.passed) == ("data contract", False)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.1])
def test_a_score_that_is_no_probability_is_an_error(model_spec: ModelSpec, holdout: Holdout, wrong: float) -> None:
    scores = holdout.challenger.copy()
    scores[5] = wrong

    with pytest.raises(ArithmeticError, match="1 of 800 held-out rows get a score that is no probability"):
        examined(model_spec, _with(holdout, challenger=scores))


def _with(value: Any, **changes: object) -> Any:
    """A copy of a frozen dataclass with other fields."""
    return type(value)(**{name: getattr(value, name) for name in value.__slots__} | changes)


@pytest.fixture
def root(trained: Path, tmp_path: Path) -> Path:
    """The ML_ROOT of an evaluation in a processing job of its own."""
    channels = tmp_path / "processing/input"
    artifact.pack(trained / "model", channels / "model/model.tar.gz")
    shutil.copytree(trained / "work/holdout", channels / "holdout")
    return tmp_path


def champion(root: Path, scores: list[float | None], **more: object) -> None:
    content = {"version": 1, "model_package_arn": ARN, "commit": "c", "scores": scores, "refused": 0, "reason": "", **more}
    artifact.write_json(root / "processing/input/holdout" / CHAMPION, content)


def evaluated(root: Path) -> Json:
    assert main(["evaluate"], environment(root)) == 0
    evaluation: Json = artifact.read_json(root / "processing/evaluation/evaluation.json")
    return evaluation


def test_a_champion_of_the_same_scores_is_equal(root: Path, holdout: Holdout) -> None:
    champion(root, holdout.challenger.tolist(), trained=[False] * 800)
    evaluation = evaluated(root)

    assert evaluation["gates_failed"] == 0
    assert evaluation["champion"] == {
        "model_package_arn": ARN,
        "metrics": {name: metric["value"] for name, metric in evaluation["metrics"].items()},
        "compared": True,
        "why": "",
        "trained_rows": 0,
        "difference": {"value": 0.0, "low": 0.0, "high": 0.0, "confidence": 0.95},
        "score_shift": {"p10": 0.0, "p50": 0.0, "p90": 0.0},
    }
    with tarfile.open(root / "processing/model/output.tar.gz") as tar:
        assert sorted(tar.getnames()) == ["parity.json", "report.json"]
    drawn = artifact.read_json(root / "processing/report/report.json")
    assert drawn["drawn"]["champion"] == drawn["drawn"]["challenger"]
    assert {part["difference"] for part in drawn["slices"] if part["judged"]} == {0.0}


def test_a_better_champion_refuses_the_challenger_and_the_job_succeeds(
    root: Path, holdout: Holdout, capsys: pytest.CaptureFixture[str]
) -> None:
    better = 0.5 * holdout.challenger + 0.5 * holdout.labels
    champion(root, better.tolist())
    evaluation = evaluated(root)
    failed = [verdict for verdict in evaluation["gates"] if verdict["passed"] is False]
    printed = capsys.readouterr().out

    assert {verdict["gate"] for verdict in failed} == {"champion"}
    assert evaluation["gates_failed"] == len(failed) > 1
    lower = float(np.quantile(holdout.challenger, 0.1) - np.quantile(better, 0.1))
    assert evaluation["champion"]["score_shift"]["p10"] == pytest.approx(lower)
    assert f"metric gates_failed={len(failed)}\n" in printed
    assert f"champion: ROC AUC, challenger minus champion, lower bound: found {failed[0]['found']}, accepted is >= -0.01: the" in printed


def questions(evaluation: Json) -> list[Json]:
    """What a person is asked."""
    return [verdict for verdict in evaluation["gates"] if verdict["passed"] is None and verdict["comparison"]]


def test_a_challenger_that_is_too_good_to_be_true_asks_a_person(root: Path, holdout: Holdout) -> None:
    """Its champion ranks as a coin does: so large a gain may be a leak, and no gate fails for it."""
    champion(root, np.random.default_rng(1).random(len(holdout)).tolist())
    evaluation = evaluated(root)
    (question,) = questions(evaluation)
    weightiest = artifact.read_json(root / "processing/report/report.json")["importance"][0]["column"]

    assert evaluation["gates_failed"] == 0
    assert (question["gate"], question["subject"]) == ("plausibility", "ROC AUC, challenger minus champion")
    assert question["found"] == pytest.approx(evaluation["champion"]["difference"]["value"], abs=1e-5)
    assert (question["comparison"], question["threshold"]) == ("<=", 0.05)
    assert question["advice"].startswith(f"ask when the columns that move its scores most are filled, before you approve: {weightiest} (")
    assert "raise gates.champion.suspicious_gain for this push" in question["advice"]


def test_a_champion_that_cannot_be_compared_raises_no_suspicion(root: Path, holdout: Holdout) -> None:
    champion(root, np.random.default_rng(1).random(len(holdout)).tolist(), trained=[row >= 100 for row in range(800)])
    assert questions(evaluated(root)) == []


def test_a_champion_that_scored_too_few_rows_fails_closed(root: Path, holdout: Holdout) -> None:
    known = [None if row % 50 == 0 else score for row, score in enumerate(holdout.challenger.tolist())]
    champion(root, known, reason="column 'job': expected one of 'admin.'")
    evaluation = evaluated(root)
    (failed,) = [verdict for verdict in evaluation["gates"] if verdict["passed"] is False]

    assert (failed["gate"], failed["found"], failed["comparison"], failed["threshold"]) == ("champion", 0.98, ">=", 0.99)
    assert (evaluation["champion"]["compared"], evaluation["champion"]["why"]) == (False, "column 'job': expected one of 'admin.'")


def test_a_champion_that_scored_nothing_leaves_no_curves(root: Path, holdout: Holdout) -> None:
    champion(root, [None] * len(holdout), reason="the data set lacks column 'age'")
    evaluation = evaluated(root)
    drawn = artifact.read_json(root / "processing/report/report.json")

    assert evaluation["gates_failed"] == 1
    assert (evaluation["champion"]["metrics"], evaluation["champion"]["difference"], evaluation["champion"]["score_shift"]) == (
        {},
        None,
        None,
    )
    assert set(drawn["drawn"]) == {"challenger"}
    assert {part["champion_figure"] for part in drawn["slices"]} == {None}


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.5] * 799, "champion.json has 799 scores for 800 held-out rows"),
        ([1.5] * 800, "champion.json has a score that is no probability"),
        (["x"] * 800, "champion.json is not what `score` writes: ValueError"),
        (None, "champion.json is not what `score` writes: TypeError"),
    ],
)
def test_broken_scores_of_a_champion_are_an_error(root: Path, scores: Any, message: str) -> None:
    champion(root, scores)

    assert main(["evaluate"], environment(root)) == 1
    assert (root / "output/message").read_text().startswith(f"evaluate: {message}")


@pytest.mark.parametrize("memory", [[True] * 799, [0] * 800, None, "no"])
def test_a_broken_memory_of_a_champion_is_an_error(root: Path, memory: Any) -> None:
    champion(root, [0.5] * 800, trained=memory)

    assert main(["evaluate"], environment(root)) == 1
    message = "evaluate: champion.json does not say of each held-out row whether the champion was trained on it\n"
    assert (root / "output/message").read_text() == message


def test_rows_that_the_champion_was_trained_on_are_left_out_everywhere(root: Path, holdout: Holdout) -> None:
    """On three quarters of the rows it knows the outcome by heart; on the others it is the challenger."""
    trained = np.arange(800) % 4 > 0
    scores = np.where(trained, holdout.labels, holdout.challenger)
    champion(root, scores.tolist(), trained=trained.tolist())
    evaluation = evaluated(root)
    drawn = artifact.read_json(root / "processing/report/report.json")

    assert evaluation["gates_failed"] == 0
    told = evaluation["champion"]
    assert (told["trained_rows"], told["compared"], told["why"]) == (600, True, "")
    assert told["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0, "confidence": 0.95}
    assert told["score_shift"] == {"p10": 0.0, "p50": 0.0, "p90": 0.0}
    assert told["metrics"] == holdout.task.metrics(holdout.labels[~trained], holdout.challenger[~trained])
    assert {part["difference"] for part in drawn["slices"]} <= {0.0, None}
    assert sum(drawn["drawn"]["champion"]["scores"]) == 200


def test_a_champion_that_was_trained_on_nearly_all_rows_fails_closed(root: Path, holdout: Holdout) -> None:
    champion(root, holdout.challenger.tolist(), trained=[row >= 100 for row in range(800)])
    evaluation = evaluated(root)
    (failed,) = [verdict for verdict in evaluation["gates"] if verdict["passed"] is False]
    positive = int(holdout.labels[:100].sum())

    assert (failed["gate"], failed["found"], failed["comparison"], failed["threshold"]) == ("champion", positive, ">=", 25)
    assert failed["advice"].startswith(
        "the champion was trained on 700 of the 800 held-out rows, and too few others remain: set gates.champion"
    )
    assert (evaluation["champion"]["compared"], evaluation["champion"]["trained_rows"]) == (False, 700)
    assert evaluation["champion"]["why"] == "it was trained on 700 of 800 held-out rows, and few of the others remain"


def test_a_champion_that_does_not_know_its_rows_is_compared_and_it_is_said(root: Path, holdout: Holdout) -> None:
    champion(root, (0.5 * holdout.challenger + 0.5 * holdout.labels).tolist())
    evaluation = evaluated(root)
    unknown = "the champion does not know which rows it was trained on: held-out ones may be among them"

    told = evaluation["champion"]
    assert (told["trained_rows"], told["compared"], told["why"]) == (None, True, unknown)
    overall = next(verdict for verdict in evaluation["gates"] if verdict["gate"] == "champion")
    assert overall["advice"].endswith(f"{unknown}, and then leave it out with gates.champion.compare = false")


def test_scores_that_got_lost_are_an_error(root: Path) -> None:
    (root / "processing/input/champion").mkdir()

    assert main(["evaluate"], environment(root)) == 1
    assert (root / "output/message").read_text() == "evaluate: champion.json is missing\n"


def test_what_a_champion_said_is_read_back(tmp_path: Path, model_spec: ModelSpec) -> None:
    artifact.write_json(tmp_path / CHAMPION, {"model_package_arn": ARN, "reason": "a", "scores": [0, None, 1.0]})
    version = Champion.load(tmp_path / CHAMPION, 3, tasks.of(model_spec.data))

    assert version.scored.tolist() == version.comparable.tolist() == [True, False, True]
    assert version.trained is None
    assert (version.model_package_arn, version.reason) == (ARN, "a")
