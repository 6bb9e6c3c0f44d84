"""The retraining controller: one retraining however many causes wake it, and every refusal is written down."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipelines.deployment.retraining.controller import Controller
from pipelines.deployment.retraining.records import STARTED, SUPPRESSED, Records
from tests.support.fakes import Killed, mortal
from tests.support.retraining import NOW, Bucket, CodePipeline, began, cause
from tests.support.retraining import controller as controller_of


def at_noon() -> datetime:
    return NOW


def controller(name: str, s3: Any, codepipeline: Any, now: Callable[[], datetime] = at_noon) -> Controller:
    return controller_of(name, s3, codepipeline, now=now)


def test_a_retraining_says_what_it_is_for() -> None:
    s3, codepipeline = Bucket(), CodePipeline(at_noon)
    report = controller("j1", s3, codepipeline).decide([cause("t"), cause("d1", "data")])

    assert report["outcome"] == "started"
    assert [execution["cause"] for execution in codepipeline.executions] == ["drift: t; data: d1"]
    assert json.loads(s3.objects[f"{STARTED}000001.json"]) == {
        "number": 1,
        "time": "2026-11-21T12:00:00Z",
        "cause": "drift: t; data: d1",
        "answers": {"data": "d1", "drift": "t"},
        "controller": "j1",
        "execution": "1",
    }


def test_what_was_held_back_says_why() -> None:
    s3, codepipeline = Bucket(), CodePipeline(at_noon)
    controller("j1", s3, codepipeline).decide([cause(1)])
    codepipeline.end()
    report = controller("j2", s3, codepipeline).decide([cause(2)])

    assert report["outcome"] == "suppressed"
    (key,) = [key for key in s3.objects if "suppressed" in key]
    assert key == f"{SUPPRESSED}20261121T120000Z-j2.json"
    assert json.loads(s3.objects[key]) == {
        "time": "2026-11-21T12:00:00Z",
        "controller": "j2",
        "cause": "drift: 2",
        "answers": {"drift": "2"},
        "reason": "cool-down: retraining 1 began at 2026-11-21T12:00:00Z; the next may at 2026-11-22T12:00:00Z",
    }


def test_an_execution_that_was_pushed_does_not_hold_it_up_and_another_does() -> None:
    codepipeline = CodePipeline(at_noon)
    codepipeline.begin("push")
    assert controller("j1", Bucket(), codepipeline).decide([cause()])["outcome"] == "started"

    other = CodePipeline(at_noon)
    other.begin("schedule", time=NOW - timedelta(days=5))
    other.begin("push")
    assert controller("j1", Bucket(), other).decide([cause()])["reason"].startswith("execution 1 of the road has such a cause")


def test_a_retraining_that_is_not_listed_yet_holds_another_one_up() -> None:
    """A list may lag, and the cool-down may be over: the last one is asked for by its id."""
    s3, codepipeline = Bucket(), CodePipeline(at_noon)
    started = controller("j1", s3, codepipeline).decide([cause(1)])
    codepipeline.unlisted.add(started["execution"])

    def later() -> datetime:
        return NOW + timedelta(hours=25)

    report = controller("j2", s3, codepipeline, later).decide([cause(2)])
    codepipeline.end()
    again = controller("j3", s3, codepipeline, later).decide([cause(2)])

    assert report["reason"] == f"execution {started['execution']} of the road has such a cause too, and has not ended"
    assert again["outcome"] == "started"


def test_nothing_to_do_is_no_record() -> None:
    s3 = Bucket()

    assert controller("j1", s3, CodePipeline(at_noon)).decide([])["outcome"] == "nothing"
    assert s3.objects == {}


def test_five_hundred_at_once_start_one() -> None:
    s3, codepipeline = Bucket(), CodePipeline()
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda n: controller_of(f"j{n}", s3, codepipeline).decide([cause(n)])["outcome"], range(500)))

    assert Counter(outcomes) == {"started": 1, "suppressed": 499}
    assert len(codepipeline.executions) == len(s3.named(STARTED)) == 1
    assert len(s3.named(SUPPRESSED)) == 499


@pytest.mark.parametrize("dies_after", range(3))
def test_killed_anywhere_and_run_again_it_ends_in_one_retraining(dies_after: int) -> None:
    s3, codepipeline = Bucket(), CodePipeline(at_noon)
    lives = iter([True] * dies_after)
    doomed = mortal(s3, lives, "put_object"), mortal(codepipeline, lives, "start_pipeline_execution")

    with pytest.raises(Killed):
        controller("j1", *doomed).decide([cause()])
    again = controller("j1", s3, codepipeline)
    report = again.decided() or again.decide([cause()])

    assert (report["outcome"], report["execution"]) == ("started", "1")
    assert len(codepipeline.executions) == 1
    assert [record["execution"] for record in s3.named(STARTED)] == ["1"]
    assert again.decided() == report


def test_what_was_held_back_is_written_once() -> None:
    s3, codepipeline = Bucket(), CodePipeline(at_noon)
    codepipeline.begin("schedule")
    report = controller("j1", s3, codepipeline).decide([cause()])

    assert controller("j1", s3, codepipeline, lambda: NOW + timedelta(minutes=3)).decided() == report
    assert len(s3.objects) == 1


def test_what_a_dead_one_left_is_finished_by_a_later_one() -> None:
    s3, codepipeline = Bucket(), CodePipeline(at_noon)
    Records(s3, "b").claim(began(1, hours_ago=0, which=1, execution=""))

    assert controller("j2", s3, codepipeline).decided() is None
    assert codepipeline.executions == []
    assert controller("j3", s3, codepipeline, lambda: NOW + timedelta(minutes=20)).decided() is None
    assert [execution["cause"] for execution in codepipeline.executions] == ["c"]
    assert s3.named(STARTED)[0]["execution"] == "1"
