"""The CDK CLI as steps call it: from an assembly that is there, and with the line that tells most where it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.deployment import cdk
from pipelines.deployment.errors import DeploymentError


def assembly(folder: Path, **stacks: list[str]) -> Path:
    (folder / "manifest.json").write_text("{}")
    for stack, names in stacks.items():
        (folder / f"{stack}.template.json").write_text(json.dumps({"Parameters": {name: {} for name in names}}))
    return folder


def called(folder: Path) -> list[str]:
    return (folder / "cdk.log").read_text().splitlines()


def test_stacks_are_deployed_from_the_assembly_as_it_is(programs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cdk.deploy(assembly(programs, Serving=["ModelPackageArn"]), ["Serving", "Monitoring"], {"ModelPackageArn": "arn:package", "Other": "x"})

    assert called(programs) == [
        "deploy", "--exclusively", "--require-approval", "never", "--progress", "events", "--app", str(programs),
        "--parameters", "Serving:ModelPackageArn=arn:package", "Serving", "Monitoring",
    ]  # fmt: skip
    assert capfd.readouterr() == ("", "said by cdk\n")


def test_a_deployment_that_fails_says_why_in_its_last_line(programs: Path) -> None:
    (programs / "cdk").write_text("#!/bin/sh\necho 'Serving: the endpoint did not start' >&2\nexit 1\n")

    with pytest.raises(DeploymentError, match="cdk deploy Serving failed: Serving: the endpoint did not start: correct that and retry"):
        cdk.deploy(assembly(programs), ["Serving"], {})


def test_every_stack_is_synthesised(programs: Path) -> None:
    cdk.synth(programs / "cdk.out")

    assert called(programs) == ["synth", "--quiet", "--output", str(programs / "cdk.out")]


def test_an_assembly_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="no assembly there"):
        cdk.deploy(tmp_path, ["Serving"], {})


def test_the_parameters_of_a_stack(tmp_path: Path) -> None:
    folder = assembly(tmp_path, Serving=["ModelPackageArn", "Urgent"])

    assert cdk.parameters(folder, "Serving") == {"ModelPackageArn", "Urgent"}
    with pytest.raises(DeploymentError, match="no stack Unknown there: give the folder that cdk synth wrote"):
        cdk.parameters(folder, "Unknown")


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (["Serving |  3/10 | CREATE_FAILED | Endpoint: no capacity", "Serving | CREATE_FAILED | cancelled", "❌ failed"], "no capacity"),
        (["fine", "Error: credentials have expired", "  at Module._compile"], "Error: credentials have expired"),
        (["one", "two", ""], "two"),
        ([], "it printed nothing"),
    ],
)
def test_the_line_that_tells_most(output: list[str], line: str) -> None:
    assert cdk.failure_line(output).endswith(line)
