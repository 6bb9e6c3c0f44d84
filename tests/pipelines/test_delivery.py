"""The road's description: its order, and commands that exist."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from config import CONFIG
from model_code.spec import load, load_all
from pipelines import delivery
from pipelines.delivery import Approval, Job, Road, model_road, platform_road, retraining_road
from pipelines.training import definition
from tests.pipelines.test_training import CHAMPIONED

ROOT = Path(__file__).parents[2]


def roads() -> list[Road]:
    models = load_all()
    again = [retraining_road(CONFIG, model) for model in models if model.monitoring and model.monitoring.retraining]
    return [*(model_road(CONFIG, model) for model in models), *again, platform_road(CONFIG, models)]


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

    told = (lead(), roads()[-1], retraining_road(CONFIG, load("lead_scoring")))
    assert numbered == [name for road in told for name in ("Source", *(stage.name for stage in road.stages))]


def test_approval_comes_right_before_the_environment_that_asks_for_it() -> None:
    names = [stage.name for stage in lead().stages]

    assert names[names.index("Approval") + 1] == "Production"


def test_every_environment_that_asks_gets_an_approval_of_its_own() -> None:
    staging, production = CONFIG.environments
    config = replace(CONFIG, environments=(staging, production, replace(production, name="canada")))
    names = [stage.name for stage in model_road(config, load_all()[0]).stages]

    assert names[2:] == ["Staging", "Approval", "Production", "Approval-canada", "Canada"]
    assert "--action Approval-canada" in " ".join(model_road(config, load_all()[0]).jobs[-1].commands)


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


FACTS = {"ARTIFACTS_BUCKET", "DATA_SHA256", "DATA_URI", "EVIDENCE_KEY", "IMAGE_REPOSITORY", "KEY", "TRAINING_ROLE"}
MADE = {  # what a file of variables holds
    "facts.env": FACTS,
    "champion.env": {"CHAMPION_ARN", "CHAMPION_IMAGE_URI", "CHAMPION_MODEL_URI"},
    "train.env": {"MODEL_PACKAGE_ARN", "PIPELINE_EXECUTION_ARN"},
    "evidence.env": {"EVIDENCE_SHA256", "EVIDENCE_URI"},
}


def test_variables_are_there_before_they_are_used() -> None:
    for one in jobs():
        known, written = {"CODEBUILD_SRC_DIR_Assembly", "AWS_REGION", *one.variables}, set[str]()
        for command in one.commands:
            assert set(re.findall(r"\$(\w+)", command)) <= known, command
            written |= set(re.findall(r"> (\w+\.env)", command))
            if read := re.fullmatch(r"\. \./(\S+)", command):
                assert read[1] in written
                known |= MADE[read[1]]
            known |= set(re.findall(r"^(\w+)=\$\(", command))
        assert set(one.exports) <= known


def called(name: str) -> list[str]:
    """The steps that a stage runs, in order."""
    return [step for command in job(name).commands for step in re.findall(r"steps\.(\w+)", command)]


def command(stage: str, step: str) -> str:
    """The one command of a stage that runs a step."""
    (found,) = [one for one in job(stage).commands if f"steps.{step} " in one]
    return found


def test_what_each_stage_does_in_which_order() -> None:
    assert called("Build") == ["facts", "build_image", "bill_of_materials"]
    assert called("Train") == ["facts", "champion", "train"]
    assert called("Staging") == ["facts", "deploy", "verify", "prove"]
    assert called("Production") == ["facts", "record_approval", "check_evidence", "deploy", "verify", "record_deployment"]


def test_only_what_was_approved_enters_production() -> None:
    assert "--approved-only" in command("Production", "deploy")
    assert "--approved-only" not in command("Staging", "deploy")


def test_the_champion_is_what_the_last_environment_serves() -> None:
    assert "--environment production" in command("Train", "champion")
    assert "--environment production" in command("Production", "record_deployment")


def test_evidence_rests_on_what_was_measured_under_load() -> None:
    report = re.findall(r"--report (\S+)", command("Staging", "verify"))

    assert "--load" in command("Staging", "verify")
    assert re.findall(r"--staging (\S+)", command("Staging", "prove")) == report
    assert "--load" not in command("Production", "verify")


def test_the_evidence_that_was_shown_is_the_evidence_that_is_checked() -> None:
    assert job("Staging").exports == ("EVIDENCE_URI", "EVIDENCE_SHA256")
    for step in ("record_approval", "check_evidence"):
        assert '--evidence-sha256 "$EVIDENCE_SHA256"' in command("Production", step)
    assert job("Production").variables["EVIDENCE_SHA256"] == "#{Staging.EVIDENCE_SHA256}"


def test_what_started_the_road_is_evidence() -> None:
    assert job("Staging").variables["CAUSE"] == "#{variables.cause}"
    assert '--cause "$CAUSE"' in command("Staging", "prove")


def environments(*approved: bool) -> list[Job]:
    """The jobs of a road with an environment for each, after Train."""
    staging = CONFIG.environments[0]
    made = tuple(replace(staging, name=f"e{number}", approved_only=asked) for number, asked in enumerate(approved))
    return list(model_road(replace(CONFIG, environments=made), load_all()[0]).jobs[2:])


@pytest.mark.parametrize("approved", [(False,), (False, False), (False, False, True), (False, True, True), (False, True, False)])
def test_in_every_layout_evidence_is_made_first_and_the_ledger_kept_last(approved: tuple[bool, ...]) -> None:
    steps = [" ".join(one.commands) for one in environments(*approved)]

    assert ["steps.prove" in text for text in steps] == [number == 0 for number in range(len(steps))]
    assert ["steps.check_evidence" in text for text in steps] == list(approved)
    kept = ["steps.record_deployment" in text for text in steps]
    assert kept == [asked or number == len(steps) - 1 for number, asked in enumerate(approved)]


def test_a_request_for_approval_is_never_longer_than_codepipeline_takes() -> None:
    (approval,) = [stage for stage in lead().stages if isinstance(stage, Approval)]
    longest = {
        "CommitId": 64,
        "MODEL_PACKAGE_ARN": 256,
        "EVIDENCE_URI": len("s3://") + 63 + len("/evidence/") + 63 + 20 + 20,
        "EVIDENCE_SHA256": 64,
    }
    filled = re.sub(r"#\{\w+\.(\w+)\}", lambda variable: "x" * longest[variable[1]], approval.request)

    assert len(filled) + 32 <= 1000  # a model's name has at most 32 characters


def test_cold_starts_in_a_row_are_five_at_most() -> None:
    """Build, the champion's job, the training job, two endpoints. CodeBuild's short ones for stages that only call AWS do not count."""
    images = sum(one.builds_images for one in lead().jobs)
    endpoints = sum("steps.deploy" in " ".join(one.commands) for one in lead().jobs)
    made = json.loads(definition(CONFIG, load("lead_scoring"), CHAMPIONED))
    training = sum(step["Type"] in ("Processing", "Training") for step in made["Steps"])

    assert images + training + endpoints == 5


def test_what_is_promoted_was_fixed_by_training() -> None:
    for name in ("Staging", "Production"):
        assert job(name).variables["MODEL_PACKAGE_ARN"] == "#{Train.MODEL_PACKAGE_ARN}"


def test_a_buildspec() -> None:
    spec = job("Build").buildspec()

    assert spec["version"] == "0.2"
    assert spec["env"] == {"exported-variables": ["IMAGE_URI"]}
    assert spec["artifacts"] == {"base-directory": "cdk.out", "files": ["**/*"]}
    assert "artifacts" not in job("Train").buildspec()


def test_the_approval_of_a_model_names_commit_package_and_evidence() -> None:
    (approval,) = [stage for stage in lead().stages if isinstance(stage, Approval)]

    assert approval.request == (
        "lead_scoring: commit #{Source.CommitId}, model package #{Train.MODEL_PACKAGE_ARN},"
        " evidence #{Staging.EVIDENCE_URI} sha256 #{Staging.EVIDENCE_SHA256}"
    )


def test_the_platform_checks_the_evidence_of_what_serves_before_it_touches_it() -> None:
    staging, production = (one for one in roads()[-1].jobs if one.environment)
    steps = [step for command in production.commands for step in re.findall(r"steps\.(\w+)", command)]

    assert steps == ["facts", "check_evidence", "update", "verify"] * len(load_all())
    assert "check_evidence" not in " ".join(staging.commands)


def test_the_platform_trains_nothing() -> None:
    commands = " ".join(command for one in roads()[-1].jobs for command in one.commands)

    assert "training" not in commands
    assert "--model-package-arn" not in commands
