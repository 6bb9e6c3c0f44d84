"""The CDK CLI: deploys stacks from an assembly that was made earlier, so that nothing is synthesised again, or makes one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.deployment.errors import DeploymentError


class CdkFailed(DeploymentError):
    """CDK's command failed, before or after it has asked CloudFormation."""


SYNTH = ("cdk", "synth", "--quiet", "--output")
DEPLOY = ("cdk", "deploy", "--exclusively", "--require-approval", "never", "--progress", "events")


def synth(folder: Path) -> None:
    """Make the assembly of every stack in `folder`. Raises CdkFailed."""
    _run([*SYNTH, str(folder)], "cdk synth failed", "correct that and push")


def template(assembly: Path, stack: str) -> Any:
    """A stack's template. Raises DeploymentError when the stack is not in the assembly."""
    file = assembly / f"{stack}.template.json"
    if not file.is_file():
        raise DeploymentError(f"{assembly}: no stack {stack} there: give the folder that cdk synth wrote")
    return json.loads(file.read_text())


def parameters(assembly: Path, stack: str) -> set[str]:
    """The names of a stack's parameters. Raises DeploymentError when the stack is not in the assembly."""
    return set(template(assembly, stack).get("Parameters", {}))


def deploy(assembly: Path, stacks: Sequence[str], values: Mapping[str, str]) -> None:
    """Deploy `stacks`, and no stack they depend on. Deploying twice changes nothing.

    `values` are of the first stack's parameters: those that its template does not have are left out, and one without a value keeps what
    it has.

    Raises:
        CdkFailed: CDK failed; its output is on stderr.
        DeploymentError: there is no assembly.
    """
    if not (assembly / "manifest.json").is_file():
        raise DeploymentError(f"{assembly}: no assembly there: give the folder that cdk synth wrote")
    known = parameters(assembly, stacks[0]) if values else set()
    words = [word for name, value in values.items() if name in known for word in ("--parameters", f"{stacks[0]}:{name}={value}")]
    _run([*DEPLOY, "--app", str(assembly), *words, *stacks], f"cdk deploy {' '.join(stacks)} failed", "correct that and retry the stage")


def failure_line(output: Iterable[str]) -> str:
    """The line of a failed run's output that tells most: the first resource that failed, else the last error, else the end."""
    lines = [" ".join(line.split()) for line in output if line.strip()]
    resources = [line for line in lines if "_FAILED" in line]
    errors = [line for line in lines if "❌" in line or "rror:" in line]
    return resources[0] if resources else (errors or lines or ["it printed nothing"])[-1]


def _run(command: Sequence[str], failure: str, advice: str) -> None:
    """Run it, its output on stderr."""
    output = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            sys.stderr.write(line)
            output.append(line)
    if process.returncode:
        raise CdkFailed(f"{failure}: {failure_line(output)}: {advice}")
