"""`road bootstrap`: CDK's bootstrap of one of the fork's own accounts, with the trust that the road needs."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli import cdk, configuration, output, places, target
from cli.progress import Progress
from config import CONFIG

Place = Annotated[
    str | None, typer.Argument(metavar="PLACE", help="An environment, or an account number; the toolchain's account without it.")
]


def bootstrap(place: Place = None, *, json: output.Json = False) -> None:
    """Prepare an account for deployments. Once, with its own credentials; an environment's trusts the toolchain's account."""
    configuration.must_be_real(CONFIG)
    account = places.account(place)
    target.of_account(account)
    with Progress() as progress, progress.step(f"bootstrap {account.id} in {account.region}"):
        cdk.bootstrap_account(account, env={**os.environ, **cdk.QUIET}, log=cdk.log_file("bootstrap"))
    machine = {"account": account.id, "region": account.region, "trusts": CONFIG.toolchain.id}
    following = "./road deploy with the toolchain's credentials, once every account is bootstrapped"
    output.show(f"{account.id} is ready. Next: {following}", machine, json=json)
