"""What a person types about features, and reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import feature_sql, ingestions
from cli.__main__ import main
from cli.commands import check, features
from cli.feature_places import Place
from cli.repository import Clone
from localcloud.testing.in_process import Aws
from tests.reference import ROOT
from tests.support.fakes import Anything
from tests.support.feature_groups import GROUP, GROUPS, group, place, source, written


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are typed where the frozen group is the only one."""
    monkeypatch.chdir(GROUPS.parents[1])


class Cloud(Anything):  # type: ignore[misc]
    """The cloud of the tests' own process, as a command's target."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def session(self, account: Any) -> Any:
        class Session(Anything):  # type: ignore[misc]
            client = staticmethod(place(self.aws, account, "").clients)

        return Session()


@pytest.mark.usefixtures("frozen")
def test_groups_are_checked_without_aws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", "check"]) == 0
    assert capsys.readouterr().out == "customer_activity is in order\n"
    assert main(["features", "check", GROUP, "--source", str(source(tmp_path)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"group": GROUP, "rows": 3}]
    assert check._feature_groups() == (0, "")


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["check", "--source", "visits.csv"], "road features check: files are the source of one group: name it, too"),
        (["check", "none"], "feature group none: there are customer_activity: name one of them"),
        (["put", "none", "--source", "visits.csv"], "feature group none: there are customer_activity: name one of them"),
        (["put", GROUP, "--source", "none.csv"], "there is no such file: name CSV or Parquet files, or a folder of such"),
        (["show", "none"], "feature group none: there are customer_activity: name one of them"),
    ],
)
def test_what_was_typed_wrongly_is_named(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", *arguments]) == 2
    assert capsys.readouterr().err.endswith(f"{why}\n")


def test_nothing_is_asked_of_aws_where_no_group_is_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["features", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["features"]) == 0
    assert "no feature group is declared" in capsys.readouterr().out


def test_records_are_put_and_made_again(aws: Aws, places: list[Place], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cloud, home = Cloud(aws), places[0]
    files = [source(tmp_path, ["of-commands,2026-01-01,1,1,x", "of-commands,2026-01-03,1,1,x", "and-others,2026-01-03,1,1,x"])]
    with feature_sql.made(group(), files, GROUPS) as made:
        ended = features._put(ingestions.begin(made, files, [home], Clone(ROOT)), made, [home])
        written(aws, home)
        features._replay(cloud, group(), made, files, ended.ingestion, json=False)
    assert capsys.readouterr().out == "3 records: the offline store has what source and SQL make\n"

    ingestions.write(home, replace(ended, ingestion="never"))
    with feature_sql.made(group(), files, GROUPS) as made, pytest.raises(typer.Exit):
        features._replay(cloud, group(), made, files, "never", json=True)
    printed = capsys.readouterr()

    assert json.loads(printed.out)["missing"] == 3
    assert "what was put in the last fifteen minutes may not be in the offline store yet" in printed.err
    assert features._told(ended)["events"] == "2026-01-02T00:00:00Z to 2026-01-04T00:00:00Z"
