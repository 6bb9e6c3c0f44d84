"""What the project may cost in an account, where `config.py` says so: in a stack of its own, as no other is there once an account."""

from __future__ import annotations

from aws_cdk import Environment, Stack
from constructs import Construct

import naming
from config import Account, Config
from pipelines import tags
from stacks.constructs.monthly_budget import MonthlyBudget


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
