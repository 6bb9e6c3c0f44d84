"""Copies go where there is room for them: never more on an instance than it has, and never more instances than copies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.exceptions import JsonRESTError

from localcloud.sagemaker.placement import Room, needed, of_copy, of_instance

INSTANCE = Room(4, 16384, 1)
rooms = st.builds(Room, st.sampled_from([0, 0.25, 1, 2, 4]), st.integers(128, 16384), st.sampled_from([0, 1]))
here = pytest.mark.laptop("numbers")


@here
@given(st.lists(rooms, max_size=12))
def test_instances_hold_what_is_placed_and_are_no_more_than_copies(copies: list[Room]) -> None:
    count = needed(copies, INSTANCE)

    assert count is not None
    assert count <= len(copies)
    for part in ("cores", "memory", "accelerators"):
        assert sum(getattr(copy, part) for copy in copies) <= count * getattr(INSTANCE, part)


@here
@given(st.lists(rooms, max_size=8), rooms)
def test_one_more_copy_never_takes_fewer_instances(copies: list[Room], more: Room) -> None:
    assert (needed([*copies, more], INSTANCE) or 0) >= (needed(copies, INSTANCE) or 0)


@here
@pytest.mark.parametrize("large", [Room(5, 128, 0), Room(1, 16385, 0), Room(1, 128, 2)])
def test_what_is_larger_than_an_instance_has_no_place(large: Room) -> None:
    assert needed([large], INSTANCE) is None


@here
def test_an_instance_has_what_ec2_says_and_a_copy_takes_what_it_requires() -> None:
    assert of_instance("ml.m7i.large") == Room(2, 8192, 0)
    assert of_instance("ml.g5.12xlarge").accelerators == 4
    assert of_copy({"MinMemoryRequiredInMb": 1024, "NumberOfAcceleratorDevicesRequired": 1}) == Room(0, 1024, 1)
    with pytest.raises(JsonRESTError, match="does not know what an"):
        of_instance("ml.x9.large")
