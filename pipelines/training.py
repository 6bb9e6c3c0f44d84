"""The training pipeline: from data to a registered version, or to a sentence that says why not.

1. Champion  the version that production serves scores the same data, in its own image; left out when there is none, or when
             `model.toml` compares with none
2. Train     prepares the data, trains, and evaluates on held-out rows: one job, or three when `model.toml` asks for `separate` steps
3. Gate      asks evaluation how many of the model's gates failed
4. Register  a version that waits for a person's approval; or Refuse, which ends the run and says where the verdicts are

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
from pathlib import Path
from typing import Any

os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"  # or the SDK asks IAM whether the role exists
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # or importing the SDK fails; every session below names its own

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import MetricDefinition, ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.training.configs import CheckpointConfig, Compute, InputData, Networking, OutputDataConfig, StoppingCondition
from sagemaker.core.workflow import ConditionLessThanOrEqualTo, ExecutionVariables, Join, JsonGet, PropertyFile
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

import naming
from config import CONFIG, Config
from deployability.instances import has_local_storage
from paved_runtime.protocol import EVALUATION
from paved_runtime.spec import ModelSpec, load
from pipelines import tags, waiting
from pipelines.definition import validate
from pipelines.run import Run
from pipelines.sdk_steps import CommandTrainingStep, RegisterStep

CONTENT_TYPES = ["application/json", "text/csv", "application/jsonlines"]
METRIC, FAILED = "roc_auc", "gates_failed"
PATTERNS = {METRIC: rf"metric {METRIC}=([0-9.]+)", FAILED: rf"metric {FAILED}=([0-9]+)"}
PROCESSING = "/opt/ml/processing"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training leaves for the gate and the registry: its steps, how many gates failed, where `model.tar.gz` is."""

    steps: list[Step]
    failed: Any
    model_data: Any


def definition(config: Config, model: ModelSpec, run: Run) -> str:
    """The pipeline's definition, as JSON.

    Raises:
        ValueError: SageMaker would refuse it; one line a problem.
    """
    session = _session(run.region)
    steps = _Steps(model, run, session)
    trained = steps.separate() if model.training.steps == "separate" else steps.one_job()
    gate = _gate(model, trained, passed=_register(config, model, run, trained))
    pipeline = Pipeline(
        name=naming.training_pipeline(config, model.name),
        steps=[*trained.steps, gate],
        pipeline_experiment_config=None,  # the registry keeps what an experiment would
        sagemaker_session=session,
    )
    made = tags.with_jobs(json.loads(pipeline.definition()), tags.of(config, model))
    if problems := validate(made):
        raise ValueError("\n".join(problems))
    return json.dumps(made, indent=1, sort_keys=True)


class _Steps:
    """Training in its two forms. Both run the image's own commands on isolated machines with encrypted disks, traffic and outputs."""

    def __init__(self, model: ModelSpec, run: Run, session: PipelineSession) -> None:
        self.model, self.run, self.session = model, run, session
        self.volume_key = None if has_local_storage(model.training.instance_type) else run.key
        champion = self._champion() if run.champion_arn and model.gates.champion.compare else None
        self.before = [champion] if champion else []
        self.data = {"data": run.data_folder, **({"champion": _output(champion, "champion")} if champion else {})}

    def one_job(self) -> Trained:
        train = self._train(self.data, ["prepare", "train", "evaluate"])
        return Trained(
            steps=[*self.before, train],
            failed=train.properties.FinalMetricDataList[FAILED].Value,
            model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        )

    def separate(self) -> Trained:
        prepare = self._process("Prepare", "prepare", inputs=self.data, outputs=["train", "holdout"])
        train = self._train({"train": _output(prepare, "train")}, ["train"])
        report = PropertyFile("Evaluation", "evaluation", EVALUATION)
        evaluate = self._process(
            "Evaluate",
            "evaluate",
            inputs={"model": train.properties.ModelArtifacts.S3ModelArtifacts, "holdout": _output(prepare, "holdout")},
            outputs=["evaluation", "model"],
            reports=[report],
        )
        return Trained(
            steps=[*self.before, prepare, train, evaluate],
            failed=JsonGet(step_name="Evaluate", property_file=report, json_path=FAILED),
            model_data=Join(on="/", values=[_output(evaluate, "model"), naming.MODEL_ARCHIVE]),
        )

    def _champion(self) -> ProcessingStep:
        run = self.run
        inputs = {"data": run.data_folder, "model": run.champion_model_uri}
        origin = {**run.environment, "IMAGE_URI": run.champion_image_uri, "MODEL_PACKAGE_ARN": run.champion_arn}
        return self._process("Champion", "score", inputs=inputs, outputs=["champion"], image=run.champion_image_uri, environment=origin)

    def _train(self, channels: dict[str, Any], command: list[str]) -> CommandTrainingStep:
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
                enable_managed_spot_training=training.spot or None,
            ),
            stopping_condition=StoppingCondition(
                max_runtime_in_seconds=60 * training.max_runtime_minutes,
                **({"max_wait_time_in_seconds": 60 * training.longest_minutes} if training.spot else {}),
            ),
            checkpoint_config=CheckpointConfig(s3_uri=_checkpoints(self.run)) if training.spot else None,
            output_data_config=OutputDataConfig(s3_output_path=self._uri("train"), kms_key_id=self.run.key),
            networking=Networking(enable_network_isolation=True, enable_inter_container_traffic_encryption=True, **self.run.vpc),
            environment=self.run.environment,
            hyperparameters={name: str(value) for name, value in training.hyperparameters.items()},
            sagemaker_session=self.session,
        ).with_metric_definitions([MetricDefinition(name=name, regex=pattern) for name, pattern in PATTERNS.items()])
        inputs = [InputData(channel_name=name, data_source=source) for name, source in channels.items()]
        return CommandTrainingStep("Train", command=command, step_args=trainer.train(input_data_config=inputs), retry_policies=_retries())

    def _process(
        self,
        name: str,
        command: str,
        *,
        inputs: dict[str, Any],
        outputs: list[str],
        reports: list[PropertyFile] | None = None,
        image: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> ProcessingStep:
        training = self.model.training
        processor = Processor(
            role=self.run.role,
            image_uri=image or self.run.image_uri,
            instance_type=training.instance_type,
            instance_count=1,
            volume_size_in_gb=training.volume_gb,
            volume_kms_key=self.volume_key,
            output_kms_key=self.run.key,
            max_runtime_in_seconds=60 * training.max_runtime_minutes,
            env=environment or self.run.environment,
            network_config=NetworkConfig(enable_network_isolation=True, encrypt_inter_container_traffic=True, **self.run.vpc),
            sagemaker_session=self.session,
        )
        arguments = processor.run(
            inputs=[_read(input_name, source) for input_name, source in inputs.items()],
            outputs=[_write(output, self._uri(name.lower(), output)) for output in outputs],
            arguments=[command],
        )
        return ProcessingStep(name, step_args=arguments, property_files=reports, retry_policies=_retries())

    def _uri(self, *parts: str) -> Join:
        return Join(on="/", values=[self.run.artifacts, naming.RUNS, ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])


def _checkpoints(run: Run) -> str:
    """Where a training that is interrupted finds how far it was: of this commit, data set and image alone, so that no other is resumed."""
    return "/".join((run.artifacts, naming.CHECKPOINTS, run.commit, run.data_sha256, run.image_uri.rpartition(":")[2]))


def _gate(model: ModelSpec, trained: Trained, *, passed: Step) -> ConditionStep:
    why = [f"{model.name}: gates failed: ", trained.failed, "; nothing was registered; evaluation.json in ", trained.model_data]
    why.append(" has the verdicts, and the Train stage's log lists them")
    return ConditionStep(
        "Gate",
        conditions=[ConditionLessThanOrEqualTo(left=trained.failed, right=0)],
        if_steps=[passed],
        else_steps=[FailStep("Refuse", error_message=Join(on="", values=why))],
    )


def _register(config: Config, model: ModelSpec, run: Run, trained: Trained) -> RegisterStep:
    facts = {
        "commit": run.commit,
        "data_sha256": run.data_sha256,
        "data_uri": run.data_uri,
        "image_uri": run.image_uri,
        **({"data_version": run.data_version} if run.data_version else {}),  # an older pointer has none
    }
    request = {
        "ModelPackageGroupName": naming.model_package_group(config, model.name),
        "ModelPackageDescription": f"{model.name} at commit {run.commit}",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": run.image_uri, "ModelDataUrl": trained.model_data}],
            "SupportedContentTypes": CONTENT_TYPES,
            "SupportedResponseMIMETypes": CONTENT_TYPES,
            "SupportedRealtimeInferenceInstanceTypes": sorted({serving.instance_type for serving in model.serving.values()}),
        },
        "CustomerMetadataProperties": {**facts, "cause": naming.metadata_value(run.cause)},
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": _evaluation(run)}}},
    }
    return RegisterStep("Register", request=request, retry_policies=[_throttled()])


def _evaluation(run: Run) -> Join:
    """Where Studio finds what the version is worth: the Train stage puts it there, out of the archive, once it is registered."""
    return Join(on="/", values=[run.artifacts, naming.MODELS, ExecutionVariables.PIPELINE_EXECUTION_ID, EVALUATION])


def _retries() -> list[StepRetryPolicy | SageMakerJobStepRetryPolicy]:
    unlucky = [SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, SageMakerJobExceptionTypeEnum.INTERNAL_ERROR]
    full = [SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT]
    return [
        _throttled(),
        SageMakerJobStepRetryPolicy(failure_reason_types=unlucky, **waiting.UNLUCKY.arguments),
        SageMakerJobStepRetryPolicy(exception_types=full, **waiting.FULL.arguments),
    ]


def _throttled() -> StepRetryPolicy:
    kinds = [StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING]
    return StepRetryPolicy(exception_types=kinds, **waiting.THROTTLED.arguments)


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
    """Print the definition for the model and run that the arguments name."""
    parser = argparse.ArgumentParser(prog="training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--run", required=True, type=Path, help="the file that describe_run wrote")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # the SDK tells of every default it takes
    warnings.simplefilter("ignore", UserWarning)
    try:
        print(definition(CONFIG, load(arguments.model), Run.read(arguments.run)))
    except (ValueError, BotoCoreError, ClientError) as error:
        problems = "; ".join(str(error).splitlines())
        sys.exit(f"training: SageMaker would refuse the definition: {problems}: correct model.toml or the run")


if __name__ == "__main__":
    main()
