"""Names that are taken: by a stack that cannot be updated, by what a deleted one left, or, of a bucket, by somebody else in the world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from botocore.exceptions import ClientError

import naming
from cli.preflight.finding import Finding, Visit
from paved_runtime.spec import ModelSpec
from pipelines.deployment import stack
from pipelines.deployment.errors import code

ABSENT = ("404", "NoSuchBucket", "RepositoryNotFoundException", "ResourceNotFound", "ValidationException")
OTHERS = ("403", "301", "AccessDenied")


def check(visit: Visit) -> Iterator[Finding]:
    """The stacks that stand here, and what has the fixed names of those that do not."""
    broken = 0
    for name in stacks(visit):
        standing = stack.read(visit.clients("cloudformation"), name)
        if standing and (why := stack.broken(visit.clients("cloudformation"), standing)):
            broken += 1
            yield visit.wrong("stacks", why, "then deploy again")
    if not broken:
        yield visit.right("stacks", "none is in a state that takes no update")
    if visit.of_toolchain:
        for model in visit.models:
            yield from _names(visit, model)


def stacks(visit: Visit) -> list[str]:
    """The names of this configuration's stacks in the account."""
    config, models = visit.config, [model.name for model in visit.models]
    names = []
    if visit.of_toolchain:
        roads = [naming.delivery_stack(config, road) for road in (*models, naming.PLATFORM)]
        names += [naming.toolchain_stack(config), *roads, *(naming.registry_stack(config, model) for model in models)]
    for environment in config.environments:
        if environment.account == visit.account:
            names += [naming.serving_stack(config, model, environment) for model in models]
            names += [naming.monitoring_stack(config, model, environment) for model in models]
            scored = [model.name for model in visit.models if model.serving[environment.name].batch]
            names += [naming.batch_stack(config, model, environment) for model in scored]
    return names


def _names(visit: Visit, model: ModelSpec) -> Iterator[Finding]:
    """What the model's registry is about to make under a fixed name, where its stack does not stand."""
    registry = naming.registry_stack(visit.config, model.name)
    if stack.read(visit.clients("cloudformation"), registry):
        return
    taken = 0
    for kind, name, ask in _fixed(visit, model.name):
        state = _taken(ask)
        if state in OTHERS:
            taken += 1
            yield visit.wrong("names", f"{kind} {name} is somebody else's: bucket names are the world's", "choose another `project`")
        elif state is None:
            taken += 1
            advice = "a deleted stack kept it: import it into the stack (cdk import), or delete it"
            yield visit.wrong("names", f"{kind} {name} is there, and the stack {registry} is not", advice)
    if not taken:
        yield visit.right("names", f"those of {model.name} are free")


def _fixed(visit: Visit, model: str) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Each kind, its name, and the question that AWS answers where there is such a thing."""
    config, clients = visit.config, visit.clients
    for bucket in (naming.data_bucket(config, model), naming.artifacts_bucket(config, model)):
        yield "bucket", bucket, partial(clients("s3").head_bucket, Bucket=bucket)
    repository, group = naming.image_repository(config, model), naming.model_package_group(config, model)
    yield "image repository", repository, partial(clients("ecr").describe_repositories, repositoryNames=[repository])
    yield "model package group", group, partial(clients("sagemaker").describe_model_package_group, ModelPackageGroupName=group)


def _taken(ask: Callable[[], object]) -> str | None:
    """None where the thing is there; else the code with which AWS says why not."""
    try:
        ask()
    except ClientError as error:
        if code(error) not in ABSENT + OTHERS:
            raise
        return code(error)
    return None
