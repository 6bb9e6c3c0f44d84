"""What a step asks SageMaker for, held against botocore's description of the call, and against what that does not say.

botocore's own validator checks members, types and least sizes before a request is sent, and leaves the rest to the service: a pipeline
finds out hours later. So enumerations, patterns and greatest sizes are read off the same description here.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from deployability.instances import has_local_storage

Json = dict[str, Any]
FUNCTIONS = {"Get", "Std:Join", "Std:JsonGet"}
CLASSES = {
    r"\p{L}": "a-zA-Z",
    r"\p{N}": "0-9",
    r"\p{Z}": " ",
    r"\p{P}": r"!-#%-*,-/:;?@\[-\]_{}",
    r"\p{S}": "$+<=>^`|~",
    r"\p{M}": "\x00",
    r"\p{Alnum}": "a-zA-Z0-9",
}
PLAIN = {"L": "a", "N": "0", "Z": " ", "P": ".", "S": "$", "M": "\x00"}  # what stands for another character of the category
DAY = 86_400
MOST_SEARCHED = 30  # hyperparameters ("Resource Limits for Automatic Model Tuning")


@dataclass(frozen=True, kw_only=True)
class Call:
    """The calls a step type stands for.

    `named` is the member that SageMaker Pipelines fills in by itself; `required` are members that botocore calls optional,
    because other kinds of the same call do without them. `most` are the greatest values that only the documentation has, by member:
    CreateTrainingJob's page on ResourceConfig and on StoppingCondition, "Resource Limits for Automatic Model Tuning".
    """

    create: str
    describe: str
    named: str | None = None
    required: frozenset[str] = field(default_factory=frozenset)
    most: Mapping[str, int] = field(default_factory=dict)


CALLS = {
    "Training": Call(
        create="CreateTrainingJob",
        describe="DescribeTrainingJob",
        named="TrainingJobName",
        required=frozenset({"AlgorithmSpecification", "ResourceConfig", "StoppingCondition"}),
        most={"VolumeSizeInGB": 16_384, "MaxRuntimeInSeconds": 28 * DAY},
    ),
    "Tuning": Call(
        create="CreateHyperParameterTuningJob",
        describe="DescribeHyperParameterTuningJob",
        named="HyperParameterTuningJobName",
        required=frozenset({"TrainingJobDefinition"}),
        most={
            "VolumeSizeInGB": 16_384,
            "MaxRuntimeInSeconds": 28 * DAY,
            "MaxNumberOfTrainingJobs": 750,
            "MaxParallelTrainingJobs": 10,
        },
    ),
    "Processing": Call(create="CreateProcessingJob", describe="DescribeProcessingJob", named="ProcessingJobName"),
    "Transform": Call(create="CreateTransformJob", describe="DescribeTransformJob", named="TransformJobName"),
    "RegisterModel": Call(
        create="CreateModelPackage",
        describe="DescribeModelPackage",
        required=frozenset({"ModelPackageGroupName", "InferenceSpecification", "ModelApprovalStatus"}),
    ),
}
_STAND_INS: dict[str, Any] = {"integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True}


def problems(kind: str, arguments: Json) -> Iterator[str]:
    """What SageMaker would refuse of a step's arguments; `kind` is the step's type, one of `CALLS`."""
    call = CALLS[kind]
    shape = service().operation_model(call.create).input_shape
    assert shape is not None
    for member in sorted(call.required - arguments.keys()):
        yield f"{call.create} needs {member}"
    sent = _with_stand_ins(arguments, shape)
    named = {call.named: "name"} if call.named else {}
    yield from ParamValidator().validate({**named, **sent}, shape).generate_report().splitlines()
    yield from _values(arguments, shape, call.create, call.most)
    yield from _together(kind, arguments)


def reaches(kind: str, path: str) -> bool:
    """Whether what a step of this type has done is described with a property at `path`."""
    shape: Shape | None = service().operation_model(CALLS[kind].describe).output_shape
    for token in re.findall(r"\['[^']*'\]|\[\d+\]|[^.\[\]]+", path):
        if isinstance(shape, ListShape) and token.startswith("["):
            shape = shape.member
        elif isinstance(shape, MapShape) and token.startswith("["):
            shape = shape.value
        elif isinstance(shape, StructureShape) and token in shape.members:
            shape = shape.members[token]
        else:
            return False
    return True


def text(value: str, shape: str, where: str) -> Iterator[str]:
    """What is wrong with a text of one of SageMaker's shapes."""
    yield from _text(value, service().shape_for(shape), where)


def is_function(value: Any) -> bool:
    """Whether a run puts a value in this one's place."""
    return isinstance(value, dict) and len(value) == 1 and value.keys() <= FUNCTIONS


@functools.cache
def service() -> ServiceModel:
    """botocore's description of SageMaker."""
    return botocore.session.Session().get_service_model("sagemaker")


def _together(kind: str, arguments: Json) -> Iterator[str]:
    """Members that are right by themselves, and refused beside others."""
    if kind == "Tuning":
        yield from _search(arguments)
        arguments = arguments["TrainingJobDefinition"]
    processing = arguments.get("ProcessingResources", {}).get("ClusterConfig", {})
    cluster = arguments.get("ResourceConfig") or arguments.get("TransformResources") or processing
    instance_type = cluster.get("InstanceType", "")
    if isinstance(instance_type, str) and has_local_storage(instance_type) and "VolumeKmsKeyId" in cluster:
        yield f"VolumeKmsKeyId: {instance_type} brings its own disk, for which SageMaker takes no key"
    if arguments.get("EnableManagedSpotTraining") and cluster.get("KeepAlivePeriodInSeconds"):
        yield "KeepAlivePeriodInSeconds: SageMaker keeps no spot instances warm"
    algorithm = arguments.get("AlgorithmSpecification", {})
    if kind == "Training" and "ContainerArguments" in algorithm and "ContainerEntrypoint" not in algorithm:
        yield "AlgorithmSpecification: ContainerArguments go with a ContainerEntrypoint"


def _search(arguments: Json) -> Iterator[str]:
    """What the ranges, the other hyperparameters and the objective of a search are to each other."""
    config, trial = arguments["HyperParameterTuningJobConfig"], arguments["TrainingJobDefinition"]
    names = [each["Name"] for kind in config.get("ParameterRanges", {}).values() for each in kind]
    if not 1 <= len(names) <= MOST_SEARCHED:
        yield f"ParameterRanges: found {len(names)} hyperparameters; accepted are 1 to {MOST_SEARCHED}"
    if twice := sorted({name for name in names if names.count(name) > 1 or name in trial.get("StaticHyperParameters", {})}):
        yield f"{twice[0]} is searched, and given or searched once more"
    metrics = {metric["Name"] for metric in trial["AlgorithmSpecification"].get("MetricDefinitions", [])}
    if (objective := config.get("HyperParameterTuningJobObjective", {}).get("MetricName")) not in metrics:
        yield f"HyperParameterTuningJobObjective: found {objective!r}; accepted is a metric of MetricDefinitions"


def _with_stand_ins(value: Any, shape: Shape) -> Any:
    """The request as it will look when the run has put values in the place of functions."""
    if is_function(value):
        return _STAND_INS.get(shape.type_name, "x" * max(1, shape.metadata.get("min", 1)))
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = shape.members
        return {key: _with_stand_ins(inner, members[key]) if key in members else inner for key, inner in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_with_stand_ins(inner, shape.member) for inner in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _with_stand_ins(inner, shape.value) for key, inner in value.items()}
    return value


def _values(value: Any, shape: Shape, where: str, most: Mapping[str, int]) -> Iterator[str]:
    """What botocore's own validator leaves to the service: enumerations, patterns, greatest sizes."""
    if is_function(value):
        return
    for key, inner, inner_shape in _inside(value, shape):
        yield from _values(inner, inner_shape, f"{where}.{key}" if key else where, most)
    match value:
        case str() if shape.type_name == "string":
            yield from _text(value, shape, where)
        case dict() | list() if shape.type_name in ("map", "list"):
            yield from _size(len(value), shape.metadata.get("max"), where, " members")
        case int() | float():
            yield from _size(value, most.get(where.rpartition(".")[2], shape.metadata.get("max")), where, "")


def _inside(value: Any, shape: Shape) -> Iterator[tuple[str, Any, Shape]]:
    """What a value is made of: name, if it has one, value and shape."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        yield from ((key, value[key], shape.members[key]) for key in value.keys() & shape.members.keys())
    elif isinstance(shape, ListShape) and isinstance(value, list):
        yield from (("", inner, shape.member) for inner in value)
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        yield from (("", key, shape.key) for key in value)
        yield from ((key, inner, shape.value) for key, inner in value.items())


def _size(size: float, greatest: int | None, where: str, unit: str) -> Iterator[str]:
    if greatest is not None and size > greatest:
        yield f"{where}: found {size}{unit}; accepted are at most {greatest}"


def _text(value: str, shape: Shape, where: str) -> Iterator[str]:
    accepted, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    if accepted and value not in accepted:
        yield f"{where}: found {value!r}, which is none of its {len(accepted)} accepted values"
    if pattern and not _matches(value, pattern):
        yield f"{where}: found {value!r}; accepted is {pattern}"
    yield from _size(len(value), shape.metadata.get("max"), where, " characters")


def _matches(value: str, pattern: str) -> bool:
    """Whether a text matches one of AWS's patterns, which are Java's: Python knows no classes of characters by their Unicode category, so
    an ASCII character of the category stands for each of the text's others.
    """
    pattern = re.sub(r"\$\{\d+,\d+\}$", "", pattern)  # a length that is given once more, and means nothing there
    for category, members in CLASSES.items():
        pattern = pattern.replace(category, members)
    plain = "".join(c if c.isascii() else PLAIN.get(unicodedata.category(c)[0], c) for c in value)
    return re.fullmatch(pattern, plain, re.DOTALL) is not None
