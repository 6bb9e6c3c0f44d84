"""`road doctor`: what would stop the first deployment, asked beforehand, a line each with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table
from rich.text import Text

from cli import output, places, target
from cli.preflight import bootstrapping, connection, job_logs, leftovers, network, quotas, regions
from cli.preflight.finding import Check, Finding, Verdict, Visit, look
from cli.problem import Problem
from cli.processes import CORES
from cli.target import Target
from config import CONFIG, Account
from paved_runtime import spec
from pipelines.deployment import accounts

Place = Annotated[
    str | None, typer.Argument(metavar="PLACE", help="Only this environment's account, or account number; every account without it.")
]
CHECKS: dict[str, Check] = {
    "region": regions.check,
    "bootstrap": bootstrapping.check,
    "connection": connection.check,
    "network": network.check,
    "quotas": quotas.check,
    job_logs.SUBJECT: job_logs.check,
    "stacks": leftovers.check,
}
SIGNS = {Verdict.RIGHT: ("✓", "green"), Verdict.WRONG: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow")}


def doctor(place: Place = None, *, json: output.Json = False, where: target.Wanted = None) -> None:
    """Look for what would stop a deployment, before the first one: exits with 1 where something is wrong. Changes nothing.

    Accounts that the credentials are not of are reached by the lookup role that CDK's bootstrap made there.
    """
    aws = target.choose(where)
    chosen = [places.account(place)] if place else list(CONFIG.accounts)
    findings = [finding for account in chosen for finding in _account(aws, account)]
    output.show(_table(findings), [finding.as_json() for finding in findings], json=json)
    if any(finding.verdict is Verdict.WRONG for finding in findings):
        raise typer.Exit(1)


def _account(aws: Target, account: Account) -> Iterator[Finding]:
    """Everything about one account, if it can be reached."""
    try:
        session = aws.inside(account)
        caller = session.client("sts").get_caller_identity()["Arn"]
    except (ClientError, BotoCoreError, Problem) as error:
        yield Finding(
            verdict=Verdict.UNKNOWN,
            account=account.id,
            subject="credentials",
            state=f"it could not be reached: {error}",
            advice=f"with credentials of it: AWS_PROFILE=… ./road doctor {account.id}",
        )
        return
    visit = Visit(config=CONFIG, models=tuple(spec.load_all()), account=account, clients=accounts.of(session))
    yield visit.right("credentials", caller)
    with ThreadPoolExecutor(CORES) as pool:
        for looking in [pool.submit(look, subject, check, visit) for subject, check in CHECKS.items()]:
            yield from looking.result()


def _table(findings: list[Finding]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for finding in findings:
        sign, colour = SIGNS[finding.verdict]
        sentence = f"{finding.state}: {finding.advice}" if finding.advice else finding.state
        grid.add_row(Text(sign, colour), Text(finding.account, "dim"), Text(finding.subject), Text(sentence, overflow="fold"))
    return grid
