"""What remains of models and environments that are not here any more, and of registries whose stack was deleted.

The road deletes nothing of it: each thing is told with the command that does. Names are `naming.py`'s, so they say whose a thing is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass

import naming
from cli.preflight import leftovers
from cli.preflight.finding import Visit
from config import Environment
from pipelines.deployment.retained import Retained

ORDER = ("Monitoring", "Serving", "Delivery", "Registry")  # in which the stacks of a model can be deleted
DELETE = {  # by kind
    "stack": "aws cloudformation delete-stack --stack-name {}",
    "bucket": "aws s3api delete-bucket --bucket {}",
    "image repository": "aws ecr delete-repository --force --repository-name {}",
    "model package group": "aws sagemaker delete-model-package-group --model-package-group-name {}",
    "endpoint configuration": "aws sagemaker delete-endpoint-config --endpoint-config-name {}",
    "model": "aws sagemaker delete-model --model-name {}",
}
UNPROTECT = "aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {}"


@dataclass(frozen=True, kw_only=True)
class Abandoned:
    """One thing that remains in an account, why, and the command that deletes it."""

    account: str
    kind: str
    name: str
    why: str
    command: str

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def look(visit: Visit, things: Iterable[Retained]) -> Iterator[Abandoned]:
    """What remains in an account: stacks, and what stacks that are gone have kept. `things` are its endpoint configurations and models."""
    pages = visit.clients("cloudformation").get_paginator("describe_stacks").paginate()
    standing = {stack["StackName"] for page in pages for stack in page["Stacks"]}
    yield from _stacks(visit, standing)
    if visit.of_toolchain:
        yield from _registered(visit, standing)
    yield from _served(visit, things, standing)


def _stacks(visit: Visit, standing: Collection[str]) -> Iterator[Abandoned]:
    """Stacks that are named as a model's, and are none of a model or an environment that is here; first what can be deleted first."""
    own = re.compile(rf"{naming.title(visit.config)}-.+?-({'|'.join(ORDER)})(?:-.+)?")
    kinds = {name: match[1] for name in standing if (match := own.fullmatch(name))}
    for name in sorted(kinds.keys() - set(leftovers.stacks(visit)), key=lambda name: (ORDER.index(kinds[name]), name)):
        first = f"{UNPROTECT.format(name)} && " if kinds[name] == "Registry" else ""
        yield _abandoned(visit, "stack", name, "its model or its environment is not in this tree", first)


def _registered(visit: Visit, standing: Collection[str]) -> Iterator[Abandoned]:
    """What a registry keeps when its stack goes: the next one would be made under the same names."""
    for kind, name, model in _kept(visit):
        stack = naming.registry_stack(visit.config, model)
        if stack not in standing:
            empty = "" if kind == "image repository" else ", and it must be empty to be deleted"
            yield _abandoned(visit, kind, name, f"{stack} is gone: it is for auditors, for as long as they may ask{empty}")


def _kept(visit: Visit) -> Iterator[tuple[str, str, str]]:
    """Kind, name, and model as names have it, of all that registries of this project have made under fixed names."""
    config, clients = visit.config, visit.clients
    buckets = re.compile(rf"{config.project}-(.+)-(?:data|artifacts)-{config.toolchain.id}")
    for name in (bucket["Name"] for bucket in clients("s3").list_buckets()["Buckets"]):
        if match := buckets.fullmatch(name):
            yield "bucket", name, match[1]
    prefix = naming.image_repository(config, "")
    for page in clients("ecr").get_paginator("describe_repositories").paginate():
        for name in (repository["repositoryName"] for repository in page["repositories"]):
            if name.startswith(prefix):
                yield "image repository", name, name.removeprefix(prefix)
    prefix = naming.model_package_group(config, "")
    for page in clients("sagemaker").get_paginator("list_model_package_groups").paginate(NameContains=prefix):
        for name in (group["ModelPackageGroupName"] for group in page["ModelPackageGroupSummaryList"]):
            if name.startswith(prefix):
                yield "model package group", name, name.removeprefix(prefix)


def _served(visit: Visit, things: Iterable[Retained], standing: Collection[str]) -> Iterator[Abandoned]:
    """What a serving stack that is gone has kept, of a model or an environment that is not here: `road clean` itself sees to others'."""
    config, models = visit.config, {model.name for model in visit.models}
    here = {(model, environment.name) for model in models for environment in config.environments if environment.account == visit.account}
    for thing in things:
        whose = thing.tags.get("model", ""), thing.tags.get("environment", "")
        if thing.tags.get("project") != config.project or not all(whose) or whose in here:
            continue
        stack = naming.serving_stack(config, whose[0], Environment(name=whose[1], account=visit.account, approved_only=False))
        if stack not in standing:
            yield _abandoned(visit, thing.kind, thing.name, f"{stack} is gone")


def _abandoned(visit: Visit, kind: str, name: str, why: str, first: str = "") -> Abandoned:
    region = visit.account.region
    command = f"{first}{DELETE[kind].format(name)}"
    return Abandoned(account=visit.account.id, kind=kind, name=name, why=why, command=command.replace("aws ", f"aws --region {region} "))
