"""What the project may cost in an account, where `config.py` says so: in a stack of its own, as no other is there once an account."""

from __future__ import annotations

from collections.abc import Iterator

from aws_cdk import Environment, Stack
from constructs import Construct

import naming
from config import Account, Config
from pipelines import tags
from stacks.constructs.monthly_budget import MonthlyBudget

MOST_OWNERS = 10  # that a notification tells by mail ("Creating an Amazon SNS topic for budget notifications")


class Budget(Stack):
    """One account's. It sees what has the project's tag, whichever model or environment it is of."""

    def __init__(self, scope: Construct, name: str, *, config: Config, account: Account) -> None:
        super().__init__(scope, name, env=Environment(account=account.id, region=account.region), tags=tags.of(config))
        assert account.budget
        MonthlyBudget(
            self,
            "Budget",
            budget_name=naming.budget(config, account),
            dollars=account.budget.monthly_dollars,
            key=tags.PROJECT,
            value=config.project,
            addresses=list(dict.fromkeys(config.owners)),
        )


def problems(config: Config) -> Iterator[str]:
    """What is wrong with the budgets that config.py names, a line each."""
    budgets = {account.id: account.budget for account in config.accounts if account.budget}
    for number, budget in budgets.items():
        if not budget.monthly_dollars > 0:
            yield f"config.py: account {number}: budget: found {budget.monthly_dollars} dollars; accepted is more than 0"
    for account in config.accounts:
        if account.budget != budgets.get(account.id):
            yield f"config.py: account {account.id}: found two budgets; accepted is one an account, wherever it is named"
    if budgets and len(config.owners) > MOST_OWNERS:
        yield f"config.py: owners: found {len(config.owners)} where there is a budget; accepted are {MOST_OWNERS}, whom AWS Budgets tells"
