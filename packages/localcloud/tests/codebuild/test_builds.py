"""A buildspec runs as CodeBuild runs it: one shell, phases in order, as the project's role."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from builds import build, project
from moto.core.exceptions import JsonRESTError

from localcloud.codebuild import builds as local
from localcloud.codebuild import compute
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name

aws_behaviour = pytest.mark.aws("builds: one shell, phases in order")
BUILD_ROLE = {"Service": "codebuild.amazonaws.com"}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": BUILD_ROLE, "Action": "sts:AssumeRole"}]}


@aws_behaviour
def test_commands_share_one_shell_and_export_variables(cloud: Accounts, name: Name) -> None:
    phases = {"install": {"commands": ["X=1", "cd /tmp"]}, "build": {"commands": ["export Y=$X-$CHOSEN", "pwd"]}}
    project(cloud, name("p"), {"env": {"exported-variables": ["Y"]}, "phases": phases})

    done = build(cloud, name("p"), CHOSEN="two words")

    assert done["buildStatus"] == "SUCCEEDED"
    assert done["exportedEnvironmentVariables"] == [{"name": "Y", "value": "1-two words"}]
    assert "/tmp" in done["log"]


@pytest.mark.laptop("what a machine that is not thrown away has already")
def test_a_build_finds_what_tools_have_unpacked_on_this_machine(cloud: Accounts, name: Name) -> None:
    shown = [f'echo "{variable}=${variable}"' for variable in local.CACHES]
    project(cloud, name("p"), {"phases": {"build": {"commands": [*shown, "echo HOME=$HOME"]}}})

    log = build(cloud, name("p"))["log"]

    for variable, folder in local.CACHES.items():
        assert f"{variable}={os.environ.get(variable, Path.home() / folder)}" in log
    assert f"HOME={Path.home()}" not in log


@aws_behaviour
def test_a_failed_command_ends_its_phase_and_names_it(cloud: Accounts, name: Name) -> None:
    phases = {
        "pre_build": {"commands": ["echo before", "echo why >&2; false", "echo never"], "finally": ["echo always"]},
        "build": {"commands": ["echo skipped"]},
    }
    project(cloud, name("p"), {"phases": phases})

    done = build(cloud, name("p"))

    assert done["buildStatus"] == "FAILED"
    (failed,) = (phase for phase in done["phases"] if phase.get("phaseStatus") == "FAILED")
    assert failed["phaseType"] == "PRE_BUILD"
    assert {"before", "why", "always"} <= set(done["log"])
    assert not {"never", "skipped"} & set(done["log"])


@aws_behaviour
def test_post_build_runs_after_a_failed_build(cloud: Accounts, name: Name) -> None:
    phases = {"build": {"commands": ["exit_code=3; (exit 3)"]}, "post_build": {"commands": ["echo swept"]}}
    project(cloud, name("p"), {"phases": phases})

    done = build(cloud, name("p"))

    assert done["buildStatus"] == "FAILED"
    assert "swept" in done["log"]


@pytest.mark.aws("IAM: each stage, job and endpoint calls with its deployed role's credentials")
def test_a_build_acts_as_the_projects_role(cloud: Accounts, name: Name) -> None:
    parameter = f"/{name('x')}"
    cloud.client("ssm").put_parameter(Name=parameter, Value="seen", Type="String")
    read = f"aws ssm get-parameter --name {parameter} --query Parameter.Value --output text"
    write = f"aws ssm put-parameter --name {parameter} --value no --type String --overwrite"
    allows = [{"Action": "ssm:GetParameter", "Resource": "*"}]
    project(cloud, name("p"), {"phases": {"build": {"commands": ["aws sts get-caller-identity", read, write]}}}, allows=allows)

    done = build(cloud, name("p"))

    assert done["buildStatus"] == "FAILED"
    assert "seen" in done["log"]
    assert any(f"assumed-role/{name('p')}-build" in line for line in done["log"])
    assert any("AccessDenied" in line and "ssm:PutParameter" in line for line in done["log"])


def untrusted(cloud: Accounts, name: str) -> None:
    """A build whose role trusts the account's people alone."""
    project(cloud, name, {"phases": {"build": {"commands": ["true"]}}}, trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    build(cloud, name)


@aws_behaviour
def test_a_role_that_does_not_trust_codebuild_starts_nothing(cloud: Accounts, name: Name) -> None:
    with pytest.raises(ClientError):
        untrusted(cloud, name("p"))


@pytest.mark.laptop("the wording is localcloud's")
def test_a_role_that_does_not_trust_codebuild_is_named(cloud: Accounts, name: Name) -> None:
    with pytest.raises(ClientError, match="does not trust"):
        untrusted(cloud, name("p"))


@pytest.mark.laptop("AWS has batches")
def test_a_buildspec_key_that_cannot_be_honoured_is_refused(cloud: Accounts, name: Name) -> None:
    with pytest.raises(ClientError, match="batch"):
        project(cloud, name("p"), {"batch": {}, "phases": {"build": {"commands": ["true"]}}})


memory = pytest.mark.laptop("the memory of a build is chosen, and looked at in this process")
HOLDS = "python3 -c 'import mmap; m = mmap.mmap(-1, 200 << 20); m.write(bytes(200 << 20)); print(input())'"
WAITS_BESIDE = f"{{ sleep 100 & {HOLDS} < <(sleep 100); }}"  # until it is killed


def held(aws: Aws, commands: list[str], *, memory: int = compute.GIB, disk: int = compute.GB) -> local.Build:
    """A build in this process, on a machine with so many bytes, once it is over."""
    role = aws.client("iam").create_role(RoleName=f"held-{memory}-{disk}", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    own: dict[str, Any] = {
        "name": "held",
        "source": {"type": "NO_SOURCE", "buildspec": json.dumps({"version": 0.2, "phases": {"build": {"commands": commands}}})},
        "environment": {"computeType": "BUILD_GENERAL1_SMALL"},
        "serviceRole": role,
    }
    machine = compute.Machine(kind="BUILD_GENERAL1_SMALL", memory=memory, disk=disk)
    run = local.Build(ACCOUNT, REGION, own, {}, {"": aws.cloud.folder("builds", "held", "source")}, machine).start()
    assert run.done.wait(60)
    return run


@memory
def test_a_build_that_holds_more_than_its_machine_has_is_killed_with_all_that_it_started(aws: Aws) -> None:
    run = held(aws, [WAITS_BESIDE, "echo never"], memory=100 << 20)

    assert run.status == "FAILED"
    assert re.match(r"a phase failed with exit code 137: killed for memory: held \S+ GiB, more than the 0.098 GiB of BUILD_", run.failure)
    assert "never" not in aws.lines(run.group, run.uuid)


@memory
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


@memory
def test_the_log_says_how_much_a_build_held(aws: Aws) -> None:
    run = held(aws, [f"sleep 1 | {HOLDS} || true"], disk=64 * compute.GB)

    assert run.status == "SUCCEEDED"
    assert 200 << 20 <= run.usage.memory < 300 << 20
    (line,) = (line for line in aws.lines(run.group, run.uuid) if "Held" in line)
    assert re.fullmatch(r"\[Container\] Held 0.2 GiB of memory and \S+ GB of disk at most; BUILD_GENERAL1_SMALL has 1 GiB and 64 GB", line)


@pytest.mark.laptop("AWS has other compute types")
def test_a_compute_type_that_is_not_known_is_refused() -> None:
    with pytest.raises(JsonRESTError, match="not of BUILD_LAMBDA_1GB"):
        compute.check({"name": "odd", "environment": {"computeType": "BUILD_LAMBDA_1GB"}})
