"""`road clean`: what it shows a person, and what is typed wrongly."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rich.console import Console

from cli.abandoned import Abandoned
from cli.cleaning import GOES, STAYS, Row
from cli.commands import clean
from pipelines.deployment.retained import Retained
from tests.reference import CONFIG, MODEL
from tests.support.road import Road

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def printed(rows: list[Row], remains: list[Abandoned]) -> list[list[str]]:
    """The words of each line."""
    console = Console(width=400)
    with console.capture() as captured:
        console.print(clean.view(rows, remains, NOW))
    return [line.split() for line in captured.get().splitlines() if line.strip()]


def test_each_thing_says_what_becomes_of_it_how_old_it_is_and_why() -> None:
    thing = Retained(kind="model", name="model-1", made=datetime(2026, 10, 1, tzinfo=UTC), tags={})
    kept = Retained(kind="model", name="model-2", made=datetime(2026, 11, 29, tzinfo=UTC), tags={}, needed="it serves")
    place = CONFIG.environments[-1]
    rows = [Row(model=MODEL, environment=place, thing=each, state=STAYS if each.needed else GOES) for each in (thing, kept)]
    rest = Abandoned(account="1", kind="bucket", name="b", why="gone", command="aws s3api delete-bucket --bucket b")

    heading, goes, stays, _, remaining = printed(rows, [rest])
    assert heading == ["days", "environment", "model", "what", "why"]
    assert goes == ["goes", "60", place.name, MODEL, "model", "model-1", "nothing", "needs", "it"]
    assert stays == ["stays", "1", place.name, MODEL, "model", "model-2", "it", "serves"]
    assert " ".join(remaining) == "1 bucket b: gone: aws s3api delete-bucket --bucket b"
    assert printed([], []) == [["no", "deployment", "has", "left", "anything", "behind"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "model nobody: there are lead_scoring: name one of them"),
        ((MODEL, "--environment", "moon"), "environment moon: config.py has staging, production"),
        (("--older-than", "-1"), "--older-than"),
        (("--older-than", "9999999999"), "there is no day 9999999999 days ago"),
        (("--keep", "0"), "--keep"),
    ],
)
def test_typed_wrongly(road: Road, arguments: tuple[str, ...], said: str) -> None:
    done = road("clean", *arguments)

    assert (done.returncode, said in done.stderr.splitlines()[-1]) == (2, True), done.stderr


def test_without_credentials_there_is_nothing_to_clean(road: Road) -> None:
    done = road("clean")

    assert done.returncode == 1
    assert "no AWS to talk to: no localcloud runs and no AWS credentials are set" in done.stderr.splitlines()[-1]
