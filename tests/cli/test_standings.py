"""What commands learn of endpoints: also that somebody may not look."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import standings
from tests import reference
from tests.support.fake_production import ENDPOINT, ENVIRONMENT, Production
from tests.support.fakes import Fake, refusal
from tests.support.sample import ARN
from tests.support.target import FakeTarget


def refused(code: str) -> FakeTarget:
    def refuse(**_: Any) -> None:
        raise refusal(code, "you may not look")

    return FakeTarget(cloudformation=Fake(describe_stacks=refuse))


def test_an_endpoint_is_asked() -> None:
    production = Production.serving(f"{ARN}/1")
    aws = FakeTarget(cloudformation=production, sagemaker=production)
    assert standings.look(aws, reference.model(), ENVIRONMENT).serves == f"{ARN}/1"

    production.gone = True
    assert f"endpoint {ENDPOINT} is gone" in standings.look(aws, reference.model(), ENVIRONMENT).lines[0]


def test_who_may_not_look_is_told_and_sees_the_rest() -> None:
    now = standings.look(refused("AccessDenied"), reference.model(), ENVIRONMENT)

    assert now.state == "unknown"
    assert now.lines == (f"what serves in {ENVIRONMENT.name} is not known: you may not look: use credentials that may look there",)
    with pytest.raises(ClientError, match="Throttling"):
        standings.look(refused("Throttling"), reference.model(), ENVIRONMENT)
