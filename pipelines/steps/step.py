"""What every step is: progress on stderr, a result on stdout, one line and a non-zero exit when it fails."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


class StepError(Exception):
    """A failure that is told as `what failed: why: what to do`."""


def run(step: Callable[[], None], name: str) -> None:
    """Run a step as a program."""
    try:
        step()
    except StepError as error:
        sys.exit(f"{name}: {_one_line(error)}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"{name}: AWS refused or did not answer: {_one_line(error)}: correct that and run the step again")


def parser(module_doc: str | None) -> ArgumentParser:
    """The step's arguments; `--help` shows why the step is there."""
    return ArgumentParser(description=module_doc)


def add_poll_seconds(arguments: ArgumentParser) -> None:
    """`--poll-seconds`; where it is not given, the environment's POLL_SECONDS, else a pace that AWS does not throttle."""
    arguments.add_argument("--poll-seconds", type=float, default=float(os.environ.get("POLL_SECONDS", "15")))


def progress(text: str) -> None:
    """Tell a person what is going on."""
    print(text, file=sys.stderr, flush=True)


def print_exports(values: Mapping[str, str]) -> None:
    """Print shell variables, to be read with `. ./file`."""
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")


def print_report(report: Mapping[str, Any]) -> None:
    """Print a result that has parts, as one line of JSON."""
    print(json.dumps(report, sort_keys=True))


def add_minute_seconds(arguments: ArgumentParser) -> None:
    """`--minute-seconds`: how long a minute of `model.toml` and of alarms lasts; less than 60 where time is made to run faster."""
    arguments.add_argument("--minute-seconds", type=float, default=float(os.environ.get("MINUTE_SECONDS", "60")))


def polls(seconds: float, *, minutes: float, waiting_for: str | None) -> Iterator[None]:
    """Come back at once and then every `seconds`, for at most `minutes`: how AWS wants its describe calls to be waited on.

    Raises:
        StepError: the time is over, and there is something to wait for.
    """
    end = time.monotonic() + 60 * minutes
    yield
    while time.monotonic() < end:
        time.sleep(seconds)
        yield
    if waiting_for is not None:
        raise StepError(f"{waiting_for}: not finished after {minutes:g} minutes: see its console page, then run the step again")


def code(error: ClientError) -> str:
    """An AWS error's code, such as `ValidationException`."""
    return str(error.response["Error"]["Code"])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
