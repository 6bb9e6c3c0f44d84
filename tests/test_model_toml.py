"""docs/model-toml.md is true: it has every key of the contract, and each error it shows is the error that is given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

import naming
from paved_runtime import spec
from tests.reference import MODEL, MODELS, ROOT
from tests.support.model_keys import KEYS

DOCUMENT = (ROOT / "docs/model-toml.md").read_text(encoding="utf-8")
SHOWN = (MODELS / MODEL / "model.toml").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `(.+?)`(?: → `(.+?)`| added) \| `(.+)` \|$", DOCUMENT.split("## Errors")[1], re.MULTILINE)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_documented(key: str) -> None:
    assert re.search(rf"[`\[.]{key.rpartition('.')[2]}[`\].]", DOCUMENT)


def test_every_documented_error_is_an_example() -> None:
    assert len(EXAMPLES) == DOCUMENT.split("## Errors")[1].count("\n| `") > 20


@pytest.mark.parametrize(("before", "after", "errors"), EXAMPLES)
def test_a_documented_error_is_given(tmp_path: Path, before: str, after: str, errors: str) -> None:
    content = SHOWN.replace(before, after, 1) if after else f"{before}\n{SHOWN}"
    assert content != SHOWN
    write(tmp_path / "model_code", content.encode())

    with pytest.raises(spec.SpecError) as caught:
        spec.load(MODEL, tmp_path / "model_code")
    assert str(caught.value).splitlines() == [
        f"model_code/{MODEL}/model.toml: {error}" for error in errors.replace("\\|", "|").split("`<br>`")
    ]


@pytest.mark.parametrize(
    ("model", "before", "after", "error"),
    [
        (
            "risk_grade",
            '["low", "medium", "high", "severe"]',
            '["low", "high"]',
            "data: target 'grade' needs classes, three or more of them",
        ),
        (
            "risk_grade",
            '"high", "severe"',
            '"High", "high"',
            "data: classes 'High' and 'high' are one outcome: each are needed, spelt apart",
        ),
        ("risk_grade", '"high", "severe"', '"high", " "', "data: outcome ' ' is empty: a row whose outcome is not known has none"),
        ("risk_grade", "roc_auc = 0.6", "r2 = 0.6", "gates: the floor of multiclass is roc_auc: give it, and not r2"),
        ("risk_grade", 'outcome = "low"', "", "gates.behaviour.outcome: found None; accepted is one of low, medium, high, severe"),
        ("risk_grade", 'outcome = "low"', 'outcome = "none"', "gates.behaviour.outcome: found 'none'; accepted is one of low, medium"),
        ("risk_grade", 'selected = ["low", "medium"]', "threshold = 0.5", "gates.fairness: of classes, give those as selected"),
        ("risk_grade", 'selected = ["low", "medium"]', 'selected = ["low", "other"]', "gates.fairness: of classes, give those as selected"),
        ("risk_grade", "maximum_change = 0.5", "maximum_change = 1", "gates.behaviour.invariance: maximum_change 1 is no change of a prob"),
        (
            "risk_grade",
            'task = "multiclass"',
            'task = "multiclass"\nreasons = "exact"',
            'reasons: found "exact", those of classes are none',
        ),
        ("claim_amount", "target_maximum = 50000", "", "data: target 'amount' needs target_minimum and target_maximum, the ends of"),
        ("claim_amount", "target_maximum = 50000", "target_maximum = 0", "data: target_minimum 0 is not smaller than target_maximum 0"),
        ("claim_amount", "r2 = 0.3", "roc_auc = 0.7", "gates: the floor of regression is r2: give it, and not roc_auc"),
        (
            "claim_amount",
            "r2 = 0.3",
            "r2 = 0.97",
            "gates: suspicious_r2 0.95 is not above r2 0.97: it is the R² from which a result is too good",
        ),
        ("claim_amount", "threshold = 10000", "", "gates.fairness: of regression, give the threshold from which a score selects"),
        (
            "claim_amount",
            'years = "increasing" }',
            'years = "increasing" }\noutcome = "a"',
            "gates.behaviour.outcome is a class of a multi-class",
        ),
    ],
)
def test_keys_of_classes_and_numbers_that_do_not_fit_together(tmp_path: Path, model: str, before: str, after: str, error: str) -> None:
    shown = (MODELS / model / "model.toml").read_text(encoding="utf-8")
    content = shown.replace(before, after, 1)
    assert content != shown
    write(tmp_path / "model_code", content.encode())

    with pytest.raises(spec.SpecError) as caught:
        spec.load(MODEL, tmp_path / "model_code")
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"model_code/{MODEL}/model.toml: {error}")


ACCOUNTS = '[features.accounts]\nkey = "client"\ncolumns = ["balance"]\n'


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        (
            '"client"',
            '"age"',
            "features.accounts.key: column 'age' is a feature: a key says whose row it is, and takes no part in the score",
        ),
        ('"client"', '"y"', "features.accounts.key: column 'y' is the target, or data.time: name the one with the record identifier"),
        (
            '"client"',
            '"asked"',
            "features.accounts.key: column 'asked' is the target, or data.time: name the one with the record identifier",
        ),
        ('"client"', '"explain"', "features.accounts.key: column 'explain' has a name that requests use for themselves: rename it in the"),
        ('["balance"]', '["wealth"]', "features.accounts.columns: there is no column 'wealth' in data.columns"),
        ('["balance"]', '["balance", "balance"]', "features.accounts.columns: column 'balance' comes from accounts: name it once"),
        ('["balance"]', "[]", "features.accounts.columns: found []; Tuple should have at least 1 item after validation, not 0"),
        (
            '["balance"]',
            '["balance"]\nmaximum_age_hours = 0',
            "features.accounts.maximum_age_hours: found 0; Input should be greater than 0",
        ),
        ('"client"', '"client"\nonline = true', "features.accounts.online: there is no such key; docs/model-toml.md lists them all"),
        (
            '["balance"]\n',
            '["balance"]\n\n[features.visits]\nkey = "client"\ncolumns = ["balance"]\n',
            "features.visits.columns: column 'balance' comes from accounts: name it once",
        ),
        ('["balance"]', '["job"]', "features.accounts.columns: data.group or data.time names column 'job', which the data set itself has"),
    ],
)
def test_what_cannot_be_looked_up(tmp_path: Path, before: str, after: str, error: str) -> None:
    dated = SHOWN.replace("[data]\n", '[data]\ntime = "asked"\nsplit = "group"\ngroup = "job"\n', 1)
    write(tmp_path / "right" / "model_code", f"{dated}\n{ACCOUNTS}".encode())
    right = spec.load(MODEL, tmp_path / "right" / "model_code")
    assert right.features == {"accounts": spec.Lookup(key="client", columns=("balance",))}
    write(tmp_path / "model_code", f"{dated}\n{ACCOUNTS.replace(before, after)}".encode())

    with pytest.raises(spec.SpecError) as caught:
        spec.load(MODEL, tmp_path / "model_code")
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"model_code/{MODEL}/model.toml: {error}")


CANARY = {"policy": "canary", "bake_minutes": 10}
NIGHT = {"start": "20:00", "end": "06:00", "timezone": "UTC", "instances": 1, "maximum_instances": 2}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        (
            {"instance_type": "ml.inf1.xlarge"},
            "SageMaker moves ml.inf1.xlarge all at once, whatever is asked for: policy must be 'all-at-once'",
        ),
        (
            {"instance_type": "ml.t2.medium", "maximum_instances": 3},
            "SageMaker does not scale burstable instances such as ml.t2.medium: take maximum_instances out",
        ),
        (
            {"maximum_instances": 3, "off_hours": NIGHT},
            "a canary shift moves at most half of the instances: off_hours.instances must be 2 or more",
        ),
    ],
)
def test_what_sagemaker_would_refuse_or_do_otherwise(changed: dict[str, object], error: str) -> None:
    table = {"instance_type": "ml.m5.large", "instances": 2, "deployment": CANARY}
    spec.Serving.model_validate(table)

    with pytest.raises(ValidationError) as caught:
        spec.Serving.model_validate({**table, **changed})
    assert [problem["msg"] for problem in caught.value.errors()] == [f"Value error, {error}"]


AT_ONCE = {"policy": "all-at-once"}
ON_DEMAND = {"memory_mb": 2048, "maximum_concurrency": 5}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"instance_type": "ml.m5.large"}, "instance_type is not for a serverless endpoint: it has no instances: memory_mb and"),
        ({"maximum_instances": 4}, "maximum_instances is not for a serverless endpoint: it scales by itself, up to maximum_concurrency"),
        ({"capture_percent": 100}, "capture_percent is not for a serverless endpoint: SageMaker captures no requests there: take it out"),
        ({"asynchronous": {}}, "asynchronous is not for a serverless endpoint: callers of the one wait for answers"),
        ({"alarms": {"cpu_percent": 80}}, "alarms.cpu_percent is not for a serverless endpoint: SageMaker publishes no such metric"),
        ({"alarms": {"overhead_latency_p99_ms": 80}}, "alarms.overhead_latency_p99_ms is not for a serverless endpoint: cold starts"),
        ({"deployment": CANARY}, "a canary shift moves parts of a fleet of instances, and a serverless endpoint has none: policy must be"),
        ({"deployment": {"policy": "shadow"}}, "a shadow shift moves parts of a fleet of instances, and a serverless endpoint has none"),
        (
            {"serverless": {**ON_DEMAND, "provisioned_concurrency": 6}},
            "provisioned_concurrency is 6, more than maximum_concurrency = 5: lower it",
        ),
        ({"serverless": None}, "instance_type and instances missing: give an endpoint instances, or the table serverless"),
        ({"serverless": None, "instances": 1}, "instance_type missing: give an endpoint instances, or the table serverless"),
    ],
)
def test_what_a_serverless_endpoint_has_not(changed: dict[str, object], error: str) -> None:
    table = {"serverless": ON_DEMAND, "deployment": AT_ONCE}
    assert spec.Serving.model_validate(table).style == "serverless"
    assert spec.Serving.model_validate(table).fleet is None

    with pytest.raises(ValidationError) as caught:
        spec.Serving.model_validate({**table, **changed})
    (problem,) = caught.value.errors()
    assert problem["msg"].startswith(f"Value error, {error}")


@pytest.mark.parametrize("memory", [0, 512, 1000, 1536, 7168, "2048", True])
def test_memory_comes_in_whole_gigabytes(memory: object) -> None:
    table = {"serverless": {**ON_DEMAND, "memory_mb": memory}, "deployment": AT_ONCE}

    with pytest.raises(ValidationError, match="memory_mb"):
        spec.Serving.model_validate(table)


def test_a_container_must_have_the_memory_that_the_gate_lets_it_have(tmp_path: Path) -> None:
    before = 'instance_type = "ml.m5.large"\ninstances = 1\n'
    content = SHOWN.replace(before, "serverless = { memory_mb = 1024, maximum_concurrency = 5 }\n")
    content = content.replace("memory_mb = 1024\n", "memory_mb = 1500\n")
    write(tmp_path / "model_code", content.encode())

    with pytest.raises(spec.SpecError) as caught:
        spec.load(MODEL, tmp_path / "model_code")
    assert str(caught.value).endswith(
        "serving.staging.serverless.memory_mb is 1024, and gates.load.memory_mb lets the container have 1500: raise the one or lower the"
        " other"
    )


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    write(tmp_path / "model_code", b"\xff")

    with pytest.raises(spec.SpecError, match="not valid TOML"):
        spec.load(MODEL, tmp_path / "model_code")


def test_a_model_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(spec.SpecError, match=rf"no such file; known models: .*{MODEL}"):
        spec.load("nobody", MODELS)


def test_features_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "model_code", SHOWN.encode())
    loaded = spec.load(MODEL, tmp_path / "model_code")

    assert loaded.column_names == tuple(re.findall(r"^(\w+) +?= \{ type", SHOWN, re.MULTILINE))
    assert loaded.slug == naming.slug(MODEL)
    assert spec.load_all(tmp_path / "model_code") == [loaded]


def write(models: Path, content: bytes) -> None:
    (models / MODEL).mkdir(parents=True)
    (models / MODEL / "model.toml").write_bytes(content)
