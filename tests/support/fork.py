"""A clone in which `./road` is typed, as in a fork: the reference's configuration and models, and a localcloud of its own."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from botocore.config import Config as ClientConfig

import naming
from cli import configuration
from config import Account, Config, Environment
from localcloud.testing import VERIFICATION
from localcloud.testing.waiting import until
from tests.reference import CONFIG, MODEL
from tests.support.tree import reference_tree
from tests.support.whose_aws import Accounts, Laptop, WhoseAws

PIPELINE = naming.delivery_pipeline(CONFIG, MODEL)
PLATFORM = naming.delivery_pipeline(CONFIG, naming.PLATFORM)
ONBOARDING = naming.onboarding_pipeline(CONFIG)
PATIENCE = 4 * 3600 if VERIFICATION else 600  # seconds; a stage that hangs is ended by the test's own timeout


Edit = tuple[str, str, str]  # a file, what is replaced in it, and by what


class Clone:
    """A git repository at `home`."""

    def __init__(self, home: Path) -> None:
        self.home, self.environment = home, dict[str, str]()
        self.git("init", "-q", "-b", CONFIG.repository.branch)
        self.commit("the template as it is")

    def git(self, *arguments: str) -> str:
        """What git prints."""
        who = ["-c", "user.name=Dana", "-c", "user.email=dana@example.com"]
        return subprocess.run(["git", *who, *arguments], cwd=self.home, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def road(self, *arguments: str, ok: bool = True, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Type `./road …`, with more variables in the environment."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | self.environment | dict(variables or {})
        done = subprocess.run(["./road", *arguments], cwd=self.home, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert (done.returncode == 0) is ok, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file."""
        file = self.home / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))


class Fork(Clone):
    """A clone of the reference, and the AWS that it speaks to."""

    @classmethod
    @contextmanager
    def up(
        cls,
        home: Path,
        *options: str,
        config: Config = CONFIG,
        environment: Mapping[str, str] | None = None,
        edit: Edit | None = None,
        reuse: bool = False,
    ) -> Iterator[Self]:
        """With `./road up OPTIONS` done and a synthetic data set stored, until the block ends.

        `environment` is added to each command's; `edit` is made of the clone before. Without `reuse` every push trains, also one that
        changes nothing.
        """
        made = cls(home, *options)
        made.environment |= environment or {}
        configuration.write(made.home / "config.py", config)
        if edit:
            made.edit(*edit)
        if not reuse:
            made.edit(f"model_code/{MODEL}/model.toml", "[training]\n", "[training]\nreuse = false\n")
        made.aws.begin(made, config)
        try:
            made.store(shuffled=False)
            yield made
        finally:
            made.aws.end(made)

    def __init__(self, home: Path, *options: str) -> None:
        super().__init__(reference_tree(home))
        self.branch = CONFIG.repository.branch
        self.aws: WhoseAws = Accounts(VERIFICATION) if VERIFICATION else Laptop(home, options)
        self.environment = self.aws.variables(CONFIG.toolchain) if VERIFICATION else {}

    def client(self, service: str, account: Account = CONFIG.toolchain, config: ClientConfig | None = None) -> Any:
        """A client with the account's administrator keys."""
        make: Any = self.aws.session(account).client  # its overloads want to know the service beforehand
        return make(service, config=config)

    def store(self, *, shuffled: bool) -> None:
        """Make the synthetic data set and store it with `road data put`; `shuffled`: with labels that mean nothing."""
        file = self.home / ".road" / "data.csv"
        maker = [sys.executable, f"model_code/{MODEL}/synthetic.py", "--rows", "8000", "--seed", "7", "--out", str(file)]
        subprocess.run(maker, cwd=self.home, check=True)
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
        """Commit, push with plain git; the commit and the pipeline's newest execution."""
        commit = self.commit(message)
        before = {execution["pipelineExecutionId"] for execution in self.executions(pipeline)}
        self.git("push", "-q", self.aws.remote, f"HEAD:{self.branch}")
        return commit, self.newest(pipeline, before)

    def newest(self, pipeline: str, before: Collection[str]) -> str:
        """The pipeline's newest execution, once there is another than those `before`."""
        return until(lambda: self._newest(pipeline, before))

    def _newest(self, pipeline: str, before: Collection[str]) -> str | None:
        """The pipeline's newest execution, once it is listed and none of those `before`."""
        newest = next((execution["pipelineExecutionId"] for execution in self.executions(pipeline)), None)
        return None if newest in before else newest

    def executions(self, pipeline: str = PIPELINE) -> list[dict[str, Any]]:
        """Newest first."""
        return list(self.client("codepipeline").list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"])

    def stop_others(self, *but: str) -> None:
        """Stop what runs in other pipelines than these, or than the model's: the first push counts as a change of every path."""
        codepipeline = self.client("codepipeline")
        listed = codepipeline.list_pipelines()["pipelines"]
        for pipeline in {each["name"] for each in listed} - {*(but or (PIPELINE,))}:
            for execution in self.executions(pipeline):
                if execution["status"] == "InProgress":
                    where = {"pipelineName": pipeline, "pipelineExecutionId": execution["pipelineExecutionId"]}
                    codepipeline.stop_pipeline_execution(**where, abandon=True, reason="not this test's road")

    def actions(self, execution: str, pipeline: str = PIPELINE) -> dict[str, Any]:
        """The execution's newest action of each stage: of the platform's there is one, as there is one model."""
        where = {"pipelineName": pipeline, "filter": {"pipelineExecutionId": execution}}
        newest_first = self.client("codepipeline").list_action_executions(**where)["actionExecutionDetails"]
        return {d["stageName"]: d for d in reversed(newest_first)}

    def wait(self, execution: str, stage: str, *statuses: str, pipeline: str = PIPELINE) -> dict[str, Any]:
        """Wait until the action of a stage of the execution has one of `statuses`; any other end is a failure of the test."""
        deadline = time.monotonic() + PATIENCE
        while True:
            actions = self.actions(execution, pipeline)
            if actions.get(stage, {}).get("status") in statuses:
                return dict(actions[stage])
            failed = [d for d in actions.values() if d["status"] in ("Failed", "Abandoned")]
            assert not failed, [d["output"]["executionResult"] for d in failed]
            assert actions.get(stage, {}).get("status") != "Succeeded", f"{stage} has succeeded"
            assert time.monotonic() < deadline, f"{stage} is still not {statuses}: { {k: v['status'] for k, v in actions.items()} }"
            time.sleep(VERIFICATION.pause if VERIFICATION else 0.3)  # AWS has no call that waits for an action

    def served(self, environment: Environment, model: str = MODEL) -> dict[str, Any]:
        """The container that the environment's endpoint really serves, read back through its live configuration."""
        sagemaker = self.client("sagemaker", environment.account)
        live = sagemaker.describe_endpoint(EndpointName=naming.endpoint(CONFIG, model, environment))
        assert live["EndpointStatus"] == "InService"
        variant = sagemaker.describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])["ProductionVariants"][0]
        return dict(sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"])
