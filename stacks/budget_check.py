"""What is wrong with the budgets that `config.py` names: before a template is made of them, or CDK imported."""

from __future__ import annotations

from collections.abc import Iterator

from config import Config

MOST_OWNERS = 10  # that a notification tells by mail ("Creating an Amazon SNS topic for budget notifications")


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
