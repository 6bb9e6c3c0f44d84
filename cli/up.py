"""`road up`, `road env`, `road down`: an AWS on this laptop with everything deployed that a push needs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from cli import cdk, local, output
from cli.local import LocalCloud
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress
from cli.tree import relative
from config import CONFIG, Account

Port = Annotated[int, typer.Option(metavar="PORT", help="Listen on this port; 0 asks the system for a free one.", min=0, max=65535)]
Speed = Annotated[float, typer.Option(metavar="FACTOR", help="How many seconds of a template's durations pass in one second here.", min=1)]


def up(*, port: Port = 0, speed: Speed = local.DEFAULT_SPEED, json: output.Json = False) -> None:
    """Start localcloud, bootstrap its accounts and deploy toolchain and workshops. When it runs already, deploys what has changed."""
    cloud = local.find()
    if cloud and port and not cloud.url.endswith(f":{port}"):
        raise Problem("localcloud", f"one runs already at {cloud.url}", "./road down first, or leave --port out")
    fresh = cloud is None
    try:
        with Progress() as progress:
            if cloud is None:
                with progress.step("start localcloud"):
                    cloud, _ = local.start(port=port, speed=speed)
            deploy(cloud, progress, fresh=fresh)
    except BaseException:
        if fresh:
            local.end()
        raise
    output.show(_greeting(cloud), {"url": cloud.url, "remote": cloud.remote, "pid": cloud.pid, "speed": cloud.speed}, json=json)


def env(
    place: Annotated[
        str | None, typer.Argument(metavar="PLACE", help="An account number or an environment; the toolchain's without it.")
    ] = None,
) -> None:
    """Print what makes any AWS tool speak to localcloud: eval "$(./road env)"."""
    cloud = local.find()
    if cloud is None:
        raise Problem("localcloud", "it does not run", "./road up")
    print("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN")
    for name, value in cloud.variables(_account(place)).items():
        print(f"export {name}={value}")


def down() -> None:
    """Stop localcloud and everything it started, and remove its folder."""
    say(local.stop())


def deploy(cloud: LocalCloud, progress: Progress, *, fresh: bool) -> None:
    """Deploy what a push needs; a fresh cloud's accounts are bootstrapped first, while the stacks are synthesised."""
    with ThreadPoolExecutor() as pool:
        synth = pool.submit(_synth, cloud, progress)
        if fresh:
            with progress.step(f"bootstrap {len(CONFIG.accounts)} accounts"):
                cdk.bootstrap(cloud)
        synth.result()
    with progress.step("deploy toolchain and workshops"):
        cdk.deploy(cloud)


def _synth(cloud: LocalCloud, progress: Progress) -> None:
    with progress.step("synthesise the stacks"):
        cdk.synth(cloud.assembly, log=cloud.logs / "cdk-synth.log")


def _account(place: str | None) -> Account:
    known = {account.id: account for account in CONFIG.accounts} | {e.name: e.account for e in CONFIG.environments}
    if place is None:
        return CONFIG.toolchain
    if place not in known:
        raise Problem(f"account or environment {place}", f"config.py has {', '.join(known)}", "name one of them", code=2)
    return known[place]


def _greeting(cloud: LocalCloud) -> str:
    branch = CONFIG.repository.branch
    return f"""
localcloud answers at {cloud.url}; {cloud.speed:g} seconds of a template's durations pass in one.

  git push {cloud.remote} HEAD:{branch}     or: ./road push
  ./road data put lead_scoring FILE.csv     what the next push trains on
  ./road status --watch                     where every push stands
  eval "$(./road env)"                      then aws, boto3 and cdk speak to it
  ./road down                               stop it

Logs are in {relative(cloud.logs)}."""
