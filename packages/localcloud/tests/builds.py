"""What tests of builds do: make a project, and run a build of it to its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from localcloud.testing.accounts import Accounts
from localcloud.testing.pipelines import LOGGING, Json
from localcloud.testing.waiting import until

BUILD_ROLE = {"Service": "codebuild.amazonaws.com"}


def project(
    cloud: Accounts, name: str, spec: Json, *, trusts: Json = BUILD_ROLE, allows: Sequence[Json] = (), variables: Sequence[Json] = ()
) -> None:
    """A project without a source, and its role, which may write the log."""
    machine = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}
    cloud.client("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": json.dumps({"version": 0.2, **spec})},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={**machine, "environmentVariables": list(variables)},
        serviceRole=cloud.role(f"{name}-build", trusts=trusts, allows=[LOGGING, *allows]),
        timeoutInMinutes=5,
    )


def build(cloud: Accounts, name: str, **variables: str) -> dict[str, Any]:
    """Run a build to its end; returns it with the lines of its log and what its phases say."""
    codebuild = cloud.client("codebuild")
    values = [{"name": k, "value": v} for k, v in variables.items()]
    build_id = codebuild.start_build(projectName=name, environmentVariablesOverride=values)["build"]["id"]

    def complete() -> dict[str, Any] | None:
        description: dict[str, Any] = codebuild.batch_get_builds(ids=[build_id])["builds"][0]
        return description if description["buildComplete"] else None

    done: dict[str, Any] = until(complete)
    said = [context.get("message", "") for phase in done["phases"] for context in phase.get("contexts", [])]
    return {**done, "log": _log(cloud, done), "said": "\n".join(said)}


def _log(cloud: Accounts, done: dict[str, Any]) -> list[str]:
    """Its lines, without the ends of lines; none where it did not come so far as to write one."""
    where = done.get("logs", {})
    if not where.get("streamName"):
        return []
    events = cloud.client("logs").get_log_events(logGroupName=where["groupName"], logStreamName=where["streamName"], startFromHead=True)
    return [event["message"].rstrip("\n") for event in events["events"]]
