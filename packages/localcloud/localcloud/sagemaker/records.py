"""Keeps what this package runs in moto's own records, so that every describe and list call that moto answers is true."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from localcloud.core.errors import invalid

Request = dict[str, Any]


def backend(account: str, region: str) -> Any:
    """moto's SageMaker of one account and region."""
    return sagemaker_backends[account][region]


def answer(operations: Iterable[Callable[[Any], Any]], *, by: type = SageMakerResponse) -> None:
    """Let each function answer the API request of its name."""
    for operation in operations:
        setattr(by, operation.__name__, operation)


def keep(create: Callable[..., Any], request: Request) -> Any:
    """Have moto make its record of a request, and add the members of the request that moto forgets."""
    known = {name: request.get("".join(w.title() for w in name.split("_"))) for name in inspect.signature(create).parameters}
    record = create(**copy.deepcopy(known))
    vars(record).update(copy.deepcopy(request))
    return record


def refuse(request: Request, members: Iterable[str], where: str) -> None:
    """Raise an AWS error when the request has a member that localcloud cannot honour."""
    if refused := [name for name in members if request.get(name)]:
        raise invalid(f"localcloud cannot honour {', '.join(refused)} of {where}")


def reason(problem: BaseException) -> str:
    """An exception as the sentence of a FailureReason."""
    return str(getattr(problem, "message", None) or problem or type(problem).__name__)
