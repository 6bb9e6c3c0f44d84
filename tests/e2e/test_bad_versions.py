"""Versions that every gate lets pass, because they are bad only with what production's callers send: each is taken back there.

The defect is in the model's code and acts on a balance that no data set holds. Requests leave all the time, and the lost ones are counted.
"""

from __future__ import annotations

import csv
import json
import re
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import naming
from paved_runtime.spec import Category, load
from tests.reference import CONFIG, MODEL, MODELS
from tests.support.fork import Fork

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.laptop("hours of real time"),
]
PRODUCTION = CONFIG.environments[-1]
ENDPOINT = naming.endpoint(CONFIG, MODEL, PRODUCTION)
STACK = naming.serving_stack(CONFIG, MODEL, PRODUCTION)
BALANCE = 424_242
ROWS, EVERY = 100, 3  # rows a request: one alone is what score alarms ask for in a minute; one request in so many has BALANCE in it
CLIENTS, PAUSE, CALM = 8, 0.15, 1.0  # callers, and seconds between two requests of each: while versions change, and before
HURRIED = Config(retries={"total_max_attempts": 1}, max_pool_connections=CLIENTS)  # a retry would hide a lost request
FEATURES, END = f"model_code/{MODEL}/features.py", "    return matrix\n"


@dataclass(frozen=True)
class Defect:
    """What a version does to requests with BALANCE in them, and the reason for which it is taken back.

    `fails`: whether callers get errors; `retrained`: other trees than those of the good version.
    """

    name: str
    does: str
    reason: str
    fails: bool = False
    retrained: bool = False


def loud(alarm: str) -> str:
    """The reason that names an alarm."""
    return rf"alarm \S+-{alarm} went into ALARM at \S+: Threshold Crossed: .+"


DEFECTS = (
    Defect("errors", 'raise OverflowError("so much money")', loud("ServerErrors"), fails=True),
    Defect("slow", "import time\n\ntime.sleep(0.8)", loud("ModelLatency")),
    Defect(
        "shifted",
        "matrix[:, 12:15] = (100, 2, 2)  # said yes to two calls, 100 days ago",
        loud("ScoreShift"),
        retrained=True,
    ),
    Defect("dies", "import os\n\nos._exit(3)", r"instance \d of variant \S+ is gone: its process ended", fails=True),
)


class Traffic:
    """What production's callers saw: `answered`, or an error's text. `pause` is in seconds, between two requests of each."""

    def __init__(self, fork: Fork) -> None:
        self.began, self.seen, self.pause = datetime.now(UTC), Counter[str](), CALM
        self._runtime, self._ended = fork.client("sagemaker-runtime", PRODUCTION.account, HURRIED), threading.Event()
        columns = load(MODEL).data.columns
        with (fork.home / ".road/data.csv").open(newline="") as stream:
            rows = [row for _, row in zip(range(100 * ROWS), csv.DictReader(stream), strict=False)]
        leads = [{name: row[name] if isinstance(rule, Category) else int(row[name]) for name, rule in columns.items()} for row in rows]
        self._requests = [leads[first : first + ROWS] for first in range(0, len(leads), ROWS)]
        for request in self._requests[::EVERY]:
            request[0]["balance"] = BALANCE

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Ask while the block runs."""
        threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    @property
    def failed(self) -> int:
        return self.seen.total() - self.seen["answered"]

    def _ask(self, number: int) -> None:
        while not self._ended.wait(self.pause):
            body = json.dumps({"instances": self._requests[number % len(self._requests)]})
            number += CLIENTS
            try:
                self._runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=body, ContentType="application/json")
            except (ClientError, BotoCoreError) as error:
                self.seen[str(error)] += 1
            else:
                self.seen["answered"] += 1


@pytest.fixture(scope="module")
def good(fork: Fork) -> dict[str, Any]:
    """What production serves once the first version is there."""
    execution = pushed(fork, "a good version")
    fork.wait(execution, "Production", "Succeeded")
    return fork.served(PRODUCTION)


def write(fork: Fork, defect: Defect) -> None:
    """Put this defect, and no other, into the clone's model."""
    trap = f'    if (table["balance"] == {BALANCE}).any():\n{textwrap.indent(defect.does, " " * 8)}\n'
    sound = (MODELS / MODEL / "features.py").read_text()
    assert sound.count(END) == 1
    (fork.home / FEATURES).write_text(sound.replace(END, trap + END))
    contract = fork.home / f"model_code/{MODEL}/model.toml"
    eta = 0.1001 if defect.retrained else 0.1
    contract.write_text(re.sub(r"^eta = .+", f"eta = {eta}", contract.read_text(), flags=re.MULTILINE))


def pushed(fork: Fork, message: str) -> str:
    """Push, see the version through staging, and approve it."""
    _, execution = fork.push(message)
    fork.stop_others()
    fork.wait(execution, "Approval", "InProgress")
    fork.road("approve", MODEL, "--reason", "every gate has passed", "--yes")
    return execution


def failed_in(fork: Fork, config: str, *, since: datetime) -> int:
    """The failed requests that the fleet of an endpoint configuration has answered, or should have."""
    (variant,) = fork.client("sagemaker", PRODUCTION.account).describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    dimensions = {"EndpointName": ENDPOINT, "VariantName": variant["VariantName"], "EndpointConfigName": config}
    found = fork.client("cloudwatch", PRODUCTION.account).get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=since,
        EndTime=datetime.now(UTC),
        Period=60,
        Statistics=["Sum"],
    )
    total: float = sum(point["Sum"] for point in found["Datapoints"])
    return round(total)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_bad_version_is_taken_back_and_the_good_one_serves_on(fork: Fork, good: dict[str, Any], defect: Defect) -> None:
    write(fork, defect)
    traffic = Traffic(fork)
    with traffic.steady():
        execution = pushed(fork, defect.name)
        traffic.pause = PAUSE
        fork.wait(execution, "Production", "Failed")

    assert fork.served(PRODUCTION) == good
    (stack,) = fork.client("cloudformation", PRODUCTION.account).describe_stacks(StackName=STACK)["Stacks"]
    bad = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}["EndpointConfigName"]
    assert traffic.failed - failed_in(fork, bad, since=traffic.began) == 0, traffic.seen
    assert (traffic.failed > 0) is defect.fails, traffic.seen
    told, *_ = json.loads(fork.road("status", MODEL, "--json").stdout)[0]["executions"]
    shown = fork.road("status", MODEL).stdout
    assert re.search(defect.reason, told["rollback"]), told
    assert re.search(defect.reason, shown), shown
    assert told["id"] == execution
