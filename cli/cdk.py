"""The unmodified CDK CLI as a child process, with its whole output in a log and its failure in one line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli.local import LocalCloud
from cli.problem import Problem
from cli.tree import HERE, relative
from config import CONFIG, Account
from model_code import spec
from pipelines.steps.cdk import telling

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
QUIET = {"CI": "true", "NO_COLOR": "1", "CDK_DISABLE_CLI_TELEMETRY": "true"}


def synth(out: Path, *, log: Path) -> None:
    """Synthesise the whole app into `out`, with every rule that synth holds it to. Needs no AWS."""
    run("synth", ["synth", "--quiet", "--output", str(out)], env={**os.environ, **QUIET}, log=log)


def bootstrap(cloud: LocalCloud) -> None:
    """Bootstrap every account of config.py, each with its own keys; environments trust the toolchain's account."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda account: _bootstrap(cloud, account), CONFIG.accounts))


def deploy(cloud: LocalCloud) -> None:
    """Deploy what must stand before a push can start: the toolchain and every model's workshop."""
    stacks = [*(CONFIG.stack(model.slug, "Workshop") for model in spec.load_all()), CONFIG.stack("Toolchain")]
    arguments = ["deploy", *stacks, "--app", str(cloud.assembly), "--require-approval", "never", "--progress", "events", "--exclusively"]
    run("deploy", arguments, env={**cloud.environment(CONFIG.toolchain), **QUIET}, log=cloud.logs / "cdk-deploy.log")


def run(what: str, arguments: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
    """Run the CDK CLI. Raises Problem with the line of its output that tells most."""
    with log.open("w") as output:
        code = subprocess.run(
            ["cdk", *arguments], cwd=HERE, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ).returncode
    if code:
        raise Problem(f"cdk {what} failed", telling(log.read_text(errors="replace").splitlines()), f"read {relative(log)}")


def _bootstrap(cloud: LocalCloud, account: Account) -> None:
    arguments = ["bootstrap", f"aws://{account.id}/{account.region}", "--cloudformation-execution-policies", ADMINISTRATOR]
    if account.id != CONFIG.toolchain.id:
        arguments += ["--trust", CONFIG.toolchain.id]
    env = {**cloud.environment(account), **QUIET}
    log = cloud.logs / f"cdk-bootstrap-{account.id}.log"
    run(f"bootstrap of {account.id}", [*arguments, "--app", ""], env=env, log=log)
