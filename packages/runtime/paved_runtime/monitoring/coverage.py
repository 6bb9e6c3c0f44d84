"""Whether what an endpoint is asked gets as far as the monitor: what was captured and cannot be read, and what should be there and is not.

A monitor that sees nothing must not look like one that sees nothing wrong. What SageMaker says of the endpoint, and CloudWatch of its
invocations, is held against what lies in S3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from scipy import stats  # type: ignore[import-untyped]

from paved_runtime.monitoring.services import CloudWatch, Services
from paved_runtime.monitoring.store import Object, Store
from paved_runtime.monitoring.window import Window

INVOCATIONS, ERRORS = "Invocations", ("Invocation4XXErrors", "Invocation5XXErrors")
MINUTE = 60
LATE = timedelta(minutes=15)  # SageMaker writes what it captured some minutes after the answer
FEWEST = 10  # requests; of fewer a share says nothing
CHANCE = 1e-4  # how often at most sampling alone may leave so few captured
HALF = 0.5
UNREAD = {  # of what was captured
    "malformed": "lines that are none of data capture",
    "unreadable": "requests that have no rows",
    "failed": "requests without scores",
    "unreadable_objects": "objects in which no line can be read",
}
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Served:
    """An endpoint. `status` is SageMaker's, None where there is no such endpoint. `percent` of its requests are captured, 0 where none are.

    `answered` are the requests that the endpoint configuration which serves has answered without an error. SageMaker captures nothing of
    an asynchronous or serverless one, whose `captured` is false: there the rows of batches are what is looked at.
    """

    status: str | None
    captured: bool = True
    percent: float = 0.0
    answered: int = 0

    @property
    def expected(self) -> float:
        """Requests that should be captured."""
        return self.answered * self.percent / 100


def served(services: Services, endpoint: str, variant: str, window: Window) -> Served:
    """How an endpoint stands, and what it answered in the part of a window whose capture must have been written by now.

    By its endpoint configuration, so that what an earlier version was asked does not count ("Amazon SageMaker AI endpoint invocation
    metrics").
    """
    try:
        description = services.sagemaker.describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException" and "ould not find" in str(error):
            return Served(status=None)
        raise
    capture = description.get("DataCaptureConfig") or {}
    percent = float(capture.get("CurrentSamplingPercentage", 0)) if capture.get("CaptureStatus") == "Started" else 0.0
    fleet = {"EndpointName": endpoint, "VariantName": variant, "EndpointConfigName": description["EndpointConfigName"]}
    answered = _answered(services.cloudwatch, fleet, window)
    return Served(status=description["EndpointStatus"], captured=_captured_at_all(description), percent=percent, answered=answered)


def _captured_at_all(description: Mapping[str, Any]) -> bool:
    """Whether SageMaker has data capture for the endpoint ("Supported features" of asynchronous inference, "Deploy models with Amazon
    SageMaker Serverless Inference").
    """
    variants = description.get("ProductionVariants") or []
    return "AsyncInferenceConfig" not in description and not any("CurrentServerlessConfig" in variant for variant in variants)


def elsewhere(store: Store, prefix: str, endpoint: str, window: Window, *, besides: str) -> dict[str, int]:
    """`version/variant` → objects that were captured of the endpoint in a window, `besides` the one that is looked at."""
    others: dict[str, int] = {}
    for version in store.folders(f"{prefix}/"):
        for folder in store.folders(f"{version}{endpoint}/"):
            name = f"{version.split('/')[-2]}/{folder.split('/')[-2]}"
            count = 0 if name == besides else sum(1 for hour in window.hours for _ in _asked(store, f"{folder}{hour:%Y/%m/%d/%H}/"))
            others |= {name: count} if count else {}
    return others


def judge(totals: Mapping[str, int], endpoint: Served, others: Mapping[str, int], accepted: float) -> Json:
    """The `capture` of monitor.json. `share` is the greatest share of anything that should have been read and was not, `sentences` say of
    what; `accepted` is how much of it is no reason to tell anybody.
    """
    found = [*_unread(totals, accepted), *_missing(totals, endpoint, others)]
    return {
        "endpoint_status": endpoint.status,
        "percent": endpoint.percent,
        "answered": endpoint.answered,
        "objects": totals.get("objects", 0),
        "unreadable_objects": totals.get("unreadable_objects", 0),
        "elsewhere": dict(others),
        "share": max((share for share, _ in found), default=0.0),
        "accepted": accepted,
        "sentences": [sentence for share, sentence in found if share > accepted],
    }


def few(totals: Mapping[str, int], endpoint: Served) -> bool:
    """Whether fewer requests were captured than chance explains."""
    captured, expected = _captured(totals), endpoint.expected
    if expected < FEWEST or captured >= HALF * expected:
        return False
    return bool(stats.binom.cdf(captured, endpoint.answered, endpoint.percent / 100) <= CHANCE)


def _asked(store: Store, prefix: str) -> Iterator[Object]:
    """The objects of what the endpoint was asked."""
    return (file for file in store.objects(prefix) if not file.of_batch)


def _captured(totals: Mapping[str, int]) -> int:
    return sum(totals.get(name, 0) for name in ("requests", "own", "malformed"))


def _unread(totals: Mapping[str, int], accepted: float) -> list[tuple[float, str]]:
    """What was captured and cannot be judged: as lines, and as whole objects."""
    lines = totals.get("requests", 0) + totals.get("malformed", 0)
    bad = totals.get("malformed", 0) + totals.get("failed", 0)
    objects, broken = totals.get("objects", 0), totals.get("unreadable_objects", 0)
    found = []
    if bad >= FEWEST:
        of_lines = [f"{totals[name]} {what}" for name, what in UNREAD.items() if name != "unreadable_objects" and totals.get(name)]
        found.append((bad / lines, f"{100 * bad / lines:.3g} % of what was captured cannot be judged: {', '.join(of_lines)}"))
    if broken:
        what = f"{broken} of {objects} objects have no line that is one of data capture: compressed, or in another encoding"
        found.append((broken / objects, what))
    return [(share, f"{sentence}; accepted are {100 * accepted:.3g} %") for share, sentence in found]


def _missing(totals: Mapping[str, int], endpoint: Served, others: Mapping[str, int]) -> list[tuple[float, str]]:
    """What should have been captured and was not."""
    if endpoint.status in (None, "Failed"):
        return [(1.0, f"the endpoint is {endpoint.status or 'gone'}: nothing answers, and nothing is captured")]
    if not endpoint.captured:
        return []
    if not endpoint.percent:
        return [(1.0, f"the endpoint is {endpoint.status} and captures nothing: its configuration has no data capture, or it was stopped")]
    if not few(totals, endpoint):
        return []
    captured, expected = _captured(totals), endpoint.expected
    sentence = f"the endpoint answered {endpoint.answered} requests, of which {endpoint.percent:g} % are captured: "
    sentence += f"{captured} are there, about {expected:.0f} were expected"
    if others:
        sentence += "; captured in the same time: " + ", ".join(f"{count} objects of {name}" for name, count in others.items())
    return [(1 - captured / expected, sentence)]


def _answered(cloudwatch: CloudWatch, fleet: Mapping[str, str], window: Window) -> int:
    start, end = _next_minute(window.start), (window.end - LATE).replace(second=0, microsecond=0)
    if start >= end:
        return 0
    dimensions = [{"Name": name, "Value": value} for name, value in fleet.items()]
    queries = [
        {
            "Id": name.lower(),
            "MetricStat": {
                "Metric": {"Namespace": "AWS/SageMaker", "MetricName": name, "Dimensions": dimensions},
                "Period": MINUTE,
                "Stat": "Sum",
            },
        }
        for name in (INVOCATIONS, *ERRORS)
    ]
    sums, token = dict.fromkeys((INVOCATIONS, *ERRORS), 0.0), dict[str, str]()
    while True:
        answer = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end, **token)
        for result in answer["MetricDataResults"]:
            name = next(name for name in sums if name.lower() == result["Id"])
            sums[name] += sum(result["Values"])
        if not answer.get("NextToken"):
            return max(round(sums[INVOCATIONS] - sum(sums[name] for name in ERRORS)), 0)
        token = {"NextToken": answer["NextToken"]}


def _next_minute(moment: datetime) -> datetime:
    whole = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return whole if whole == moment else whole + timedelta(minutes=1)
