"""The roads as CodePipeline will read them: each model's in a stack of its own, and the platform's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

import naming
from paved_runtime.spec import Monitoring, Retraining
from pipelines.delivery import INFRASTRUCTURE
from stacks.delivery import ModelDelivery, PlatformDelivery
from tests.reference import CONFIG, MODEL
from tests.support.api_requests import accepted, plain
from tests.support.layouts import CONTEXT, HOME, PRODUCTION, STEADY, Layout, configuration, joined, models, read, synth, trained_for

pytestmark = pytest.mark.laptop("templates alone")

DELIVERY, PLATFORM = naming.delivery_stack(CONFIG, MODEL), naming.delivery_stack(CONFIG, naming.PLATFORM)
ROAD, PLATFORM_ROAD = naming.delivery_pipeline(CONFIG, MODEL), naming.delivery_pipeline(CONFIG, naming.PLATFORM)
ONBOARDING, RETRAINING = naming.onboarding_pipeline(CONFIG), naming.retraining_pipeline(CONFIG, MODEL)
HOMES = {ROAD: DELIVERY, RETRAINING: DELIVERY, PLATFORM_ROAD: PLATFORM, ONBOARDING: PLATFORM}  # pipeline → stack
PIPELINE, PROJECT, RULE = "AWS::CodePipeline::Pipeline", "AWS::CodeBuild::Project", "AWS::Events::Rule"
Json = dict[str, Any]


def pipeline(layout: Layout, name: str) -> Json:
    (properties,) = [properties for properties in layout.all(HOMES[name], PIPELINE).values() if properties["Name"] == name]
    return properties


def actions(layout: Layout, name: str) -> dict[str, Json]:
    return {stage["Name"]: stage["Actions"][0] for stage in pipeline(layout, name)["Stages"]}


def buildspec(layout: Layout, stack: str, action: Json) -> Json:
    project = layout.all(stack, PROJECT)[action["Configuration"]["ProjectName"]["Ref"]]
    spec: Json = json.loads(project["Source"]["BuildSpec"])
    return spec


def stages(layout: Layout, name: str) -> list[str]:
    return list(actions(layout, name))


def rules(layout: Layout) -> list[Json]:
    """The rules that start the retraining controller."""
    (logical_id,) = [key for key, properties in layout.all(DELIVERY, PIPELINE).items() if properties["Name"] == RETRAINING]
    return [rule for rule in layout.all(DELIVERY, RULE).values() if joined(rule["Targets"][0]["Arn"]).endswith(f":{logical_id}")]


def test_each_pipeline_is_in_the_stack_of_what_it_delivers(layout: Layout) -> None:
    placed = {properties["Name"]: stack for stack, properties in layout.every(PIPELINE)}

    steady = naming.delivery_stack(CONFIG, STEADY)
    assert placed == {
        **HOMES,
        naming.delivery_pipeline(CONFIG, STEADY): steady,
        naming.retraining_pipeline(CONFIG, STEADY): steady,
    }


def test_the_stages_of_each_road(layout: Layout) -> None:
    assert stages(layout, ROAD) == ["Source", "Build", "Update", "Train", "Staging", "Approval", "Production"]
    assert stages(layout, PLATFORM_ROAD) == ["Source", "Check", "Update", "Staging", "Approval", "Production"]
    assert stages(layout, ONBOARDING) == ["Source", "Onboard"]
    assert stages(layout, RETRAINING) == ["Source", "Control"]


def would_be_taken(properties: Json) -> None:
    declared = plain({**properties, "RoleArn": joined(properties["RoleArn"])})

    assert declared["PipelineType"] == "V2"
    assert declared.pop("RestartExecutionOnUpdate") is True  # CloudFormation's own; the API has no such member
    accepted("codepipeline", "CreatePipeline", {"pipeline": declared})


@pytest.mark.parametrize("name", HOMES)
def test_codepipeline_would_take_it(three: Layout, name: str) -> None:
    would_be_taken(pipeline(three, name))


def test_only_what_the_controller_does_gives_way_to_what_comes_later(layout: Layout) -> None:
    modes = {name: pipeline(layout, name)["ExecutionMode"] for name in HOMES}

    assert modes == {ROAD: "QUEUED", PLATFORM_ROAD: "QUEUED", ONBOARDING: "QUEUED", RETRAINING: "SUPERSEDED"}


def test_the_models_own_stacks_are_updated_only_where_build_says_that_they_differ(layout: Layout) -> None:
    conditions = {stage["Name"]: stage["BeforeEntry"] for stage in pipeline(layout, ROAD)["Stages"] if "BeforeEntry" in stage}
    (condition,) = conditions.pop("Update")["Conditions"]
    (rule,) = condition["Rules"]

    assert conditions == {}
    assert condition["Result"] == "SKIP"
    assert (rule["RuleTypeId"]["Category"], rule["RuleTypeId"]["Provider"]) == ("Rule", "VariableCheck")
    assert rule["Configuration"] == {"Variable": "#{Build.STACKS_DIFFER}", "Value": "yes", "Operator": "EQ"}
    assert "STACKS_DIFFER" in buildspec(layout, DELIVERY, actions(layout, ROAD)["Build"])["env"]["exported-variables"]
    for name in (PLATFORM_ROAD, ONBOARDING, RETRAINING):
        assert not any("BeforeEntry" in stage for stage in pipeline(layout, name)["Stages"])


def pushes(layout: Layout, name: str) -> list[list[str]]:
    """The paths of every filter of what starts a pipeline."""
    (trigger,) = pipeline(layout, name)["Triggers"]
    assert actions(layout, name)["Source"]["Configuration"]["DetectChanges"] == "false"
    assert trigger["GitConfiguration"]["SourceActionName"] == "Source"
    filters = trigger["GitConfiguration"]["Push"]
    assert [push["Branches"] for push in filters] == [{"Includes": [CONFIG.repository.branch]}] * len(filters)
    return [push["FilePaths"]["Includes"] for push in filters]


def test_what_is_pushed_starts_its_own_pipeline(three: Layout) -> None:
    assert pushes(three, ROAD) == [[f"model_code/{MODEL}/**"]]
    assert pushes(three, ONBOARDING) == [["model_code/*/model.toml"]]
    assert pushes(three, PLATFORM_ROAD) == [list(some) for some in INFRASTRUCTURE]


def test_nobody_pushes_to_the_controller(layout: Layout) -> None:
    assert "Triggers" not in pipeline(layout, RETRAINING)


def test_no_trigger_has_more_filters_or_patterns_than_codepipeline_takes(layout: Layout) -> None:
    for name in (ROAD, PLATFORM_ROAD, ONBOARDING):
        assert 1 <= len(pushes(layout, name)) <= 3
        assert all(1 <= len(patterns) <= 8 for patterns in pushes(layout, name))


def references(value: Any) -> set[str]:
    """Every `#{namespace.variable}` in a part of a pipeline."""
    return set(re.findall(r"#\{([^}]+)\}", json.dumps(value)))


@pytest.mark.parametrize("name", HOMES)
def test_every_variable_was_exported_by_an_earlier_stage(layout: Layout, name: str) -> None:
    known = {"Source.AuthorDate", "Source.CommitId", "codepipeline.PipelineExecutionId", "variables.cause"}
    for stage in pipeline(layout, name)["Stages"]:
        action, *others = stage["Actions"]
        assert references([action["Configuration"], *(each["Configuration"] for each in others), stage.get("BeforeEntry")]) <= known
        if action["ActionTypeId"]["Provider"] == "CodeBuild" and not others:
            exported = buildspec(layout, HOMES[name], action).get("env", {}).get("exported-variables", [])
            known |= {f"{action['Namespace']}.{variable}" for variable in exported}


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The road of a model that may train for twenty hours."""
    folder = tmp_path_factory.mktemp("long")
    app = App(outdir=str(folder), context=CONTEXT)
    ModelDelivery(app, DELIVERY, config=CONFIG, model=trained_for(20 * 60))
    return read(app, CONFIG, folder)


def test_a_training_that_outlasts_an_action_is_waited_for_by_a_row_of_them(long: Layout) -> None:
    (row,) = (stage["Actions"] for stage in pipeline(long, ROAD)["Stages"] if stage["Name"] == "Train")
    projects = {action["Configuration"]["ProjectName"]["Ref"] for action in row}
    (project,) = (long.all(DELIVERY, PROJECT)[project] for project in projects)
    variables = [{v["name"]: v["value"] for v in json.loads(action["Configuration"]["EnvironmentVariables"])} for action in row]

    assert [(action["Name"], action["Namespace"], action.get("RunOrder", 1)) for action in row] == [
        *((f"Train-{order}", f"Train-{order}", order) for order in range(1, 6)),
        ("Train", "Train", 6),
    ]
    assert project["TimeoutInMinutes"] == 8 * 60
    assert [each["WAITS_AFTER"] for each in variables] == ["5", "4", "3", "2", "1", "0"]
    handed_on = [f"#{{Train-{order}.MODEL_PACKAGE_ARN}}" for order in range(1, 6)]
    assert [each["MODEL_PACKAGE_ARN"] for each in variables] == ["unfinished", *handed_on]
    assert {each["EXECUTION"] for each in variables} == {"#{codepipeline.PipelineExecutionId}"}, "all look for the same run"
    would_be_taken(pipeline(long, ROAD))


def test_a_training_that_an_action_sees_the_end_of_has_one(layout: Layout) -> None:
    for stage in pipeline(layout, ROAD)["Stages"]:
        assert ["RunOrder" in action for action in stage["Actions"]] == [False], "CloudFormation's default is 1"


@pytest.mark.parametrize(("name", "builder"), [(ROAD, "Build"), (PLATFORM_ROAD, "Check")])
def test_what_deploys_gets_the_assembly_that_was_made_once(three: Layout, name: str, builder: str) -> None:
    made = actions(three, name)

    assert [stage for stage, action in made.items() if action["OutputArtifacts"] == [{"Name": "Assembly"}]] == [builder]
    for stage in ("Update", "Staging", "Production"):
        assert made[stage]["InputArtifacts"] == [{"Name": "Source"}, {"Name": "Assembly"}]
        assert made[stage]["Configuration"]["PrimarySource"] == "Source"
        assert "cdk synth" not in json.dumps(buildspec(three, HOMES[name], made[stage]))


def test_the_approval_names_what_it_approves(layout: Layout) -> None:
    configuration = actions(layout, ROAD)["Approval"]["Configuration"]

    assert configuration["CustomData"] == (
        f"{MODEL}: commit #{{Source.CommitId}}, model package #{{Train.MODEL_PACKAGE_ARN}},"
        " evidence #{Staging.EVIDENCE_URI} sha256 #{Staging.EVIDENCE_SHA256}"
    )
    assert configuration["NotificationArn"] == {"Ref": "Approvals"}


@pytest.mark.parametrize("name", HOMES)
def test_no_action_is_configured_at_greater_length_than_codepipeline_takes(layout: Layout, name: str) -> None:
    for action in actions(layout, name).values():
        assert all(len(value) <= 1000 for value in action["Configuration"].values() if isinstance(value, str))


def test_only_image_builds_are_privileged(layout: Layout) -> None:
    privileged = {project["Name"] for _, project in layout.every(PROJECT) if project["Environment"]["PrivilegedMode"]}

    assert privileged == {naming.stage_project(CONFIG, model, naming.BUILD) for model in (MODEL, STEADY)}


def test_a_project_is_called_like_its_role(layout: Layout) -> None:
    for stack, project in layout.every(PROJECT):
        roles = layout.all(stack, "AWS::IAM::Role")
        assert roles[project["ServiceRole"]["Fn::GetAtt"][0]]["RoleName"] == project["Name"]


def models_of(stage: Json) -> list[str]:
    """Whom each action of a stage of the platform's is about. They are side by side, and alike but for that."""
    configurations = [action["Configuration"] for action in stage["Actions"]]
    assert len({json.dumps({**each, "EnvironmentVariables": ""}) for each in configurations}) == 1
    assert {action.get("RunOrder") for action in stage["Actions"]} == {None}
    (given,) = zip(*(json.loads(each["EnvironmentVariables"]) for each in configurations), strict=True)
    assert [action["Name"] for action in stage["Actions"]] == [variable["value"] for variable in given]
    assert {variable["name"] for variable in given} == {"MODEL"}
    return [variable["value"] for variable in given]


def test_the_platform_has_an_action_a_model(three: Layout) -> None:
    stages = {stage["Name"]: stage for stage in pipeline(three, PLATFORM_ROAD)["Stages"]}

    for environment in map(naming.stage, CONFIG.environments):
        assert models_of(stages[environment]) == [MODEL, STEADY]


def test_fifty_models_and_more_have_stages_that_codepipeline_takes(tmp_path: Path) -> None:
    app, names = App(outdir=str(tmp_path), context=CONTEXT), [f"model_{number:03}" for number in range(120)]
    many = [models()[0].model_copy(update={"name": name}) for name in names]
    PlatformDelivery(app, PLATFORM, config=configuration("three"), models=many)
    app.synth()
    template = tmp_path / f"{PLATFORM}.template.json"
    resources = json.loads(template.read_text())["Resources"].values()
    (road,) = [each["Properties"] for each in resources if each["Type"] == PIPELINE and each["Properties"]["Name"] == PLATFORM_ROAD]
    deploying = [stage for stage in road["Stages"] if len(stage["Actions"]) > 1]

    assert [stage["Name"] for stage in deploying] == [f"{name}{n}" for name in ("Staging", "Production") for n in ("", ".2", ".3")]
    assert [model for stage in deploying for model in models_of(stage)] == names * 2
    assert all(len(stage["Actions"]) <= 50 for stage in deploying)
    assert (
        len([each for each in resources if each["Type"] == PROJECT]) == len(road["Stages"]) - 2 - 4 + 1
    )  # one an environment; onboarding's
    assert template.stat().st_size < 500_000  # half of what CloudFormation takes
    accepted(
        "codepipeline",
        "CreatePipeline",
        {"pipeline": plain({"Name": "p", "RoleArn": "arn:aws:iam::123456789012:role/p", "Stages": road["Stages"]})},
    )


def test_a_stage_has_the_memory_that_it_needs(three: Layout) -> None:
    """What each holds at most is measured by localcloud, which kills one that holds more."""
    sizes = {project["Name"]: project["Environment"]["ComputeType"] for _, project in three.every(PROJECT)}
    more = {name: size for name, size in sizes.items() if size != "BUILD_GENERAL1_SMALL"}

    assert more == {
        naming.stage_project(CONFIG, MODEL, naming.BUILD): "BUILD_GENERAL1_MEDIUM",
        naming.stage_project(CONFIG, STEADY, naming.BUILD): "BUILD_GENERAL1_MEDIUM",
        naming.stage_project(CONFIG, naming.PLATFORM, naming.ONBOARD): "BUILD_GENERAL1_MEDIUM",
        naming.stage_project(CONFIG, naming.PLATFORM, naming.CHECK): "BUILD_GENERAL1_LARGE",
    }


def test_what_wakes_the_controller(three: Layout) -> None:
    drift, again = rules(three)

    assert (drift["EventBusName"], "ScheduleExpression" in drift) == (naming.event_bus(CONFIG), False)
    assert drift["EventPattern"]["account"] == [PRODUCTION.account.id]
    assert drift["EventPattern"]["detail"] == {
        "alarmName": [naming.alarm(CONFIG, MODEL, PRODUCTION, naming.DRIFT)],
        "state": {"value": ["ALARM"]},
    }
    assert again["ScheduleExpression"] == "rate(24 hours)"


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A model that is retrained for every cause there is."""
    retraining = Retraining(on=("drift", "schedule", "data"), schedule="cron(0 3 ? * SUN *)", cooldown_hours=1)
    model = models()[0].model_copy(update={"monitoring": Monitoring(retraining=retraining)})
    return synth(configuration("three"), [model], tmp_path_factory.mktemp("eager"))


def test_every_cause_has_a_rule(eager: Layout) -> None:
    drift, schedule, data, again = rules_by_cause(eager)

    assert drift["EventPattern"]["source"] == ["aws.cloudwatch"]
    assert (schedule["Name"], schedule["ScheduleExpression"]) == (naming.retraining_schedule(CONFIG, MODEL), "cron(0 3 ? * SUN *)")
    assert data["EventPattern"]["source"] == ["aws.s3"]
    assert data["EventPattern"]["detail"] == {"bucket": {"name": [naming.data_bucket(CONFIG, MODEL)]}}
    assert again["ScheduleExpression"] == "rate(1 hour)"
    for rule in (drift, schedule, data, again):
        accepted("events", "PutRule", {"Name": "rule", "ScheduleExpression": rule.get("ScheduleExpression", "rate(1 hour)")})
        (target,) = rule["Targets"]
        accepted("events", "PutTargets", {"Rule": "rule", "Targets": [{**plain(target), "Arn": "arn"}]})


def rules_by_cause(layout: Layout) -> Iterator[Json]:
    by_cause = {re.findall(r"\((\w+)\)", rule["Description"])[0]: rule for rule in rules(layout)}
    assert len(by_cause) == len(rules(layout)) == 4
    return (by_cause[cause] for cause in ("drift", "schedule", "data", "again"))


def test_a_model_that_is_not_retrained_has_no_controller(tmp_path: Path) -> None:
    layout = synth(configuration("three"), [models()[0].model_copy(update={"monitoring": Monitoring()})], tmp_path)

    assert [properties["Name"] for properties in layout.all(DELIVERY, PIPELINE).values()] == [ROAD]
    assert layout.all(DELIVERY, RULE) == {}


def test_every_pipeline_runs_at_home(layout: Layout) -> None:
    assert {layout.account_of[stack] for stack, _ in layout.every(PIPELINE)} == {HOME.id}
