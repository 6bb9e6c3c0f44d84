"""What an instance type's name tells, for every type that SageMaker has."""

from __future__ import annotations

import botocore.session
import pytest

from deployability.instances import processors

SAGEMAKER = botocore.session.get_session().get_service_model("sagemaker")
TYPES = {one for shape in ("ProductionVariantInstanceType", "TrainingInstanceType") for one in SAGEMAKER.shape_for(shape).metadata["enum"]}


@pytest.mark.parametrize(
    ("instance_type", "count"),
    [
        ("ml.t2.medium", 2),
        ("ml.m8g.medium", 1),
        ("ml.m5.large", 2),
        ("ml.c4.8xlarge", 36),
        ("ml.c5.18xlarge", 72),
        ("ml.p3.2xlarge", 8),
        ("ml.inf1.6xlarge", 24),
        ("ml.g5.48xlarge", 192),
        ("ml.trn1.32xlarge", 128),
        ("ml.p6e-gb200.36xlarge", 144),
    ],
)
def test_processors(instance_type: str, count: int) -> None:
    assert processors(instance_type) == count


def test_every_type_has_processors() -> None:
    assert len(TYPES) > 200
    for instance_type in TYPES:
        assert processors(instance_type) >= 1


def test_a_size_that_is_none() -> None:
    with pytest.raises(ValueError, match="the size of the instance is not known"):
        processors("ml.m5.huge")
