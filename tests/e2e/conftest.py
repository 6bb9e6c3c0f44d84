"""A copy of this tree as a fork's clone, with a localcloud of its own on which the stacks stand."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from config import CONFIG, Account, Environment

ROOT = Path(__file__).parents[2]
MODEL = "lead_scoring"
PIPELINE = CONFIG.name(MODEL)


class Fork:
    """A clone in which `./road` is typed, and the AWS that it speaks to."""

    def __init__(self, home: Path) -> None:
        self.home = home
        files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in filter(None, files.stdout.split("\0")):
            if (ROOT / name).is_file():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, home / name)
        self.git("init", "-q", "-b", CONFIG.repository.branch)
        self.commit("the template as it is")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=Dana", "-c", "user.email=dana@example.com"]
        return subprocess.run(["git", *who, *arguments], cwd=self.home, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def road(self, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Type `./road …`."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        done = subprocess.run(["./road", *arguments], cwd=self.home, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert (done.returncode == 0) is ok, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def client(self, service: str, account: Account = CONFIG.toolchain, config: Config | None = None) -> Any:
        state = json.loads((self.home / ".road/cloud/cloud.json").read_text())
        keys = state["accounts"][account.id]
        make: Any = boto3.client
        return make(
            service,
            region_name=account.region,
            endpoint_url=state["url"],
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            config=config,
        )

    def store(self, *, shuffled: bool) -> None:
        """Make the synthetic data set and store it with `road data put`; `shuffled`: with labels that mean nothing."""
        file = self.home / ".road" / "data.csv"
        maker = [sys.executable, "-m", f"model_code.{MODEL}.synthetic", "--rows", "8000", "--seed", "7", "--out", str(file)]
        subprocess.run(maker, cwd=ROOT, check=True)
        if shuffled:
            with file.open(newline="") as stream:
                rows = list(csv.DictReader(stream))
            labels = [row["y"] for row in rows]
            random.Random(7).shuffle(labels)  # noqa: S311
            with file.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, rows[0])
                writer.writeheader()
                writer.writerows({**row, "y": label} for row, label in zip(rows, labels, strict=True))
        self.road("data", "put", MODEL, str(file))

    def push(self, message: str, pipeline: str = PIPELINE) -> tuple[str, str]:
        """Commit, push to the printed remote with plain git; the commit and the pipeline's newest execution."""
        commit = self.commit(message)
        remote = json.loads((self.home / ".road/cloud/cloud.json").read_text())["remote"]
        self.git("push", "-q", remote, f"HEAD:{CONFIG.repository.branch}")
        newest = self.client("codepipeline").list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"][0]
        return commit, newest["pipelineExecutionId"]

    def stop(self, pipeline: str) -> None:
        """Stop what runs in another pipeline: the first push counts as a change of every path."""
        codepipeline = self.client("codepipeline")
        for execution in codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]:
            where = {"pipelineName": pipeline, "pipelineExecutionId": execution["pipelineExecutionId"]}
            codepipeline.stop_pipeline_execution(**where, abandon=True, reason="not this test's road")

    def actions(self, execution: str, pipeline: str = PIPELINE) -> dict[str, Any]:
        """The execution's actions by name."""
        where = {"pipelineName": pipeline, "filter": {"pipelineExecutionId": execution}}
        return {d["actionName"]: d for d in self.client("codepipeline").list_action_executions(**where)["actionExecutionDetails"]}

    def wait(self, execution: str, action: str, *statuses: str, pipeline: str = PIPELINE) -> dict[str, Any]:
        """Wait until `action` of the execution has one of `statuses`; any other end is a failure of the test."""
        deadline = time.monotonic() + 240
        while True:
            found = self.actions(execution, pipeline)
            if found.get(action, {}).get("status") in statuses:
                return dict(found[action])
            failed = [d for d in found.values() if d["status"] in ("Failed", "Abandoned")]
            assert not failed, [d["output"]["executionResult"] for d in failed]
            assert found.get(action, {}).get("status") != "Succeeded", f"{action} has succeeded"
            assert time.monotonic() < deadline, f"{action} is still not {statuses}: { {k: v['status'] for k, v in found.items()} }"
            time.sleep(0.3)  # AWS has no call that waits for an action

    def served(self, environment: Environment) -> dict[str, Any]:
        """The container that the environment's endpoint really serves, read back through its live configuration."""
        sagemaker = self.client("sagemaker", environment.account)
        live = sagemaker.describe_endpoint(EndpointName=CONFIG.name(MODEL, environment.name))
        assert live["EndpointStatus"] == "InService"
        variant = sagemaker.describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])["ProductionVariants"][0]
        return dict(sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"])


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """The clone, with `./road up` done and a synthetic data set stored. Each module tells its story from the first push on."""
    made = Fork(tmp_path_factory.mktemp("fork"))
    made.road("up")
    try:
        made.store(shuffled=False)
        yield made
    finally:
        made.road("down")


@pytest.fixture
def edit(fork: Fork) -> Callable[[str, str, str], None]:
    """Replace text in a file of the clone."""

    def replace(path: str, old: str, new: str) -> None:
        file = fork.home / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return replace
