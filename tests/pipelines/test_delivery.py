"""The road's description: its order, and commands that exist."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from config import CONFIG
from model_code.spec import load_all
from pipelines import delivery
from pipelines.delivery import Approval, Job, Road, model_road, platform_road

ROOT = Path(__file__).parents[2]


def roads() -> list[Road]:
    models = load_all()
    return [*(model_road(CONFIG, model) for model in models), platform_road(CONFIG, models)]


def lead() -> Road:
    return next(road for road in roads() if road.model == "lead_scoring")


def jobs() -> list[Job]:
    return list(itertools.chain.from_iterable(road.jobs for road in roads()))


def job(name: str) -> Job:
    return next(one for one in lead().jobs if one.name == name)


@cache
def options(module: str) -> str:
    ran = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return ran.stdout


def test_the_docstring_numbers_the_stages_that_are_there() -> None:
    assert delivery.__doc__
    numbered = re.findall(r"^\d\. (\w+)", delivery.__doc__, re.MULTILINE)

    assert numbered == [name for road in (lead(), roads()[-1]) for name in ("Source", *(stage.name for stage in road.stages))]


def test_approval_comes_right_before_the_environment_that_asks_for_it() -> None:
    names = [stage.name for stage in lead().stages]

    assert names[names.index("Approval") + 1] == "Production"


def test_every_environment_that_asks_gets_an_approval_of_its_own() -> None:
    staging, production = CONFIG.environments
    config = replace(CONFIG, environments=(staging, production, replace(production, name="canada")))
    names = [stage.name for stage in model_road(config, load_all()[0]).stages]

    assert names[2:] == ["Staging", "Approval", "Production", "Approval-canada", "Canada"]
    assert "--action Approval-canada" in model_road(config, load_all()[0]).jobs[-1].commands[0]


@pytest.mark.parametrize("index", range(len(jobs())))
def test_commands_call_steps_with_arguments_they_take(index: int) -> None:
    for command in jobs()[index].commands:
        for module, rest in re.findall(r"python -m (pipelines\.[\w.]+)([^>)]*)", command):
            known = options(module)
            for flag in re.findall(r"--[\w-]+", rest):
                assert flag in known, (module, flag)


def test_every_command_is_one_a_person_would_type() -> None:
    for one in jobs():
        for command in one.commands:
            assert command.startswith(("./road ", ". ./", "export ")) or "$(./road " in command
            assert shlex.split(command)


def test_a_failing_command_is_not_hidden() -> None:
    for one in jobs():
        for command in one.commands:
            assert not re.search(r"export \w+=\$\(|[|;]|&&", command), command


def test_variables_are_there_before_they_are_used() -> None:
    provided = {"CODEBUILD_SRC_DIR_Assembly", "AWS_REGION", "IMAGE_REPOSITORY", "TRAINING_ROLE", "KEY", "ARTIFACTS_BUCKET"}
    provided |= {"DATA_URI", "DATA_SHA256"}
    for one in jobs():
        for command in one.commands:
            assert set(re.findall(r"\$(\w+)", command)) <= provided | one.variables.keys(), command


def test_production_records_the_approval_before_it_deploys() -> None:
    called = [found[1] for command in job("Production").commands if (found := re.search(r"steps\.(\w+)", command))]

    assert called == ["record_approval", "deploy", "verify"]
    assert "--approved-only" in job("Production").commands[1]
    assert "--approved-only" not in " ".join(job("Staging").commands)


def test_what_is_promoted_was_fixed_by_training() -> None:
    for name in ("Staging", "Production"):
        assert job(name).variables["MODEL_PACKAGE_ARN"] == "#{Train.MODEL_PACKAGE_ARN}"


def test_a_buildspec() -> None:
    spec = job("Build").buildspec()

    assert spec["version"] == "0.2"
    assert spec["env"] == {"exported-variables": ["IMAGE_URI"]}
    assert spec["artifacts"] == {"base-directory": "cdk.out", "files": ["**/*"]}
    assert "artifacts" not in job("Train").buildspec()


def test_the_approval_of_a_model_names_commit_and_package() -> None:
    (approval,) = [stage for stage in lead().stages if isinstance(stage, Approval)]

    assert approval.request == "lead_scoring: commit #{Source.CommitId}, model package #{Train.MODEL_PACKAGE_ARN}"


def test_the_platform_trains_nothing() -> None:
    commands = " ".join(command for one in roads()[-1].jobs for command in one.commands)

    assert "training" not in commands
    assert "--model-package-arn" not in commands
