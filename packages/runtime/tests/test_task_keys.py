"""What `model.toml` may say of each task: every contradiction is one line that names the key, what was found and what is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from paved_runtime import spec

BINARY = 'positive and negative, its two outcomes spelt as in the data set, such as positive = "yes" and negative = "no"'
CLASSES = 'classes, three or more of them spelt as in the data set, such as classes = ["low", "medium", "high"]'
RANGE = "target_minimum and target_maximum, the ends of its accepted range"
EVERY = f"binary: {BINARY}; multiclass: {CLASSES}; regression: {RANGE}"
OF_CLASSES = "gates.fairness: of classes, give those as selected that are in a person's favour, and no threshold"
GRADE, AMOUNT = "risk_grade", "claim_amount"
NAMED = 'classes = ["low", "medium", "high", "severe"]'
ENDS = "target_minimum = 0\ntarget_maximum = 50000"


def written(tmp_path: Path, model: str, *changes: tuple[str, str]) -> Path:
    """The folder with a model's declaration, changed."""
    content = (spec.MODELS / model / "model.toml").read_text(encoding="utf-8")
    for before, after in changes:
        assert content.count(before) == 1, before
        content = content.replace(before, after)
    (tmp_path / "model_code" / model).mkdir(parents=True)
    (tmp_path / "model_code" / model / "model.toml").write_text(content, encoding="utf-8")
    return tmp_path / "model_code"


@pytest.mark.parametrize(
    ("model", "before", "after", "errors"),
    [
        (
            GRADE,
            'task = "multiclass"',
            'task = "ranking"',
            ["task: found 'ranking'; Input should be 'binary', 'multiclass' or 'regression'"],
        ),
        (GRADE, 'task = "multiclass"\n', "", [f"data: the target is that of multiclass, task is 'binary', which needs {BINARY}"]),
        (AMOUNT, '"regression"', '"multiclass"', [f"data: the target is that of regression, task is 'multiclass', which needs {CLASSES}"]),
        (GRADE, NAMED, 'classes = ["low", "high"]', [f"data: target 'grade' needs {CLASSES}"]),
        (GRADE, NAMED, "", [f"data: the keys of no task say what target 'grade' holds; accepted are {EVERY}"]),
        (
            GRADE,
            NAMED,
            f'{NAMED}\npositive = "yes"',
            [f"data: the keys of binary and of multiclass say what target 'grade' holds; accepted are {EVERY}"],
        ),
        (GRADE, '"severe"]', '" Low"]', ["data: classes 'low' and ' Low' are one outcome: each are needed, spelt apart"]),
        (
            GRADE,
            '"severe"]',
            '" "]',
            ["data: outcome ' ' is empty: a row whose outcome is not known has none, and does not belong in the data"],
        ),
        (AMOUNT, ENDS, "target_minimum = 0", [f"data: target 'amount' needs {RANGE}"]),
        (AMOUNT, ENDS, "target_minimum = 7\ntarget_maximum = 7", ["data: target_minimum 7 is not smaller than target_maximum 7"]),
        (
            AMOUNT,
            ENDS,
            "target_minimum = 1000000\ntarget_maximum = 1000016",
            [
                "data: the range from target_minimum to target_maximum is 16 wide at numbers of 1.00002e+06: scores are float32, "
                "which cannot tell such numbers apart: take an offset off the target"
            ],
        ),
        (AMOUNT, "target_maximum = 50000", "target_maximum = inf", ["data.target_maximum: found inf; Input should be a finite number"]),
        (
            AMOUNT,
            ENDS,
            f"{ENDS}\ntarget_mean = {{ minimum = 9, maximum = 8 }}",
            ["data.target_mean: minimum 9.0 is larger than maximum 8.0"],
        ),
        (GRADE, "[gates]\nroc_auc = 0.6", "[gates]", ["gates: the floor of multiclass is roc_auc: give it, and not r2"]),
        (GRADE, "roc_auc = 0.6", "r2 = 0.6", ["gates: the floor of multiclass is roc_auc: give it, and not r2"]),
        (AMOUNT, "r2 = 0.3", "r2 = 0.3\nroc_auc = 0.6", ["gates: the floor of regression is r2: give it, and not roc_auc"]),
        (AMOUNT, "r2 = 0.3", "r2 = 1", ["gates.r2: found 1; Input should be less than 1"]),
        (
            AMOUNT,
            "r2 = 0.3",
            "r2 = 0.3\nsuspicious_r2 = 0.3",
            ["gates: suspicious_r2 0.3 is not above r2 0.3: it is the R² from which a result is too good to be true"],
        ),
        (GRADE, 'selected = ["low", "medium"]', "threshold = 0.5", [OF_CLASSES]),
        (GRADE, 'selected = ["low", "medium"]', 'selected = ["low", "best"]', [OF_CLASSES]),
        (GRADE, 'selected = ["low", "medium"]', 'selected = ["low", "medium", "high", "severe"]', [OF_CLASSES]),
        (
            AMOUNT,
            "threshold = 10000",
            'selected = ["low"]',
            ["gates.fairness: of regression, give the threshold from which a score selects, and nothing as selected"],
        ),
        (GRADE, 'outcome = "low"', "", ["gates.behaviour.outcome: found None; accepted is one of low, medium, high, severe"]),
        (
            GRADE,
            'outcome = "low"',
            'outcome = "Low"',
            ["gates.behaviour.outcome: found 'Low'; accepted is one of low, medium, high, severe"],
        ),
        (
            AMOUNT,
            'monotone = { years = "increasing" }',
            'monotone = { years = "increasing" }\noutcome = "low"',
            ["gates.behaviour.outcome is a class of a multi-class model: take it out of one for regression"],
        ),
        (
            GRADE,
            "maximum_change = 0.5",
            "maximum_change = 1",
            ["gates.behaviour.invariance: maximum_change 1 is no change of a probability"],
        ),
        (
            GRADE,
            'task = "multiclass"',
            'task = "multiclass"\nreasons = "exact"',
            ['reasons: found "exact", those of classes are none; accepted are "sampled" and "none"'],
        ),
        (
            AMOUNT,
            "[training.hyperparameters]",
            '[training.search]\njobs = 2\nobjective = "roc_auc"\nranges = { eta = { values = [0.1, 0.2] } }\n\n[training.hyperparameters]',
            ["training.search.objective: found 'roc_auc'; accepted for regression are r2, rmse, mae"],
        ),
    ],
)
def test_what_does_not_fit_the_task_is_one_line(tmp_path: Path, model: str, before: str, after: str, errors: list[str]) -> None:
    folder = written(tmp_path, model, (before, after))

    with pytest.raises(spec.SpecError) as caught:
        spec.load(model, folder)
    assert str(caught.value).splitlines() == [f"model_code/{model}/model.toml: {error}" for error in errors]


def test_a_regression_may_accept_less_than_nothing_and_a_change_in_its_own_unit(tmp_path: Path) -> None:
    changes = ("target_minimum = 0", "target_minimum = -50000"), ("r2 = 0.3", "r2 = -0.5"), ("threshold = 10000", "threshold = -3.5")
    loaded = spec.load(AMOUNT, written(tmp_path, AMOUNT, *changes))

    assert (loaded.data.span, loaded.gates.r2, loaded.gates.behaviour.invariance[0].maximum_change) == (100_000, -0.5, 8000)
    assert loaded.gates.fairness is not None
    assert loaded.gates.fairness.threshold == -3.5


@pytest.mark.parametrize("objective", spec.OBJECTIVES["multiclass"])
def test_a_search_may_look_for_any_figure_of_its_task(tmp_path: Path, objective: str) -> None:
    table = "[training.hyperparameters]"
    search = f'[training.search]\njobs = 2\nobjective = "{objective}"\nranges = {{ eta = {{ values = [0.1, 0.2] }} }}'
    loaded = spec.load(GRADE, written(tmp_path, GRADE, (table, f"{search}\n\n{table}")))

    assert loaded.training.search is not None
    assert loaded.training.search.maximize is spec.OBJECTIVES["multiclass"][objective]
