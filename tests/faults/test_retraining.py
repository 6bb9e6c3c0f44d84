"""A storm of drift alarms: through the buses, the rules and the pipeline that the stacks make, it ends in one retraining."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import naming
from pipelines.deployment.retraining.causes import data
from pipelines.deployment.retraining.records import STARTED, SUPPRESSED
from pipelines.evidence import document
from tests.reference import CONFIG, MODEL
from tests.support.production import ENVIRONMENT, Json, Production, monitored
from tests.support.tree import python_path
from tests.support.world import DATA

pytestmark = [pytest.mark.fault("drift false alarms, retraining storm"), pytest.mark.slow]
STORM = 500
ALARM = naming.alarm(CONFIG, MODEL, ENVIRONMENT, naming.DRIFT)
DELIVERY, RETRAINING = naming.delivery_pipeline(CONFIG, MODEL), naming.retraining_pipeline(CONFIG, MODEL)
BUCKET, GROUP = naming.artifacts_bucket(CONFIG, MODEL), naming.model_package_group(CONFIG, MODEL)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Iterator[Production]:
    """One that nothing of the road has run in."""
    with monitored(tmp_path_factory.mktemp("production"), tree) as made:
        yield made


def push(production: Production, folder: Path) -> None:
    """A repository in which `./road exec` runs this tree's steps, and everything else fails."""
    tree = folder / "tree"
    tree.mkdir()
    path = python_path(production.tree)
    script = f'[ "$1" = exec ] || exit 1\nshift 2\ncd {production.tree} && PYTHONPATH={path} exec {sys.executable} "$@"'
    (tree / "road").write_text(f"#!/bin/sh\n{script}\n")
    remote = Path(production.cloud.state["root"]) / "repository.git"
    author = ["-c", "user.name=ruth", "-c", "user.email=ruth@example.com"]
    for command in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "road"],
        [*author, "commit", "--quiet", "-m", "a road"],
        ["push", "--quiet", str(remote), "main"],
    ):
        subprocess.run(["git", *command], cwd=tree, check=True, capture_output=True)


def executions(production: Production, pipeline: str) -> list[Json]:
    """Those that something has started: a pipeline that is new starts a first one by itself."""
    pages = production.home("codepipeline").get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
    every = (execution for page in pages for execution in page["pipelineExecutionSummaries"])
    return [execution for execution in every if execution["trigger"]["triggerType"] != "CreatePipeline"]


def records(production: Production, folder: str) -> list[Json]:
    s3 = production.home("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=folder)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]


def outcomes(production: Production) -> Counter[str]:
    """What the controllers printed."""
    logs = production.home("logs")
    (group,) = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"] if "Retraining" in group["logGroupName"]]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [event["message"] for page in pages for event in page["events"]]
    return Counter(json.loads(line)["outcome"] for line in lines if line.startswith('{"'))


def quiet(controllers: int) -> dict[str, int]:
    """Those that looked between two alarms, when there was none."""
    return {"nothing": controllers} if controllers else {}


def alarm(production: Production, times: int) -> None:
    cloudwatch: Any = production.away("cloudwatch")
    for number in range(times):
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason=f"storm {number}")


def settled(production: Production, count: int) -> Counter[str]:
    """How the controllers' executions ended, once there are so many and all have."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        statuses = Counter(execution["status"] for execution in executions(production, RETRAINING))
        if statuses.total() >= count and not statuses["InProgress"]:
            return statuses
        time.sleep(0.2)  # AWS has no call that waits for an execution
    raise AssertionError(f"{statuses}: not settled")


def test_five_hundred_alarms_end_in_one_retraining(production: Production, tmp_path: Path) -> None:
    push(production, tmp_path)

    alarm(production, STORM)
    ended = settled(production, STORM)

    started, suppressed = records(production, STARTED), records(production, SUPPRESSED)
    assert ended.keys() == {"Succeeded", "Superseded"}, ended
    assert ended.total() == STORM
    assert len(started) == 1
    assert outcomes(production) == {"started": 1, "suppressed": len(suppressed), **quiet(ended["Succeeded"] - 1 - len(suppressed))}
    (road,) = executions(production, DELIVERY)
    assert road["pipelineExecutionId"] == started[0]["execution"]
    known = production.home("codepipeline").get_pipeline_execution(pipelineName=DELIVERY, pipelineExecutionId=started[0]["execution"])
    (cause,) = known["pipelineExecution"]["variables"]
    assert cause == {"name": "cause", "resolvedValue": started[0]["cause"]}
    assert started[0]["cause"].startswith(f"drift: alarm {ALARM} is in ALARM since 20")
    assert all(record["reason"] and record["cause"].startswith("drift: ") for record in suppressed)


def test_a_controller_sees_what_the_newest_version_was_trained_on(production: Production) -> None:
    variables = production.stage_environment(naming.controller_role(CONFIG, MODEL))
    keys = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY", "SessionToken": "AWS_SESSION_TOKEN"}
    sagemaker = production.cloud.client("sagemaker", CONFIG.toolchain.id, **{key: variables[name] for key, name in keys.items()})

    assert data(sagemaker, GROUP, document.sha256(DATA)) is None
    assert data(sagemaker, GROUP, "another") is not None
