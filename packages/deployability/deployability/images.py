"""Images: what a model or a container starts from, and that it is the same tomorrow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deployability.rule import Finding, rule
from deployability.template import Template, filled, get, items, words

REPOSITORY = "AWS::ECR::Repository"


@rule("W9240", "A model's image is the same tomorrow", absent="an image without a tag is :latest; ImageTagMutability left out is MUTABLE")
def same_image(template: Template) -> Iterator[Finding]:
    for name, properties in template.of("AWS::SageMaker::Model"):
        for container in (*items(properties.get("PrimaryContainer")), *items(properties.get("Containers"))):
            image = words(get(container, "Image") or "${}")
            if wrong := _moves(template, get(container, "Image"), image):
                yield Finding(name, f"{image} {wrong}", "name the image by its digest: @sha256:…")


def _moves(template: Template, value: Any, image: str) -> str:
    tag = re.search(r":[\w.-]+$", image)
    if image.endswith(":latest"):
        return "is another image after each push: two instances of one endpoint can differ"
    if re.search(r"\.dkr\.ecr\.[^/]+/[\w./-]+$", image) and not tag:
        return "names no tag, which is :latest: two instances of one endpoint can differ"
    repository = _repository(template, value)
    if repository and tag and "@" not in image:
        return f"names a tag of {repository}, whose tags can be moved"
    return ""


def _repository(template: Template, value: Any) -> str:
    """The repository of the template that an image is of, where its tags can be moved."""
    for name, properties in template.of(REPOSITORY):
        mutable = properties.get("ImageTagMutability", "MUTABLE") == "MUTABLE"
        if mutable and any(one.partition(".")[0] == name for one in filled(words(value))):
            return name
    return ""
