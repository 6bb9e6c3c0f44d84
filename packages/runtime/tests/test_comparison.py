"""The champion's gate: its area under the curve is the usual one, its bounds hold as often as they say, and it fails closed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import declared
import numpy as np
import pytest
from declared import AMOUNTS, CLASSES, GRADES, graded, measured
from frames import DATA
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from paved_runtime import tasks
from paved_runtime.artifact import ArtifactError, write_json
from paved_runtime.comparison import between, judge
from paved_runtime.differences import Ranking, of_outcomes
from paved_runtime.holdout import Champion, Holdout
from paved_runtime.spec import Champion as Rule
from paved_runtime.spec import Data
from paved_runtime.table import Mask, Table, Values
from paved_runtime.verdict import Verdict

ties = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1)
outcomes = hnp.arrays(np.bool_, st.integers(2, 40)).filter(lambda labels: 0 < labels.sum() < len(labels))
examples = outcomes.flatmap(lambda labels: st.tuples(st.just(labels), hnp.arrays(np.float64, len(labels), elements=ties)))


@given(examples)
def test_with_every_row_once_it_is_the_usual_area(example: tuple[Mask, Values]) -> None:
    labels, scores = example
    once = (np.ones((1, count), dtype=np.int64) for count in (labels.sum(), (~labels).sum()))

    assert Ranking(scores[labels], scores[~labels]).auc(*once)[0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(examples, st.data())
def test_with_weights_it_is_the_area_of_the_repeated_rows(example: tuple[Mask, Values], data: st.DataObject) -> None:
    labels, scores = example
    counts = data.draw(hnp.arrays(np.int64, len(labels), elements=st.integers(0, 3)))
    counts[[labels.argmax(), labels.argmin()]] += 1
    rows = np.repeat(np.arange(len(labels)), counts)
    area = Ranking(scores[labels], scores[~labels]).auc(counts[None, labels], counts[None, ~labels])

    assert area[0] == pytest.approx(roc_auc_score(labels[rows], scores[rows]), abs=1e-12)


@given(examples, examples)
def test_the_bounds_are_on_either_side_of_each_other_and_the_same_every_time(
    example: tuple[Mask, Values], other: tuple[Mask, Values]
) -> None:
    labels, challenger = example
    champion = np.resize(other[1], len(labels))
    once = of_outcomes(labels, challenger, champion, confidence=0.9, resamples=50)

    assert -1 <= once.low <= once.high <= 1
    assert once.value == pytest.approx(roc_auc_score(labels, challenger) - roc_auc_score(labels, champion), abs=1e-12)
    assert once == of_outcomes(labels, challenger, champion, confidence=0.9, resamples=50)


def test_memory_does_not_change_the_answer_beyond_chance() -> None:
    labels, champion, challenger = drawn(400, 0.0, seed=1)
    wide = of_outcomes(labels, challenger, champion, confidence=0.95)
    narrow = of_outcomes(labels, challenger, champion, confidence=0.95, cells=1)

    assert (narrow.low, narrow.high) == pytest.approx((wide.low, wide.high), abs=0.005)


def drawn(rows: int, worse: float, seed: int, *, shared: float = 0.98) -> tuple[Mask, Values, Values]:
    """Labels, and probabilities of a champion and of a challenger that sees the outcome less clearly by `worse` deviations.

    Both models' noise is mostly `shared`, as that of two models of the same data is; the champion sees the outcome at one deviation.
    """
    draw = np.random.default_rng(seed)
    labels = draw.random(rows) < 0.2
    common, *own = draw.normal(size=(3, rows))
    champion, challenger = (
        1 / (1 + np.exp(-(signal * labels + np.sqrt(shared) * common + np.sqrt(1 - shared) * noise)))
        for signal, noise in zip((1.0, 1.0 - worse), own, strict=True)
    )
    return labels, champion, challenger


def test_an_interval_misses_the_truth_about_as_often_as_it_says() -> None:
    """Each one-sided bound at 0.9 is on the wrong side of the true difference, 0, in a tenth of the samples."""
    samples = []
    for seed in range(200):
        labels, champion, challenger = drawn(600, 0.0, seed)
        samples.append(of_outcomes(labels, challenger, champion, confidence=0.9, resamples=400))

    assert 0.04 <= np.mean([sample.low > 0 for sample in samples]) <= 0.16
    assert 0.04 <= np.mean([sample.high < 0 for sample in samples]) <= 0.16


def delong(labels: Mask, challenger: Values, champion: Values) -> tuple[float, float]:
    """The difference and its standard error, by DeLong's formula (Biometrics 44, 1988): another way to the same end."""

    def placements(scores: Values) -> tuple[Values, Values]:
        positive, negative = scores[labels][:, None], scores[~labels][None, :]
        right = (positive > negative) + 0.5 * (positive == negative)
        return right.mean(axis=1), right.mean(axis=0)

    positive, negative = (ours - theirs for ours, theirs in zip(placements(challenger), placements(champion), strict=True))
    variance = positive.var(ddof=1) / len(positive) + negative.var(ddof=1) / len(negative)
    return float(positive.mean()), float(np.sqrt(variance))


@pytest.mark.parametrize("worse", [0.0, 0.3])
def test_the_bounds_are_those_that_delongs_formula_gives(worse: float) -> None:
    labels, champion, challenger = drawn(2000, worse, seed=5)
    tied = challenger.round(2), champion.round(2)
    bounds = of_outcomes(labels, *tied, confidence=0.95)
    value, error = delong(labels, *tied)

    assert bounds.value == pytest.approx(value, abs=1e-12)
    assert bounds.low == pytest.approx(value - 1.645 * error, abs=0.15 * error)
    assert bounds.high == pytest.approx(value + 1.645 * error, abs=0.15 * error)


def holdout(rows: int, worse: float, seed: int = 0, *, known: float = 1.0, reason: str = "") -> Holdout:
    """Rows with a champion that has scored a share of them."""
    labels, champion, challenger = drawn(rows, worse, seed)
    champion[round(rows * known) :] = np.nan
    table = Table({}, np.empty((rows, 0)))
    return Holdout(
        task=tasks.of(DATA),
        table=table,
        labels=labels.astype(np.float64),
        challenger=challenger,
        champion=Champion(model_package_arn="arn", reason=reason, scores=champion),
    )


def verdict(rows: Holdout, rule: Rule) -> Verdict:
    return judge(rows, between(rows, np.ones(len(rows), dtype=np.bool_), rule.confidence), rule)


@pytest.mark.parametrize("seed", range(3))
def test_a_worse_challenger_fails_and_an_equal_or_better_one_passes(seed: int) -> None:
    rule = Rule(margin=0.01)
    worse, equal, better = (verdict(holdout(5000, less, seed), rule) for less in (0.2, 0.0, -0.1))

    assert (worse.passed, equal.passed, better.passed) == (False, True, True)
    assert (worse.comparison, worse.threshold) == (">=", -0.01)
    assert isinstance(worse.found, float)
    assert worse.found < -0.01
    assert "the challenger is worse by" in worse.advice


def test_the_same_scores_pass_however_few_rows_there_are() -> None:
    labels, champion, _ = drawn(30, 0.0, 3)
    same = Holdout(
        task=tasks.of(DATA),
        table=Table({}, np.empty((30, 0))),
        labels=labels.astype(np.float64),
        challenger=champion,
        champion=Champion(model_package_arn="arn", reason="", scores=champion),
    )

    assert verdict(same, Rule(margin=1e-9)).passed is True


def test_too_few_rows_to_be_sure_do_not_pass() -> None:
    unsure = verdict(holdout(100, -0.1, 4), Rule(margin=0.01))

    assert unsure.passed is False
    assert "cannot be excluded" in unsure.advice
    assert "data.holdout" in unsure.advice


@pytest.mark.parametrize(("known", "passes"), [(1.0, True), (0.99, True), (0.98, False), (0.0, False)])
def test_a_champion_that_cannot_score_the_rows_fails_closed(known: float, passes: bool) -> None:
    judgement = verdict(holdout(5000, 0.0, known=known, reason="column 'age' is missing"), Rule())

    assert judgement.passed is passes
    if not passes:
        assert (judgement.found, judgement.comparison, judgement.threshold) == (known, ">=", 0.99)
        assert judgement.advice.startswith("the champion cannot be compared (column 'age' is missing): set gates.champion.compare = false")


def remembered(rows: Holdout, trained: Mask) -> Holdout:
    """The same rows, some of which the champion was trained on: it has their outcomes for scores."""
    assert rows.champion is not None
    return replace(rows, champion=replace(rows.champion, scores=np.where(trained, rows.labels, rows.champion.scores), trained=trained))


@pytest.mark.parametrize(("worse", "passes"), [(0.0, True), (0.3, False)])
def test_what_the_champion_learnt_by_heart_does_not_count(worse: float, passes: bool) -> None:
    """Half of the rows are among its training rows; on the other half the verdict is the honest one."""
    rows = holdout(8000, worse, seed=6)
    aware = remembered(rows, np.arange(8000) % 2 == 0)
    assert aware.champion is not None
    unaware = replace(aware, champion=replace(aware.champion, trained=None))

    assert verdict(aware, Rule()).passed is passes
    assert verdict(unaware, Rule()).passed is False


@pytest.mark.parametrize(("left", "passes"), [(25, True), (24, False)])
def test_too_few_outcomes_that_it_was_not_trained_on_fail_closed(left: int, passes: bool) -> None:
    rows = holdout(5000, -3.0, seed=2)
    positive = np.flatnonzero(rows.labels)
    trained = np.zeros(5000, dtype=np.bool_)
    trained[positive[left:]] = True
    judgement = verdict(remembered(rows, trained), Rule(margin=0.1))

    assert judgement.passed is passes
    if not passes:
        assert (judgement.found, judgement.threshold) == (24, 25)
        assert f"the champion was trained on {len(positive) - 24} of the 5000 held-out rows" in judgement.advice


def test_of_rows_it_was_not_trained_on_it_must_have_scored_nearly_all() -> None:
    rows = holdout(5000, 0.0, known=0.98, reason="column 'age': range (100 rows)")
    assert rows.champion is not None
    judgement = verdict(replace(rows, champion=replace(rows.champion, trained=np.arange(5000) < 2500)), Rule())

    assert (judgement.passed, judgement.found) == (False, 0.96)
    assert "the champion cannot be compared (column 'age': range (100 rows))" in judgement.advice


def test_a_champion_that_was_trained_on_all_rows_fails_closed() -> None:
    judgement = verdict(remembered(holdout(500, 0.0), np.ones(500, dtype=np.bool_)), Rule())

    assert (judgement.passed, judgement.found, judgement.threshold) == (False, 0, 25)


def test_without_a_comparison_nothing_is_judged_and_it_says_why() -> None:
    alone = Holdout(
        task=tasks.of(DATA),
        table=Table({}, np.empty((2, 0))),
        labels=np.array([1.0, 0.0]),
        challenger=np.array([0.5, 0.5]),
        champion=None,
    )

    assert verdict(alone, Rule()).passed is None
    assert "no champion yet" in verdict(alone, Rule()).advice
    left_out = verdict(holdout(2000, 0.5), Rule(compare=False))
    assert left_out.passed is None
    assert left_out.found is not None
    assert "gates.champion.compare is false" in left_out.advice


@pytest.mark.parametrize(("data", "drawn", "title"), [(GRADES, graded, "mean ROC AUC"), (AMOUNTS, measured, "R²")])
def test_in_every_task_a_worse_challenger_fails_and_an_equal_or_better_one_passes(data: Data, drawn: declared.Drawn, title: str) -> None:
    labels, champion, equal, worse, better = drawn(5000, 2.0, 2.0, 3.0, 1.5, common=0.97)
    verdicts = [verdict(declared.holdout(data, labels, scores, champion), Rule(margin=0.01)) for scores in (worse, equal, better)]

    assert [each.passed for each in verdicts] == [False, True, True]
    assert verdicts[0].subject == f"{title}, challenger minus champion, lower bound"


SCORED = {
    "model_package_arn": "arn",
    "reason": "",
    "scores": [[0.1, 0.2, 0.3, 0.4], None, [1, 0, 0, 0]],
    "task": "multiclass",
    "classes": list(CLASSES),
}


def loaded(tmp_path: Path, data: Data, **changed: object) -> Champion:
    write_json(tmp_path / "champion.json", {**SCORED, **changed})
    return Champion.load(tmp_path / "champion.json", 3, tasks.of(data))


def test_what_a_champion_said_of_classes_is_read(tmp_path: Path) -> None:
    champion = loaded(tmp_path, GRADES)

    assert champion.scores.shape == (3, 4)
    assert champion.scored.tolist() == [True, False, True]
    assert champion.reason == ""


@pytest.mark.parametrize(
    ("data", "changed", "reason"),
    [
        (GRADES, {"classes": ["low", "high", "medium", "severe"]}, "the champion has the classes low, high, medium, severe"),
        (GRADES, {"classes": ["a", "b", "c"], "scores": [[0.1, 0.2, 0.7]] * 3}, "the champion has the classes a, b, c"),
        (GRADES, {"task": "binary", "classes": [], "scores": [0.1, 0.2, 0.3]}, "a model for binary, the challenger one for multiclass"),
        (GRADES, {"task": "regression", "classes": [], "scores": [5, 6, 7]}, "a model for regression, the challenger one for multiclass"),
        (AMOUNTS, {}, "a model for multiclass, the challenger one for regression"),
        (DATA, {"task": "regression", "classes": [], "scores": [5, 6, 7]}, "a model for regression, the challenger one for binary"),
    ],
)
def test_a_champion_of_another_task_or_other_classes_is_refused_with_its_reason(
    tmp_path: Path, data: Data, changed: dict[str, object], reason: str
) -> None:
    champion = loaded(tmp_path, data, **changed)
    labels = np.array([0.0, 1.0, 1.0])
    scores = np.full((3, 4), 0.25) if data is GRADES else np.array([0.1, 0.2, 0.3])
    rows = replace(declared.holdout(data, labels, scores), champion=champion)

    judgement = verdict(rows, Rule())

    assert not champion.scored.any()
    assert (judgement.passed, judgement.found, judgement.threshold) == (False, 0.0, 0.99)
    assert reason in judgement.advice
    assert judgement.advice.endswith("set gates.champion.compare = false in model.toml for this push; the evidence will show it")


def test_a_champion_that_names_no_task_is_binary(tmp_path: Path) -> None:
    write_json(tmp_path / "champion.json", {"model_package_arn": "arn", "reason": "", "scores": [0.1, None, 1.0]})
    champion = Champion.load(tmp_path / "champion.json", 3, tasks.of(DATA))

    assert champion.scored.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "scores",
    [
        [[0.1, 0.2, 0.3, 0.5], None, None],  # they make more than one
        [[0.1, 0.2, 0.3, None], None, None],
        [[0.1, 0.2, 0.7], None, None],
        [0.1, 0.2, 0.3],
        [[0.25] * 4] * 2,
        "abc",
    ],
)
def test_what_is_no_answer_of_classes_is_not_read(tmp_path: Path, scores: object) -> None:
    with pytest.raises(ArtifactError):
        loaded(tmp_path, GRADES, scores=scores)
