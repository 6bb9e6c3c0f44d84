"""The batch pipeline's definition: what SageMaker would take, and how rows, answers and results find each other."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
from pydantic import ValidationError

import naming
from paved_runtime.spec import Batch
from paved_runtime.spec.shapes import TRANSFORM_MACHINES
from pipelines.batch import Place, definition
from pipelines.definition import validate
from pipelines.serving_stack import BatchParameters
from tests.reference import CONFIG, MODEL
from tests.support.layouts import PRODUCTION
from tests.support.networks import GROUPS, SUBNETS
from tests.support.runs import RUN

ACCOUNT = PRODUCTION.account
VERSION = BatchParameters(
    model_package_arn=f"arn:aws:sagemaker:{ACCOUNT.region}:{CONFIG.toolchain.id}:model-package/acme-risk-lead-scoring/3",
    image_uri=RUN.image_uri,
    model_data_url="s3://artifacts/models/1/model.tar.gz",
    model_version="0123456789ab",
    model_sha256="0123456789ab" + 52 * "0",
)
PLACE = Place(
    model=MODEL,
    endpoint=naming.endpoint(CONFIG, MODEL, PRODUCTION),
    variant=naming.VARIANT,
    role=f"arn:aws:iam::{ACCOUNT.id}:role/{naming.batch_role(CONFIG, MODEL, PRODUCTION)}",
    key=f"arn:aws:kms:{ACCOUNT.region}:{ACCOUNT.id}:key/11111111-2222-3333-4444-555555555555",
    runs="s3://batches/runs",
    capture="s3://captured/capture",
    region=ACCOUNT.region,
    subnets=SUBNETS,
    security_groups=GROUPS,
)
Json = dict[str, Any]


def made(**table: Any) -> Json:
    return definition(Batch(**{"instance_type": "ml.m5.large", **table}), PLACE, VERSION, "model-1")


def steps(**table: Any) -> tuple[Json, Json, Json]:
    prepare, transform, collect = made(**table)["Steps"]
    return prepare, transform, collect


def places(step: Json) -> dict[str, Any]:
    """The folders below the run's own that a processing step reads and writes."""
    arguments = step["Arguments"]
    inputs = {each["InputName"]: each["S3Input"]["S3Uri"] for each in arguments["ProcessingInputs"]}
    return inputs | {each["OutputName"]: each["S3Output"]["S3Uri"] for each in arguments["ProcessingOutputConfig"]["Outputs"]}


@pytest.mark.parametrize("table", [{}, {"instance_type": "ml.g5.xlarge"}, {"instances": 4, "concurrency": 20, "payload_mb": 5}])
def test_sagemaker_would_take_it(table: Json) -> None:
    assert validate(made(**table)) == []


def test_each_step_reads_what_the_one_before_has_written() -> None:
    prepare, transform, collect = steps()
    arguments = transform["Arguments"]

    assert transform["DependsOn"] == ["Prepare"]
    assert collect["DependsOn"] == ["Transform"]
    assert places(prepare)["parts"] == arguments["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == places(collect)["parts"]
    assert places(prepare)["prepared"] == places(collect)["prepared"]
    assert arguments["TransformOutput"]["S3OutputPath"] == places(collect)["scored"]


def test_a_run_has_a_folder_of_its_own_that_a_retry_finds_again() -> None:
    prepare, _, _ = steps()

    assert places(prepare)["parts"]["Std:Join"]["Values"] == ["s3://batches/runs", {"Get": "Execution.PipelineExecutionId"}, "parts"]


def test_a_row_goes_to_the_model_without_what_it_must_not_see_and_comes_back_with_its_number() -> None:
    _, transform, _ = steps()

    assert transform["Arguments"]["DataProcessing"] == {
        "InputFilter": "$.row",
        "JoinSource": "Input",
        "OutputFilter": "$['number','keep','SageMakerOutput']",
    }


def test_disks_have_a_key_where_sagemaker_takes_one() -> None:
    keyed, own = (steps(instance_type=kind)[1]["Arguments"]["TransformResources"] for kind in ("ml.m5.large", "ml.g5.xlarge"))

    assert keyed["VolumeKmsKeyId"] == PLACE.key
    assert "VolumeKmsKeyId" not in own


def test_the_schedule_rows_are_those_of_the_folder_and_of_no_other_that_begins_alike() -> None:
    values = {each["Name"]: each.get("DefaultValue") for each in made(input="s3://rows/leads")["Parameters"]}

    assert values["InputUri"] == "s3://rows/leads/"
    assert values["ModelName"] == "model-1"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"instance_type": "ml.t3.medium"}, "batch transform has no ml.t3.medium"),
        ({"input": "s3://rows/leads", "output": "s3://rows/leads/scores"}, "output lies in input"),
        ({"input": "s3://rows/leads/", "output": "s3://rows/leads"}, "output lies in input"),
        ({"schedule": "rate(1 day)"}, "schedule scores what lies in input"),
        ({"concurrency": 50, "payload_mb": 6}, "concurrency x payload_mb is 300"),
    ],
)
def test_what_sagemaker_would_refuse_is_refused_at_synth(table: Json, why: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        made(**table)


def test_machines_are_those_that_transform_jobs_have() -> None:
    service = botocore.session.get_session().get_service_model("sagemaker")
    processing, transform = (service.shape_for(f"{kind}InstanceType").enum for kind in ("Processing", "Transform"))
    families = {each.rsplit(".", 1)[0] for each in transform}

    assert [each for each in processing if bool(TRANSFORM_MACHINES.match(each)) != (each.rsplit(".", 1)[0] in families)] == []
