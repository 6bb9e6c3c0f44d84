"""Deploys stacks from an assembly that was made earlier: nothing is synthesised again."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipelines.steps.step import StepError

DEPLOY = ("cdk", "deploy", "--exclusively", "--require-approval", "never", "--progress", "events")


def add_arguments(arguments: ArgumentParser) -> None:
    """`--assembly` and `--stack`, the latter as often as there are stacks."""
    arguments.add_argument("--assembly", required=True, type=Path, help="the folder that cdk synth wrote")
    arguments.add_argument("--stack", required=True, action="append", dest="stacks")


def parameters(assembly: Path, stack: str) -> set[str]:
    """The names of a stack's parameters. Raises StepError when it is not in the assembly."""
    template = assembly / f"{stack}.template.json"
    if not template.is_file():
        raise StepError(f"{assembly}: no stack {stack} there: give the folder that cdk synth wrote")
    return set(json.loads(template.read_text()).get("Parameters", {}))


def deploy(assembly: Path, stacks: Sequence[str], parameters: Mapping[str, str]) -> None:
    """Deploy `stacks`, and no stack they depend on. Deploying twice changes nothing.

    `parameters` are of the first stack: CloudFormation refuses those that a template does not have. One that is not given keeps its value.

    Raises:
        StepError: CDK failed; its output is on stderr.
    """
    if not (assembly / "manifest.json").is_file():
        raise StepError(f"{assembly}: no assembly there: give the folder that cdk synth wrote")
    values = [word for name, value in parameters.items() for word in ("--parameters", f"{stacks[0]}:{name}={value}")]
    command = [*DEPLOY, "--app", str(assembly), *values, *stacks]
    printed = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout
        for line in running.stdout:
            sys.stderr.write(line)
            printed.append(line)
    if running.returncode:
        raise StepError(f"cdk deploy {' '.join(stacks)} failed: {telling(printed)}: correct that and retry the stage")


def telling(output: Iterable[str]) -> str:
    """The line of a failed deployment's output that tells most: the first resource that failed, else the last error, else the end."""
    lines = [" ".join(line.split()) for line in output if line.strip()]
    resources = [line for line in lines if "_FAILED" in line]
    errors = [line for line in lines if "❌" in line or "rror:" in line]
    return resources[0] if resources else (errors or lines or ["it printed nothing"])[-1]
