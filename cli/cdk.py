"""The unmodified CDK CLI as a child process, with its whole output in a log and its failure in one line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3

import naming
from cli.local import LocalCloud
from cli.problem import Problem
from cli.tree import HERE, relative
from config import CONFIG, Account
from paved_runtime import spec
from pipelines.deployment import toolchain
from pipelines.deployment.cdk import failure_line

ADMINISTRATOR = "AdministratorAccess"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
QUIET = {"CI": "true", "NO_COLOR": "1", "CDK_DISABLE_CLI_TELEMETRY": "true"}


def synth(out: Path, *, log: Path) -> None:
    """Synthesise the whole app into `out`. Needs no AWS. CDK's own validator, which takes longer than all else, runs in check and Build."""
    run("synth", ["synth", "--quiet", "--output", str(out)], env={**os.environ, **QUIET, "CDK_VALIDATION": "false"}, log=log)


def bootstrap(cloud: LocalCloud) -> None:
    """Bootstrap every account of config.py on a localcloud, each with its own keys.

    A firm's own policies are not there, so ones of their names are made that allow everything.
    """

    def each(account: Account) -> None:
        iam = cloud.session(account).client("iam")
        for name in filter(None, (CONFIG.permissions_boundary, *CONFIG.execution_policies)):
            path, _, last = f"/{name}".rpartition("/")
            iam.create_policy(PolicyName=last, Path=f"{path}/", PolicyDocument=json.dumps(EVERYTHING))
        bootstrap_account(account, env={**cloud.environment(account), **QUIET}, log=cloud.logs / f"cdk-bootstrap-{account.id}.log")

    with ThreadPoolExecutor() as pool:
        list(pool.map(each, CONFIG.accounts))


def bootstrap_account(account: Account, *, env: Mapping[str, str], log: Path) -> None:
    """Bootstrap an account with the credentials of `env`; an environment's trusts the toolchain's account."""
    partition = boto3.Session().get_partition_for_region(account.region)
    own = [f"arn:{partition}:iam::{account.id}:policy/{name}" for name in CONFIG.execution_policies]
    policies = ",".join(own) or f"arn:{partition}:iam::aws:policy/{ADMINISTRATOR}"
    arguments = ["bootstrap", f"aws://{account.id}/{account.region}", "--cloudformation-execution-policies", policies]
    arguments += ["--qualifier", CONFIG.qualifier]
    if CONFIG.permissions_boundary:
        arguments += ["--custom-permissions-boundary", CONFIG.permissions_boundary]
    if account.id != CONFIG.toolchain.id:
        arguments += ["--trust", CONFIG.toolchain.id]
    run(f"bootstrap of {account.id}", [*arguments, "--app", ""], env=env, log=log)


def deploy_before_a_push(*, env: Mapping[str, str], log: Path, assembly: Path | None = None) -> None:
    """Deploy what must stand before a push can start: the toolchain, its account's own stacks, every model's registry and pipelines, and
    the feature groups of all accounts.

    They come from `assembly`, or are synthesised first.
    """
    models = spec.names()
    registries = [naming.registry_stack(CONFIG, model) for model in models]
    pipelines = [naming.delivery_stack(CONFIG, road) for road in (*models, naming.PLATFORM)]
    first = [*toolchain.of_account(CONFIG, CONFIG.toolchain), *toolchain.of_features(CONFIG), naming.toolchain_stack(CONFIG)]
    arguments = ["deploy", *dict.fromkeys(first), *registries, *pipelines, *(["--app", str(assembly)] if assembly else [])]
    run("deploy", [*arguments, "--require-approval", "never", "--progress", "events", "--exclusively"], env=env, log=log)


def log_file(name: str) -> Path:
    """Where the output of what is run against real accounts goes."""
    folder = HERE / ".road" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"cdk-{name}.log"


def run(what: str, arguments: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
    """Run the CDK CLI in this tree. Raises Problem with the line of its output that tells most."""
    with log.open("w") as output:
        code = subprocess.run(
            ["cdk", *arguments], cwd=HERE, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ).returncode
    if code:
        raise Problem(f"cdk {what} failed", failure_line(log.read_text(errors="replace").splitlines()), f"read {relative(log)}")
