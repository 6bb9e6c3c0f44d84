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

from config import CONFIG
from pipelines.evidence import document
from pipelines.steps import retrain
from pipelines.steps import stack as stacks
from tests.faults.production import ENVIRONMENT, MODEL, Json, Production, running
from tests.localcloud.running import ROOT
from tests.pipelines.evidence.world import DATA

pytestmark = [pytest.mark.fault("drift false alarms, retraining storm"), pytest.mark.slow]
STORM = 500
ALARM = f"{CONFIG.name(MODEL, ENVIRONMENT.name)}-Drift"
ROAD, JUDGED = CONFIG.name(MODEL), CONFIG.name(MODEL, "retraining")
BUCKET = CONFIG.name(MODEL, "artifacts", CONFIG.toolchain.id)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A production that serves and is watched, made by CloudFormation alone: nothing of the road has run."""
    with running(tmp_path_factory.mktemp("production")) as made:
        cloudformation, package = made.away("cloudformation"), made.version(score=0.3)
        given = {"Serving": [{"ParameterKey": "ModelPackageArn", "ParameterValue": package}], "Watch": []}
        for room, parameters in given.items():
            stack = CONFIG.stack("lead-scoring", room, ENVIRONMENT.name)
            template = (made.assembly / f"{stack}.template.json").read_text()
            cloudformation.create_stack(
                StackName=stack, TemplateBody=template, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"]
            )
            found = stacks.settled(cloudformation, stack, poll_seconds=0.1)
            assert found
            assert found.status == "CREATE_COMPLETE"
        yield made


def push(production: Production, folder: Path) -> None:
    """A repository in which `./road exec` runs this tree's steps, and everything else fails."""
    tree = folder / "tree"
    tree.mkdir()
    (tree / "road").write_text(f'#!/bin/sh\n[ "$1" = exec ] || exit 1\nshift 2\ncd {ROOT} && exec {sys.executable} "$@"\n')
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
    pages = production.cloud.client("codepipeline").get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
    return [one for page in pages for one in page["pipelineExecutionSummaries"]]


def records(production: Production, kind: str) -> list[Json]:
    s3 = production.cloud.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"retraining/{kind}/")
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    return [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]


def outcomes(production: Production) -> Counter[str]:
    """What the judges printed."""
    logs = production.cloud.client("logs")
    (group,) = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"] if "Retraining" in one["logGroupName"]]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [event["message"] for page in pages for event in page["events"]]
    return Counter(json.loads(line)["outcome"] for line in lines if line.startswith('{"'))


def quiet(judges: int) -> dict[str, int]:
    """Those that looked between two alarms, when none rang."""
    return {"nothing": judges} if judges else {}


def ring(production: Production, times: int) -> None:
    cloudwatch: Any = production.away("cloudwatch")
    for number in range(times):
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason=f"storm {number}")


def settled(production: Production, count: int) -> Counter[str]:
    """How the judges' executions ended, once there are so many and all have."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = Counter(one["status"] for one in executions(production, JUDGED))
        if found.total() >= count and not found["InProgress"]:
            return found
        time.sleep(0.2)  # AWS has no call that waits for an execution
    raise AssertionError(f"{found}: not settled")


def test_five_hundred_alarms_end_in_one_retraining(production: Production, tmp_path: Path) -> None:
    push(production, tmp_path)

    ring(production, STORM)
    ended = settled(production, STORM)

    started, suppressed = records(production, "started"), records(production, "suppressed")
    assert ended.keys() == {"Succeeded", "Superseded"}, ended
    assert ended.total() == STORM
    assert len(started) == 1
    assert outcomes(production) == {"started": 1, "suppressed": len(suppressed), **quiet(ended["Succeeded"] - 1 - len(suppressed))}
    (road,) = executions(production, ROAD)
    assert road["pipelineExecutionId"] == started[0]["execution"]
    known = production.cloud.client("codepipeline").get_pipeline_execution(pipelineName=ROAD, pipelineExecutionId=started[0]["execution"])
    (cause,) = known["pipelineExecution"]["variables"]
    assert cause == {"name": "cause", "resolvedValue": started[0]["cause"]}
    assert started[0]["cause"].startswith(f"drift: alarm {ALARM} rings since 20")
    assert all(one["reason"] and one["cause"].startswith("drift: ") for one in suppressed)


def test_a_judge_sees_what_the_newest_version_was_trained_on(production: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(production, "stage", CONFIG.name(MODEL, "judge"))
    given = production._stages_environment()
    keys = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY", "SessionToken": "AWS_SESSION_TOKEN"}
    sagemaker = production.cloud.client("sagemaker", **{key: given[name] for key, name in keys.items()})

    assert retrain.data(sagemaker, ROAD, document.sha256(DATA)) is None
    assert retrain.data(sagemaker, ROAD, "another") is not None
