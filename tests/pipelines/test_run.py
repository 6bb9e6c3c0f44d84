"""A run: handed from one program to the next as a line of JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.run import Run
from tests.support.runs import CHAMPIONED, DATA_SHA256, LOOKING_UP, RUN


@pytest.mark.parametrize("run", [RUN, CHAMPIONED, LOOKING_UP], ids=["first", "championed", "looking-up"])
def test_what_is_written_is_read(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(run.json() + "\n")

    assert Run.read(file) == run
    assert len(file.read_text().splitlines()) == 1


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"image_uri": "x"}', RUN.json().replace('"commit"', '"comit"')])
def test_a_file_that_is_no_run(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)

    with pytest.raises(ValueError, match=r"run\.json: not a run that describe_run wrote: "):
        Run.read(tmp_path / "run.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"run\.json: not a run that describe_run wrote: "):
        Run.read(tmp_path / "run.json")


@pytest.mark.parametrize("missing", ["champion_arn", "champion_image_uri", "champion_model_uri"])
def test_half_a_champion_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match="go together: accepted are all three or none"):
        replace(CHAMPIONED, **dict[str, Any]({missing: ""}))


def test_what_jobs_read_and_know() -> None:
    assert RUN.data_folder == f"s3://data/data/{DATA_SHA256}/"
    assert RUN.environment == {"COMMIT": RUN.commit, "DATA_SHA256": DATA_SHA256, "IMAGE_URI": RUN.image_uri}


@pytest.mark.parametrize("missing", [{"features": {}}, {"features_until": ""}])
def test_features_without_the_moment_until_which_they_count_are_refused(missing: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="features and features_until go together"):
        replace(LOOKING_UP, **missing)
