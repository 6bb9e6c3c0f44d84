"""What was approved beside the road lies in the registry, and is told."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.deployment.registry import Registry
from pipelines.deployment.unproven import Unproven, unproven
from tests.support import sample
from tests.support.fakes import Altered
from tests.support.world import World


class Listing:
    """A paginator that tells of one approved version three times; `asked` is what for."""

    def __init__(self, arn: str) -> None:
        self.arn, self.asked = arn, dict[str, Any]()

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.asked = asked
        return [{"ModelPackageSummaryList": [{"ModelPackageArn": self.arn}] * 3}]


def registry(world: World, listing: Listing) -> Registry:
    """The world's, as far as its version goes."""
    return world.registry(sagemaker=Altered(world.sagemaker, get_paginator=lambda _: listing))


def why(world: World) -> str:
    """What the newest approved version lacks."""
    made = registry(world, Listing(world.arn))
    (first,) = unproven(made, newest=1)
    assert len(unproven(made)) == 3
    return first.why


def test_what_the_road_approved_is_in_order(approved: World) -> None:
    listing = Listing(approved.arn)

    assert unproven(registry(approved, listing)) == []
    assert (listing.asked["ModelApprovalStatus"], listing.asked["SortOrder"]) == ("Approved", "Descending")


@pytest.mark.parametrize(
    ("lost", "content", "said"),
    [
        ("uri", None, "it has no evidence"),
        ("uri", b"{}", "its evidence is none (s3://"),
        ("approval_uri", None, "its evidence has no approval"),
        ("approval_uri", b"{}", "its evidence has no approval"),
    ],
)
def test_what_a_hand_approved_is_told(approved: World, lost: str, content: bytes | None, said: str) -> None:
    with approved.holding(getattr(approved, lost), content):
        assert why(approved).startswith(said)


def test_what_the_registry_says_otherwise_is_told(approved: World) -> None:
    with approved.registered("Approved", "fine"):
        assert why(approved) == "its evidence has another approval"


def test_the_line_says_what_to_type() -> None:
    assert Unproven(model_package_arn=f"{sample.ARN}/7", why="it has no evidence").line() == (
        "version 7 is approved in the registry though it has no evidence: find out who approved it, and reject it:"
        f" aws sagemaker update-model-package --model-package-arn {sample.ARN}/7 --model-approval-status Rejected"
    )
