"""Steps as the stages run them: programs on the PATH, environment variables in, one value or one line out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps import cdk
from pipelines.steps.build_image import build_and_push, existing_digest
from pipelines.steps.deploy import parameters
from pipelines.steps.environment import stack_outputs
from pipelines.steps.facts import variables
from pipelines.steps.package import Package
from pipelines.steps.step import StepError, polls
from tests.pipelines.steps.conftest import Clients
from tests.pipelines.steps.fakes import Fake, refusal

ROOT = Path(__file__).parents[3]
PATH = "/paved-road/lead_scoring/"
DIGEST = "sha256:" + "a" * 64
VERSION = Package(arn="arn:package", image=f"image@{DIGEST}", data="s3://b/model.tar.gz", status="Approved", approval="")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of the PATH, with a `cdk` and a `docker` that write down how they were called."""
    for name in ("cdk", "docker"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nfor word in "$@"; do echo "$word"; done >> {tmp_path}/{name}.log\necho "said by {name}"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def step(name: str, *arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"pipelines.steps.{name}", *arguments]
    environment = {**os.environ, "AWS_ENDPOINT_URL": url, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def put(ssm: Any, **facts: str) -> None:
    for name, value in facts.items():
        ssm.put_parameter(Name=PATH + name.replace("_", "-"), Value=value, Type="String")


def test_facts_become_variables(client: Clients) -> None:
    ssm = client("ssm")
    put(ssm, training_role="arn:role", data=json.dumps({"uri": "s3://b/data.csv", "sha256": "ab", "rows": 3}))
    ssm.put_parameter(Name="/paved-road/another/key", Value="k", Type="String")

    assert variables(ssm, PATH) == {"DATA_ROWS": "3", "DATA_SHA256": "ab", "DATA_URI": "s3://b/data.csv", "TRAINING_ROLE": "arn:role"}


def test_facts_can_be_read_by_a_shell(server: str, client: Clients, tmp_path: Path) -> None:
    put(client("ssm"), key="it's; $HOME")
    ran = step("facts", "--path", PATH, url=server)
    (tmp_path / "facts.env").write_text(ran.stdout)
    read = subprocess.run(["sh", "-c", '. ./facts.env; printf %s "$KEY"'], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert read.stdout == "it's; $HOME"


def test_no_data_set_is_one_line_that_says_what_to_do(server: str, client: Clients) -> None:
    put(client("ssm"), key="k")
    ran = step("facts", "--path", PATH, "--need-data", url=server)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"facts: {PATH}data: no data set was stored: store one: ./road data put lead_scoring FILE.csv\n"


def test_an_error_of_aws_is_one_line(server: str) -> None:
    flags = ["pipeline", "execution", "action", "model-package-arn", "commit", "evidence-uri", "evidence-sha256", "evidence-key", "key"]
    ran = step("record_approval", *(f"--{flag}=x" for flag in flags), url=server)

    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert ran.stderr.startswith("record_approval: ")


def test_an_address_that_does_not_answer_is_one_line() -> None:
    ran = step("facts", "--path", PATH, url="http://127.0.0.1:1")

    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert ran.stderr.startswith("facts: AWS refused or did not answer: ")


def test_an_image_that_is_there_is_not_built_again(server: str, client: Clients, programs: Path) -> None:
    ecr = client("ecr")
    ecr.create_repository(repositoryName="paved-road/lead-scoring")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []})
    pushed = ecr.put_image(repositoryName="paved-road/lead-scoring", imageManifest=manifest, imageTag="c0ffee")
    repository = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/paved-road/lead-scoring"
    ran = step("build_image", "--model", "lead_scoring", "--commit", "c0ffee", "--repository", repository, url=server)

    assert ran.stdout == f"{repository}@{pushed['image']['imageId']['imageDigest']}\n"
    assert not (programs / "docker.log").exists()
    assert existing_digest(ecr, "paved-road/lead-scoring", "another") is None


def test_how_an_image_is_built(programs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    token = {"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}
    build_and_push(Fake(get_authorization_token=lambda **_: token), dockerfile="model_code/m/Dockerfile", image="host/repo:c0ffee")
    called = (programs / "docker.log").read_text().split("\n")

    assert " ".join(called).strip() == (
        "login --username AWS --password-stdin host "
        "build --platform linux/amd64 --provenance=false --output type=docker --file model_code/m/Dockerfile --tag host/repo:c0ffee . "
        "push host/repo:c0ffee"
    )
    assert capfd.readouterr().out == ""


def test_an_image_that_does_not_build(programs: Path) -> None:
    (programs / "docker").write_text("#!/bin/sh\nexit 3\n")
    token = {"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}

    with pytest.raises(StepError, match="`docker login` exited with 3"):
        build_and_push(Fake(get_authorization_token=lambda **_: token), dockerfile="Dockerfile", image="host/repo:c0ffee")


def assembly(folder: Path, **stacks: list[str]) -> Path:
    (folder / "manifest.json").write_text("{}")
    for stack, names in stacks.items():
        (folder / f"{stack}.template.json").write_text(json.dumps({"Parameters": {name: {} for name in names}}))
    return folder


def test_a_stack_gets_the_parameters_its_template_has(tmp_path: Path) -> None:
    folder = assembly(tmp_path, Staging=["BootstrapVersion", "ModelPackageArn", "ImageUri", "ModelDataUrl"], Production=["ModelPackageArn"])

    assert parameters(folder, "Staging", VERSION) == {
        "ModelPackageArn": VERSION.arn,
        "ImageUri": VERSION.image,
        "ModelDataUrl": VERSION.data,
    }
    assert parameters(folder, "Production", VERSION) == {"ModelPackageArn": VERSION.arn}


def test_stacks_are_deployed_from_the_assembly_as_it_is(programs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cdk.deploy(assembly(programs), ["Serving", "Watch"], {"ModelPackageArn": "arn:package"})

    assert (programs / "cdk.log").read_text().split("\n")[:-1] == [
        "deploy", "--exclusively", "--require-approval", "never", "--progress", "events", "--app", str(programs),
        "--parameters", "Serving:ModelPackageArn=arn:package", "Serving", "Watch",
    ]  # fmt: skip
    assert capfd.readouterr() == ("", "said by cdk\n")


def test_a_deployment_that_fails_says_why_in_its_last_line(programs: Path) -> None:
    (programs / "cdk").write_text("#!/bin/sh\necho 'Serving: the endpoint did not start' >&2\nexit 1\n")

    with pytest.raises(StepError, match="cdk deploy Serving failed: Serving: the endpoint did not start"):
        cdk.deploy(assembly(programs), ["Serving"], {})


def test_an_assembly_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no assembly there"):
        cdk.deploy(tmp_path, ["Serving"], {})


@pytest.mark.parametrize(("status", "approval"), [("PendingManualApproval", ""), ("Rejected", "worse")])
def test_production_takes_no_version_that_nobody_approved(server: str, client: Clients, programs: Path, status: str, approval: str) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    containers = [{"Image": VERSION.image, "ModelDataUrl": VERSION.data}]
    types = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    made = sagemaker.create_model_package(
        ModelPackageGroupName="g",
        ModelApprovalStatus=status,
        InferenceSpecification={"Containers": containers, **types},
        ModelPackageDescription=approval or "new",
    )["ModelPackageArn"]
    folder = str(assembly(programs, Serving=["ModelPackageArn"]))
    arguments = ("--assembly", folder, "--stack", "Serving", "--model-package-arn", made)
    refused, taken = step("deploy", *arguments, "--approved-only", url=server), step("deploy", *arguments, url=server)

    assert refused.returncode == 1
    assert f"is {status}: this environment takes approved versions only" in refused.stderr
    assert (taken.returncode, json.loads(taken.stdout)["model_package_arn"]) == (0, made)
    assert (programs / "cdk.log").read_text().count("deploy\n") == 1


class Session:
    """A boto3 session whose one client answers, or raises."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def client(self, _: str) -> Fake:
        def describe(**_: Any) -> Any:
            if isinstance(self._answer, Exception):
                raise self._answer
            return {"Stacks": [self._answer]}

        return Fake(describe_stacks=describe)


@pytest.mark.parametrize(
    ("answer", "outputs"),
    [
        ({"StackStatus": "UPDATE_COMPLETE", "Outputs": [{"OutputKey": "EndpointName", "OutputValue": "e"}]}, {"EndpointName": "e"}),
        ({"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}, {}),
        ({"StackStatus": "REVIEW_IN_PROGRESS"}, None),
        ({"StackStatus": "ROLLBACK_COMPLETE"}, None),
        (refusal("ValidationError", "Stack with id Serving does not exist"), None),
    ],
)
def test_a_stacks_outputs(answer: Any, outputs: dict[str, str] | None) -> None:
    assert stack_outputs(Session(answer), "Serving") == outputs  # type: ignore[arg-type]


def test_a_refusal_is_not_taken_for_absence() -> None:
    with pytest.raises(Exception, match="AccessDenied"):
        stack_outputs(Session(refusal("AccessDenied", "no")), "Serving")  # type: ignore[arg-type]


def test_waiting_has_an_end() -> None:
    with pytest.raises(StepError, match="the run: not finished after 0 minutes"):
        list(polls(0, minutes=0, waiting_for="the run"))
