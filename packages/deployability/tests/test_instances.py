"""What an instance type's name tells, for every type that SageMaker has."""

from __future__ import annotations

import botocore.session
import pytest

from deployability.instances import gpus, has_local_storage, processors

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


def test_every_type_with_gpus_says_how_many() -> None:
    """But for the newest family, whose page says nothing yet."""
    known = {instance_type: gpus(instance_type) for instance_type in TYPES if not instance_type.startswith("ml.g7.")}

    assert {kind for kind, count in known.items() if count} == {kind for kind in known if kind[3] in "gp"}
    assert max(known.values()) == 16


def test_a_type_that_nobody_has_written_down() -> None:
    with pytest.raises(ValueError, match=r"ml\.g7\.8xlarge: how many GPUs it has is not known"):
        gpus("ml.g7.8xlarge")


@pytest.mark.parametrize(
    ("instance_type", "local"),
    [
        ("ml.g5.xlarge", True),
        ("ml.g6e.12xlarge", True),
        ("ml.p6-b200.48xlarge", True),
        ("ml.p6e-gb200.36xlarge", True),
        ("ml.p3.2xlarge", False),
    ],
)
def test_the_disks_of_accelerators(instance_type: str, local: bool) -> None:
    assert has_local_storage(instance_type) is local
