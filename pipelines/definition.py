"""Whether SageMaker would accept a pipeline definition, found out without asking it.

Each step is a request for a Create… call and each reference a path into a Describe… answer, and botocore knows the shape
of both: so a slip costs a second here instead of minutes into a run. What is around the requests (parameters, functions, property files,
retry policies) is in no such description: the page on the definition's schema and the one on retry policies say what is accepted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from pipelines import step_requests
from pipelines.step_requests import CALLS, FUNCTIONS, Json, is_function

VERSION = "2020-12-01"
MOST_ATTEMPTS, MOST_MINUTES = 20, 14_400
_EXECUTION = {"CurrentDateTime", "PipelineArn", "PipelineExecutionArn", "PipelineExecutionId", "PipelineName", "StartDateTime"}
_COMPARISONS = {"Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"}
_PARAMETER_TYPES: dict[str, type | tuple[type, ...]] = {"String": str, "Integer": int, "Float": (int, float), "Boolean": bool}
_STEP_ERRORS = {"Step.SERVICE_FAULT", "Step.THROTTLING"}
_JOB_ERRORS = {"SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.RESOURCE_LIMIT"}
_RETRIED = {
    "Training": _STEP_ERRORS | _JOB_ERRORS,
    "Processing": _STEP_ERRORS | _JOB_ERRORS,
    "Transform": _STEP_ERRORS | _JOB_ERRORS,
    "Tuning": _STEP_ERRORS | _JOB_ERRORS - {"SageMaker.JOB_INTERNAL_ERROR"},  # it tries again by itself
    "RegisterModel": _STEP_ERRORS,
}


def validate(definition: Json) -> list[str]:
    """Everything wrong with a definition, one line a problem; empty when SageMaker would take it.

    A step of a type this project does not use is a problem too: it could not be checked. Where the form is wrong already, or a request,
    nothing that builds upon it is looked at.
    """
    return list(_form(definition)) or list(_requests(definition)) or list(_Definition(definition).problems())


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) or is_function(value)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _list(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(of, value))


Members = Mapping[str, Callable[[Any], bool]]
_TOP: Members = {"Version": lambda value: value == VERSION, "Metadata": _object, "Parameters": _list(_object), "Steps": _list(_object)}
_TOP_MORE: Members = dict.fromkeys(("PipelineExperimentConfig", "MlflowConfig"), lambda value: value is None or isinstance(value, dict))
_STEP: Members = {"Name": _text, "Type": _text, "Arguments": _object}
_STEP_MORE: Members = {
    "DisplayName": _text,
    "Description": _text,
    "DependsOn": _list(_text),
    "PropertyFiles": _list(_object),
    "RetryPolicies": _list(_object),
}
_CONDITIONS: Members = {"Conditions": _list(_object), "IfSteps": _list(_object), "ElseSteps": _list(_object)}
_CONDITION: Members = {"Type": _text, "LeftValue": _scalar, "RightValue": _scalar}
_FAIL: Members = {"ErrorMessage": lambda value: _text(value) or is_function(value)}
_FILE: Members = {"PropertyFileName": _text, "OutputName": _text, "FilePath": _text}
_PARAMETER: Members = {"Name": _text, "Type": lambda value: value in _PARAMETER_TYPES}
_PARAMETER_MORE: Members = {"DefaultValue": _scalar, "EnumValues": _list(_scalar)}
_RETRY: Members = {"ExceptionType": _list(_text), "IntervalSeconds": _whole, "BackoffRate": _number}
_RETRY_MORE: Members = {"MaxAttempts": _whole, "ExpireAfterMin": _whole}
_JOIN: Members = {"On": _text, "Values": _list(_scalar)}
_JSON_GET: Members = {"PropertyFile": lambda value: isinstance(value, dict) and value.keys() == {"Get"}, "Path": _scalar}


def _form(definition: Json) -> Iterator[str]:
    """What is not of the definition's form."""
    wrong = list(_members("the definition", definition, _TOP, _TOP_MORE))
    yield from wrong
    if wrong:
        return
    for number, parameter in enumerate(definition["Parameters"], start=1):
        yield from _members(f"parameter {number}", parameter, _PARAMETER, _PARAMETER_MORE)
    for number, step in enumerate(definition["Steps"], start=1):
        yield from _step_form(f"step {number}", step)


def _step_form(where: str, step: Json) -> Iterator[str]:
    wrong = list(_members(where, step, _STEP, _STEP_MORE))
    yield from wrong
    if wrong:
        return
    where, arguments = step["Name"], step["Arguments"]
    for name, members in (("PropertyFiles", (_FILE, {})), ("RetryPolicies", (_RETRY, _RETRY_MORE))):
        for member in step.get(name, []):
            yield from _members(f"{where}: {name}", member, *members)
    yield from _functions(where, _own(step))
    if step["Type"] == "Fail":
        yield from _members(where, arguments, _FAIL, {})
    if step["Type"] == "Condition":
        wrong = list(_members(where, arguments, _CONDITIONS, {}))
        yield from wrong
        for condition in [] if wrong else arguments["Conditions"]:
            yield from _members(f"{where}: a condition", condition, _CONDITION, {})
        for inner in [] if wrong else _branches(step):
            yield from _step_form(f"a step inside {where}", inner)


def _members(where: str, value: Json, needed: Members, more: Members) -> Iterator[str]:
    known = {**needed, **more}
    for name in sorted(needed.keys() - value.keys()):
        yield f"{where} needs {name}"
    for name in sorted(value.keys() - known.keys()):
        yield f"{where} has no member {name}"
    for name in sorted(value.keys() & known.keys()):
        if not known[name](value[name]):
            yield f"{where}: found {value[name]!r} as {name}"


def _functions(where: str, value: Any) -> Iterator[str]:
    """Functions that are of no function's form."""
    if isinstance(value, dict) and value.keys() & FUNCTIONS:
        (name, inner), *others = value.items()
        if others:
            yield f"{where}: a function stands alone: found {', '.join(value)}"
        elif name == "Get":
            if not isinstance(inner, str):
                yield f"{where}: found {inner!r} as Get"
            return
        elif not isinstance(inner, dict):
            yield f"{where}: found {inner!r} as {name}"
        else:
            yield from _members(f"{where}: {name}", inner, _JOIN if name == "Std:Join" else _JSON_GET, {})
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _functions(where, inner)


def _requests(definition: Json) -> Iterator[str]:
    """What the steps by themselves would be refused for."""
    for step in _flat(definition["Steps"]):
        for problem in (*_named(step), *_retries(step), *_body(step)):
            yield f"{step['Name']}: {problem}"


class _Definition:
    def __init__(self, definition: Json) -> None:
        self.declared = definition["Parameters"]
        self.parameters = {parameter["Name"] for parameter in self.declared}
        self.used: set[str] = set()
        self.read: set[tuple[str, str]] = set()  # property files, by step and name
        self.steps = list(_flat(definition["Steps"]))
        self.by_name = {step["Name"]: step for step in self.steps}
        # A step waits for those it refers to, and one inside a condition waits for the condition.
        self.waits_for: dict[str, set[str]] = {name: set() for name in self.by_name}
        for step in self.steps:
            for inner in _branches(step):
                self.waits_for[inner["Name"]].add(step["Name"])

    def problems(self) -> Iterator[str]:
        yield from _repeated((step["Name"] for step in self.steps), "steps have")
        yield from _repeated((parameter["Name"] for parameter in self.declared), "parameters have")
        for parameter in self.declared:
            yield from _parameter(parameter)
        for step in self.steps:
            for problem in (*self._references(step), *self._files(step), *self._dependencies(step)):
                yield f"{step['Name']}: {problem}"
        for unused in sorted(self.parameters - self.used):
            yield f"parameter {unused} is never used"
        for step in self.steps:
            for name in (file["PropertyFileName"] for file in step.get("PropertyFiles", [])):
                if (step["Name"], name) not in self.read:
                    yield f"{step['Name']}: property file {name} is never read"
        yield from self._cycles()

    def _references(self, step: Json) -> Iterator[str]:
        for reference, in_file in _gets(_own(step)):
            kind, _, rest = reference.partition(".")
            if in_file or kind == "Steps":
                asked, _, path = rest.partition(".")
                yield from self._step_reference(step["Name"], asked, path, in_file=in_file)
            elif kind == "Parameters":
                self.used.add(rest)
                if rest not in self.parameters:
                    yield f"no parameter {rest}"
            elif kind == "Execution":
                if rest not in _EXECUTION:
                    yield f"no execution variable {rest}"
            else:
                yield f"{reference} is no reference"

    def _step_reference(self, asking: str, asked: str, path: str, *, in_file: bool) -> Iterator[str]:
        if asked not in self.by_name:
            yield f"no step {asked}"
            return
        self.waits_for[asking].add(asked)
        step = self.by_name[asked]
        kind, _, name = path.partition(".")
        if in_file:
            self.read.add((asked, name))
            if kind != "PropertyFiles" or name not in {file["PropertyFileName"] for file in step.get("PropertyFiles", [])}:
                yield f"{asked} has no {path}"
        elif not _has_property(step, path):
            yield f"{asked} has no property {path}"

    def _files(self, step: Json) -> Iterator[str]:
        for file in step.get("PropertyFiles", []):
            where, path = f"property file {file['PropertyFileName']}", PurePosixPath(file["FilePath"])
            if file["OutputName"] not in _outputs(step):
                yield f"{where}: no output {file['OutputName']}"
            if not path.name or path.is_absolute() or ".." in path.parts:
                yield f"{where}: found {file['FilePath']!r} as its path; accepted is a file below the output's folder"
        yield from _repeated((file["PropertyFileName"] for file in step.get("PropertyFiles", [])), "property files have")

    def _dependencies(self, step: Json) -> Iterator[str]:
        for name in step.get("DependsOn", []):
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


def _repeated(names: Iterator[str], what: str) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{name}: {count} {what} this name"


def _parameter(parameter: Json) -> Iterator[str]:
    name, kind = parameter["Name"], parameter["Type"]
    yield from step_requests.text(name, "PipelineParameterName", f"parameter {name}")
    for value in [parameter[each] for each in ("DefaultValue",) if each in parameter] + parameter.get("EnumValues", []):
        if not isinstance(value, _PARAMETER_TYPES[kind]) or (isinstance(value, bool) and kind != "Boolean"):
            yield f"parameter {name}: found {value!r}; accepted is a {kind}"
    if parameter.get("EnumValues") and parameter.get("DefaultValue", parameter["EnumValues"][0]) not in parameter["EnumValues"]:
        yield f"parameter {name}: found {parameter['DefaultValue']!r}; accepted are {parameter['EnumValues']}"


def _named(step: Json) -> Iterator[str]:
    if not step["Name"]:
        yield "found no name"
    for member, shape in (("Name", "StepName"), ("DisplayName", "StepDisplayName"), ("Description", "StepDescription")):
        yield from step_requests.text(step.get(member, ""), shape, member)


def _retries(step: Json) -> Iterator[str]:
    """As the page on retry policies has it."""
    policies, accepted = step.get("RetryPolicies", []), _RETRIED.get(step["Type"], set())
    for policy in policies:
        if not policy["ExceptionType"]:
            yield "a retry policy is for no error"
        for kind in sorted(set(policy["ExceptionType"]) - accepted):
            yield f"a step of type {step['Type']} is not retried upon {kind}"
        if len(ends := policy.keys() & {"MaxAttempts", "ExpireAfterMin"}) != 1:
            yield f"a retry policy has either MaxAttempts or ExpireAfterMin: found {len(ends)} of them"
        for member, least, most in (
            ("MaxAttempts", 1, MOST_ATTEMPTS),
            ("ExpireAfterMin", 1, MOST_MINUTES),
            ("IntervalSeconds", 1, MOST_MINUTES * 60),
            ("BackoffRate", 0, MOST_MINUTES),
        ):
            if not least <= policy.get(member, least) <= most:
                yield f"a retry policy's {member}: found {policy[member]}; accepted are {least} to {most}"
    yield from _repeated((kind for policy in policies for kind in policy["ExceptionType"]), "retry policies are for")


def _branches(step: Json) -> list[Json]:
    if step["Type"] != "Condition":
        return []
    return [*step["Arguments"].get("IfSteps", []), *step["Arguments"].get("ElseSteps", [])]


def _flat(steps: list[Json]) -> Iterator[Json]:
    for step in steps:
        yield step
        yield from _flat(_branches(step))


def _own(step: Json) -> Json:
    """A step's arguments without the steps inside it."""
    inside = ("IfSteps", "ElseSteps") if step["Type"] == "Condition" else ()
    return {key: value for key, value in step["Arguments"].items() if key not in inside}


def _gets(value: Any, *, in_file: bool = False) -> Iterator[tuple[str, bool]]:
    """Every reference, and whether it is to a property file that is read."""
    if isinstance(value, dict) and set(value) == {"Get"}:
        yield value["Get"], in_file
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _gets(inner, in_file=key == "PropertyFile")
    elif isinstance(value, list):
        for inner in value:
            yield from _gets(inner)


def _outputs(step: Json) -> set[str]:
    return {output["OutputName"] for output in step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])}


def _metrics(step: Json) -> set[str]:
    return {metric["Name"] for metric in step["Arguments"].get("AlgorithmSpecification", {}).get("MetricDefinitions", [])}


def _searched(step: Json) -> set[str]:
    ranges = step["Arguments"].get("HyperParameterTuningJobConfig", {}).get("ParameterRanges", {})
    return {each["Name"] for kind in ranges.values() for each in kind}


def _has_property(step: Json, path: str) -> bool:
    if step["Type"] not in CALLS:
        return False
    for keyed, known in (
        ("ProcessingOutputConfig.Outputs", _outputs),
        ("FinalMetricDataList", _metrics),
        ("BestTrainingJob.TunedHyperParameters", _searched),
    ):
        named = re.match(re.escape(keyed) + r"\['([^']+)'\]", path)
        if named and named[1] not in known(step):
            return False
    return step_requests.reaches(step["Type"], path)


def _body(step: Json) -> Iterator[str]:
    arguments = step["Arguments"]
    if step["Type"] in CALLS:
        yield from step_requests.problems(step["Type"], arguments)
    elif step["Type"] == "Condition":
        if not arguments["Conditions"]:
            yield "no condition"
        for condition in arguments["Conditions"]:
            if condition["Type"] not in _COMPARISONS:
                yield f"no comparison {condition['Type']}"
    elif step["Type"] == "Fail":
        if isinstance(arguments["ErrorMessage"], str):
            yield from step_requests.text(arguments["ErrorMessage"], "String3072", "ErrorMessage")
    else:
        yield f"no step type {step['Type']} is known here"
