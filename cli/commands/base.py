"""`road base`: what models' images are built on, and its digest, pinned anew on request."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import base_images, output
from cli.tree import HERE
from config import CONFIG
from pipelines.deployment.base_image import LOCK


def base(
    *,
    renew: Annotated[bool, typer.Option("--renew", help=f"Ask its registry, pin the digest in {LOCK}, and show what changes.")] = False,
    json: output.Json = False,
) -> None:
    """Print the base of models' images, as `docker build --build-arg BASE=…` takes it. Every build takes what is pinned here."""
    if not renew:
        reference = base_images.read(CONFIG.images.base, HERE / LOCK)
        output.show(str(reference), {"base": str(reference), "digest": reference.digest or None}, json=json)
        return
    renewal = base_images.renew(CONFIG.images.base, HERE / LOCK)
    following = f"commit {LOCK}: a model's next build takes it" if renewal.changed else "nothing: it was pinned already"
    machine = {"before": str(renewal.before or "") or None, "base": str(renewal.new.reference), "changed": renewal.changed}
    output.show(output.table({**renewal.changes(), "next": following}), machine, json=json)
