"""Budgets, which are kept: nothing here costs anything, so no notification is ever due."""

from __future__ import annotations

from localcloud.cloudformation.resource_type import Resource, ResourceType
from localcloud.core.validation import request


def _put(r: Resource, old: Resource | None) -> str:
    budget = {"BudgetName": r.name, **r.properties["Budget"]}
    wanted = {**r.properties, "Budget": budget, "AccountId": r.account}
    if old is not None:
        _delete(old)  # moto has no UpdateBudget
    r.call("budgets", "CreateBudget", **request("budgets", "CreateBudget", wanted))
    return str(budget["BudgetName"])


def _delete(r: Resource) -> None:
    r.call("budgets", "DeleteBudget", AccountId=r.account, BudgetName=r.id)


TYPES = (ResourceType("AWS::Budgets::Budget", _put, _delete),)
