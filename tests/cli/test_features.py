"""What is put into feature groups is there, in every account, with what it came from; and it can be made again and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console, RenderableType

import naming
from cli import feature_places, feature_sql, feature_values, features, ingestions, replays
from cli.feature_places import Place
from cli.ingestions import Ingestion
from cli.problem import Problem
from cli.repository import Clone
from localcloud.testing.in_process import Aws
from paved_runtime.feature_groups import FeatureGroup
from tests.reference import CONFIG
from tests.support.fakes import Fake, clients
from tests.support.feature_groups import GROUP, GROUPS, MADE, ROWS, group, source, values, with_sql, written
from tests.support.target import FakeTarget

TOOLCHAIN, STAGING = CONFIG.toolchain, CONFIG.environments[0].account
NAME = naming.feature_group(CONFIG, GROUP)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A repository with a change that no commit has."""
    folder = tmp_path_factory.mktemp("clone")
    clone = Clone(folder)
    clone.git("init", "--quiet")
    for name, value in (("user.name", "jo"), ("user.email", "jo@example.com")):
        clone.git("config", name, value)
    (folder / "file").write_text("1")
    clone.commit_all("first")
    (folder / "file").write_text("2")
    return clone


def put(files: list[Path], places: list[Place], clone: Clone) -> Ingestion:
    progress: list[int] = []
    with feature_sql.made(group(), files, GROUPS) as made:
        ended = ingestions.put(ingestions.begin(made, files, places, clone), made, places, progress.append)
        assert sum(progress) == made.rows
    return ended


@pytest.fixture(scope="module")
def first(places: list[Place], clone: Clone, tmp_path_factory: pytest.TempPathFactory, aws: Aws) -> tuple[Ingestion, Path]:
    """The ingestion of the rows, and their file."""
    file = source(tmp_path_factory.mktemp("source"))
    ended = put([file], places, clone)
    for place in places:
        written(aws, place)
    return ended, file


def shown(view: RenderableType) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def test_the_newest_records_are_online_in_every_account(first: tuple[Ingestion, Path], places: list[Place]) -> None:
    for place in places:
        answers = {who: values(place.runtime.get_record(FeatureGroupName=NAME, RecordIdentifierValueAsString=who)) for who in ("007", "8")}
        ingestion = first[0].ingestion
        assert answers == {
            "007": {
                "customer_id": "007",
                "as_of": "2026-01-04T00:00:00Z",
                "balance_mean_30d": "2.0",
                "visits_7d": "3",
                "ingestion": ingestion,
            },
            "8": {"customer_id": "8", "as_of": "2026-01-04T00:00:00Z", "visits_7d": "0", "segment": "a, b", "ingestion": ingestion},
        }


def test_the_manifest_says_of_what_by_what_and_how_many(first: tuple[Ingestion, Path], places: list[Place], clone: Clone) -> None:
    ended, file = first
    key = f"ingestions/{GROUP}/{ended.ingestion}.json"
    kept = json.loads(places[0].s3.get_object(Bucket=naming.features_bucket(CONFIG, TOOLCHAIN), Key=key)["Body"].read())

    assert kept == {
        "format": 1,
        "group": GROUP,
        "ingestion": ended.ingestion,
        "source": [{"name": "visits.csv", "bytes": file.stat().st_size, "sha256": ingestions.digest(file)}],
        "sql_sha256": ingestions.digest(GROUPS / GROUP / "features.sql"),
        "group_sha256": ingestions.digest(GROUPS / GROUP / "group.toml"),
        "commit": f"{clone.head()}+",
        "rows": 3,
        "first": "2026-01-02T00:00:00Z",
        "last": "2026-01-04T00:00:00Z",
        "began": ended.began,
        "ended": ended.ended,
        "places": ["toolchain", "staging"],
    }
    assert ingestions.read(places[0], GROUP, ended.ingestion) == ended
    with pytest.raises(Problem, match=f"ingestion none: {GROUP} has .*{ended.ingestion}"):
        ingestions.read(places[0], GROUP, "none")


def test_an_old_event_is_kept_and_the_newest_stays(
    first: tuple[Ingestion, Path], places: list[Place], clone: Clone, tmp_path: Path
) -> None:
    assert first
    put([source(tmp_path, ["8,2025-12-01,7,1,old"])], places, clone)

    answer = places[1].runtime.get_record(FeatureGroupName=NAME, RecordIdentifierValueAsString="8")
    assert values(answer)["segment"] == "a, b"


def recorded(put_record: Callable[..., Any], home: Place) -> tuple[Place, Fake]:
    """The place with another service for records."""
    fake = Fake(put_record=put_record)
    return Place("toolchain", TOOLCHAIN, clients({"sagemaker-featurestore-runtime": fake, "s3": home.s3})), fake


def test_records_of_one_are_put_in_their_order(places: list[Place], clone: Clone, tmp_path: Path) -> None:
    rows = [f"{who},2026-01-0{day},1,1,x" for day in range(9, 0, -1) for who in ("a", "b", "c", "d")]
    place, runtime = recorded(lambda **_: {}, places[0])
    put([source(tmp_path, rows)], [place], clone)
    times: dict[str, list[str]] = {}
    for asked in runtime.asked("put_record"):
        assert asked["FeatureGroupName"] == NAME
        record = values(asked)
        times.setdefault(record["customer_id"], []).append(record["as_of"])

    assert len(times) == 4
    assert {tuple(its) for its in times.values()} == {tuple(f"2026-01-{day:02d}T00:00:00Z" for day in range(2, 11))}


def test_what_could_not_be_put_is_told_and_its_manifest_has_no_end(places: list[Place], clone: Clone, tmp_path: Path) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutRecord")

    place, _ = recorded(refuse, places[0])
    before = {each.ingestion for each in ingestions.every(place, GROUP)}
    with pytest.raises(ClientError, match="AccessDenied"):
        put([source(tmp_path)], [place], clone)
    (new,) = [each for each in ingestions.every(place, GROUP) if each.ingestion not in before]

    assert new.ended is None
    assert features.Standing(group=group(), newest={}, ingestions=[new], why={}).records == 0


def test_a_replay_makes_the_same(first: tuple[Ingestion, Path], places: list[Place], aws: Aws) -> None:
    ingestion, file = first
    with feature_sql.made(group(), [file], GROUPS) as made:
        same = replays.compare(ingestion, made, [file], written(aws, places[0]))

    assert not same.any
    assert same == replays.Difference(missing=0, unexpected=0, different={}, examples=[])


def test_a_replay_tells_what_differs(first: tuple[Ingestion, Path], places: list[Place], aws: Aws, tmp_path: Path) -> None:
    ingestion, _ = first
    files = [source(tmp_path, ["007,2026-01-01,1.5,9,gold", "8,2026-01-03,,0,", "9,2026-01-03,1,1,x"])]
    taken = replace(ingestion, source=[{"name": "visits.csv", "sha256": ingestions.digest(files[0])}])
    with feature_sql.made(group(), files, GROUPS) as made:
        found = replays.compare(taken, made, files, written(aws, places[0]))

    assert found == replays.Difference(
        missing=1,
        unexpected=1,
        different={"visits_7d": 1, "segment": 1},
        examples=[
            "missing: 9 at 2026-01-04T00:00:00Z",
            "unexpected: 007 at 2026-01-04T00:00:00Z",
            "different: 007 at 2026-01-02T00:00:00Z",
            "different: 8 at 2026-01-04T00:00:00Z",
        ],
    )


def test_a_replay_wants_the_same_source_and_the_same_sql(
    first: tuple[Ingestion, Path], places: list[Place], tmp_path: Path, aws: Aws
) -> None:
    ingestion, file = first
    store = written(aws, places[0])
    other, groups = [source(tmp_path, ROWS[:1])], with_sql(tmp_path, (GROUPS / GROUP / "features.sql").read_text() + "\n")

    with (
        feature_sql.made(group(), other, GROUPS) as made,
        pytest.raises(Problem, match=r"these are not its source files: hand in visits\.csv"),
    ):
        replays.compare(ingestion, made, other, store)
    with (
        feature_sql.made(group(), [file], groups) as made,
        pytest.raises(Problem, match=r"features\.sql is not what it was then: git checkout"),
    ):
        replays.compare(ingestion, made, [file], store)


def test_what_was_known_of_somebody_is_shown(first: tuple[Ingestion, Path], places: list[Place]) -> None:
    with feature_values.brought(places[1], group()) as connection:
        rows = feature_values.history(connection, group(), "007")
        with pytest.raises(Problem, match="record 9 of customer_activity: there is none in the offline store"):
            feature_values.history(connection, group(), "9")

    assert [tuple(row.values())[:5] for row in rows] == [MADE[1], MADE[0]]
    assert {row["ingestion"] for row in rows} == {first[0].ingestion}
    assert "2026-01-04T00:00:00Z" in shown(feature_values.history_view(rows))


def test_how_values_are_spread_is_shown(first: tuple[Ingestion, Path], places: list[Place]) -> None:
    assert first
    with feature_values.brought(places[1], group()) as connection:
        spread = feature_values.histograms(connection, group())

    assert {name: (each["records"], each["missing"]) for name, each in spread.items()} == {
        "balance_mean_30d": (2, 1),
        "visits_7d": (2, 0),
        "segment": (2, 1),
    }
    assert spread["balance_mean_30d"]["counts"] == [([2.0, 2.0], 1)]
    assert [count for _, count in spread["visits_7d"]["counts"]] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert spread["segment"]["counts"] == [("a, b", 1)]
    assert "0 to 0.3" in shown(feature_values.histograms_view(spread))


def test_groups_are_listed_with_their_age(first: tuple[Ingestion, Path], places: list[Place]) -> None:
    standing = features.look(group(), places)
    told = standing.as_dict()

    assert first[0] in standing.ingestions
    assert set(standing.newest.values()) == {datetime(2026, 1, 4, tzinfo=UTC)}
    assert told["places"]["staging"] == {"newest_event": "2026-01-04T00:00:00+00:00", "fresh": False}
    assert told["records"] == sum(each["rows"] for each in told["ingestions"] if each["ended"]) >= 3
    assert "stale" in shown(features.overview([standing]))
    assert "no feature group is declared" in shown(features.overview([]))
    assert standing.is_fresh(datetime.now(UTC))
    assert not standing.is_fresh(None)


def described(answer: dict[str, Any] | None) -> Place:
    """A place whose group is so described."""

    def describe(**_: Any) -> dict[str, Any]:
        if answer is None:
            raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "DescribeFeatureGroup")
        return answer

    return Place("staging", STAGING, clients({"sagemaker": Fake(describe_feature_group=describe)}))


def definitions(declared: FeatureGroup, **changes: str) -> list[dict[str, str]]:
    return [{"FeatureName": name, "FeatureType": kind} for name, kind in {**declared.definitions, **changes}.items()]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "it is not deployed: ./road up"),
        ({"FeatureGroupStatus": "CreateFailed", "FailureReason": "no role"}, "it is CreateFailed: no role"),
        ({"FeatureGroupStatus": "Creating"}, "it is Creating: wait until it is Created"),
        (
            {"FeatureGroupStatus": "Created", "FeatureDefinitions": definitions(group(), age="String")},
            "not as group.toml declares it: age: push it",
        ),
        (
            {"FeatureGroupStatus": "Created", "FeatureDefinitions": definitions(group(), segment="Integral")},
            "not as group.toml declares it: segment: push it",
        ),
    ],
)
def test_what_is_not_ready_takes_no_records(answer: dict[str, Any] | None, why: str) -> None:
    with pytest.raises(Problem) as refused:
        described(answer).describe(group())
    assert str(refused.value).startswith(f"feature group {NAME} in staging: {why}")


def test_an_account_is_one_place_and_environments_are_chosen() -> None:
    aws = FakeTarget()

    assert [place.name for place in feature_places.everywhere(aws)] == ["toolchain", "staging", "production"]
    assert [place.name for place in feature_places.everywhere(aws, ["staging"])] == ["toolchain", "staging"]
    assert [place.name for place in (feature_places.one(aws, None), feature_places.one(aws, "staging"))] == ["toolchain", "staging"]
    with pytest.raises(Problem, match="environment nowhere"):
        feature_places.everywhere(aws, ["nowhere"])
