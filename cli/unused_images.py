"""Images that no registered version was made with: of commits whose training failed, or whose gates refused.

A repository's own lifecycle rule removes images without a tag; each image of a commit has one. The road deletes none: it cannot know
whether an execution that failed is going to be retried, which would go on with the image that it built.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import naming
from cli.abandoned import Abandoned
from pipelines.deployment import ledger, package
from pipelines.deployment.registry import Registry

MEGABYTE = 10**6


def look(registry: Registry, before: datetime) -> Iterator[Abandoned]:
    """The images that were pushed `before`, that neither a version nor the ledger names, and that are not the newest, oldest first."""
    config, repository = registry.config, naming.image_repository(registry.config, registry.model.name)
    pages = registry.ecr.get_paginator("describe_images").paginate(repositoryName=repository, filter={"tagStatus": "TAGGED"})
    pushed = sorted((image for page in pages for image in page["imageDetails"]), key=lambda image: image["imagePushedAt"])
    old = [image for image in pushed[:-1] if image["imagePushedAt"] < before]
    named = set(_named(registry)) if old else set()
    for image in old:
        digest, commits = image["imageDigest"], ", ".join(image["imageTags"])
        if digest in named:
            continue
        size = image.get("imageSizeInBytes", 0) / MEGABYTE
        command = (
            f"aws --region {config.toolchain.region} ecr batch-delete-image --repository-name {repository} --image-ids imageDigest={digest}"
        )
        why = f"no registered version was made with it (commit {commits}, {size:.0f} MB)"
        yield Abandoned(account=config.toolchain.id, kind="image", name=f"{repository}@{digest}", why=why, command=command)


def _named(registry: Registry) -> Iterator[str]:
    """The digests of the images of all versions, whatever became of them, and of all that the ledgers tell of."""
    group = naming.model_package_group(registry.config, registry.model.name)
    for page in registry.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for summary in page["ModelPackageSummaryList"]:
            yield _digest(package.read(registry.sagemaker, summary["ModelPackageArn"]).image)
    for environment in registry.config.environments:
        for record in ledger.records(registry, environment.name):
            if record.entry:
                yield _digest(record.entry.image_uri)


def _digest(image: str) -> str:
    return image.rpartition("@")[2]
