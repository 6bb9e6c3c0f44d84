"""What remains of models, environments and registries that are gone, each with the command that deletes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import naming
from cli import abandoned
from cli.abandoned import Abandoned
from cli.preflight.finding import Visit
from config import Account, Environment
from pipelines import tags
from pipelines.deployment.retained import Retained
from tests.reference import CONFIG, MODEL, model
from tests.support.fakes import Fake, clients

HOME, LAST = CONFIG.toolchain, CONFIG.environments[-1]
REGISTRY = naming.registry_stack(CONFIG, MODEL)
GONE = "old_model"
STANDING = (
    naming.toolchain_stack(CONFIG),
    REGISTRY,
    naming.delivery_stack(CONFIG, MODEL),
    naming.delivery_stack(CONFIG, naming.PLATFORM),
    "SomebodyElses-Registry",
)


def answers(answer: Mapping[str, Any]) -> Callable[..., Any]:
    return lambda **_: answer


def look(
    account: Account,
    *,
    stacks: tuple[str, ...] = STANDING,
    buckets: tuple[str, ...] = (),
    repositories: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    things: tuple[Retained, ...] = (),
) -> list[Abandoned]:
    services = {
        "cloudformation": Fake(describe_stacks=answers({"Stacks": [{"StackName": name} for name in stacks]})),
        "s3": Fake(list_buckets=answers({"Buckets": [{"Name": name} for name in buckets]})),
        "ecr": Fake(describe_repositories=answers({"repositories": [{"repositoryName": name} for name in repositories]})),
        "sagemaker": Fake(
            list_model_package_groups=answers({"ModelPackageGroupSummaryList": [{"ModelPackageGroupName": name} for name in groups]})
        ),
    }
    visit = Visit(config=CONFIG, models=(model(),), account=account, clients=clients(services))
    return list(abandoned.look(visit, things))


def registered(name: str) -> dict[str, Any]:
    """What the registry of a model has made under fixed names."""
    return {
        "buckets": (naming.data_bucket(CONFIG, name), naming.artifacts_bucket(CONFIG, name)),
        "repositories": (naming.image_repository(CONFIG, name),),
        "groups": (naming.model_package_group(CONFIG, name),),
    }


def test_nothing_remains_where_all_is_in_this_tree() -> None:
    assert look(HOME, **registered(MODEL)) == []


def test_stacks_of_a_model_that_was_removed_are_named_in_the_order_of_their_deletion() -> None:
    gone = (naming.registry_stack(CONFIG, GONE), naming.delivery_stack(CONFIG, GONE))
    first, second = look(HOME, stacks=(*STANDING, *gone), **registered(GONE))

    assert (first.name, second.name) == (naming.delivery_stack(CONFIG, GONE), naming.registry_stack(CONFIG, GONE))
    assert first.command == f"aws --region {HOME.region} cloudformation delete-stack --stack-name {first.name}"
    assert "--no-enable-termination-protection" in second.command
    assert second.command.endswith(f" && aws --region {HOME.region} cloudformation delete-stack --stack-name {second.name}")


def test_stacks_of_an_environment_that_was_removed_are_named() -> None:
    old = replace(LAST, name="canary")
    remaining = naming.monitoring_stack(CONFIG, MODEL, old), naming.serving_stack(CONFIG, MODEL, old)
    here = naming.serving_stack(CONFIG, MODEL, LAST), naming.monitoring_stack(CONFIG, MODEL, LAST)

    assert tuple(each.name for each in look(LAST.account, stacks=(*here, *remaining))) == remaining


def test_what_a_deleted_registry_kept_is_named_whether_its_model_is_here_or_not() -> None:
    for name in (MODEL, GONE):
        remaining = look(HOME, stacks=(naming.toolchain_stack(CONFIG),), **registered(name))

        assert [each.kind for each in remaining] == ["bucket", "bucket", "image repository", "model package group"]
        assert all(each.why.startswith(f"{naming.registry_stack(CONFIG, name)} is gone: it is for auditors") for each in remaining)
        assert all(each.command.endswith(each.name) for each in remaining)


def test_names_of_somebody_else_are_left_alone() -> None:
    theirs: dict[str, Any] = {
        "buckets": (f"other-{MODEL}-data-{HOME.id}",),
        "repositories": (f"not-{CONFIG.project}/x",),
        "groups": ("other-model",),
    }
    assert look(HOME, stacks=(), **theirs) == []


def test_what_the_serving_stack_of_a_removed_model_kept_is_named_once_the_stack_is_gone() -> None:
    whose = {**tags.of(CONFIG, model(), LAST), "model": GONE}
    thing = Retained(kind="endpoint configuration", name="c", made=datetime(2026, 11, 1, tzinfo=UTC), tags=whose)
    things = (thing, replace(thing, name="ours", tags=tags.of(CONFIG, model(), LAST)), replace(thing, name="theirs", tags={}))
    stack = naming.serving_stack(CONFIG, GONE, Environment(name=LAST.name, account=LAST.account, approved_only=True))

    (remaining,) = look(LAST.account, stacks=(), things=things)
    assert (remaining.name, remaining.why) == ("c", f"{stack} is gone")
    assert remaining.command == f"aws --region {LAST.account.region} sagemaker delete-endpoint-config --endpoint-config-name c"
    assert [each.name for each in look(LAST.account, stacks=(stack,), things=things)] == [stack]
