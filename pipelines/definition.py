"""Whether SageMaker would accept a pipeline definition, found out without asking it.

Each step is a request for a Create… call and each reference a path into a Describe… answer, and botocore knows the shape
of both: so a slip costs a second here instead of minutes into a run.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator


@dataclass(frozen=True, kw_only=True)
class _Call:
    """The calls a step type stands for.

    `named` is the member that SageMaker Pipelines fills in by itself; `required` are members that botocore calls optional,
    because other kinds of the same call do without them.
    """

    create: str
    describe: str
    named: str | None = None
    required: frozenset[str] = field(default_factory=frozenset)


_CALLS = {
    "Training": _Call(
        create="CreateTrainingJob",
        describe="DescribeTrainingJob",
        named="TrainingJobName",
        required=frozenset({"AlgorithmSpecification", "ResourceConfig", "StoppingCondition"}),
    ),
    "Processing": _Call(create="CreateProcessingJob", describe="DescribeProcessingJob", named="ProcessingJobName"),
    "RegisterModel": _Call(
        create="CreateModelPackage",
        describe="DescribeModelPackage",
        required=frozenset({"ModelPackageGroupName", "InferenceSpecification", "ModelApprovalStatus"}),
    ),
}
_EXECUTION = {"CurrentDateTime", "PipelineArn", "PipelineExecutionArn", "PipelineExecutionId", "PipelineName", "StartDateTime"}
_COMPARISONS = {"Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"}
_FUNCTIONS = {"Get", "Std:Join", "Std:JsonGet"}
_STAND_INS: dict[str, Any] = {"integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True}


def validate(definition: dict[str, Any]) -> list[str]:
    """Everything wrong with a definition, one line a problem; empty when SageMaker would take it.

    A step of a type this project does not use is a problem too: it could not be checked.
    """
    return list(_Definition(definition).problems())


class _Definition:
    def __init__(self, definition: dict[str, Any]) -> None:
        self.parameters = {parameter["Name"] for parameter in definition.get("Parameters", [])}
        self.used: set[str] = set()
        self.steps = list(_flat(definition["Steps"]))
        self.by_name = {step["Name"]: step for step in self.steps}
        # A step waits for those it refers to, and one inside a condition waits for the condition.
        self.waits_for: dict[str, set[str]] = {name: set() for name in self.by_name}
        for step in self.steps:
            for inner in _branches(step):
                self.waits_for[inner["Name"]].add(step["Name"])

    def problems(self) -> Iterator[str]:
        for name, count in Counter(step["Name"] for step in self.steps).items():
            if count > 1:
                yield f"{name}: {count} steps have this name"
        for step in self.steps:
            for problem in (*self._references(step), *self._files(step), *self._dependencies(step), *_body(step)):
                yield f"{step['Name']}: {problem}"
        for parameter in sorted(self.parameters - self.used):
            yield f"parameter {parameter} is never used"
        yield from self._cycles()

    def _references(self, step: dict[str, Any]) -> Iterator[str]:
        for reference in _gets(_own(step)):
            kind, _, rest = reference.partition(".")
            if kind == "Parameters":
                self.used.add(rest)
                if rest not in self.parameters:
                    yield f"no parameter {rest}"
            elif kind == "Execution":
                if rest not in _EXECUTION:
                    yield f"no execution variable {rest}"
            elif kind == "Steps":
                yield from self._step_reference(step["Name"], *rest.split(".", 1))
            else:
                yield f"{reference} is no reference"

    def _step_reference(self, asking: str, asked: str, path: str = "") -> Iterator[str]:
        if asked not in self.by_name:
            yield f"no step {asked}"
            return
        self.waits_for[asking].add(asked)
        step = self.by_name[asked]
        if path.startswith("PropertyFiles."):
            if path.removeprefix("PropertyFiles.") not in {file["PropertyFileName"] for file in step.get("PropertyFiles", [])}:
                yield f"{asked} has no {path}"
        elif not _has_property(step, path):
            yield f"{asked} has no property {path}"

    def _files(self, step: dict[str, Any]) -> Iterator[str]:
        for file in step.get("PropertyFiles", []):
            if file["OutputName"] not in _outputs(step):
                yield f"property file {file['PropertyFileName']}: no output {file['OutputName']}"

    def _dependencies(self, step: dict[str, Any]) -> Iterator[str]:
        for dependency in step.get("DependsOn", []):
            name = dependency["Step"] if isinstance(dependency, dict) else dependency
            if name in self.by_name:
                self.waits_for[step["Name"]].add(name)
            else:
                yield f"depends on {name}, which is no step"

    def _cycles(self) -> Iterator[str]:
        waiting = dict(self.waits_for)
        while ready := [name for name, names in waiting.items() if not names & waiting.keys()]:
            for name in ready:
                del waiting[name]
        if waiting:
            yield f"these steps wait for each other: {', '.join(sorted(waiting))}"


def _branches(step: dict[str, Any]) -> list[dict[str, Any]]:
    if step["Type"] != "Condition":
        return []
    return [*step["Arguments"].get("IfSteps", []), *step["Arguments"].get("ElseSteps", [])]


def _flat(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        yield from _flat(_branches(step))


def _own(step: dict[str, Any]) -> dict[str, Any]:
    """A step's arguments without the steps inside it."""
    return {key: value for key, value in step["Arguments"].items() if key not in ("IfSteps", "ElseSteps")}


def _gets(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and set(value) == {"Get"}:
        yield value["Get"]
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _gets(inner)


def _outputs(step: dict[str, Any]) -> set[str]:
    return {output["OutputName"] for output in step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])}


def _metrics(step: dict[str, Any]) -> set[str]:
    return {metric["Name"] for metric in step["Arguments"].get("AlgorithmSpecification", {}).get("MetricDefinitions", [])}


def _has_property(step: dict[str, Any], path: str) -> bool:
    if step["Type"] not in _CALLS:
        return False
    for keyed, known in (("ProcessingOutputConfig.Outputs", _outputs), ("FinalMetricDataList", _metrics)):
        found = re.match(re.escape(keyed) + r"\['([^']+)'\]", path)
        if found and found[1] not in known(step):
            return False
    return _reaches(_service().operation_model(_CALLS[step["Type"]].describe).output_shape, path)


def _reaches(shape: Shape | None, path: str) -> bool:
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


def _body(step: dict[str, Any]) -> Iterator[str]:
    arguments = step["Arguments"]
    if step["Type"] in _CALLS:
        yield from _request(_CALLS[step["Type"]], arguments)
    elif step["Type"] == "Condition":
        for condition in arguments["Conditions"]:
            if condition["Type"] not in _COMPARISONS:
                yield f"no comparison {condition['Type']}"
    elif step["Type"] != "Fail":
        yield f"no step type {step['Type']} is known here"


def _request(call: _Call, arguments: dict[str, Any]) -> Iterator[str]:
    shape = _service().operation_model(call.create).input_shape
    assert shape is not None
    for member in sorted(call.required - arguments.keys()):
        yield f"{call.create} needs {member}"
    sent = _with_stand_ins(arguments, shape)
    named = {call.named: "name"} if call.named else {}
    yield from ParamValidator().validate({**named, **sent}, shape).generate_report().splitlines()
    yield from _values(arguments, shape, call.create)


def _with_stand_ins(value: Any, shape: Shape) -> Any:
    """The request as it will look when the run has put values in the place of functions."""
    if _is_function(value):
        return _STAND_INS.get(shape.type_name, "x" * max(1, shape.metadata.get("min", 1)))
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = shape.members
        return {key: _with_stand_ins(inner, members[key]) if key in members else inner for key, inner in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_with_stand_ins(inner, shape.member) for inner in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _with_stand_ins(inner, shape.value) for key, inner in value.items()}
    return value


def _values(value: Any, shape: Shape, where: str) -> Iterator[str]:
    """What botocore's own validator leaves to the service: enumerations, patterns, greatest lengths."""
    if _is_function(value):
        return
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for key in value.keys() & shape.members.keys():
            yield from _values(value[key], shape.members[key], f"{where}.{key}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for inner in value:
            yield from _values(inner, shape.member, where)
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, inner in value.items():
            yield from _values(key, shape.key, where)
            yield from _values(inner, shape.value, f"{where}.{key}")
    elif isinstance(value, str) and shape.type_name == "string":
        yield from _text(value, shape, where)


def _text(value: str, shape: Shape, where: str) -> Iterator[str]:
    accepted, pattern, longest = shape.metadata.get("enum"), shape.metadata.get("pattern"), shape.metadata.get("max")
    if accepted and value not in accepted:
        yield f"{where}: found {value!r}, which is none of its {len(accepted)} accepted values"
    if pattern and r"\p{" not in pattern and not re.fullmatch(pattern, value, re.DOTALL):  # Python has no \p{…}
        yield f"{where}: found {value!r}; accepted is {pattern}"
    if longest and len(value) > longest:
        yield f"{where}: found {len(value)} characters; accepted are {longest}"


def _is_function(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and value.keys() <= _FUNCTIONS


@functools.cache
def _service() -> ServiceModel:
    return botocore.session.Session().get_service_model("sagemaker")
