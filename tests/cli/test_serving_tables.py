"""A model's serving tables follow the environments of config.py; every other byte of model.toml stays."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import serving_tables
from config import Account, Config, Environment
from paved_runtime import spec
from tests.reference import CONFIG, MODEL, MODELS

STAGING, PRODUCTION = (environment.name for environment in CONFIG.environments)
TEXT = (MODELS / MODEL / "model.toml").read_text()
SERVING = tomllib.loads(TEXT)["serving"]
NAMES = st.lists(st.from_regex(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*", fullmatch=True), min_size=1, max_size=3, unique_by=str.lower)
OTHERS = ("purpose = 'x'", "", "[data] # [serving.a]", "# of serving", "values = [", "]", "[[gates.behaviour.invariance]]", "[servings.x]")
TABLE = "[serving.{}]\ninstances = {} # ü\n# within\n[serving.{}.deployment]\npolicy = 'canary'\n"


def configured(*names: str) -> Config:
    account = Account(id="400000000001", region="eu-north-1")
    return replace(CONFIG, environments=tuple(Environment(name=name, account=account, approved_only=False) for name in names))


@pytest.mark.parametrize(
    ("names", "sources"),
    [
        (["dev", "live"], [STAGING, PRODUCTION]),
        (["dev", "test", "live"], [STAGING, STAGING, PRODUCTION]),
        (["live"], [PRODUCTION]),
        ([STAGING], [STAGING]),
        ([STAGING, PRODUCTION, "elsewhere"], [STAGING, PRODUCTION, PRODUCTION]),
        (["dev", STAGING], [STAGING, STAGING]),
    ],
)
def test_an_environment_keeps_its_table_or_gets_that_of_its_place(names: list[str], sources: list[str]) -> None:
    moved = tomllib.loads(serving_tables.moved_to(TEXT, names))

    assert moved["serving"] == {name: SERVING[source] for name, source in zip(names, sources, strict=True)}
    assert {key: value for key, value in moved.items() if key != "serving"} == {
        key: value for key, value in tomllib.loads(TEXT).items() if key != "serving"
    }


@pytest.mark.parametrize("names", [[STAGING, PRODUCTION], [PRODUCTION, STAGING]])
def test_the_same_environments_change_nothing(names: list[str]) -> None:
    assert serving_tables.moved_to(TEXT, names) == TEXT


@given(
    before=NAMES,
    after=NAMES,
    head=st.lists(st.sampled_from(OTHERS)),
    tail=st.lists(st.sampled_from(OTHERS)),
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=50, deadline=None)
def test_every_other_byte_stays(before: list[str], after: list[str], head: list[str], tail: list[str], end: str) -> None:
    tables = [TABLE.format(name, number, name).splitlines() for number, name in enumerate(before)]
    lines = [*head, "[other]", *(line for table in tables for line in table), "[last]", *tail]

    moved = serving_tables.moved_to(end.join([*lines, ""]), after)

    start, rest = end.join([*head, "[other]", ""]), end.join(["[last]", *tail, ""])
    assert moved.startswith(start)
    assert moved.endswith(rest)
    assert list(tomllib.loads(moved[len(start) : len(moved) - len(rest)])["serving"]) == (before if set(before) == set(after) else after)
    assert serving_tables.moved_to(moved, after) == moved


def test_a_comment_above_a_table_goes_with_it() -> None:
    text = "[serving.a]\nx = 1\n\n# two, for a canary\n[serving.b]\nx = 2\n"
    assert serving_tables.moved_to(text, ["c", "d", "b"]) == (
        "[serving.c]\nx = 1\n\n[serving.d]\nx = 1\n\n# two, for a canary\n[serving.b]\nx = 2\n"
    )
    assert serving_tables.moved_to(text, ["b"]) == "# two, for a canary\n[serving.b]\nx = 2\n"


def test_a_last_line_that_does_not_end_is_ended() -> None:
    assert serving_tables.moved_to("[serving.b]\nx = 1", ["b", "c"]) == "[serving.b]\nx = 1\n[serving.c]\nx = 1\n"


def test_models_without_tables_are_left_alone_and_the_others_are_named(tmp_path: Path) -> None:
    contents = {"churn": TEXT, "credit": "purpose = 'unfinished'", "loans": TEXT.replace("\n", "\r\n")}
    for model, text in contents.items():
        (tmp_path / model).mkdir()
        (tmp_path / model / "model.toml").write_bytes(text.encode())

    assert serving_tables.follow(tmp_path, configured("dev", "live")) == ["churn", "loans"]
    assert serving_tables.follow(tmp_path, configured("dev", "live")) == []
    assert (tmp_path / "credit/model.toml").read_text() == contents["credit"]
    crlf = (tmp_path / "loans/model.toml").read_bytes()
    assert crlf.count(b"\r\n") == crlf.count(b"\n") == TEXT.count("\n")
    assert list(spec.load("churn", tmp_path).serving) == ["dev", "live"]
