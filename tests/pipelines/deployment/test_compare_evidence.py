"""What a deployment is let through for: everything that the evidence binds is what it was. What happens otherwise is in tests/faults."""

from __future__ import annotations

import pytest

from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document
from tests.support.fakes import Altered, refusal
from tests.support.world import BOUND, World


def test_all_that_is_bound_is_compared_and_matches(approved: World) -> None:
    compared = approved.compare(evidence_sha256=document.shown_sha256(approved.evidence))

    assert {comparison.what for comparison in compared} == BOUND
    assert [comparison.line() for comparison in compared if not comparison.matches] == []


def test_a_candidate_without_evidence(staged: World) -> None:
    with pytest.raises(DeploymentError, match=r"evidence.json is not there: arn:.* has no evidence: deliver it again with a push"):
        staged.compare()


def test_a_question_that_aws_refuses_is_no_match(approved: World) -> None:
    def refused(**_: object) -> None:
        raise refusal("AccessDeniedException", "not authorized")

    with pytest.raises(Exception, match="not authorized"):
        approved.compare(ecr=Altered(approved.ecr, describe_images=refused))
