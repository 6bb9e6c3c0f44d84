"""What `road clean` looks at, and what it deletes once a person says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

import config
from cli import cleaning
from cli.cleaning import DELETED, GOES, STAYS, WAS_GONE, Row
from cli.problem import Problem
from paved_runtime.spec import ModelSpec
from pipelines.deployment.registry import Registry
from pipelines.deployment.retained import Retained
from tests import reference
from tests.support.fakes import Fake, refusal
from tests.support.target import FakeTarget

PLACE, *_ = config.CONFIG.environments  # commands run on the tree's own configuration
NOW = datetime(2026, 11, 30, tzinfo=UTC)
THING = Retained(kind="endpoint configuration", name="config-1", made=datetime(2026, 10, 1, tzinfo=UTC), tags={})
ROW = Row(model=reference.MODEL, environment=PLACE, thing=THING, state=GOES)


def answer(error: ClientError | None) -> Fake:
    """A SageMaker that deletes, or does not."""

    def delete(**_: str) -> dict[str, Any]:
        if error:
            raise error
        return {}

    return Fake(delete_endpoint_config=delete, delete_model=delete)


def test_what_goes_is_deleted_and_nothing_else() -> None:
    sagemaker = answer(None)
    model = replace(ROW, thing=replace(THING, kind="model", name="model-1"))
    rows = [ROW, replace(ROW, state=STAYS), model]

    assert [cleaning.delete(FakeTarget(sagemaker=sagemaker), row, None).state for row in rows] == [DELETED, STAYS, DELETED]
    assert sagemaker.calls == [("delete_endpoint_config", {"EndpointConfigName": "config-1"}), ("delete_model", {"ModelName": "model-1"})]


def test_what_went_meanwhile_is_no_failure() -> None:
    there = FakeTarget(sagemaker=answer(refusal("ValidationException", 'Could not find endpoint configuration "config-1".')))
    assert cleaning.delete(there, ROW, None).state == WAS_GONE


def test_who_may_not_delete_is_told_what_to_do() -> None:
    there = FakeTarget(sagemaker=answer(refusal("AccessDeniedException", "not you")))
    with pytest.raises(
        Problem, match=f"endpoint configuration config-1: you may not delete it: not you: name a role of account {PLACE.account.id}"
    ):
        cleaning.delete(there, ROW, None)


def test_any_other_refusal_is_awss_own() -> None:
    with pytest.raises(ClientError, match="Throttling"):
        cleaning.delete(FakeTarget(sagemaker=answer(refusal("ThrottlingException", "Throttling"))), ROW, None)


class Unregistered(FakeTarget):
    """An AWS in which one model has no registry."""

    def registry(self, model: ModelSpec | None = None) -> Registry:
        if model and model.name == reference.MODEL:
            raise Problem("its stack", "the model's registry is not deployed", "./road up")
        return super().registry(model)


def test_a_model_without_a_registry_is_told_of_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    models = [reference.model(), reference.model().model_copy(update={"name": "another"})]

    assert list(cleaning.registered(Unregistered(), models)) == models[1:]
    assert f"{reference.MODEL} is left out: its stack: the model's registry is not deployed" in capsys.readouterr().err


def test_accounts_are_asked_once_for_all_their_environments() -> None:
    sagemaker = Fake(list_endpoint_configs=lambda **_: {"EndpointConfigs": []}, list_models=lambda **_: {"Models": []})
    environments = [PLACE, replace(PLACE, name="another")]

    assert cleaning.everything(FakeTarget(sagemaker=sagemaker), environments) == {PLACE.account: []}
    assert len(sagemaker.asked("list_models")) == 1


def test_a_row_for_machines() -> None:
    assert replace(ROW, state=STAYS, thing=replace(THING, needed="it serves")).as_dict(NOW) == {
        "model": reference.MODEL,
        "environment": PLACE.name,
        "account": PLACE.account.id,
        "kind": "endpoint configuration",
        "name": "config-1",
        "made": "2026-10-01T00:00:00+00:00",
        "age_days": 60,
        "state": "stays",
        "needed": "it serves",
    }
