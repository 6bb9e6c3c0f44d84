"""The judge of retraining: never more than the budget, never twice within the cool-down, and every refusal is written down."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_code.spec import Retraining
from pipelines.evidence import document
from pipelines.steps import retrain
from pipelines.steps.retrain import Cause, Judge, Pace, Records, Roads, Started, data, drift, refusal, schedule
from tests.pipelines.evidence.world import Altered, Killed
from tests.pipelines.steps.conftest import Clients
from tests.pipelines.steps.fakes import Fake
from tests.pipelines.steps.fakes import refusal as refused

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = Retraining(cooldown_hours=24, per_week=2)
PACE = Pace(limits=LIMITS, minute_seconds=60)
ALARM = "paved-road-lead-scoring-production-Drift"


def cause(which: object = 1, kind: str = "drift") -> Cause:
    return Cause(kind=kind, which=str(which), text=f"{kind}: {which}")


def began(number: int, *, hours_ago: float, which: object = 0, kind: str = "drift", execution: str = "e") -> Started:
    time = document.utc(NOW - hours_ago * HOUR)
    return Started(number=number, time=time, cause="c", answers={kind: str(which)}, judge=f"j{number}", execution=execution)


class Bucket:
    """S3, as far as one bucket goes; writes only where nothing is, when asked to. Safe for threads."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = Lock()

    def put_object(self, *, Key: str, Body: bytes, IfNoneMatch: str | None = None, **_: Any) -> None:  # noqa: N803  # boto3's names
        with self._lock:
            if IfNoneMatch == "*" and Key in self.objects:
                raise refused("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            self.objects[Key] = Body

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Key])}

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, *, Prefix: str, StartAfter: str, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        found = sorted(key for key in list(self.objects) if key.startswith(Prefix) and key > StartAfter)
        yield {"Contents": [{"Key": key} for key in found]}

    def named(self, prefix: str) -> list[dict[str, Any]]:
        """What lies under a prefix."""
        return [json.loads(body) for key, body in sorted(self.objects.items()) if key.startswith(prefix)]


class CodePipeline:
    """Executions of the road, oldest first; a token that was used gives the execution that it made."""

    def __init__(self) -> None:
        self.executions: list[dict[str, Any]] = []
        self.ticks: list[dict[str, Any]] = []
        self._tokens: dict[str, str] = {}
        self._lock = Lock()

    def start_pipeline_execution(self, *, variables: list[dict[str, str]], clientRequestToken: str, **_: Any) -> dict[str, str]:  # noqa: N803
        with self._lock:
            if clientRequestToken not in self._tokens:
                self._tokens[clientRequestToken] = self.begin(variables[0]["value"])
            return {"pipelineExecutionId": self._tokens[clientRequestToken]}

    def begin(self, why: str, status: str = "InProgress", time: datetime | None = None) -> str:
        """An execution."""
        number = f"{len(self.executions) + 1}"
        self.executions.append(
            {"pipelineExecutionId": number, "status": status, "startTime": time or retrain.datetime.now(UTC), "cause": why}  # type: ignore[attr-defined]
        )
        return number

    def get_pipeline_execution(self, *, pipelineExecutionId: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        why = next(one["cause"] for one in self.executions if one["pipelineExecutionId"] == pipelineExecutionId)
        return {"pipelineExecution": {"variables": [{"name": "cause", "resolvedValue": why}]}}

    def get_paginator(self, _: str) -> CodePipeline:
        return self

    def paginate(self, *, pipelineName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        yield {"pipelineExecutionSummaries": (self.ticks if pipelineName == "judges" else self.executions)[::-1]}

    def end(self) -> None:
        """Everything under way has succeeded."""
        for one in self.executions:
            one["status"] = "Succeeded"


def judge(name: str, s3: Any, codepipeline: Any, pace: Pace = PACE) -> Judge:
    return Judge(name=name, records=Records(s3, "b"), roads=Roads(codepipeline, pipeline="road", judged="judges"), pace=pace)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The step's clock; `clock.now` can be set."""

    class Clock(datetime):
        at = NOW

        @classmethod
        def now(cls, _: Any = None) -> datetime:  # type: ignore[override]
            return cls.at

    monkeypatch.setattr(retrain, "datetime", Clock)
    return Clock


def test_the_first_cause_is_answered() -> None:
    assert refusal([cause()], [], None, PACE, NOW) is None


@pytest.mark.parametrize(
    ("started", "in_flight", "why"),
    [
        ([began(1, hours_ago=23)], None, "cool-down: retraining 1 began at 2026-11-20T13:00:00Z; the next may at 2026-11-21T13:00:00Z"),
        (
            [began(1, hours_ago=100), began(2, hours_ago=50)],
            None,
            "budget: 2 of 2 a week have begun; the next may at 2026-11-24T08:00:00Z",
        ),
        ([], "e7", "execution e7 of the road has such a cause too, and has not ended"),
        (
            [began(1, hours_ago=100, which=1)],
            None,
            "the same cause was answered before: retraining 1 began at 2026-11-17T08:00:00Z",
        ),
    ],
)
def test_why_nothing_is_started(started: list[Started], in_flight: str | None, why: str) -> None:
    assert refusal([cause()], started, in_flight, PACE, NOW) == why


def test_what_had_to_wait_is_not_forgotten() -> None:
    """The alarm rings on: once the cool-down is over, the same transition is still unanswered."""
    assert refusal([cause(2)], [began(1, hours_ago=24, which=1)], None, PACE, NOW) is None


def test_a_data_set_that_comes_back_is_new_again() -> None:
    put = [began(1, hours_ago=400, kind="data", which="a"), began(2, hours_ago=300, kind="data", which="b")]

    assert refusal([cause("a", "data")], put, None, PACE, NOW) is None
    assert "the same cause" in str(refusal([cause("b", "data")], put, None, PACE, NOW))


def test_a_new_cause_beside_an_answered_one_counts() -> None:
    assert refusal([cause(1), cause("b", "data")], [began(1, hours_ago=50, which=1)], None, PACE, NOW) is None


def test_hours_run_as_fast_as_time_does() -> None:
    fast = Pace(limits=LIMITS, minute_seconds=0.1)  # 24 hours are 144 seconds

    assert refusal([cause(1)], [began(1, hours_ago=143 / 3600)], None, fast, NOW) is not None
    assert refusal([cause(1)], [began(1, hours_ago=145 / 3600)], None, fast, NOW) is None


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 72),  # hours since the one before
        st.sampled_from(["drift", "data", "schedule"]),
        st.integers(0, 6),  # which one
        st.booleans(),  # whether the road has ended by then
    ),
    max_size=60,
)


@given(events=EVENTS, cooldown=st.integers(1, 168), budget=st.integers(1, 5))
def test_no_history_has_more_than_the_budget_or_two_within_the_cool_down(
    events: Sequence[tuple[int, str, int, bool]], cooldown: int, budget: int
) -> None:
    pace = Pace(limits=Retraining(cooldown_hours=cooldown, per_week=budget), minute_seconds=60)
    now, started, under_way, outcomes = NOW, list[Started](), None, Counter[str]()
    for hours, kind, which, ended in events:
        now += hours * HOUR
        under_way = None if ended else under_way
        why = refusal([cause(which, kind)], started, under_way, pace, now)
        outcomes["held" if why else "started"] += 1
        if why is None:
            under_way = f"e{len(started)}"
            time = document.utc(now)
            started.append(Started(number=len(started) + 1, time=time, cause="c", answers={kind: str(which)}, judge="j"))

    times = [one.began for one in started]
    assert all(later - earlier >= cooldown * HOUR for earlier, later in itertools.pairwise(times))
    assert all(sum(time <= other < time + retrain.WEEK for other in times) <= budget for time in times)
    assert outcomes["held"] + outcomes["started"] == len(events)
    for earlier, later in itertools.pairwise(started):
        assert earlier.answers != later.answers


@pytest.mark.usefixtures("clock")
def test_a_retraining_says_what_it_is_for() -> None:
    s3, codepipeline = Bucket(), CodePipeline()
    report = judge("j1", s3, codepipeline).decide([cause("t"), cause("d1", "data")])

    assert report["outcome"] == "started"
    assert [one["cause"] for one in codepipeline.executions] == ["drift: t; data: d1"]
    assert json.loads(s3.objects["retraining/started/000001.json"]) == {
        "number": 1,
        "time": "2026-11-21T12:00:00Z",
        "cause": "drift: t; data: d1",
        "answers": {"data": "d1", "drift": "t"},
        "judge": "j1",
        "execution": "1",
    }


@pytest.mark.usefixtures("clock")
def test_what_was_held_back_says_why() -> None:
    s3, codepipeline = Bucket(), CodePipeline()
    judge("j1", s3, codepipeline).decide([cause(1)])
    codepipeline.end()
    report = judge("j2", s3, codepipeline).decide([cause(2)])

    assert report["outcome"] == "suppressed"
    (key,) = [key for key in s3.objects if "suppressed" in key]
    assert key == "retraining/suppressed/20261121T120000Z-j2.json"
    assert json.loads(s3.objects[key]) == {
        "time": "2026-11-21T12:00:00Z",
        "judge": "j2",
        "cause": "drift: 2",
        "answers": {"drift": "2"},
        "reason": "cool-down: retraining 1 began at 2026-11-21T12:00:00Z; the next may at 2026-11-22T12:00:00Z",
    }


@pytest.mark.usefixtures("clock")
def test_an_execution_that_was_pushed_does_not_hold_it_up_and_another_does() -> None:
    codepipeline = CodePipeline()
    codepipeline.begin("push")
    assert judge("j1", Bucket(), codepipeline).decide([cause()])["outcome"] == "started"

    other = CodePipeline()
    other.begin("schedule", time=NOW - timedelta(days=5))
    other.begin("push")
    assert judge("j1", Bucket(), other).decide([cause()])["reason"].startswith("execution 1 of the road has such a cause")


def test_nothing_to_do_is_no_record() -> None:
    s3 = Bucket()

    assert judge("j1", s3, CodePipeline()).decide([])["outcome"] == "nothing"
    assert s3.objects == {}


def test_five_hundred_judges_at_once_start_one() -> None:
    s3, codepipeline = Bucket(), CodePipeline()
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda n: judge(f"j{n}", s3, codepipeline).decide([cause(n)])["outcome"], range(500)))

    assert Counter(told) == {"started": 1, "suppressed": 499}
    assert len(codepipeline.executions) == len(s3.named(retrain.STARTED)) == 1
    assert len(s3.named(retrain.SUPPRESSED)) == 499


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("dies_after", range(3))
def test_killed_anywhere_and_run_again_it_ends_in_one_retraining(dies_after: int) -> None:
    s3, codepipeline = Bucket(), CodePipeline()
    lives = itertools.repeat(None, dies_after)

    def deadly(client: Any, *names: str) -> Altered:
        def kill(name: str) -> Any:
            def call(**given: Any) -> Any:
                answer = getattr(client, name)(**given)
                if next(lives, "dead") == "dead":
                    raise Killed
                return answer

            return call

        return Altered(client, **{name: kill(name) for name in names})

    with pytest.raises(Killed):
        judge("j1", deadly(s3, "put_object"), deadly(codepipeline, "start_pipeline_execution")).decide([cause()])
    again = judge("j1", s3, codepipeline)
    report = again.again() or again.decide([cause()])

    assert (report["outcome"], report["execution"]) == ("started", "1")
    assert len(codepipeline.executions) == 1
    assert [one["execution"] for one in s3.named(retrain.STARTED)] == ["1"]
    assert again.again() == report


def test_what_was_held_back_is_written_once(clock: Any) -> None:
    s3, codepipeline = Bucket(), CodePipeline()
    codepipeline.begin("schedule")
    report = judge("j1", s3, codepipeline).decide([cause()])
    clock.at = NOW + timedelta(minutes=3)

    assert judge("j1", s3, codepipeline).again() == report
    assert len(s3.objects) == 1


def test_what_a_dead_judge_left_is_finished_by_a_later_one(clock: Any) -> None:
    s3, codepipeline = Bucket(), CodePipeline()
    Records(s3, "b").claim(began(1, hours_ago=0, which=1, execution=""))

    assert judge("j2", s3, codepipeline).again() is None
    assert codepipeline.executions == []
    clock.at = NOW + timedelta(minutes=20)
    assert judge("j3", s3, codepipeline).again() is None
    assert [one["cause"] for one in codepipeline.executions] == ["c"]
    assert s3.named(retrain.STARTED)[0]["execution"] == "1"


def test_the_alarm_is_a_cause_while_it_rings() -> None:
    def alarm(state: str) -> Fake:
        times = {"StateTransitionedTimestamp": NOW, "StateUpdatedTimestamp": NOW + HOUR}
        return Fake(describe_alarms=lambda **_: {"MetricAlarms": [{"StateValue": state, **times}]})

    rings = drift(alarm("ALARM"), ALARM)
    assert rings == Cause(kind="drift", which="2026-11-21T12:00:00Z", text=f"drift: alarm {ALARM} rings since 2026-11-21T12:00:00Z")
    assert drift(alarm("OK"), ALARM) is None
    assert drift(Fake(describe_alarms=lambda **_: {"MetricAlarms": []}), ALARM) is None


def test_a_data_set_is_a_cause_until_a_version_was_trained_on_it() -> None:
    container = {"Image": "i", "ModelDataUrl": "s3://b/k"}
    registered = {"InferenceSpecification": {"Containers": [container]}, "ModelApprovalStatus": "Rejected"}
    registry = Fake(
        list_model_packages=lambda **_: {"ModelPackageSummaryList": [{"ModelPackageArn": "arn"}]},
        describe_model_package=lambda **_: {**registered, "CustomerMetadataProperties": {"data_sha256": "old"}},
    )

    assert data(registry, "road", "old") is None
    assert data(registry, "road", "new") == Cause(kind="data", which="new", text="data: new")
    assert data(registry, "road", "") is None


def test_the_clock_is_a_cause_when_its_rule_woke_a_judge_since_the_last_retraining() -> None:
    codepipeline = CodePipeline()
    codepipeline.ticks = [
        {"pipelineExecutionId": f"t{number}", "startTime": NOW - (10 - number) * HOUR, "trigger": {"triggerDetail": f"arn:rule/{rule}"}}
        for number, rule in enumerate(["weekly", "weekly", "again"])
    ]
    roads = Roads(codepipeline, pipeline="road", judged="judges")

    assert schedule(roads, "weekly", [], NOW) == Cause(kind="schedule", which="t1", text="schedule")
    assert schedule(roads, "weekly", [began(1, hours_ago=9.5)], NOW) is not None
    assert schedule(roads, "weekly", [began(1, hours_ago=8.5)], NOW) is None


def test_s3_itself_writes_a_number_once(client: Clients) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    records = Records(s3, "bucket")

    assert records.started() == []
    assert records.claim(began(1, hours_ago=1)) is True
    assert records.claim(began(1, hours_ago=0)) is False
    assert [one.time for one in records.started()] == [document.utc(NOW - HOUR)]
    records.suppress(NOW, "j", {"reason": "r"})
    assert records.suppressed("j", since=NOW - HOUR) == {"time": document.utc(NOW), "judge": "j", "reason": "r"}
    assert records.suppressed("other", since=NOW - HOUR) is None
