"""The monitoring pipeline's definition: what SageMaker would take, and what the SageMaker SDK would have written."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from sagemaker.core.processing import Processor
from sagemaker.core.workflow import ExecutionVariables, Join, ParameterString
from sagemaker.mlops.workflow import Pipeline, ProcessingStep

import naming
from pipelines.definition import validate
from pipelines.monitoring import Place, definition
from pipelines.serving_stack import MonitoringParameters
from pipelines.training import _read, _retries, _session, _write
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import PRODUCTION
from tests.support.runs import RUN

ACCOUNT = PRODUCTION.account
ROLE = f"arn:aws:iam::{ACCOUNT.id}:role/{naming.monitoring_role(CONFIG, MODEL, PRODUCTION)}"
KEY = f"arn:aws:kms:{ACCOUNT.region}:{ACCOUNT.id}:key/11111111-2222-3333-4444-555555555555"
VERSION = MonitoringParameters(image_uri=RUN.image_uri, model_data_url="s3://artifacts/runs/1/model.tar.gz", model_version="0123456789ab")
PLACE = Place(
    endpoint=naming.endpoint(CONFIG, MODEL, PRODUCTION),
    variant=naming.VARIANT,
    role=ROLE,
    key=KEY,
    capture="s3://captured/capture",
    labels="s3://captured/labels",
    reports="s3://captured/monitoring",
    namespace=naming.metric_namespace(CONFIG, MODEL, PRODUCTION),
    topic=f"arn:aws:sns:{ACCOUNT.region}:{ACCOUNT.id}:notices",
    region=ACCOUNT.region,
    console=naming.console(ACCOUNT.region),
)
Definition = dict[str, Any]


def made(**monitoring: Any) -> Definition:
    lead = reference.model()
    assert lead.monitoring
    return definition(lead.model_copy(update={"monitoring": lead.monitoring.model_copy(update=monitoring)}), PLACE, VERSION)


def environment(step: Definition) -> dict[str, Any]:
    variables: dict[str, Any] = step["Arguments"]["Environment"]
    return variables


@pytest.mark.parametrize("instances", [1, 4])
def test_sagemaker_would_take_it(instances: int) -> None:
    assert validate(made(instances=instances)) == []


def test_one_instance_counts_by_itself() -> None:
    (step,) = made(instances=1)["Steps"]

    assert (step["Name"], step["Arguments"]["AppSpecification"]["ContainerArguments"]) == ("Monitor", ["monitor"])
    assert step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1


def test_several_count_and_one_judges() -> None:
    count, monitor = made(instances=4)["Steps"]
    clusters = [step["Arguments"]["ProcessingResources"]["ClusterConfig"] for step in (count, monitor)]
    (output,) = count["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    _, counts = monitor["Arguments"]["ProcessingInputs"]

    assert [cluster["InstanceCount"] for cluster in clusters] == [4, 1]
    assert count["Arguments"]["AppSpecification"]["ContainerArguments"] == ["count"]
    assert output["S3Output"]["LocalPath"] == "/opt/ml/processing/counts"
    assert counts["S3Input"]["LocalPath"] == "/opt/ml/processing/input/counts"
    assert counts["S3Input"]["S3Uri"] == {"Get": "Steps.Count.ProcessingOutputConfig.Outputs['counts'].S3Output.S3Uri"}
    assert environment(count) == environment(monitor)


def test_the_version_that_is_looked_at_is_a_parameter() -> None:
    parameters = {parameter["Name"]: parameter["DefaultValue"] for parameter in made()["Parameters"]}

    assert parameters == {
        "ImageUri": RUN.image_uri,
        "ModelDataUrl": "s3://artifacts/runs/1/model.tar.gz",
        "ModelVersion": "0123456789ab",
        "WindowEnd": "now",
    }


def test_the_job_knows_where_everything_is() -> None:
    (step,) = made()["Steps"]

    assert environment(step) == {
        "AWS_DEFAULT_REGION": ACCOUNT.region,
        "CAPTURE_URI": "s3://captured/capture",
        "CONSOLE_URL": f"https://{ACCOUNT.region}.console.aws.amazon.com",
        "ENDPOINT_NAME": PLACE.endpoint,
        "LABELS_URI": "s3://captured/labels",
        "METRICS_NAMESPACE": PLACE.namespace,
        "MODEL_VERSION": {"Get": "Parameters.ModelVersion"},
        "REPORT_URI": {"Std:Join": {"On": "/", "Values": ["s3://captured/monitoring", {"Get": "Execution.PipelineExecutionId"}]}},
        "TOPIC_ARN": PLACE.topic,
        "VARIANT": naming.VARIANT,
        "WINDOW_END": {"Get": "Parameters.WindowEnd"},
    }


def test_it_reaches_the_network_and_its_disk_is_encrypted_where_sagemaker_can() -> None:
    (step,), (local,) = made()["Steps"], made(instance_type="ml.m5d.large")["Steps"]

    assert "NetworkConfig" not in step["Arguments"]
    assert step["Arguments"]["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == KEY
    assert "VolumeKmsKeyId" not in local["Arguments"]["ProcessingResources"]["ClusterConfig"]
    assert step["Arguments"]["ProcessingOutputConfig"]["KmsKeyId"] == KEY


def test_a_model_that_is_not_monitored_has_none() -> None:
    unmonitored = reference.model().model_copy(update={"monitoring": None})

    with pytest.raises(ValueError, match=rf"{MODEL}/model\.toml: found no \[monitoring\]"):
        definition(unmonitored, PLACE, VERSION)


def test_the_sdk_would_write_the_same() -> None:
    monitoring = reference.model().monitoring
    assert monitoring
    session = _session(ACCOUNT.region)
    values = {**VERSION.values(), "WindowEnd": "now"}
    parameters = {name: ParameterString(name=name, default_value=value) for name, value in values.items()}
    report = Join(on="/", values=[PLACE.reports, ExecutionVariables.PIPELINE_EXECUTION_ID])
    processor = Processor(
        role=ROLE,
        image_uri=parameters["ImageUri"],
        instance_type=monitoring.instance_type,
        instance_count=1,
        volume_size_in_gb=monitoring.volume_gb,
        volume_kms_key=KEY,
        output_kms_key=KEY,
        max_runtime_in_seconds=60 * monitoring.max_runtime_minutes,
        env={
            **{name: value for name, value in environment(made()["Steps"][0]).items() if isinstance(value, str)},
            "MODEL_VERSION": parameters["ModelVersion"],
            "REPORT_URI": report,
            "WINDOW_END": parameters["WindowEnd"],
        },
        sagemaker_session=session,
    )
    arguments = processor.run(
        inputs=[_read("model", parameters["ModelDataUrl"])], outputs=[_write("report", report)], arguments=["monitor"]
    )
    step = ProcessingStep("Monitor", step_args=arguments, retry_policies=_retries())
    pipeline = Pipeline(
        name="p", parameters=list(parameters.values()), steps=[step], pipeline_experiment_config=None, sagemaker_session=session
    )
    written = json.loads(pipeline.definition())

    del written["MlflowConfig"]
    assert written == made()


def test_a_slip_is_found() -> None:
    broken = copy.deepcopy(made())
    broken["Steps"][0]["Arguments"]["AppSpecification"]["ImageUri"] = {"Get": "Parameters.Image"}

    assert validate(broken) == ["Monitor: no parameter Image", "parameter ImageUri is never used"]
