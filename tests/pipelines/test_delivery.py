"""The road's description: its order, and programs that exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import boto3
import pytest

import naming
from localcloud.codepipeline.globs import compiled
from pipelines import delivery
from pipelines.commands import Reference, Variable
from pipelines.delivery import (
    INFRASTRUCTURE,
    Approval,
    deploying_minutes,
    model_road,
    onboarding_road,
    platform_road,
    pull_request_check,
    retraining_road,
)
from pipelines.training import definition
from pipelines.waiting import LONGEST_WAIT
from tests import reference
from tests.reference import CONFIG, MODEL, ROOT
from tests.support.delivery_roads import environments, flags, job, lead, programs, roads, shadowed, steps
from tests.support.feature_groups import GROUP
from tests.support.layouts import serving
from tests.support.runs import CHAMPIONED

PLATFORM = roads()[naming.delivery_pipeline(CONFIG, naming.PLATFORM)]
PROGRAMS = sorted({module for road in roads().values() for stage in road.jobs for module in programs(stage)})


def options(module: str) -> tuple[set[str], set[str]]:
    """The flags that a program takes, and those that it needs."""
    helped = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    usage = helped.stdout.partition("\n\n")[0]
    return set(re.findall(r"--[\w-]+", usage)), set(re.findall(r"--[\w-]+", re.sub(r"\[[^]]*\]", "", usage)))


def test_the_docstring_numbers_the_stages_that_are_there() -> None:
    assert delivery.__doc__
    numbered = re.findall(r"^\d\. (\w+)", delivery.__doc__, re.MULTILINE)
    described = (lead(), onboarding_road(CONFIG), PLATFORM, retraining_road(CONFIG, reference.model()))

    assert numbered == [name for road in described for name in ("Source", *(stage.name for stage in road.stages))]


def test_approval_comes_right_before_the_environment_that_asks_for_it() -> None:
    names = [stage.name for stage in lead().stages]

    assert names[names.index("Approval") + 1] == "Production"


def test_every_environment_that_asks_gets_an_approval_of_its_own() -> None:
    staging, production = CONFIG.environments
    config = replace(CONFIG, environments=(staging, production, replace(production, name="canada")))
    names = [stage.name for stage in model_road(config, reference.model()).stages]

    assert names[3:] == ["Staging", "Approval", "Production", "Approval-canada", "Canada"]


@pytest.mark.parametrize("module", PROGRAMS)
def test_programs_take_the_flags_that_they_are_called_with(module: str) -> None:
    takes, needs = options(module)
    for words in (command.words for road in roads().values() for stage in road.jobs for command in stage.commands):
        if module in words:
            called = {word for word in words if isinstance(word, str) and word.startswith("--")}
            assert needs <= called <= takes


def test_what_each_stage_does_in_which_order() -> None:
    done = {stage.name: steps(stage) for stage in lead().jobs}

    assert done == {
        "Build": ["compare_stacks", "build_image", "scan_image", "bill_of_materials"],
        "Update": ["update"],
        "Train": ["describe_run", "train"],
        "Staging": ["deploy", "verify", "prove"],
        "Production": ["record_approval", "check_evidence", "deploy", "verify", "record_deployment"],
    }


def test_the_models_own_stacks_are_brought_up_to_date_before_they_are_needed() -> None:
    names = [stage.name for stage in lead().stages]
    update = job(lead(), "Update")

    assert names.index("Build") < names.index("Update") < names.index("Train")
    assert update.condition
    assert (update.condition.variable, update.condition.value) == (Reference("Build", "STACKS_DIFFER"), "yes")
    assert "STACKS_DIFFER" in job(lead(), "Build").exports
    assert [stage.name for road in roads().values() for stage in road.jobs if stage.condition] == ["Update"] * 2


def test_a_new_models_road_is_made_by_its_push() -> None:
    road = onboarding_road(CONFIG)

    assert (road.model, road.paths) == (naming.PLATFORM, (("model_code/*/model.toml",),))
    assert [steps(stage) for stage in road.jobs] == [["onboard"]]


def test_a_shadow_is_compared_before_it_takes_over() -> None:
    production = job(model_road(CONFIG, shadowed()), "Production")

    assert steps(production) == ["record_approval", "check_evidence", "shadow", "deploy", "verify", "record_deployment"]


def test_evidence_rests_on_what_was_measured() -> None:
    staging, production = job(lead(), "Staging"), job(lead(), "Production")

    assert flags(staging, "prove")["--staging"] == flags(staging, "verify")["--report"]
    assert flags(production, "record_deployment")["--verified"] == flags(production, "verify")["--report"]


def test_the_evidence_that_was_shown_is_the_evidence_that_is_checked() -> None:
    staging, production = job(lead(), "Staging"), job(lead(), "Production")

    assert staging.exports == ("EVIDENCE_URI", "EVIDENCE_SHA256")
    for step in ("record_approval", "check_evidence"):
        assert flags(production, step)["--evidence-sha256"] == Variable("EVIDENCE_SHA256")
    assert production.variables["EVIDENCE_SHA256"] == Reference("Staging", "EVIDENCE_SHA256")


def test_what_started_the_road_is_evidence() -> None:
    staging = job(lead(), "Staging")

    assert staging.variables["CAUSE"] == Reference("variables", "cause")
    assert flags(staging, "prove")["--cause"] == flags(job(lead(), "Train"), "describe_run")["--cause"] == Variable("CAUSE")


@pytest.mark.parametrize("approved", [(False,), (False, False), (False, False, True), (False, True, True), (False, True, False)])
def test_in_every_layout_evidence_is_made_first_and_the_ledger_kept_last(approved: tuple[bool, ...]) -> None:
    stages = [stage for stage in model_road(environments(*approved), reference.model()).jobs if stage.environment]

    assert ["prove" in steps(stage) for stage in stages] == [number == 0 for number in range(len(stages))]
    assert ["check_evidence" in steps(stage) for stage in stages] == list(approved)
    kept = ["record_deployment" in steps(stage) for stage in stages]
    assert kept == [asked or number == len(stages) - 1 for number, asked in enumerate(approved)]


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
    images = sum(stage.builds_images for stage in lead().jobs)
    endpoints = sum("deploy" in steps(stage) for stage in lead().jobs)
    pipeline = json.loads(definition(CONFIG, reference.model(), CHAMPIONED))
    training = sum(step["Type"] in ("Processing", "Training") for step in pipeline["Steps"])

    assert images + training + endpoints == 5


def test_what_is_promoted_was_fixed_by_training() -> None:
    for name in ("Staging", "Production"):
        stage = job(lead(), name)
        assert stage.variables["MODEL_PACKAGE_ARN"] == Reference("Train", "MODEL_PACKAGE_ARN")
        for step in steps(stage):
            assert flags(stage, step)["--model-package-arn"] == Variable("MODEL_PACKAGE_ARN")


def test_a_buildspec() -> None:
    build = job(lead(), "Build")
    spec = build.buildspec()

    assert spec == {
        "version": "0.2",
        "env": {
            "variables": {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "10"},
            "exported-variables": ["IMAGE_URI", "STACKS_DIFFER"],
        },
        "phases": {
            "install": {"runtime-versions": {"python": "3.11"}, "commands": ["chmod +x road"]},
            "build": {"commands": [str(command) for command in build.commands]},
        },
        "artifacts": {"base-directory": "cdk.out", "files": ["**/*"]},
    }
    assert "artifacts" not in job(lead(), "Train").buildspec()


def test_a_stage_is_patient_with_calls_that_are_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 reads that from the environment, and so do the AWS CLI and the CDK CLI."""
    for name, value in delivery.PATIENCE.items():
        monkeypatch.setenv(name, value)

    config: Any = boto3.client("cloudformation", region_name=CONFIG.toolchain.region).meta.config

    assert (config.retries["mode"], config.retries["total_max_attempts"]) == ("standard", 10)


def test_the_approval_of_a_model_names_commit_package_and_evidence() -> None:
    (approval,) = [stage for stage in lead().stages if isinstance(stage, Approval)]

    assert approval.request == (
        f"{MODEL}: commit #{{Source.CommitId}}, model package #{{Train.MODEL_PACKAGE_ARN}},"
        " evidence #{Staging.EVIDENCE_URI} sha256 #{Staging.EVIDENCE_SHA256}"
    )


def test_the_platform_checks_the_evidence_of_what_serves_before_it_touches_it() -> None:
    assert steps(job(PLATFORM, "Production")) == ["check_evidence", "redeploy", "verify"]
    assert steps(job(PLATFORM, "Staging")) == ["redeploy", "verify"]


def test_the_platform_does_the_same_for_every_model_side_by_side() -> None:
    for stage in PLATFORM.jobs:
        assert stage.models == ((MODEL, "shadowed") if stage.environment else ())
    for step in ("check_evidence", "redeploy", "verify"):
        assert flags(job(PLATFORM, "Production"), step)["--model"] == Variable("MODEL")


def test_the_platform_trains_nothing() -> None:
    assert not any("pipelines.training" in programs(stage) for stage in PLATFORM.jobs)
    assert not any("--model-package-arn" in command.words for stage in PLATFORM.jobs for command in stage.commands)


def test_the_platform_without_a_model_has_nothing_to_deploy_and_asks_nobody() -> None:
    assert [stage.name for stage in platform_road(CONFIG, []).stages] == ["Check", "Update"]


def started(file: str) -> bool:
    """Whether a push of a file starts the platform's road."""
    return any(compiled(pattern).fullmatch(file) for some in INFRASTRUCTURE for pattern in some)


def test_a_push_to_any_room_of_the_infrastructure_starts_the_platforms_road() -> None:
    """What an action of a road runs: `bench` is none of it, and models have roads of their own."""
    rooms = ("app", "cli", "config", "naming", "packages", "pipelines", "stacks", "tests")
    files = [path for room in rooms for path in (ROOT / f"{room}.py", *(ROOT / room).rglob("*")) if path.is_file()]

    assert {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in files} == set(rooms)
    assert [path for path in files if not started(str(path.relative_to(ROOT)))] == []
    assert started(f"feature_groups/{GROUP}/features.sql")  # a fork may have none


def test_a_push_to_what_the_environment_is_made_of_starts_the_platforms_road() -> None:
    read = {word for word in re.findall(r"[\w.-]+", (ROOT / "road").read_text()) if (ROOT / word).is_file()}

    assert {"requirements.lock", "package-lock.json", ".npmrc"} <= read
    assert [name for name in ("road", "pyproject.toml", "cdk.json", *sorted(read)) if not started(name)] == []


def test_a_pipeline_has_patterns_and_filters_as_codepipeline_takes_them() -> None:
    for road in roads().values():
        assert len(road.paths) <= 3
        assert all(1 <= len(patterns) <= 8 for patterns in road.paths)


def test_no_job_relies_on_more_time_than_codepipeline_gives_an_action() -> None:
    assert all(5 <= stage.timeout_minutes <= 8 * 60 for road in roads().values() for stage in road.jobs)
    assert pull_request_check().timeout_minutes <= 8 * 60
    assert job(lead(), "Train").timeout_minutes > LONGEST_WAIT  # who waits says so before


def test_a_stage_has_time_for_every_deployment_that_is_accepted() -> None:
    canary, shadow = serving("canary", instances=2), serving("shadow", instances=2)

    assert deploying_minutes(canary) >= 2 * canary.deployment_minutes  # the deployment, and being watched
    assert deploying_minutes(shadow) >= 4 * shadow.deployment_minutes
