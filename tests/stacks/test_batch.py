"""What scores files of rows: which version, as whom, by which clock, and what of all this stands where nobody has asked for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import naming
from paved_runtime.spec import Batch, ModelSpec
from pipelines.definition import validate
from stacks.layout import check
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import ACCOUNTS, PRODUCTION, STAGING, Layout, configuration, joined, listed, synth

pytestmark = pytest.mark.laptop("templates alone")

NIGHTLY = {"schedule": "cron(0 2 * * ? *)", "input": "s3://bank-rows/leads", "output": "s3://bank-rows/scores/"}
STACK, STAGED = naming.batch_stack(CONFIG, MODEL, PRODUCTION), naming.batch_stack(CONFIG, MODEL, STAGING)
ROLE = naming.batch_role(CONFIG, MODEL, PRODUCTION)
Json = dict[str, Any]


def batched(**tables: Json) -> ModelSpec:
    """The reference's model with a table of batches in each of these environments."""
    model = reference.model()
    asked = {name: Batch(instance_type="ml.m5.large", **table) for name, table in tables.items()}
    serving = {name: table.model_copy(update={"batch": asked.get(name)}) for name, table in model.serving.items()}
    return model.model_copy(update={"serving": serving})


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """In three accounts: nightly in production, by hand in staging."""
    return synth(configuration("three"), [batched(staging={}, production=NIGHTLY)], tmp_path_factory.mktemp("batches"))


def definition(layout: Layout, stack: str = STACK) -> Json:
    made: Json = json.loads(joined(layout.only(stack, "AWS::SageMaker::Pipeline")["PipelineDefinition"]["PipelineDefinitionBody"]))
    return made


def actions(layout: Layout, stack: str, role: str) -> dict[str, list[str]]:
    """What a role may do → on what."""
    return {
        action: [joined(each) for each in listed(statement["Resource"])]
        for statement in layout.statements(stack, role)
        for action in listed(statement["Action"])
    }


def test_without_the_table_no_stack_stands_and_the_others_are_as_before(layout: Layout) -> None:
    assert not [name for name in layout.templates if "-Batch-" in name]


def test_only_where_it_is_asked_for(tmp_path: Path) -> None:
    layout = synth(configuration("one"), [batched(production={})], tmp_path)

    assert [name for name in layout.templates if "-Batch-" in name] == [STACK]


def test_sagemaker_would_take_the_definition(batches: Layout) -> None:
    assert [validate(definition(batches, stack)) for stack in (STACK, STAGED)] == [[], []]


def test_production_scores_with_an_approved_package_and_staging_with_its_parts(batches: Layout) -> None:
    approved, parts = (batches.only(stack, "AWS::SageMaker::Model")["PrimaryContainer"] for stack in (STACK, STAGED))

    assert approved["ModelPackageName"] == {"Ref": "ModelPackageArn"}
    assert "Image" not in approved
    assert (parts["Image"], parts["ModelDataUrl"]) == ({"Ref": "ImageUri"}, {"Ref": "ModelDataUrl"})
    assert approved["Environment"] == parts["Environment"] == {"MODEL_SHA256": {"Ref": "ModelSha256"}}


def test_a_version_that_is_replaced_stays_for_the_batches_that_began_with_it(batches: Layout) -> None:
    (model,) = [each for each in batches.templates[STACK]["Resources"].values() if each["Type"] == "AWS::SageMaker::Model"]

    assert model["UpdateReplacePolicy"] == "Retain"
    assert model["Properties"]["EnableNetworkIsolation"] is True


def test_which_version_is_the_parameters_and_no_version_of_another_model(batches: Layout) -> None:
    parameters = batches.templates[STACK]["Parameters"]
    (default,) = [each["DefaultValue"] for each in definition(batches)["Parameters"] if each["Name"] == "ModelPackageArn"]

    assert default == "ModelPackageArn"
    assert naming.model_package_group(CONFIG, MODEL) in parameters["ModelPackageArn"]["AllowedPattern"]
    assert "Default" not in parameters["ModelPackageArn"]


def test_the_clock_starts_what_a_person_starts(batches: Layout) -> None:
    schedule = batches.only(STACK, "AWS::Scheduler::Schedule")
    pipeline = naming.batch_pipeline(CONFIG, MODEL, PRODUCTION)

    assert (schedule["ScheduleExpression"], schedule["State"]) == (NIGHTLY["schedule"], "ENABLED")
    assert schedule["Target"]["DeadLetterConfig"]
    assert batches.only(STACK, "AWS::SageMaker::Pipeline")["PipelineName"] == pipeline == schedule["Name"]
    assert batches.all(STAGED, "AWS::Scheduler::Schedule") == {}


def test_nightly_rows_and_results_are_what_an_execution_begins_with(batches: Layout) -> None:
    nightly, by_hand = (
        {each["Name"]: each.get("DefaultValue") for each in definition(batches, stack)["Parameters"]} for stack in (STACK, STAGED)
    )

    assert (nightly["InputUri"], nightly["OutputUri"]) == ("s3://bank-rows/leads/", "s3://bank-rows/scores/")
    assert (by_hand["InputUri"], by_hand["OutputUri"]) == (None, "")


def test_who_owns_it_is_told_of_a_batch_that_failed(batches: Layout) -> None:
    rule = batches.only(STACK, "AWS::Events::Rule")
    (target,) = rule["Targets"]
    serving = naming.serving_stack(CONFIG, MODEL, PRODUCTION)
    (policy,) = batches.all(serving, "AWS::SNS::TopicPolicy").values()
    publishers = [
        statement["Principal"].get("Service") for statement in policy["PolicyDocument"]["Statement"] if statement["Effect"] == "Allow"
    ]

    assert rule["EventPattern"]["detail"]["currentPipelineExecutionStatus"] == ["Failed"]
    assert joined(rule["EventPattern"]["detail"]["pipelineArn"][0]).endswith(
        f":pipeline/{naming.batch_pipeline(CONFIG, MODEL, PRODUCTION)}"
    )
    assert "<execution>" in target["InputTransformer"]["InputTemplate"]
    assert target["DeadLetterConfig"]
    assert "events.amazonaws.com" in publishers


def test_jobs_read_and_write_there_and_in_the_named_folders_alone(batches: Layout) -> None:
    statements = batches.statements(STACK, ROLE)
    on = {
        action: {
            joined(each).rpartition(":::")[2] for one in statements if action in listed(one["Action"]) for each in listed(one["Resource"])
        }
        for action in ("s3:GetObject", "s3:PutObject")
    }

    assert "bank-rows/leads/*" in on["s3:GetObject"] - on["s3:PutObject"]
    assert "bank-rows/scores/*" in on["s3:PutObject"] - on["s3:GetObject"]
    assert not {action for action in actions(batches, STACK, ROLE) if action.startswith(("iam:", "sagemaker:", "sns:", "s3:Delete"))}


def test_the_registry_lets_the_jobs_in(batches: Layout) -> None:
    text = json.dumps(batches.templates[naming.registry_stack(CONFIG, MODEL)])

    assert all(naming.batch_role(CONFIG, MODEL, place) in text for place in (STAGING, PRODUCTION))


def test_a_stage_has_rows_scored_in_the_first_environment_alone(batches: Layout) -> None:
    client = naming.batch_gate_role(CONFIG, MODEL, STAGING)
    allowed = actions(batches, STAGED, client)
    (trusted,) = batches.role(STAGED, client)["AssumeRolePolicyDocument"]["Statement"]

    assert naming.deploy_role(CONFIG, MODEL, STAGING) in json.dumps(trusted["Condition"])
    assert "sagemaker:StartPipelineExecution" in allowed
    assert [each.rpartition("/")[0].rpartition("/")[2] for each in allowed["s3:PutObject"]] == ["input"]
    assert client in json.dumps(batches.templates[naming.delivery_stack(CONFIG, MODEL)])
    assert naming.batch_gate_role(CONFIG, MODEL, PRODUCTION) not in json.dumps(batches.templates)


def test_rows_and_results_go_after_their_days_and_the_bucket_stays(batches: Layout) -> None:
    (bucket,) = [each for each in batches.templates[STACK]["Resources"].values() if each["Type"] == "AWS::S3::Bucket"]
    days = {rule.get("Prefix"): rule.get("ExpirationInDays") for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]}

    assert (days["input/"], days["runs/"], days[None]) == (90, 90, None)
    assert bucket["DeletionPolicy"].startswith("Retain")


@pytest.mark.parametrize("name", ACCOUNTS)
def test_names_fit_in_every_layout(name: str) -> None:
    check(configuration(name), [batched(staging={}, production=NIGHTLY)])
