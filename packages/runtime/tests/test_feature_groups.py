"""A group's declaration is checked once, and whatever is wrong with it is one line that says where, what, and what is accepted."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import feature_groups
from paved_runtime.feature_groups import FeatureGroup, FeatureGroupError

GROUPS = Path(__file__).parent / "feature_groups"
GROUP = "customer_activity"
DECLARED = (GROUPS / GROUP / "group.toml").read_text()


def written(folder: Path, text: str, group: str = GROUP, sql: str = "FROM source") -> Path:
    """A folder of groups that has one."""
    home = folder / "feature_groups" / group
    home.mkdir(parents=True)
    (home / "group.toml").write_text(text)
    (home / "features.sql").write_text(sql)
    return folder / "feature_groups"


def test_a_declaration_says_what_the_store_has() -> None:
    group = feature_groups.load(GROUP, GROUPS)

    assert (group.name, group.online, group.freshness_hours) == (GROUP, True, 48)
    assert group.definitions == {
        "customer_id": "String",
        "as_of": "String",
        "balance_mean_30d": "Fractional",
        "visits_7d": "Integral",
        "segment": "String",
        "ingestion": "String",
    }
    assert "FROM source" in feature_groups.query(GROUP, GROUPS)


def test_where_nobody_declares_any_there_is_none(tmp_path: Path) -> None:
    assert feature_groups.load_all(tmp_path / "feature_groups") == []


def test_groups_come_in_alphabetical_order(tmp_path: Path) -> None:
    groups = written(tmp_path, DECLARED, "visits")
    for name in ("accounts", "notes"):
        (groups / name).mkdir()
    for name in ("group.toml", "features.sql"):
        (groups / "accounts" / name).write_text((groups / "visits" / name).read_text())

    assert [group.name for group in feature_groups.load_all(groups)] == ["accounts", "visits"]


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ("owner = .*", "", "owner: this key is required"),
        ("online", "offline", "there is no such key; docs/feature-store.md lists them all"),
        ("freshness_hours = 48", 'freshness_hours = "48"', "freshness_hours: found '48'; Input should be a valid number"),
        ("freshness_hours = 48", "freshness_hours = 0", "freshness_hours: found 0; Input should be greater than 0"),
        ('"text"', '"string"', "features.segment: found 'string'; Input should be 'integer', 'number' or 'text'"),
        ("segment", '"a b"', "features.a b: found 'a b'; String should match pattern"),
        ("segment", "write_time", "features.write_time: found 'write_time', which the store has for itself: reserved are"),
        ("segment", "Ingestion", "features.Ingestion: found 'Ingestion', which the store has for itself"),
        ("segment", "Visits_7D", "features.Visits_7D: found 'Visits_7D', which features.visits_7d has: give each a name of its own"),
        ('"as_of"', '"customer_id"', "event_time: found 'customer_id', which record_identifier has"),
        ("description", "name", "name: found .*; the folder's name is the group's name"),
        ("description", "description =", "not valid TOML"),
        (r"(?s)\[features\].*", "features = {}", "features: found {}; Dictionary should have at least 1 item"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, before: str, after: str, error: str) -> None:
    text = "online = true\n" + DECLARED
    groups = written(tmp_path, re.sub(before, after, text, count=1))

    with pytest.raises(FeatureGroupError, match=rf"^feature_groups/{GROUP}/group.toml: .*{error}") as caught:
        feature_groups.load(GROUP, groups)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize("name", ["Customer", "1st", "a-b", "a_", "a" * 33])
def test_a_folder_that_cannot_be_a_group_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FeatureGroupError, match=f"name: found '{name}'; String should match pattern"):
        feature_groups.load(name, written(tmp_path, DECLARED, name))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    groups = written(tmp_path, DECLARED)
    with pytest.raises(FeatureGroupError, match=f"feature_groups/other/group.toml: no such file; known groups: {GROUP}"):
        feature_groups.load("other", groups)
    (groups / GROUP / "features.sql").write_text(" \n")
    with pytest.raises(FeatureGroupError, match=r"features\.sql: it is empty"):
        feature_groups.load(GROUP, groups)
    (groups / GROUP / "features.sql").write_bytes(b"\xff")
    with pytest.raises(FeatureGroupError, match=r"features\.sql: not UTF-8"):
        feature_groups.load(GROUP, groups)
    (groups / GROUP / "features.sql").unlink()
    with pytest.raises(FeatureGroupError, match=r"features\.sql: no such file"):
        feature_groups.load(GROUP, groups)


@given(st.text(max_size=70))
def test_every_name_that_is_accepted_is_one_of_sagemaker(name: str) -> None:
    content = tomllib.loads(DECLARED) | {"name": "g", "features": {name: "text"}}
    try:
        FeatureGroup.model_validate(content)
    except ValueError:
        return
    assert re.fullmatch(r"[a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,63}", name)
    assert len(name) <= 64


@given(st.dictionaries(st.text(max_size=20), st.dictionaries(st.text(max_size=20), st.text(max_size=300))))
def test_what_variables_tell_is_read_however_much_it_is(groups: dict[str, dict[str, str]]) -> None:
    variables = feature_groups.variables(groups)

    assert json.loads(feature_groups.told({**variables, "FEATURES_UNTIL": "2026-11-30T12:00:00Z"})) == groups
    assert max(map(len, variables.values())) <= feature_groups.LONGEST_VALUE
    assert feature_groups.told({"FEATURES_UNTIL": "2026-11-30T12:00:00Z"}) == ""
