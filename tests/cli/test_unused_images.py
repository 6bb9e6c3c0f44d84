"""Which images no version was made with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import naming
from cli import unused_images
from pipelines.deployment import package
from pipelines.deployment.registry import Registry
from tests.reference import CONFIG, MODEL
from tests.support.fakes import Fake
from tests.support.ledger import ledger_entry, wipe, write_entry
from tests.support.world import World

NOW = datetime(2026, 11, 30, tzinfo=UTC)
REPOSITORY = naming.image_repository(CONFIG, MODEL)


def digest(number: int) -> str:
    return f"sha256:{number:064d}"


def images(*digests: str, days: int = 30) -> Fake:
    """An ECR with these images, oldest first; the oldest is so many days old."""
    details = [
        {
            "imageDigest": each,
            "imageTags": [f"commit-{number}"],
            "imagePushedAt": NOW - timedelta(days=days - number),
            "imageSizeInBytes": 412_000_000,
        }
        for number, each in enumerate(digests)
    ]
    return Fake(describe_images=lambda **_: {"imageDetails": details})


def registry(world: World, ecr: Fake) -> Registry:
    """The model's, whose one version is the world's."""
    listed = {"ModelPackageSummaryList": [{"ModelPackageArn": world.arn}]}
    sagemaker = Fake(list_model_packages=lambda **_: listed, describe_model_package=world.sagemaker.describe_model_package)
    return world.registry(ecr=ecr, sagemaker=sagemaker)


def unused(world: World, ecr: Fake) -> list[str]:
    return [each.name for each in unused_images.look(registry(world, ecr), NOW - timedelta(days=14))]


def test_an_image_that_no_version_names_is_told_with_its_commit_its_size_and_the_command(approved: World) -> None:
    (one,) = unused_images.look(registry(approved, images(digest(1), digest(2))), NOW - timedelta(days=14))

    assert (one.account, one.kind, one.name) == (CONFIG.toolchain.id, "image", f"{REPOSITORY}@{digest(1)}")
    assert one.why == "no registered version was made with it (commit commit-0, 412 MB)"
    assert one.command.endswith(f"ecr batch-delete-image --repository-name {REPOSITORY} --image-ids imageDigest={digest(1)}")


def test_the_image_of_a_version_the_newest_one_and_young_ones_are_not(approved: World) -> None:
    own = package.read(approved.sagemaker, approved.arn).image.rpartition("@")[2]

    assert unused(approved, images(own, digest(2))) == []
    assert unused(approved, images(digest(1), digest(2), days=10)) == []
    assert unused(approved, images(digest(1))) == []
    assert unused(approved, images()) == []


def test_an_image_that_the_ledger_names_is_not(approved: World) -> None:
    image = f"{ledger_entry().image_uri.rpartition('@')[0]}@{digest(1)}"
    write_entry(approved, "2026-11-21T10:00:00Z", image_uri=image)
    try:
        assert unused(approved, images(digest(1), digest(2))) == []
    finally:
        wipe(approved.s3, approved.artifacts, "ledger/")
    assert unused(approved, images(digest(1), digest(2))) == [f"{REPOSITORY}@{digest(1)}"]
