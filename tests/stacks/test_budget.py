"""A budget an account, where `config.py` has one: of all that has the project's tag, told to the owners, deployed with what is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

import naming
from cli.deployability import findings
from config import Account, Budget, Config
from localcloud.testing.running import Running
from localcloud.testing.waiting import until
from pipelines import tags
from pipelines.deployment import toolchain
from stacks.budget import Budget as Stack
from stacks.budget_check import MOST_OWNERS
from stacks.layout import check
from tests.reference import CONFIG
from tests.support.layouts import HOME, Layout, configuration, models, read, synth
from tests.support.production import create

pytestmark = pytest.mark.laptop("templates alone")

STACK = naming.budget_stack(CONFIG, HOME)
HUNDRED = Budget(monthly_dollars=100)
BUDGET = "AWS::Budgets::Budget"


def with_budgets(config: Config, **budgets: Budget) -> Config:
    """Accounts with budgets, by number."""

    def changed(account: Account) -> Account:
        return replace(account, budget=budgets.get(account.id))

    environments = tuple(replace(each, account=changed(each.account)) for each in config.environments)
    return replace(config, toolchain=changed(config.toolchain), environments=environments)


def of_home(folder: Path, config: Config) -> Layout:
    """The toolchain account's budget alone."""
    app = App(outdir=str(folder))
    Stack(app, STACK, config=config, account=config.toolchain)
    return read(app, config, folder)


@pytest.fixture
def config() -> Config:
    """With a budget at home."""
    return with_budgets(configuration("three"), **{HOME.id: HUNDRED})


def test_it_sees_what_the_project_is_written_on_and_tells_the_owners(config: Config, tmp_path: Path) -> None:
    properties = of_home(tmp_path, config).only(STACK, BUDGET)

    assert properties["Budget"] == {
        "BudgetName": naming.budget(config, config.toolchain),
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": 100, "Unit": "USD"},
        "CostFilters": {"TagKeyValue": [f"user:{tags.PROJECT}${config.project}"]},
    }
    told = [(n["Notification"]["NotificationType"], n["Notification"]["Threshold"]) for n in properties["NotificationsWithSubscribers"]]
    assert told == [("FORECASTED", 80), ("ACTUAL", 100)]
    for notification in properties["NotificationsWithSubscribers"]:
        assert [each["Address"] for each in notification["Subscribers"]] == list(config.owners)
    assert tags.of(config)[tags.PROJECT] == config.project


def test_cfn_lint_finds_nothing(config: Config, tmp_path: Path) -> None:
    assert [findings(tmp_path / f"{stack}.template.json") for stack in of_home(tmp_path, config).templates] == [[]]


@pytest.mark.parametrize("layout", ["three", "two", "one"])
def test_an_account_with_a_budget_has_one_stack_more_and_others_have_none(layout: str, tmp_path: Path) -> None:
    without = configuration(layout)
    last = without.environments[-1].account
    config = with_budgets(without, **{last.id: HUNDRED})
    check(config, models()[:1])
    place = config.environments[-1].account
    of_account = toolchain.of_account(config, place)

    made = synth(config, models()[:1], tmp_path)

    assert of_account == [naming.budget_stack(config, place)]
    assert [stack for stack, _ in made.every(BUDGET)] == of_account
    assert made.account_of[of_account[0]] == last.id
    if place != config.toolchain:
        assert toolchain.of_account(config, config.toolchain) == []


def test_a_budget_that_aws_would_refuse_is_refused(config: Config) -> None:
    twice = replace(config, environments=tuple(replace(each, account=HOME) for each in config.environments))
    many = replace(config, owners=tuple(f"owner-{number}@acme.test" for number in range(MOST_OWNERS + 1)))

    for wrong, why in (
        (with_budgets(config, **{HOME.id: Budget(monthly_dollars=-1)}), "found -1 dollars"),
        (twice, "found two budgets"),
        (many, f"accepted are {MOST_OWNERS}"),
    ):
        with pytest.raises(ValueError, match=why):
            check(wrong, [])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An account that CDK has bootstrapped."""
    with Running(tmp_path_factory.mktemp("cloud") / "cloud", accounts=[HOME.id], region=HOME.region) as running:
        name = f"/cdk-bootstrap/{CONFIG.qualifier}/version"
        running.client("ssm", HOME.id).put_parameter(Name=name, Value="27", Type="String")
        yield running


def kept(cloud: Running) -> dict[str, str]:
    """Every budget of the account: how much it allows."""
    every: list[Any] = cloud.client("budgets", HOME.id).describe_budgets(AccountId=HOME.id)["Budgets"]
    return {budget["BudgetName"]: budget["BudgetLimit"]["Amount"] for budget in every}


def test_the_amount_changes_in_place_and_other_owners_make_another(config: Config, cloud: Running, tmp_path: Path) -> None:
    more = with_budgets(config, **{HOME.id: Budget(monthly_dollars=250)})
    others = replace(more, owners=("others@acme.test",))
    for number, each in enumerate((config, more, others)):
        folder = tmp_path / str(number)
        of_home(folder, each)
        if number:
            body = (folder / f"{STACK}.template.json").read_text()
            cloudformation = cloud.client("cloudformation", HOME.id)
            cloudformation.update_stack(StackName=STACK, TemplateBody=body)
            until(lambda: cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE")  # noqa: B023
        else:
            create(cloud, HOME.id, folder, STACK)
        assert {name: float(amount) for name, amount in kept(cloud).items()} == {
            naming.budget(each, each.toolchain): each.toolchain.budget.monthly_dollars if each.toolchain.budget else None
        }
    assert naming.budget(config, config.toolchain) == naming.budget(more, more.toolchain) != naming.budget(others, others.toolchain)
