"""Deletes the resources of a stack, as far as they can be deleted, and says of each what became of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localcloud.cloudformation.references import Json, in_order

KEPT = ("Retain", "RetainExceptOnCreate")  # a DeletionPolicy; the second deletes what is created by what fails and is taken back
GONE = re.compile(r"NotFound|NoSuch|DoesNotExist|: Could not find")  # in "CODE: WORDS" of an error


@dataclass(frozen=True, eq=False)
class Deletion:
    """A physical resource to be deleted: its logical id, moto's record, and its JSON."""

    name: str
    resource: Any
    json: Json


def discard(resources: Any, deletion: Deletion, policy: str = "DeletionPolicy") -> None:
    """Delete what a stack no longer needs, where its `policy` does not keep it. What cannot be deleted is left: its event says why."""
    if deletion.json.get(policy) in KEPT:
        _tell(resources, deletion, "DELETE_SKIPPED")
    else:
        together(resources, [deletion])


def everything(resources: Any, kept: Container[str] = ()) -> list[str]:
    """Delete all resources of a stack but those `kept`, each before what it refers to; returns those that could not be deleted."""
    parsed, json = resources._parsed_resources, resources._resource_json_map
    all_of_them = [Deletion(n, parsed[n], json[n]) for n in reversed(in_order(json)) if n in parsed]
    for deletion in all_of_them:
        if deletion.name in kept:
            _tell(resources, deletion, "DELETE_SKIPPED")
    deletions = [deletion for deletion in all_of_them if deletion.name not in kept]
    failed = together(resources, deletions)
    for deletion in deletions:
        if deletion.name not in failed:
            del parsed[deletion.name]
            resources.__dict__.get("resolved", {}).pop(deletion.name, None)
    resources._resource_json_map = {name: json[name] for name in json if name in parsed}  # moto makes what it looks up and does not find
    return failed


def together(resources: Any, deletions: Sequence[Deletion]) -> list[str]:
    """Delete in this order, again where one needs another to be gone first; returns the logical ids of those that could not be."""
    for deletion in deletions:
        _tell(resources, deletion, "DELETE_IN_PROGRESS")
    problems: dict[Deletion, str] = {}
    left: Iterable[Deletion] = deletions
    while left := list(left):
        problems = {deletion: why for deletion in left if (why := _problem(resources, deletion)) is not None}
        for deletion in left:
            if deletion not in problems:
                _tell(resources, deletion, "DELETE_COMPLETE")
        if len(problems) == len(left):
            break
        left = problems
    for deletion, why in problems.items():
        _tell(resources, deletion, "DELETE_FAILED", why)
    return [deletion.name for deletion in problems]


def _problem(resources: Any, deletion: Deletion) -> str | None:
    """Delete one resource; why it could not be, or None. One that is gone already, however that came, is deleted."""
    try:
        resources._delete_resource(deletion.resource, deletion.json)
    except Exception as problem:
        why = reason(problem)
        if GONE.search(f"{_code(problem)}: {why}"):
            return None
        logging.getLogger(__name__).warning("%s: %s was not deleted: %s", resources["AWS::StackName"], deletion.name, why)
        return why
    return None


def _code(problem: Exception) -> str:
    """The code of an AWS error, as botocore or as moto has it."""
    if isinstance(problem, ClientError):
        return str(problem.response["Error"]["Code"])
    return str(getattr(problem, "error_type", None) or getattr(problem, "code", ""))


def _tell(resources: Any, deletion: Deletion, status: str, why: str | None = None) -> None:
    event = getattr(resources, "on_event", lambda *_: None)
    event(deletion.name, deletion.json["Type"], status, why, deletion.resource)


def reason(error: Exception) -> str:
    """An error as a ResourceStatusReason."""
    return str(getattr(error, "message", None) or getattr(error, "description", None) or error or type(error).__name__)
