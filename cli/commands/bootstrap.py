"""`road bootstrap`: CDK's bootstrap of one of the fork's own accounts, with the trust that the road needs."""

from __future__ import annotations

import os
import tempfile
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from cli import cdk, configuration, execution_policies, job_logs, output, places, target
from cli.progress import Progress
from cli.tree import relative, typed_path
from config import CONFIG

Place = Annotated[
    str | None, typer.Argument(metavar="PLACE", help="An environment, or an account number; the toolchain's account without it.")
]
Policies = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Write the policies that CloudFormation needs to FOLDER, and bootstrap nothing.", parser=typed_path
    ),
]


def bootstrap(place: Place = None, *, policies: Policies = None, json: output.Json = False) -> None:
    """Prepare an account for deployments. Once, with its own credentials; an environment's trusts the toolchain's account."""
    if policies:
        _write(policies, json=json)
        return
    configuration.must_be_real(CONFIG)
    account = places.account(place)
    session = target.of_account(account)
    with Progress() as progress, progress.step(f"bootstrap {account.id} in {account.region}"):
        cdk.bootstrap_account(account, env={**os.environ, **cdk.QUIET}, log=cdk.log_file("bootstrap"))
    if CONFIG.job_log_days:
        job_logs.keep(session, CONFIG.job_log_days)
    machine = {"account": account.id, "region": account.region, "trusts": CONFIG.toolchain.id}
    following = "./road deploy with the toolchain's credentials, once every account is bootstrapped"
    output.show(f"{account.id} is ready. Next: {following}", machine, json=json)


def _write(folder: Path, *, json: bool) -> None:
    with Progress() as progress, progress.step("synthesise the stacks"), tempfile.TemporaryDirectory() as assembly:
        cdk.synth(Path(assembly), log=cdk.log_file("synth"))
        documents = execution_policies.documents(CONFIG, execution_policies.types(Path(assembly)))
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{CONFIG.project}-cloudformation-{number}": document for number, document in enumerate(documents, start=1)}
    for name, document in files.items():
        (folder / f"{name}.json").write_text(dumps(document, indent=1) + "\n", encoding="utf-8")
    made = "".join(
        f"\n  aws iam create-policy --policy-name {name} --policy-document file://{relative(folder)}/{name}.json" for name in files
    )
    then = f"then execution_policies={tuple(files)!r} in config.py, and ./road bootstrap"
    output.show(f"In every account:{made}\n{then}", {"folder": str(folder), "policies": list(files)}, json=json)
