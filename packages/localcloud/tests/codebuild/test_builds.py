"""A buildspec runs as CodeBuild runs it: one shell, phases in order, as the project's role."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError

from localcloud.codebuild import builds, compute
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.in_process import Aws
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

BUILD_ROLE = {"Service": "codebuild.amazonaws.com"}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": BUILD_ROLE, "Action": "sts:AssumeRole"}]}


def project(cloud: Running, name: str, spec: dict[str, Any], *, minutes: int = 5, trusts: dict[str, str] = BUILD_ROLE) -> None:
    role = cloud.role(f"build-{name}", trusts=trusts, allows=[{"Action": "ssm:GetParameter", "Resource": "*"}])
    cloud.client("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": json.dumps({"version": 0.2, **spec})},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
        timeoutInMinutes=minutes,
    )


def build(cloud: Running, name: str, **variables: str) -> dict[str, Any]:
    """Run a build to its end; returns it with its log lines."""
    codebuild = cloud.client("codebuild")
    values = [{"name": k, "value": v} for k, v in variables.items()]
    build_id = codebuild.start_build(projectName=name, environmentVariablesOverride=values)["build"]["id"]

    def complete() -> dict[str, Any] | None:
        description: dict[str, Any] = codebuild.batch_get_builds(ids=[build_id])["builds"][0]
        return description if description["buildComplete"] else None

    done: dict[str, Any] = until(complete)
    where = {"logGroupName": done["logs"]["groupName"], "logStreamName": done["logs"]["streamName"]}
    events = cloud.client("logs").get_log_events(**where, startFromHead=True)["events"]
    return {**done, "log": [e["message"] for e in events]}


def test_commands_share_one_shell_and_export_variables(cloud: Running) -> None:
    phases = {"install": {"commands": ["X=1", "cd /tmp"]}, "build": {"commands": ["export Y=$X-$GIVEN", "pwd"]}}
    project(cloud, "shell", {"env": {"exported-variables": ["Y"]}, "phases": phases})

    done = build(cloud, "shell", GIVEN="two words")

    assert done["buildStatus"] == "SUCCEEDED"
    assert done["exportedEnvironmentVariables"] == [{"name": "Y", "value": "1-two words"}]
    assert "/tmp" in done["log"]


def test_a_failed_command_ends_its_phase_and_names_it(cloud: Running) -> None:
    phases = {
        "pre_build": {"commands": ["echo before", "echo why >&2; false", "echo never"], "finally": ["echo always"]},
        "build": {"commands": ["echo skipped"]},
    }
    project(cloud, "fails", {"phases": phases})

    done = build(cloud, "fails")

    assert done["buildStatus"] == "FAILED"
    assert "PRE_BUILD" in done["phases"][0]["contexts"][0]["message"]
    assert {"before", "why", "always"} <= set(done["log"])
    assert not {"never", "skipped"} & set(done["log"])


def test_post_build_runs_after_a_failed_build(cloud: Running) -> None:
    project(cloud, "post", {"phases": {"build": {"commands": ["exit_code=3; (exit 3)"]}, "post_build": {"commands": ["echo swept"]}}})

    done = build(cloud, "post")

    assert done["buildStatus"] == "FAILED"
    assert "swept" in done["log"]


def test_a_build_acts_as_the_projects_role(cloud: Running) -> None:
    cloud.client("ssm").put_parameter(Name="/role/x", Value="seen", Type="String")
    read = "aws ssm get-parameter --name /role/x --query Parameter.Value --output text"
    write = "aws ssm put-parameter --name /role/x --value no --type String --overwrite"
    project(cloud, "role", {"phases": {"build": {"commands": ["aws sts get-caller-identity", read, write]}}})

    done = build(cloud, "role")

    assert done["buildStatus"] == "FAILED"
    assert "seen" in done["log"]
    assert any("assumed-role/build-role" in line for line in done["log"])
    assert any("AccessDenied" in line and "ssm:PutParameter" in line for line in done["log"])


def test_a_role_that_does_not_trust_codebuild_starts_nothing(cloud: Running) -> None:
    project(cloud, "untrusted", {"phases": {"build": {"commands": ["true"]}}}, trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})

    with pytest.raises(ClientError, match="does not trust"):
        build(cloud, "untrusted")


def test_a_buildspec_key_that_cannot_be_honoured_is_refused(cloud: Running) -> None:
    with pytest.raises(ClientError, match="batch"):
        project(cloud, "odd", {"batch": {}, "phases": {"build": {"commands": ["true"]}}})


HOLDS = "python3 -c 'import mmap; m = mmap.mmap(-1, 200 << 20); m.write(bytes(200 << 20)); print(input())'"
WAITS_BESIDE = f"{{ sleep 100 & {HOLDS} < <(sleep 100); }}"  # until it is killed


def held(aws: Aws, commands: list[str], *, memory: int = compute.GIB, disk: int = compute.GB) -> builds.Build:
    """A build in this process, on a machine with so many bytes, once it is over."""
    role = aws.client("iam").create_role(RoleName=f"held-{memory}-{disk}", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    project = {
        "name": "held",
        "source": {"type": "NO_SOURCE", "buildspec": json.dumps({"version": 0.2, "phases": {"build": {"commands": commands}}})},
        "environment": {"computeType": "BUILD_GENERAL1_SMALL"},
        "serviceRole": role,
    }
    machine = compute.Machine(kind="BUILD_GENERAL1_SMALL", memory=memory, disk=disk)
    build = builds.Build(ACCOUNT, REGION, project, {}, {"": aws.cloud.folder("builds", "held", "source")}, machine).start()
    assert build.done.wait(60)
    return build


def test_a_build_that_holds_more_than_its_machine_has_is_killed_with_all_that_it_started(aws: Aws) -> None:
    build = held(aws, [WAITS_BESIDE, "echo never"], memory=100 << 20)

    assert build.status == "FAILED"
    assert re.match(r"a phase failed with exit code 137: killed for memory: held \S+ GiB, more than the 0.098 GiB of BUILD_", build.failure)
    assert "never" not in aws.lines(build.group, build.uuid)


def test_a_build_that_writes_more_than_its_disk_has_fails(aws: Aws) -> None:
    """A file that has several names counts once."""
    write = "head -c 20000000 /dev/urandom > large && for n in 1 2 3 4 5; do ln -f large same-$n; done"
    fits = held(aws, [write, "sleep 1"], disk=30_000_000)
    full = held(aws, [write, "head -c 20000000 /dev/urandom > larger; sleep 100", "echo never"], disk=30_000_000 + 1)

    assert fits.status == "SUCCEEDED", fits.failure
    assert 20_000_000 <= fits.usage.disk < 21_000_000
    assert full.status == "FAILED"
    assert "exit code 137: no space left on device: wrote 0.0" in full.failure
    assert "GB, more than the 0.03 GB of BUILD_GENERAL1_SMALL" in full.failure
    assert "never" not in aws.lines(full.group, full.uuid)


def test_the_log_says_how_much_a_build_held(aws: Aws) -> None:
    build = held(aws, [f"sleep 1 | {HOLDS} || true"], disk=64 * compute.GB)

    assert build.status == "SUCCEEDED"
    assert 200 << 20 <= build.usage.memory < 300 << 20
    (line,) = (line for line in aws.lines(build.group, build.uuid) if "Held" in line)
    assert re.fullmatch(r"\[Container\] Held 0.2 GiB of memory and \S+ GB of disk at most; BUILD_GENERAL1_SMALL has 1 GiB and 64 GB", line)


def test_a_compute_type_that_is_not_known_is_refused() -> None:
    with pytest.raises(JsonRESTError, match="not of BUILD_LAMBDA_1GB"):
        compute.check({"name": "odd", "environment": {"computeType": "BUILD_LAMBDA_1GB"}})
