"""Checkpoints: whole or not there, of this training or refused, and as many as are needed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from container import job

from paved_runtime.checkpoints import KEPT, CheckpointError, Checkpoints
from paved_runtime.spec import ModelSpec

ORIGIN = {"commit": "c1", "data_sha256": "d1", "image_uri": "i1", "eta": "0.1"}


def write(text: str, file: Path) -> None:
    file.write_text(text)


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoints:
    """Those of a training that has saved three times."""
    checkpoints = Checkpoints(folder=tmp_path, origin=ORIGIN)
    for step in (5, 10, 100):
        checkpoints.save(step, partial(write, f"state {step}"))
    return checkpoints


def content(file: Path | None) -> str | None:
    return file.read_text() if file else None


def test_the_latest_is_the_one_of_the_most_steps(saved: Checkpoints) -> None:
    assert content(saved.latest()) == "state 100"


def test_older_ones_go(saved: Checkpoints, tmp_path: Path) -> None:
    assert len(list(tmp_path.iterdir())) == KEPT
    assert content(saved.latest()) == "state 100"


def test_half_a_file_is_none_and_the_one_before_it_is_taken(saved: Checkpoints, capsys: pytest.CaptureFixture[str]) -> None:
    latest = saved.latest()
    assert latest is not None
    latest.write_text("state 1")

    assert content(saved.latest()) == "state 10"
    assert f"checkpoint {latest.name} is not whole" in capsys.readouterr().out


def test_a_draft_is_none(tmp_path: Path) -> None:
    """A machine that is taken away while it writes leaves one, and SageMaker brings it back."""
    checkpoints = Checkpoints(folder=tmp_path, origin=ORIGIN)

    def interrupted(file: Path) -> None:
        file.write_text("sta")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(5, interrupted)
    assert len(list(tmp_path.iterdir())) == 1
    assert checkpoints.latest() is None


@pytest.mark.parametrize("part", list(ORIGIN))
def test_those_of_another_training_are_refused_in_one_line(saved: Checkpoints, tmp_path: Path, part: str) -> None:
    other = Checkpoints(folder=tmp_path, origin={**ORIGIN, part: "another"})

    with pytest.raises(CheckpointError, match=f"is not of this training .*{part} another.*: give the job a prefix") as refusal:
        other.latest()
    assert "\n" not in str(refusal.value)
    assert content(saved.latest()) == "state 100"


def test_where_there_is_no_place_for_them_nothing_is_written() -> None:
    Checkpoints().save(1, lambda file: pytest.fail(f"{file} was asked for"))

    assert Checkpoints().latest() is None


def test_a_host_that_does_not_write_reads(saved: Checkpoints, tmp_path: Path) -> None:
    other = Checkpoints(folder=tmp_path, origin=ORIGIN, writes=False)
    other.save(200, lambda file: pytest.fail(f"{file} was asked for"))

    assert content(other.latest()) == content(saved.latest())


def test_a_job_has_a_place_for_them_where_sagemaker_made_one(tmp_path: Path, model_spec: ModelSpec) -> None:
    assert job(tmp_path, model_spec).checkpoints.folder is None
    (tmp_path / "checkpoints").mkdir()
    checkpoints = job(tmp_path, model_spec).checkpoints

    assert checkpoints.folder == tmp_path / "checkpoints"
    assert checkpoints.writes
    assert set(checkpoints.origin) >= {"commit", "image_uri", *model_spec.training.hyperparameters}
