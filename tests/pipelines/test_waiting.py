"""How long a training run may take, and the row of actions that waits for it."""

from __future__ import annotations

import json
import math
import os
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import naming
from paved_runtime.spec import ModelSpec
from pipelines.commands import Reference
from pipelines.delivery import Action, model_road
from pipelines.training import definition
from pipelines.waiting import ACTIONS, LONGEST_ACTION, LONGEST_WAIT, STARTING, UNFINISHED, longest_job, longest_run, waits
from tests.reference import CONFIG
from tests.support.delivery_roads import job
from tests.support.layouts import trained_for
from tests.support.runs import CHAMPIONED

HOUR, DAY = 60, 24 * 60
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/leads/3"


def defined(model: ModelSpec) -> float:
    """The longest run in minutes, as the pipeline's definition has it."""
    steps: list[dict[str, Any]] = json.loads(definition(CONFIG, model, CHAMPIONED))["Steps"]
    (gate,) = (step["Arguments"] for step in steps if step["Type"] == "Condition")
    minutes = 0.0
    for step in [*steps, *gate["IfSteps"]]:
        if limit := step["Arguments"].get("StoppingCondition"):
            minutes += limit.get("MaxWaitTimeInSeconds", limit["MaxRuntimeInSeconds"]) / 60 + STARTING
        for policy in step.get("RetryPolicies", []):
            minutes += sum(policy["IntervalSeconds"] * policy["BackoffRate"] ** n for n in range(policy["MaxAttempts"])) / 60
    return minutes


@pytest.mark.parametrize("steps", ["one-job", "separate"])
@pytest.mark.parametrize("spot", [{}, {"spot": True}, {"spot": True, "max_wait_minutes": 25 * HOUR}])
def test_the_longest_run_is_the_definitions(steps: str, spot: dict[str, Any]) -> None:
    model = trained_for(20 * HOUR, steps=steps, **spot)

    assert longest_run(model) == math.ceil(defined(model))


@pytest.mark.parametrize("steps", ["one-job", "separate"])
@pytest.mark.parametrize("spot", [False, True])
def test_the_longest_job_is_the_last_whose_run_a_stage_can_wait_for(steps: str, spot: bool) -> None:
    longest = longest_job(trained_for(HOUR, steps=steps, spot=spot))

    assert waits(trained_for(longest, steps=steps, spot=spot)) <= ACTIONS < waits(trained_for(longest + HOUR, steps=steps, spot=spot))


def test_a_run_without_a_comparison_has_a_job_less() -> None:
    model = trained_for(20 * HOUR)
    champion = model.gates.champion.model_copy(update={"compare": False})
    alone = model.model_copy(update={"gates": model.gates.model_copy(update={"champion": champion})})

    assert longest_run(alone) < longest_run(model) - 20 * HOUR


@pytest.mark.parametrize(("minutes", "actions"), [(1, 1), (HOUR, 1), (90, 1), (2 * HOUR, 2), (20 * HOUR, 6), (7 * DAY, 46)])
def test_a_row_is_as_long_as_the_longest_run_needs(minutes: int, actions: int) -> None:
    assert waits(trained_for(minutes)) == len(job(model_road(CONFIG, trained_for(minutes)), "Train").actions) == actions
    assert (actions - 1) * LONGEST_WAIT < longest_run(trained_for(minutes)) <= actions * LONGEST_WAIT < actions * LONGEST_ACTION


def test_the_longest_job_that_can_be_waited_for() -> None:
    most = longest_job(trained_for(HOUR, steps="separate"))

    assert waits(trained_for(most, steps="separate")) == ACTIONS
    assert waits(trained_for(most + 1, steps="separate")) == ACTIONS + 1


def test_what_an_action_can_see_the_end_of_is_waited_for_as_ever() -> None:
    train = job(model_road(CONFIG, trained_for(HOUR)), "Train")
    values = {name: str(value) for name, value in train.variables.items()}

    assert train.actions == (Action(name="Train", variables=values, namespace="Train"),)
    assert all(command.only is None for command in train.commands)
    assert not any("--waits-after" in command.words for command in train.commands)


def test_each_action_of_a_row_has_what_the_one_before_exported() -> None:
    train = job(model_road(CONFIG, trained_for(20 * HOUR)), "Train")
    first, *others = train.actions

    assert [action.name for action in train.actions] == ["Train-1", "Train-2", "Train-3", "Train-4", "Train-5", "Train"]
    assert [(action.order, action.variables["WAITS_AFTER"]) for action in train.actions] == list(zip(range(1, 7), "543210", strict=True))
    assert all(action.name == action.namespace for action in train.actions)
    for name in ("MODEL_PACKAGE_ARN", "PIPELINE_EXECUTION_ARN"):
        assert first.variables[name] == UNFINISHED
        assert [action.variables[name] for action in others] == [str(Reference(before.name, name)) for before, _ in pairwise(train.actions)]


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A folder in which `./road` only writes down that it was asked, and says what the run's package is."""
    road = tmp_path / "road"
    road.write_text(f'#!/bin/sh\necho "$4" >> asked\necho "export MODEL_PACKAGE_ARN={ARN}"\n')
    road.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(("before", "asked"), [(UNFINISHED, ["describe_run", "training", "train"]), (ARN, [])])
def test_an_action_whose_run_has_ended_ends_at_once(before: str, asked: list[str], stage: Path) -> None:
    commands = job(model_road(CONFIG, trained_for(20 * HOUR)), naming.TRAIN).commands
    script = "\n".join(["set -e", *map(str, commands), 'echo "$MODEL_PACKAGE_ARN"'])
    environment = {"MODEL_PACKAGE_ARN": before, "PATH": os.environ["PATH"]}
    ran = subprocess.run(["sh", "-c", script], cwd=stage, env=environment, capture_output=True, text=True, check=False)

    assert (ran.stdout, ran.stderr) == (f"{ARN}\n", "")
    done = (stage / "asked").read_text().split() if asked else []
    assert [module.rpartition(".")[2] for module in done] == asked
    assert (stage / "asked").exists() is bool(asked)
