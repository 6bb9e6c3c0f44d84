"""A budget of AWS Budgets: who is told by mail that too much is spent, while there is time to do something."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_budgets as budgets
from constructs import Construct

FORECAST, ACTUAL = 80, 100  # percents of the budget, above which what is foreseen and what is spent is told


class MonthlyBudget(Construct):
    """What everything with the tag `key` = `value` costs in an account in a month, in US dollars, told to `addresses`.

    Only tags that are cost allocation tags of whoever pays are seen ("Using user-defined cost allocation tags"). CloudFormation replaces a
    budget whose subscribers change, and so `budget_name` must change with them.
    """

    def __init__(
        self, scope: Construct, name: str, *, budget_name: str, dollars: float, key: str, value: str, addresses: Sequence[str]
    ) -> None:
        super().__init__(scope, name)
        subscribers = [{"subscriptionType": "EMAIL", "address": address} for address in addresses]
        budgets.CfnBudget(
            self,
            "Budget",
            budget={
                "budgetName": budget_name,
                "budgetType": "COST",
                "timeUnit": "MONTHLY",
                "budgetLimit": {"amount": dollars, "unit": "USD"},
                "costFilters": {"TagKeyValue": [f"user:{key}${value}"]},
            },
            notifications_with_subscribers=[
                {
                    "notification": {
                        "notificationType": kind,
                        "comparisonOperator": "GREATER_THAN",
                        "threshold": percent,
                        "thresholdType": "PERCENTAGE",
                    },
                    "subscribers": subscribers,
                }
                for kind, percent in (("FORECASTED", FORECAST), ("ACTUAL", ACTUAL))
            ],
        )
