"""The folder of a new model: complete, as the linters and the contract want it, with a reason beside what was inferred."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from cli import environments, model_toml, profiles, scaffold
from cli.model_toml import Words
from cli.outcomes import Amounts, Several, Two
from cli.profiles import Profile
from cli.proposals import Gates
from cli.shapes import Offered, Shape
from config import Config, Environment
from paved_runtime import spec
from paved_runtime.spec import Category, Integer, ModelSpec, Number
from paved_runtime.synthetic import Numbers, Outcome, Values
from stacks import layout
from tests.reference import CONFIG, ROOT
from tests.support import data_sets
from tests.support.data_sets import SHAPES

NAME, PURPOSE, OWNER = "next_purchase", "Scores what a customer buys next: 'no \"quotes\"', no\\escapes.", "jo@acme.test"
WORDS = Words(purpose=PURPOSE, owner=OWNER, framework="xgboost")
FIRST, LAST = CONFIG.environments
MIDDLE = replace(FIRST, name="middle")
GATES = Gates(
    floor=0.76,
    calibration_error=0.08,
    bias=0.07,
    reasons_error=0.05,
    champion_margin=0.02,
    suspicious=0.87,
    maximum_column_auc=0.8,
    maximum_pair_auc=0.85,
    maximum_duplicates=0.03,
    usual=(0.1, 0.4),
    minimum_rows=1000,
    seen=(0.81, 0.0158),
    calibration_error_seen=0.04,
    bias_seen=0.03,
)


@pytest.fixture(scope="module", params=["odd_columns", "quoted", "numeric_only"])
def profile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """Of data sets of each task, some of whose names and values are no identifiers."""
    make, target = SHAPES[request.param]
    return profiles.read(data_sets.write(tmp_path_factory.mktemp("shape") / "data\u2028.csv", make()), target=target)


def files(profile: Profile, config: Config = CONFIG) -> dict[str, str]:
    return scaffold.files(NAME, profile, GATES, WORDS, config=config)


def loaded(models: Path, contents: Mapping[str, str]) -> ModelSpec:
    scaffold.write(models / NAME, contents)
    return spec.load(NAME, models)


def test_the_contract_says_what_was_inferred(profile: Profile, tmp_path: Path) -> None:
    model = loaded(tmp_path / "model_code", files(profile))

    assert (model.purpose, model.owner, model.data.target) == (PURPOSE, OWNER, profile.target)
    assert model.task == profile.task
    assert model.data.columns == profile.columns
    assert model.data.exclude == tuple(profile.excluded)
    assert (model.gates.calibration_error, model.gates.champion.margin) == (0.08, 0.02)
    assert (model.data.minimum_rows, model.data.maximum_duplicates, model.data.maximum_column_auc) == (1000, 0.03, 0.8)
    assert model.monitoring is not None


def test_the_target_and_its_gates_are_those_of_the_task(profile: Profile, tmp_path: Path) -> None:
    model = loaded(tmp_path / "model_code", files(profile))
    data, gates = model.data, model.gates

    match profile.outcomes:
        case Two() as two:
            assert (data.positive, data.negative) == (two.positive, two.negative)
            assert (gates.roc_auc, gates.suspicious_roc_auc) == (0.76, 0.87)
            assert (data.positive_share.minimum, data.positive_share.maximum) == (0.1, 0.4)
        case Several() as several:
            assert data.classes == tuple(several.counts)
            assert (gates.roc_auc, gates.suspicious_roc_auc) == (0.76, 0.87)
            assert (data.class_share.minimum, data.class_share.maximum) == (0.1, 0.4)
        case Amounts() as amounts:
            assert data.target_minimum is not None
            assert data.target_maximum is not None
            assert data.target_mean is not None
            assert data.target_minimum < amounts.ordered[0] < amounts.ordered[-1] < data.target_maximum
            assert (gates.r2, gates.suspicious_r2, gates.bias) == (0.76, 0.87, 0.07)
            assert (data.target_mean.minimum, data.target_mean.maximum) == (0.1, 0.4)
            assert {serving.alarms.score_shift < 0.1 for serving in model.serving.values()} == {True}


def test_what_is_only_proposed_is_accepted_once_it_is_taken(profile: Profile, tmp_path: Path) -> None:
    """The tables that a person is to decide on are there as comments: without the sign they are valid, but for the columns."""
    lines = files(profile)["model.toml"].splitlines()
    column = next(name for name, column in profile.columns.items() if isinstance(column, Number | Integer))
    first = next(place for place, line in enumerate(lines) if line.startswith("# [gates.slices]"))
    for place in range(first, lines.index("", first)):
        lines[place] = lines[place].removeprefix("# ").replace("region = [], age", f'"{column}"').replace("age", f'"{column}"', 1)
    model = loaded(tmp_path / "model_code", {"model.toml": "\n".join(lines)})

    assert model.gates.slices is not None
    assert model.gates.fairness is not None
    assert (model.gates.fairness.threshold is None) == (profile.task == "multiclass")


def test_each_exclusion_has_its_reason_beside_it(profile: Profile) -> None:
    lines = files(profile)["model.toml"].splitlines()
    for name, why in profile.excluded.items():
        (line,) = (line for line in lines if line.startswith(f'    "{name}",'))
        assert line.endswith(f"# {why}")


@pytest.mark.parametrize(
    "environments",
    [
        (FIRST,),
        (FIRST, LAST),
        (FIRST, MIDDLE, LAST),
        (FIRST, replace(LAST, approved_only=False)),
        (FIRST, replace(MIDDLE, approved_only=True), LAST),
    ],
    ids=["one", "two", "three", "nothing approved", "two approvals"],
)
def test_every_environment_gets_an_endpoint_that_fits_it(environments: tuple[Environment, ...], profile: Profile, tmp_path: Path) -> None:
    config = replace(CONFIG, environments=environments)
    model = loaded(tmp_path / "model_code", files(profile, config))

    layout.check(config, [model])
    guarded = [name for name, serving in model.serving.items() if serving.deployment.policy == "canary"]
    assert guarded == [e.name for e in environments if e.approved_only or (e == environments[-1] and len(environments) > 1)]


@pytest.mark.parametrize("style", get_args(Offered))
@pytest.mark.parametrize("batch", [False, True])
def test_it_is_asked_as_was_chosen(style: Offered, batch: bool, profile: Profile, tmp_path: Path) -> None:
    home = tuple(replace(environment, account=CONFIG.toolchain) for environment in CONFIG.environments)
    config, words = replace(CONFIG, environments=home), replace(WORDS, shape=Shape(style=style, batch=batch))
    model = loaded(tmp_path / "model_code", scaffold.files(NAME, profile, GATES, words, config=config))

    layout.check(config, [model])
    assert {(serving.style, serving.batch is not None) for serving in model.serving.values()} == {(style, batch)}
    assert (model.monitoring is None) == (style != "real-time" and not batch)


def test_its_code_is_as_the_linters_want_it(profile: Profile, tmp_path: Path) -> None:
    columns = {
        name: Values(weights={"a": 1}) if isinstance(c, Category) else Numbers(quantiles=[0, 1]) for name, c in profile.columns.items()
    }
    outcome = Outcome(target=profile.target, positive="1", negative="0", intercept=-1.5)
    contents = {**files(profile), "synthetic.py": scaffold.synthetic(NAME, columns, outcome)}
    scaffold.write(tmp_path / "model_code" / NAME, contents)
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "packages").symlink_to(ROOT / "packages")

    subprocess.run(["ruff", "format", "--quiet", "model_code"], cwd=tmp_path, check=True)
    linted = subprocess.run(["ruff", "check", "model_code"], cwd=tmp_path, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout


def test_its_features_are_its_columns(profile: Profile) -> None:
    text, names = files(profile)["features.py"], dict[str, object]()
    exec(text[text.index("NAMES = (") : text.index("\n\n\ndef")], names)  # noqa: S102 - what was just written
    assert names["NAMES"] == tuple(profile.columns)


def test_nothing_of_the_model_that_it_was_copied_from_is_left(profile: Profile) -> None:
    contents = files(profile)
    assert {"Dockerfile", "requirements.lock", "requirements.in", "requirements-test.lock", "requirements-test.in"} <= set(contents)
    for path, text in contents.items():
        assert environments.sample().name not in text, path
        assert "packages/runtime/tests" not in text, path
    assert f"model_code/{NAME}" in contents["Dockerfile"]


@pytest.mark.parametrize(("share", "rows"), [(0.5, 4000), (0.97, 4000), (0.005, 20_000), (0.0001, 100_000)])
def test_its_test_makes_up_enough_of_the_rarer_outcome(tmp_path: Path, share: float, rows: int) -> None:
    profile = Profile(
        file=tmp_path / "data.csv",
        target="y",
        rows=100_000,
        outcomes=Two(positive="1", counts={"1": round(100_000 * share), "0": round(100_000 * (1 - share))}),
        columns={"a": Number(type="number", minimum=0, maximum=1)},
        excluded={},
        cells={},
    )
    assert f"rows={rows}, seed=3" in files(profile)[f"tests/test_{NAME}.py"]


def test_a_seed_is_written_where_it_is_not_the_usual_one(profile: Profile) -> None:
    toml = model_toml.write(profile, GATES, WORDS, config=CONFIG, seed=3)
    assert tomllib.loads(toml)["data"]["seed"] == 3
    assert "seed" not in tomllib.loads(files(profile)["model.toml"])["data"]
