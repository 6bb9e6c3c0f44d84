"""The training pipeline: from data to a registered version, or to a sentence that says why not.

1. Champion  the version that production serves scores the same data, in its own image; left out when there is none, or when
             `model.toml` compares with none
2. Search    finds good hyperparameters by trials on the training rows, when `model.toml` asks for a search
3. Train     prepares the data, trains, and evaluates on held-out rows: one job, or three when `model.toml` asks for `separate` steps; what
             Search found is trained again here, like hyperparameters that were written down
4. Gate      asks evaluation how many of the model's gates failed
5. Register  a version that waits for a person's approval; or Refuse, which ends the run and says where the verdicts are

The definition is made for exactly one image, data set and commit, and looks nothing up when it runs. The same arguments
give the same bytes; neither credentials nor network are needed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import sys
import warnings
from dataclasses import dataclass, replace
from functools import cache
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
from paved_runtime.spec import HEADLINES, OBJECTIVES, VALIDATION, ModelSpec, load
from pipelines import search_space, tags, waiting
from pipelines.definition import validate
from pipelines.run import Run
from pipelines.sdk_steps import CommandTrainingStep, RegisterStep, SearchStep

CONTENT_TYPES = ["application/json", "text/csv", "application/jsonlines"]
FAILED = "gates_failed"
NUMBER = r"(-?[0-9.]+)"  # as the image prints one
TRIAL_COMMANDS = "TRIAL_COMMANDS"  # what a trial's container runs: CreateHyperParameterTuningJob takes no arguments for it
PROCESSING = "/opt/ml/processing"
IMAGE = "the image of the sources"  # where which one it is makes no difference


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
    trained = _trained(model, run, session)
    digest = training_sha256(config, model, run)
    gate = _gate(model, trained, passed=_register(config, model, run, trained, digest))
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


def training_sha256(config: Config, model: ModelSpec, run: Run) -> str:
    """A digest of all that training depends on: sources, data, and the jobs themselves. The same one, the same training.

    Commit and image name the sources once more, and the champion is another question. Empty where the sources are not known.
    Where features are looked up, the moment until which they count is part of it: such a model is trained anew each time.
    """
    if not run.sources_sha256:
        return ""
    training = model.training.model_copy(update={"keep_alive_minutes": 0})
    alike = replace(run, image_uri=IMAGE, commit="", champion_arn="", champion_image_uri="", champion_model_uri="")
    session = _session(run.region)
    steps = _trained(model.model_copy(update={"training": training}), alike, session).steps
    name = naming.training_pipeline(config, model.name)
    jobs = Pipeline(name=name, steps=[*steps], pipeline_experiment_config=None, sagemaker_session=session).definition()
    return hashlib.sha256(json.dumps([run.sources_sha256, json.loads(jobs)], sort_keys=True).encode()).hexdigest()


def _trained(model: ModelSpec, run: Run, session: PipelineSession) -> Trained:
    steps = _Steps(model, run, session)
    return steps.separate() if model.training.steps == "separate" else steps.one_job()


class _Steps:
    """Training in its two forms. Both run the image's own commands on isolated machines with encrypted disks, traffic and outputs."""

    def __init__(self, model: ModelSpec, run: Run, session: PipelineSession) -> None:
        self.model, self.run, self.session = model, run, session
        self.volume_key = None if has_local_storage(model.training.instance_type) else run.key
        champion = self._champion() if run.champion_arn and model.gates.champion.compare else None
        self.before = [champion] if champion else []
        self.data = {**run.inputs, **({"champion": _output(champion, "champion")} if champion else {})}

    def one_job(self) -> Trained:
        search = self._search({**self.run.inputs}, ["prepare", "search"])
        train = self._train(self.data, ["prepare", "train", "evaluate"], search)
        return Trained(
            steps=[*self.before, *search, train],
            failed=train.properties.FinalMetricDataList[FAILED].Value,
            model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        )

    def separate(self) -> Trained:
        prepare = self._process("Prepare", "prepare", inputs=self.data, outputs=["train", "holdout"])
        search = self._search({"train": _output(prepare, "train")}, ["search"])
        train = self._train({"train": _output(prepare, "train")}, ["train"], search)
        report = PropertyFile("Evaluation", "evaluation", EVALUATION)
        evaluate = self._process(
            "Evaluate",
            "evaluate",
            inputs={"model": train.properties.ModelArtifacts.S3ModelArtifacts, "holdout": _output(prepare, "holdout")},
            outputs=["evaluation", "model"],
            reports=[report],
        )
        return Trained(
            steps=[*self.before, prepare, *search, train, evaluate],
            failed=JsonGet(step_name="Evaluate", property_file=report, json_path=FAILED),
            model_data=Join(on="/", values=[_output(evaluate, "model"), naming.MODEL_ARCHIVE]),
        )

    def _champion(self) -> ProcessingStep:
        run = self.run
        inputs = {**run.inputs, "model": run.champion_model_uri}
        origin = {**run.environment, "IMAGE_URI": run.champion_image_uri, "MODEL_PACKAGE_ARN": run.champion_arn}
        return self._process("Champion", "score", inputs=inputs, outputs=["champion"], image=run.champion_image_uri, environment=origin)

    def _search(self, channels: dict[str, Any], command: list[str]) -> list[SearchStep]:
        """The search, where there is one."""
        training = self.model.training
        if training.search is None:
            return []
        environment = {**self.run.environment, TRIAL_COMMANDS: " ".join(command)}
        trial = self._training_job("Search", channels, command, patterns=_tried(self.model), environment=environment, retry_policies=[])
        config = search_space.config(training, training.search)
        return [SearchStep("Search", trial=trial, config=config, retry_policies=_retries_of_search())]

    def _train(self, channels: dict[str, Any], command: list[str], search: list[SearchStep]) -> CommandTrainingStep:
        origin, settings = self.run.environment, self.model.training.search
        step = self._training_job("Train", channels, command, patterns=_measured(self.model), environment=origin, retry_policies=_retries())
        for each in search:
            tuned = each.properties.BestTrainingJob.TunedHyperParameters
            step.replace({name: tuned[name] for name in settings.ranges} if settings else {})
        return step

    def _training_job(
        self,
        name: str,
        channels: dict[str, Any],
        command: list[str],
        *,
        patterns: dict[str, str],
        environment: dict[str, str],
        retry_policies: list[StepRetryPolicy | SageMakerJobStepRetryPolicy],
    ) -> CommandTrainingStep:
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
                keep_alive_period_in_seconds=60 * training.keep_alive_minutes or None,
                enable_managed_spot_training=training.spot or None,
            ),
            stopping_condition=StoppingCondition(
                max_runtime_in_seconds=60 * training.max_runtime_minutes,
                **({"max_wait_time_in_seconds": 60 * training.longest_minutes} if training.spot else {}),
            ),
            checkpoint_config=CheckpointConfig(s3_uri=_checkpoints(self.run)) if training.spot else None,
            output_data_config=OutputDataConfig(s3_output_path=self._uri(name.lower()), kms_key_id=self.run.key),
            networking=Networking(enable_network_isolation=True, enable_inter_container_traffic_encryption=True, **self.run.vpc),
            environment=environment,
            hyperparameters={key: str(value) for key, value in training.hyperparameters.items()},
            sagemaker_session=self.session,
        ).with_metric_definitions([MetricDefinition(name=metric, regex=pattern) for metric, pattern in patterns.items()])
        inputs = [InputData(channel_name=channel, data_source=source) for channel, source in channels.items()]
        arguments = trainer.train(input_data_config=inputs)
        return CommandTrainingStep(name, command=command, step_args=arguments, retry_policies=retry_policies)

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


def _measured(model: ModelSpec) -> dict[str, str]:
    """What SageMaker reads off a training's log, by name: the metric that floors are of, and how many gates failed."""
    headline = HEADLINES[model.task]
    return {headline: rf"metric {headline}={NUMBER}", FAILED: rf"metric {FAILED}=([0-9]+)"}


def _tried(model: ModelSpec) -> dict[str, str]:
    """What it reads off a trial's: every metric that a search for a model of this task may go by."""
    return {f"{VALIDATION}{name}": rf"metric {VALIDATION}{name}={NUMBER}" for name in OBJECTIVES[model.task]}


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


def _register(config: Config, model: ModelSpec, run: Run, trained: Trained, digest: str) -> RegisterStep:
    facts = {
        "task": model.task,
        "commit": run.commit,
        "data_sha256": run.data_sha256,
        "data_uri": run.data_uri,
        "image_uri": run.image_uri,
        **({"data_version": run.data_version} if run.data_version else {}),  # an older pointer has none
        **({naming.TRAINING_SHA256: digest} if digest else {}),
    }
    request = {
        "ModelPackageGroupName": naming.model_package_group(config, model.name),
        "ModelPackageDescription": f"{model.name} at commit {run.commit}",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": run.image_uri, "ModelDataUrl": trained.model_data}],
            "SupportedContentTypes": CONTENT_TYPES,
            "SupportedResponseMIMETypes": CONTENT_TYPES,
            **({"SupportedRealtimeInferenceInstanceTypes": types} if (types := model.serving_types) else {}),
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


def _retries_of_search() -> list[StepRetryPolicy | SageMakerJobStepRetryPolicy]:
    """As for a job, but for what fails inside: a tuning job tries such trials again by itself, and is not retried (page on retries)."""
    capacity, full = [SageMakerJobExceptionTypeEnum.CAPACITY_ERROR], [SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT]
    return [
        _throttled(),
        SageMakerJobStepRetryPolicy(failure_reason_types=capacity, **waiting.UNLUCKY.arguments),
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


@cache
def _session(region: str) -> PipelineSession:
    """For everything that is made of a region: making one takes longer than a definition."""
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
