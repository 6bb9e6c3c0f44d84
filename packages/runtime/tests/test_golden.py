"""A model that answers otherwise than it did in evaluation is not the one that was evaluated."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paved_runtime import artifact, golden
from paved_runtime.artifact import ArtifactError
from paved_runtime.invocations import Invocations

Golden = dict[str, Any]


@pytest.fixture(scope="module")
def recorded(trained: Path) -> Golden:
    content: Golden = artifact.read_json(trained / "model" / artifact.GOLDEN)
    return content


def test_what_was_recorded_is_answered_again(recorded: Golden, invocations: Invocations) -> None:
    golden.replay(recorded, invocations)


def score(content: Golden) -> None:
    content["requests"][1]["scores"][0] += 1e-5


def not_a_number(content: Golden) -> None:
    content["requests"][0]["scores"][0] = float("nan")


def base(content: Golden) -> None:
    content["explained"]["base"] += 0.01


def contribution(content: Golden) -> None:
    content["explained"]["contributions"][2]["balance"] -= 0.01


def no_reason(content: Golden) -> None:
    content["explained"]["contributions"][0]["balance"] = float("nan")


def unasked(content: Golden) -> None:
    del content["explained"]


def status(content: Golden) -> None:
    content["bad_requests"][3]["expect"] = 422


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (score, "golden request 2 is answered differently than in evaluation, by 1e-05"),
        (not_a_number, "golden request 1 is answered differently than in evaluation, by nan"),
        (base, "the golden request's reasons differ from evaluation's, by 0.01 in log-odds"),
        (contribution, "the golden request's reasons differ from evaluation's, by 0.01 in log-odds"),
        (no_reason, "the golden request's reasons differ from evaluation's, by nan in log-odds"),
        (unasked, "the model gave no reasons in evaluation, this image's model.toml wants some: train the model again"),
        (status, "is answered 400, not 422 as in evaluation"),
    ],
)
def test_another_answer_is_refused(recorded: Golden, invocations: Invocations, edit: Callable[[Golden], None], message: str) -> None:
    content = copy.deepcopy(recorded)
    edit(content)

    with pytest.raises(ArtifactError, match=message):
        golden.replay(content, invocations)
