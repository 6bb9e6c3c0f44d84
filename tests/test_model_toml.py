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

    assert loaded.features == tuple(re.findall(r"^(\w+) +?= \{ type", SHOWN, re.MULTILINE))
    assert loaded.slug == naming.slug(MODEL)
    assert spec.load_all(tmp_path / "model_code") == [loaded]


def write(models: Path, content: bytes) -> None:
    (models / MODEL).mkdir(parents=True)
    (models / MODEL / "model.toml").write_bytes(content)
