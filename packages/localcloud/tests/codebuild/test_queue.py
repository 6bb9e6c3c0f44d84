"""Builds wait for their turn where the account may run no more of them at once, and not for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError

from localcloud.codebuild import builds, compute, projects, quotas
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.in_process import PLENTY, Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.laptop("quotas that localcloud sets low")

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
SMALL = "Concurrently running builds for Linux/Small environment"


@pytest.fixture
def limits(aws: Aws) -> Iterator[dict[str, int]]:
    """The cloud's quotas, for the length of a test."""
    yield aws.cloud.quotas
    aws.cloud.quotas = dict(PLENTY)


class Waiting:
    """A project whose builds run until the test lets them end, and how to start them."""

    def __init__(self, aws: Aws, name: str, *, size: str = "SMALL", **more: Any) -> None:
        role = aws.client("iam").create_role(RoleName=name[:64], AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        self.name, self.source = name, aws.cloud.folder("builds", name, "source")
        commands = [f"until [ -e {self.source}/end ]; do sleep 0.1; done"]
        self.project: dict[str, Any] = {
            "name": name,
            "source": {"type": "NO_SOURCE", "buildspec": json.dumps({"version": 0.2, "phases": {"build": {"commands": commands}}})},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": {"type": "LINUX_CONTAINER", "computeType": f"BUILD_GENERAL1_{size}", "image": "aws/codebuild/standard:7.0"},
            "serviceRole": role,
            **more,
        }
        projects.put(ACCOUNT, REGION, self.project)

    def build(self, **more: Any) -> builds.Build:
        """A build, which runs or waits; `more` are members of its project that the API would not take."""
        machine = compute.machine(self.project)
        return builds.Build(ACCOUNT, REGION, {**self.project, **more}, {}, {"": self.source}, machine, initiator="test").start()

    def end(self) -> None:
        Path(self.source, "end").touch()


def running(build: builds.Build) -> bool:
    return bool(until(lambda: build.phase == "BUILD" or None))


def test_a_build_waits_until_another_has_ended(aws: Aws, name: Name, limits: dict[str, int]) -> None:
    """Only those of its own platform and compute type are before it."""
    limits[SMALL] = 1
    first, other = Waiting(aws, name("first")), Waiting(aws, name("other"), size="MEDIUM")
    one, two, larger = first.build(), first.build(), other.build()

    assert running(one)
    assert running(larger)
    assert (two.phase, two.describe()["buildStatus"]) == ("QUEUED", "IN_PROGRESS")
    first.end()
    other.end()
    assert all(build.done.wait(30) for build in (one, two, larger))
    assert [build.status for build in (one, two, larger)] == ["SUCCEEDED"] * 3


def test_a_build_that_waits_for_too_long_times_out(aws: Aws, name: Name, limits: dict[str, int]) -> None:
    limits[SMALL] = 1
    project = Waiting(aws, name("project"))
    one = project.build()
    two = project.build(queuedTimeoutInMinutes=0.01)

    assert two.done.wait(30)
    (phase,) = two.describe()["phases"]
    assert (two.status, phase["phaseType"], phase["phaseStatus"]) == ("TIMED_OUT", "QUEUED", "TIMED_OUT")
    assert "waited in the queue for longer than 0.01 minutes" in phase["contexts"][0]["message"]
    project.end()
    assert one.done.wait(30)
    assert one.status == "SUCCEEDED"


def test_a_build_that_waits_is_stopped_and_takes_no_turn(aws: Aws, name: Name, limits: dict[str, int]) -> None:
    limits[SMALL] = 1
    project = Waiting(aws, name("project"))
    one, two, three = project.build(), project.build(), project.build()

    two.stop()
    assert two.done.wait(30)
    assert two.status == "STOPPED"
    project.end()
    assert three.done.wait(30)
    assert (one.status, three.status) == ("SUCCEEDED", "SUCCEEDED")


def test_five_times_as_many_wait_as_run(aws: Aws, name: Name, limits: dict[str, int]) -> None:
    limits[SMALL] = 1
    project = Waiting(aws, name("project"))
    started = [project.build() for _ in range(6)]

    with pytest.raises(JsonRESTError, match="Cannot have more than 5 builds in queue for the account"):
        project.build()
    project.end()
    assert all(build.done.wait(60) for build in started)
    assert {build.status for build in started} == {"SUCCEEDED"}


def test_a_projects_own_limit_refuses(aws: Aws, name: Name) -> None:
    """It makes nobody wait."""
    project = Waiting(aws, name("project"), concurrentBuildLimit=1)
    one = project.build()

    with pytest.raises(JsonRESTError, match="Cannot have more than 1 active builds for the project"):
        project.build()
    project.end()
    assert one.done.wait(30)


def test_service_quotas_tells_what_holds(aws: Aws, limits: dict[str, int]) -> None:
    limits.clear()
    limits[SMALL] = 2
    listed = aws.client("service-quotas").list_service_quotas(ServiceCode="codebuild")["Quotas"]
    values = {each["QuotaName"]: each["Value"] for each in listed}

    assert values[SMALL] == 2
    assert values["Concurrently running builds for ARM/Large environment"] == quotas.FEW
