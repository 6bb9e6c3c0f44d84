"""The stacks of a served model as their deployment sees them: the parameters that they take, and the outputs that they give.

The stacks declare these from the fields, and the steps fill and read them: a name, its words and its pattern stand here once.
CloudFormation knows a field by its name without underscores: `model_package_arn` is `ModelPackageArn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Self

NO_VERSION = "none"
COMPONENT = "inference-component/"  # begins the name of what is no endpoint, but a component of one
BATCH_INPUT, BATCH_OUTPUT, BATCH_MODEL = "InputUri", "OutputUri", "ModelName"  # parameters of a batch pipeline, beside the version's
YES, NO = "yes", "no"
PERCENTILES = (10, 50, 90)  # of the scores, as containers tell them


def _parameter(description: str, *, pattern: str = "", values: tuple[str, ...] = (), default: str | None = None) -> Any:
    """A field that not every stack of its kind declares: so Python has a default also where CloudFormation has none."""
    metadata = {"description": description, "pattern": pattern, "values": values, "default": default}
    return field(metadata=metadata, default=default or "")


def cloudformation_name(name: str) -> str:
    """A field's name as CloudFormation has it."""
    return "".join(part.capitalize() for part in name.split("_"))


class Parameters:
    """What the dataclasses below share."""

    @classmethod
    def declared(cls) -> Mapping[str, Field[str]]:
        """The fields by CloudFormation's names. `metadata` has description, pattern, allowed values and default."""
        return {cloudformation_name(each.name): each for each in fields(cls)}  # type: ignore[arg-type]  # each of them is a dataclass

    def values(self) -> dict[str, str]:
        """The values by CloudFormation's names."""
        return {name: str(getattr(self, each.name)) for name, each in self.declared().items()}

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Of CloudFormation's names and values; unknown ones are left out. Raises KeyError when one that has no default is missing."""
        declared = cls.declared().items()
        return cls(**{each.name: values[name] for name, each in declared if name in values or each.default is MISSING})


PACKAGE = r"arn:[\w-]+:sagemaker:[\w-]+:\d{12}:model-package/[\w-]+/\d+"
VERSION = rf"{NO_VERSION}|[0-9a-f]{{12}}"  # how a container names the model it serves: the beginning of its SHA-256
SHIFT = r"[+-]\d+(\.\d{1,6})?"  # in the scores' own unit


def _shift(percent: int) -> Any:
    text = f"The {percent}th percentile of this version's scores minus that of the version before, as approved; signed"
    return _parameter(text, pattern=SHIFT, default="+0")


@dataclass(frozen=True, kw_only=True)
class ServingParameters(Parameters):
    """Which version an endpoint serves, and how this one deployment is made."""

    model_package_arn: str = _parameter("The registered version to serve", pattern=PACKAGE)
    image_uri: str = _parameter("The package's image, by digest", pattern=".+@sha256:[0-9a-f]{64}")
    model_data_url: str = _parameter("The package's model data", pattern="s3://.+")
    model_version: str = _parameter("As the container of this version names it in its log", pattern=VERSION, default=NO_VERSION)
    model_sha256: str = _parameter(
        "The digest of this version's model: its containers serve no other; any model if empty", pattern="([0-9a-f]{64})?", default=""
    )
    previous_model_version: str = _parameter("As the container of the version before names it", pattern=VERSION, default=NO_VERSION)
    expected_shift_p10: str = _shift(10)
    expected_shift_p50: str = _shift(50)
    expected_shift_p90: str = _shift(90)
    shadow_model_package_arn: str = _parameter(
        "The registered version that gets a copy of every request; none if empty", pattern=f"({PACKAGE})?", default=""
    )
    urgent: str = _parameter(
        "Whether all traffic moves at once, whatever the policy, and no alarm is asked: the way back", values=(YES, NO), default=NO
    )


@dataclass(frozen=True, kw_only=True)
class MonitoringParameters(Parameters):
    """Which version a monitor looks at."""

    image_uri: str = _parameter("The image of the version that serves; none: it is not known, and nothing is looked at", default=NO_VERSION)
    model_data_url: str = _parameter("Its model data", default=NO_VERSION)
    model_version: str = _parameter("As its container names it in its log", default=NO_VERSION)


@dataclass(frozen=True, kw_only=True)
class BatchParameters(Parameters):
    """With which version rows of files are scored. `model_package_arn` is none where the parts that serve are of no known version."""

    model_package_arn: str = _parameter("The registered version that scores", pattern=f"{NO_VERSION}|{PACKAGE}")
    image_uri: str = _parameter("Its image, by digest", pattern=".+@sha256:[0-9a-f]{64}")
    model_data_url: str = _parameter("Its model data", pattern="s3://.+")
    model_version: str = _parameter("As its container names it in its log", pattern="[0-9a-f]{12}")
    model_sha256: str = _parameter("The digest of its model: its containers score with no other", pattern="[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class BatchOutputs(Parameters):
    """What a batch stack says of itself. `model_name` is the SageMaker model that scores."""

    batch_bucket: str
    batch_pipeline: str
    model_name: str


@dataclass(frozen=True, kw_only=True)
class ServingOutputs(Parameters):
    """What a serving stack says of itself. `rollback_alarms` are the names of those that guard a deployment.

    Of a model that shares an endpoint, `endpoint_name` names its component, after COMPONENT, and `endpoint_config_name` the component's
    SageMaker model. `queue_bucket` holds the requests that wait and their answers; it is empty, and no output, where callers wait.
    """

    endpoint_name: str
    endpoint_config_name: str
    model_package: str
    rollback_alarms: str
    log_group: str
    capture_bucket: str
    model_version: str = NO_VERSION
    previous_model_version: str = NO_VERSION
    queue_bucket: str = ""

    @property
    def alarms(self) -> list[str]:
        """Names of the alarms that guard deployments."""
        return [name for name in self.rollback_alarms.split(",") if name]
