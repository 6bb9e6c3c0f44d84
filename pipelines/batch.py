"""The batch pipeline: rows of whole files scored by the version that an environment has, each once.

1. Prepare    reads the files, numbers their rows, and writes them as parts of JSON Lines
2. Transform  scores the parts: a batch transform job of SageMaker, whose answer to a row stands beside the row's number
3. Collect    writes a file of results for every file of rows, and the manifest: of which rows, by which version

The stack of batches holds the definition, so it is made at synth, as plain data, as that of the monitor. Which version scores comes as
parameters, whose values are those of the version that the environment has. An execution keeps those that it began with: it goes on with
the same version, in the same folder, when it is retried (RetryPipelineExecution).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import naming
from paved_runtime.spec import Batch
from pipelines import job_steps
from pipelines.job_steps import RETRIES, Json, Machines, Owner, job_input, job_output, of_execution, parameter, parameter_value
from pipelines.serving_stack import BATCH_INPUT, BATCH_MODEL, BATCH_OUTPUT, BatchParameters

PREPARE, TRANSFORM, COLLECT = "Prepare", "Transform", "Collect"
LINES = "application/jsonlines"
KEPT = "$['number','keep','SageMakerOutput']"  # of a row joined with its answer


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where files are scored. `runs` and `capture` are `s3://bucket/folder`: of what runs write, and of what the endpoint captures.

    `model` is the model's name, `endpoint` and `variant` are those beside which batches run; `role` is the jobs', `key` of all they write;
    `subnets` and `security_groups` are ids, none where the account has no network of its own. `features` has, of each group that the model
    looks up, the S3 URI of its offline store's folder, and `told` the variables that say so to a container.
    """

    model: str
    endpoint: str
    variant: str
    role: str
    key: str
    runs: str
    capture: str
    region: str
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    features: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)


def definition(batch: Batch, place: Place, version: BatchParameters, model_name: str) -> Json:
    """The pipeline's definition; `model_name` is the version's SageMaker model. Any value may be a reference that the stack resolves."""
    values = {**version.values(), BATCH_MODEL: model_name, BATCH_INPUT: folder(batch.input), BATCH_OUTPUT: folder(batch.output) or ""}
    steps = _Steps(batch, place)
    return job_steps.definition([parameter(*each) for each in values.items()], [steps.prepare(), steps.transform(), steps.collect()])


def folder(uri: str | None) -> str | None:
    """A folder as S3 must be asked for it, that others whose names begin alike are not meant."""
    return f"{uri.rstrip('/')}/" if uri else None


class _Steps:
    """One after the other: each reads what the one before has written, below the run's own folder."""

    def __init__(self, batch: Batch, place: Place) -> None:
        self.batch, self.place = batch, place
        self.owner = Owner(role=place.role, key=place.key, subnets=place.subnets, security_groups=place.security_groups)
        self.model = job_input("model", parameter_value("ModelDataUrl"))

    def prepare(self) -> Json:
        outputs = [job_output(name, self._run(name)) for name in ("parts", "prepared")]
        environment = {
            "INPUT_URI": parameter_value(BATCH_INPUT),
            "MODEL_SHA256": parameter_value("ModelSha256"),
            "PAYLOAD_MB": str(self.batch.payload_mb),
            **self.place.told,
        }
        stores = [job_input(f"features_{group}", uri) for group, uri in self.place.features.items()]
        inputs = [job_input("rows", parameter_value(BATCH_INPUT)), self.model, *stores]
        return self._processing(PREPARE, "batch-prepare", inputs, outputs, environment)

    def transform(self) -> Json:
        """The model's containers reach nothing (its network isolation), and are told nothing that its stack does not tell them."""
        batch, owner = self.batch, self.owner
        machines = {"InstanceType": batch.instance_type, "InstanceCount": batch.instances, **owner.disk(batch.instance_type)}
        return {
            "Name": TRANSFORM,
            "Type": "Transform",
            "DependsOn": [PREPARE],
            "Arguments": {
                "ModelName": parameter_value(BATCH_MODEL),
                "BatchStrategy": "MultiRecord",
                "MaxConcurrentTransforms": batch.concurrency,
                "MaxPayloadInMB": batch.payload_mb,
                "TransformInput": {
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": self._run("parts")}},
                    "ContentType": LINES,
                    "SplitType": "Line",
                    "CompressionType": "None",
                },
                "TransformOutput": {
                    "S3OutputPath": self._run("scored"),
                    "Accept": LINES,
                    "AssembleWith": "Line",
                    "KmsKeyId": owner.key,
                },
                "TransformResources": machines,
                "DataProcessing": {"InputFilter": "$.row", "JoinSource": "Input", "OutputFilter": KEPT},
                "Environment": {},
            },
            "RetryPolicies": RETRIES,
        }

    def collect(self) -> Json:
        inputs = [*(job_input(name, self._run(name)) for name in ("prepared", "scored", "parts")), self.model]
        outputs = [job_output(naming.BATCH_RESULTS, self._run(naming.BATCH_RESULTS)), job_output("captured", self.place.capture)]
        return {**self._processing(COLLECT, "batch-collect", inputs, outputs, self._environment()), "DependsOn": [TRANSFORM]}

    def _environment(self) -> Json:
        place = self.place
        return {
            "AWS_DEFAULT_REGION": place.region,
            "ENDPOINT_NAME": place.endpoint,
            "EXECUTION": {"Get": "Execution.PipelineExecutionArn"},
            "IMAGE_URI": parameter_value("ImageUri"),
            "INPUT_URI": parameter_value(BATCH_INPUT),
            "MAXIMUM_FAILED": str(self.batch.maximum_failed),
            "MODEL": place.model,
            "MODEL_PACKAGE_ARN": parameter_value("ModelPackageArn"),
            "MODEL_SHA256": parameter_value("ModelSha256"),
            "MODEL_VERSION": parameter_value("ModelVersion"),
            "OUTPUT_URI": parameter_value(BATCH_OUTPUT),
            "RESULTS_URI": self._run(naming.BATCH_RESULTS),
            "VARIANT": place.variant,
        }

    def _processing(self, name: str, command: str, inputs: list[Json], outputs: list[Json], environment: Json) -> Json:
        batch = self.batch
        machine = Machines(
            instance_type=batch.instance_type, instances=1, volume_gb=batch.volume_gb, max_runtime_minutes=batch.max_runtime_minutes
        )
        return job_steps.processing(name, command, self.owner, machine, inputs=inputs, outputs=outputs, environment=environment)

    def _run(self, name: str) -> Json:
        return of_execution(self.place.runs, name)
