"""What every step is: arguments in, progress on stderr, a result on stdout, one line and a non-zero exit when it fails.

Steps run in the toolchain's account. They take a model and, where it concerns one, an environment; the rest follows from the configuration
and from what the model's registry tells of itself.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from config import CONFIG
from paved_runtime import spec
from pipelines.deployment import accounts
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.evidence.document import Verdict

FULL = (errno.ENOSPC, errno.EDQUOT)


def run(step: Callable[[], None], name: str) -> None:
    """Run a step as a program."""
    _log_to_stderr()
    try:
        step()
    except (DeploymentError, spec.SpecError) as error:
        sys.exit(f"{name}: {_one_line(error)}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"{name}: AWS refused or did not answer: {_one_line(error)}: correct that and run the step again")
    except OSError as error:
        if error.errno not in FULL:
            raise
        where, do = error.filename or Path.cwd(), "free some space there, or choose a larger compute type, and run the step again"
        sys.exit(f"{name}: writing {where}: the disk is full: {do}")


def parser(module_doc: str | None) -> ArgumentParser:
    """The step's arguments, of which all have `--model`; `--help` shows why the step is there."""
    arguments = ArgumentParser(description=module_doc)
    arguments.add_argument("--model", required=True)
    return arguments


def add_environment(arguments: ArgumentParser) -> None:
    """`--environment`: where the model is looked at."""
    arguments.add_argument("--environment", required=True)


def add_assembly(arguments: ArgumentParser) -> None:
    """`--assembly`: what is deployed."""
    arguments.add_argument("--assembly", required=True, type=Path, help="the folder that cdk synth wrote")


def add_execution(arguments: ArgumentParser) -> None:
    """`--execution`: what the ledger of an environment that keeps one names as the cause."""
    arguments.add_argument("--execution", default="", help="the delivery's")


def add_pace(arguments: ArgumentParser) -> None:
    """`--poll-seconds` and `--minute-seconds`; without them, the environment's POLL_SECONDS and MINUTE_SECONDS, else a pace that AWS does
    not throttle, and time as it is.
    """
    arguments.add_argument("--poll-seconds", type=float, default=float(os.environ.get("POLL_SECONDS", "15")), help="between two looks")
    minute = float(os.environ.get("MINUTE_SECONDS", "60"))
    arguments.add_argument("--minute-seconds", type=float, default=minute, help="less than 60 where time is made to run faster")


def pace(options: Namespace) -> Pace:
    """What `add_pace` asked for."""
    return Pace(poll_seconds=options.poll_seconds, minute_seconds=options.minute_seconds)


def open_registry(model: str) -> Registry:
    """A model's registry. Raises SpecError when there is no such model, DeploymentError when its registry is not deployed."""
    return Registry.read(CONFIG, spec.load(model), accounts.home(CONFIG))


def open_place(model: str, environment: str) -> Place:
    """A model in an environment. Raises like `open_registry`, and DeploymentError when there is no such environment."""
    return Place.open(open_registry(model), environment)


def progress(text: str) -> None:
    """Tell a person what is going on."""
    print(text, file=sys.stderr, flush=True)


def print_exports(values: Mapping[str, str]) -> None:
    """Print shell variables, to be read with `. ./file`."""
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")


def print_report(report: Mapping[str, Any], file: Path | None = None) -> None:
    """Print a result that has parts, as one line of JSON; to `file`, too, where there is one."""
    print(json.dumps(report, sort_keys=True))
    if file:
        file.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def conclude(report: Mapping[str, Any], verdicts: Sequence[Verdict], file: Path | None = None) -> None:
    """Print what was found, whatever it was. Raises DeploymentError with a line for every gate that failed."""
    print_report({**report, "gates": [verdict.model_dump() for verdict in verdicts]}, file)
    if failed := [verdict.line() for verdict in verdicts if verdict.passed is False]:
        raise DeploymentError("; ".join(failed))


def _log_to_stderr() -> None:
    """The library's own progress, as plain lines."""
    log = logging.getLogger("pipelines")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler(sys.stderr))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
