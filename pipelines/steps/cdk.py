"""Deploys stacks from an assembly that was made earlier: nothing is synthesised again."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.steps.step import StepError

DEPLOY = ("cdk", "deploy", "--exclusively", "--require-approval", "never", "--progress", "events")


def add_arguments(arguments: ArgumentParser) -> None:
    """`--assembly` and `--stack`, the latter as often as there are stacks."""
    arguments.add_argument("--assembly", required=True, type=Path, help="the folder that cdk synth wrote")
    arguments.add_argument("--stack", required=True, action="append", dest="stacks")


def deploy(assembly: Path, stacks: Sequence[str], parameters: Mapping[str, str]) -> None:
    """Deploy `stacks`, and no stack they depend on. A parameter that is not given keeps its value. Deploying twice changes nothing.

    Raises:
        StepError: CDK failed; its output is on stderr.
    """
    if not (assembly / "manifest.json").is_file():
        raise StepError(f"{assembly}: no assembly there: give the folder that cdk synth wrote")
    values = [word for name, value in parameters.items() for word in ("--parameters", f"{name}={value}")]
    command = [*DEPLOY, "--app", str(assembly), *values, *stacks]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout
        for line in running.stdout:
            sys.stderr.write(line)
            last = line.strip() or last
    if running.returncode:
        raise StepError(f"cdk deploy {' '.join(stacks)} exited with {running.returncode}: {last}: correct the stack and retry the stage")
