"""The training pipeline: from data to a registered version, or to a sentence that says why not.

1. Train     prepares the data, trains, and evaluates on held-out rows: one job, or three when `model.toml` asks for `separate` steps
2. Gate      compares what evaluation measured with the model's floor
3. Register  a version that waits for a person's approval; or Refuse, which ends the run with the number and the floor

The definition is made for exactly one image, data set and commit, and looks nothing up when it runs. The same arguments
give the same bytes; neither credentials nor network are needed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from dataclasses import dataclass
from typing import Any

os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"  # or the SDK asks IAM whether the role exists
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # or importing the SDK fails; every session below names its own

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import MetricDefinition, ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.training.configs import Compute, InputData, Networking, OutputDataConfig, StoppingCondition
from sagemaker.core.workflow import ConditionGreaterThanOrEqualTo, ExecutionVariables, Join, JsonGet, PropertyFile
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow import ConditionStep, FailStep, Pipeline, ProcessingStep
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import Step
from sagemaker.train.model_trainer import ModelTrainer

from config import CONFIG, Config
from model_code.spec import ModelSpec, load
from pipelines.definition import validate
from pipelines.instances import has_local_storage
from pipelines.sdk_steps import CommandTrainingStep, RegisterStep

CONTENT_TYPES = ["application/json", "text/csv"]
METRIC = "roc_auc"
PROCESSING = "/opt/ml/processing"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one definition is made for. `image_uri` ends in its digest; `data_uri` names the data set's one file;
    `artifacts` is `s3://bucket`; `key` is the KMS key of everything the jobs write."""

    image_uri: str
    data_uri: str
    data_sha256: str
    commit: str
    role: str
    key: str
    artifacts: str
    region: str

    @property
    def data_folder(self) -> str:
        """The prefix that a job reads."""
        return self.data_uri.rpartition("/")[0] + "/"

    @property
    def environment(self) -> dict[str, str]:
        """What every job's container is told."""
        return {"COMMIT": self.commit, "DATA_SHA256": self.data_sha256, "IMAGE_URI": self.image_uri}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training leaves for the gate and the registry: its steps, the metric, where `model.tar.gz` is."""

    steps: list[Step]
    metric: Any
    model_data: Any


def definition(config: Config, model: ModelSpec, run: Run) -> str:
    """The pipeline's definition, as JSON.

    Raises:
        ValueError: SageMaker would refuse it; one line a problem.
    """
    session = _session(run.region)
    steps = _Steps(model, run, session)
    trained = steps.separate() if model.training.steps == "separate" else steps.one_job()
    gate = _gate(model, trained.metric, passed=_register(config, model, run, trained))
    pipeline = Pipeline(
        name=config.name(model.name, "training"),
        steps=[*trained.steps, gate],
        pipeline_experiment_config=None,  # the registry keeps what an experiment would
        sagemaker_session=session,
    )
    made = json.loads(pipeline.definition())
    if problems := validate(made):
        raise ValueError("\n".join(problems))
    return json.dumps(made, indent=1, sort_keys=True)


class _Steps:
    """Training in its two forms. Both run the image's own commands on isolated machines with encrypted disks and outputs."""

    def __init__(self, model: ModelSpec, run: Run, session: PipelineSession) -> None:
        self.model, self.run, self.session = model, run, session
        self.volume_key = None if has_local_storage(model.training.instance_type) else run.key

    def one_job(self) -> Trained:
        train = self._train("data", self.run.data_folder, ["prepare", "train", "evaluate"])
        metric = train.properties.FinalMetricDataList[METRIC].Value
        return Trained(steps=[train], metric=metric, model_data=train.properties.ModelArtifacts.S3ModelArtifacts)

    def separate(self) -> Trained:
        prepare = self._process("Prepare", "prepare", inputs={"data": self.run.data_folder}, outputs=["train", "holdout"])
        train = self._train("train", _output(prepare, "train"), ["train"])
        report = PropertyFile("Evaluation", "evaluation", "evaluation.json")
        evaluate = self._process(
            "Evaluate",
            "evaluate",
            inputs={"model": train.properties.ModelArtifacts.S3ModelArtifacts, "holdout": _output(prepare, "holdout")},
            outputs=["evaluation", "model"],
            reports=[report],
        )
        metric = JsonGet(step_name="Evaluate", property_file=report, json_path=f"metrics.{METRIC}.value")
        model_data = Join(on="/", values=[_output(evaluate, "model"), "model.tar.gz"])
        return Trained(steps=[prepare, train, evaluate], metric=metric, model_data=model_data)

    def _train(self, channel: str, source: Any, command: list[str]) -> CommandTrainingStep:
        training = self.model.training
        trainer = ModelTrainer(
            training_image=self.run.image_uri,
            role=self.run.role,
            base_job_name="train",
            compute=Compute(
                instance_type=training.instance_type,
                instance_count=training.instance_count,
                volume_size_in_gb=training.volume_gb,
                volume_kms_key_id=self.volume_key,
            ),
            stopping_condition=StoppingCondition(max_runtime_in_seconds=60 * training.max_runtime_minutes),
            output_data_config=OutputDataConfig(s3_output_path=self._uri("train"), kms_key_id=self.run.key),
            networking=Networking(enable_network_isolation=True),
            environment=self.run.environment,
            hyperparameters={name: str(value) for name, value in training.hyperparameters.items()},
            sagemaker_session=self.session,
        ).with_metric_definitions([MetricDefinition(name=METRIC, regex=rf"metric {METRIC}=([0-9.]+)")])
        arguments = trainer.train(input_data_config=[InputData(channel_name=channel, data_source=source)])
        return CommandTrainingStep("Train", command=command, step_args=arguments, retry_policies=_retries())

    def _process(
        self, name: str, command: str, *, inputs: dict[str, Any], outputs: list[str], reports: list[PropertyFile] | None = None
    ) -> ProcessingStep:
        training = self.model.training
        processor = Processor(
            role=self.run.role,
            image_uri=self.run.image_uri,
            instance_type=training.instance_type,
            instance_count=1,
            volume_size_in_gb=training.volume_gb,
            volume_kms_key=self.volume_key,
            output_kms_key=self.run.key,
            max_runtime_in_seconds=60 * training.max_runtime_minutes,
            env=self.run.environment,
            network_config=NetworkConfig(enable_network_isolation=True),
            sagemaker_session=self.session,
        )
        arguments = processor.run(
            inputs=[_read(input_name, source) for input_name, source in inputs.items()],
            outputs=[_write(output, self._uri(name.lower(), output)) for output in outputs],
            arguments=[command],
        )
        return ProcessingStep(name, step_args=arguments, property_files=reports, retry_policies=_retries())

    def _uri(self, *parts: str) -> Join:
        return Join(on="/", values=[self.run.artifacts, "runs", ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])


def _gate(model: ModelSpec, metric: Any, *, passed: Step) -> ConditionStep:
    floor = model.gates.roc_auc
    found = [f"{METRIC} is ", metric, f", under the gate's {floor} in model_code/{model.name}/model.toml: nothing was registered"]
    return ConditionStep(
        "Gate",
        conditions=[ConditionGreaterThanOrEqualTo(left=metric, right=floor)],
        if_steps=[passed],
        else_steps=[FailStep("Refuse", error_message=Join(on="", values=found))],
    )


def _register(config: Config, model: ModelSpec, run: Run, trained: Trained) -> RegisterStep:
    facts = {"commit": run.commit, "data_sha256": run.data_sha256, "data_uri": run.data_uri, "image_uri": run.image_uri}
    request = {
        "ModelPackageGroupName": config.name(model.name),
        "ModelPackageDescription": f"{model.name} at commit {run.commit}",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": run.image_uri, "ModelDataUrl": trained.model_data}],
            "SupportedContentTypes": CONTENT_TYPES,
            "SupportedResponseMIMETypes": CONTENT_TYPES,
            "SupportedRealtimeInferenceInstanceTypes": sorted({serving.instance_type for serving in model.serving.values()}),
        },
        "CustomerMetadataProperties": {**facts, METRIC: Join(on="", values=[trained.metric])},
    }
    return RegisterStep("Register", request=request, retry_policies=[_throttled()])


def _retries() -> list[StepRetryPolicy | SageMakerJobStepRetryPolicy]:
    unlucky = [SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, SageMakerJobExceptionTypeEnum.INTERNAL_ERROR]
    capacity = SageMakerJobStepRetryPolicy(failure_reason_types=unlucky, interval_seconds=60, backoff_rate=2.0, max_attempts=4)
    return [_throttled(), capacity]


def _throttled() -> StepRetryPolicy:
    kinds = [StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING]
    return StepRetryPolicy(exception_types=kinds, interval_seconds=10, backoff_rate=2.0, max_attempts=5)


def _read(name: str, source: Any) -> ProcessingInput:
    place = ProcessingS3Input(s3_uri=source, local_path=f"{PROCESSING}/input/{name}", s3_data_type="S3Prefix", s3_input_mode="File")
    return ProcessingInput(input_name=name, s3_input=place)


def _write(name: str, target: Any) -> ProcessingOutput:
    place = ProcessingS3Output(s3_uri=target, local_path=f"{PROCESSING}/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=place)


def _output(step: ProcessingStep, name: str) -> Any:
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def _session(region: str) -> PipelineSession:
    silent = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
    return PipelineSession(boto_session=boto3.Session(region_name=region), default_bucket="unused", sagemaker_config=silent)


def main() -> None:
    """Print the definition for the run that the arguments name."""
    parser = argparse.ArgumentParser(prog="training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("model", "image-uri", "data-uri", "data-sha256", "commit", "role", "key", "artifacts", "region"):
        parser.add_argument(f"--{flag}", required=True)
    arguments = vars(parser.parse_args())
    logging.disable(logging.WARNING)  # the SDK tells of every default it takes
    warnings.simplefilter("ignore", UserWarning)
    try:
        print(definition(CONFIG, load(arguments.pop("model")), Run(**arguments)))
    except (ValueError, BotoCoreError, ClientError) as error:
        problems = "; ".join(str(error).splitlines())
        sys.exit(f"training: SageMaker would refuse the definition: {problems}: correct model.toml or the arguments")


if __name__ == "__main__":
    main()
