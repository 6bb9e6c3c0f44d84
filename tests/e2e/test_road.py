"""From `git push` to production, and the ways that must not get there. One clone, told in order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import naming
from config import Account
from tests.browser.chromium import browser
from tests.reference import CONFIG, MODEL, ROOT
from tests.support.fork import PIPELINE, Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
STAGING, PRODUCTION = CONFIG.environments
Edit = Callable[[str, str, str], None]
BREAK = """RUN python -c "import os, paved_runtime; os.remove(os.path.join(paved_runtime.__path__[0], 'serving.py'))" """.strip()


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """A clone whose model asks for three jobs instead of one, which two actions of its stage wait for."""
    with Fork.up(
        tmp_path_factory.mktemp("fork"), edit=(f"model_code/{MODEL}/model.toml", 'steps = "one-job"', 'steps = "separate"')
    ) as made:
        yield made


@pytest.fixture(scope="module")
def first(fork: Fork) -> dict[str, Any]:
    """The first push, taken to its approval."""
    commit, execution = fork.push("the first version")
    fork.stop_others()
    waiting = fork.wait(execution, "Approval", "InProgress")
    return {"commit": commit, "execution": execution, "approval": waiting, "package": package(fork, execution)}


def package(fork: Fork, execution: str) -> str:
    return str(fork.actions(execution)["Train"]["output"]["outputVariables"]["MODEL_PACKAGE_ARN"])


def reason(action: dict[str, Any]) -> str:
    return str(action["output"]["executionResult"]["errorDetails"]["message"])


def endpoint(environment: Any) -> str:
    return naming.endpoint(CONFIG, MODEL, environment)


def endpoints(fork: Fork, environment: Any) -> list[str]:
    listed = fork.client("sagemaker", environment.account).list_endpoints(NameContains=CONFIG.project)["Endpoints"]
    return [e["EndpointName"] for e in listed]


@pytest.mark.aws("Staging and Production: serving stack")
def test_a_push_reaches_staging_and_waits_for_a_person(fork: Fork, first: dict[str, Any]) -> None:
    asked = first["approval"]["input"]["resolvedConfiguration"]["CustomData"]
    registered = fork.client("sagemaker").describe_model_package(ModelPackageName=first["package"])

    assert first["commit"] in asked
    assert first["package"] in asked
    assert registered["ModelApprovalStatus"] == "PendingManualApproval"
    assert registered["CustomerMetadataProperties"]["commit"] == first["commit"]
    image = registered["InferenceSpecification"]["Containers"][0]["Image"]
    assert image == fork.actions(first["execution"])["Build"]["output"]["outputVariables"]["IMAGE_URI"]
    assert "@sha256:" in image
    assert fork.served(STAGING)["Image"] == image
    assert endpoint(PRODUCTION) not in endpoints(fork, PRODUCTION)


@pytest.mark.aws("a candidate under its gate")
def test_a_model_under_its_gate_stops_in_train_with_number_and_threshold(fork: Fork, first: dict[str, Any], edit: Edit) -> None:
    """The code is fine; the labels it learns from mean nothing."""
    fork.store(shuffled=True)
    edit(f"model_code/{MODEL}/model.toml", "eta = 0.1\n", "eta = 0.11\n")
    _, execution = fork.push("train on the new data")

    failed = fork.wait(execution, "Train", "Failed")

    assert re.search(r"floor: ROC AUC: found 0\.[45]\d+, accepted is >= 0\.75", reason(failed)), reason(failed)
    assert "Staging" not in fork.actions(execution)
    group = naming.model_package_group(CONFIG, MODEL)
    registered = fork.client("sagemaker").list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [p["ModelPackageArn"] for p in registered] == [first["package"]]
    fork.store(shuffled=False)


@pytest.mark.aws("a container that cannot start")
def test_a_container_that_cannot_start_stops_in_staging(fork: Fork, first: dict[str, Any], edit: Edit) -> None:
    dockerfile = f"model_code/{MODEL}/Dockerfile"
    line = "ENTRYPOINT ["
    edit(dockerfile, line, f"{BREAK}\n{line}")
    _, execution = fork.push("forget a file in the image")

    failed = fork.wait(execution, "Staging", "Failed")

    assert reason(failed)
    assert "Approval" not in fork.actions(execution)
    before = fork.client("sagemaker").describe_model_package(ModelPackageName=first["package"])["InferenceSpecification"]["Containers"][0]
    assert fork.served(STAGING)["Image"] == before["Image"]
    edit(dockerfile, f"{BREAK}\n{line}", line)


@pytest.mark.aws("approval bound to one execution")
def test_the_approval_still_approves_what_it_was_asked_for(fork: Fork, first: dict[str, Any]) -> None:
    """Two pushes came after it; production gets the version of the execution that was approved, and no other."""
    fork.road("approve", MODEL, "--execution", first["execution"], "--reason", "the numbers are fine", "--yes")

    fork.wait(first["execution"], "Production", "Succeeded")

    assert fork.served(PRODUCTION)["ModelPackageName"] == first["package"]
    decided = fork.client("sagemaker").describe_model_package(ModelPackageName=first["package"])
    assert decided["ModelApprovalStatus"] == "Approved"
    assert fork.client("sts").get_caller_identity()["Arn"] in decided["ApprovalDescription"]
    assert "the numbers are fine" in decided["ApprovalDescription"]
    assert decided["CustomerMetadataProperties"]["commit"] == first["commit"]


@pytest.mark.aws("evidence, approvals and ledger signed")
def test_the_evidence_of_what_serves_is_read_verified_and_audited(fork: Fork, first: dict[str, Any]) -> None:
    pack = fork.home / "pack"
    told = json.loads(fork.road("evidence", MODEL, "--out", str(pack), "--verify", "--json").stdout)
    served, began = json.loads(fork.road("audit", MODEL, "--json").stdout)

    assert told["model_package_arn"] == served["model_package_arn"] == first["package"]
    assert told["commit"]["id"] == served["commit"] == first["commit"]
    assert told["approval"]["reason"] == served["reason"] == "the numbers are fine"
    assert [check["what"] for check in told["checks"] if not check["matches"]] == []
    assert (served["signature_valid"], served["served_to"]) == (True, None)
    assert [(entry["action"], entry["answers"]) for entry in (began, served)] == [
        ("deploying", [first["package"]]),
        ("deployed", [first["package"]]),
    ]
    about = json.loads((pack / "sbom.json").read_text())["metadata"]["component"]["properties"]
    image = {each["name"].partition(":")[2]: each["value"] for each in about}
    assert re.fullmatch(rf"{re.escape(CONFIG.images.base)}@sha256:[0-9a-f]{{64}}", image["base-image"])
    assert (image["scan-refused-from"], image["scan-completed"][:2]) == ("CRITICAL", "20")
    with browser() as running:
        page = running.open((pack / "evidence.html").as_uri(), width=390, height=844)
        assert page.run("document.documentElement.scrollWidth") == 390
        assert "Approved for production" in page.run("document.body.innerText")
        assert (page.said, len(page.asked)) == ([], 1)


@pytest.mark.aws("a push starts the model")
def test_plain_aws_calls_tell_the_same_story(fork: Fork, first: dict[str, Any]) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}

    def aws(*arguments: str, account: Account = CONFIG.toolchain) -> dict[str, Any]:
        command, env = ["aws", "--output", "json", *arguments], {**kept, **fork.aws.variables(account)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT, check=True)
        return dict(json.loads(done.stdout))

    stages = aws("codepipeline", "get-pipeline-state", "--name", PIPELINE)["stageStates"]
    group = naming.model_package_group(CONFIG, MODEL)
    packages = aws("sagemaker", "list-model-packages", "--model-package-group-name", group)["ModelPackageSummaryList"]
    row = fork.home / "row.json"
    row.write_text(json.dumps(LEAD))
    answer = fork.home / "answer.json"
    invoke = ["sagemaker-runtime", "invoke-endpoint", "--endpoint-name", endpoint(PRODUCTION), "--content-type", "application/json"]
    aws(*invoke, "--body", f"fileb://{row}", str(answer), account=PRODUCTION.account)

    assert [s["stageName"] for s in stages] == ["Source", "Build", "Update", "Train", "Staging", "Approval", "Production"]
    assert stages[-1]["latestExecution"] == {"pipelineExecutionId": first["execution"], "status": "Succeeded"}
    assert {p["ModelPackageArn"]: p["ModelApprovalStatus"] for p in packages}[first["package"]] == "Approved"
    (prediction,) = json.loads(answer.read_text())["predictions"]
    assert 0 < prediction["score"] < 1


@pytest.mark.aws("a push starts the model")
def test_the_road_command_tells_it_too(fork: Fork) -> None:
    row = fork.home / "row.json"
    row.write_text(json.dumps(LEAD))

    answered = json.loads(fork.road("invoke", MODEL, "--json-file", str(row)).stdout)

    assert 0 < answered["predictions"][0]["score"] < 1
    assert "Production" in fork.road("status", MODEL).stdout
    assert "forget a file in the image" in fork.road("status", MODEL).stdout
    assert naming.serving_stack(CONFIG, MODEL, STAGING) in fork.road("logs", MODEL, "--stage", "Staging").stdout
    refused = fork.road("approve", MODEL, "--reason", "again", "--yes", ok=False)
    assert len(refused.stderr.strip().splitlines()) <= 2


@pytest.mark.aws("Staging and Production: serving stack")
def test_a_bad_request_gets_a_reason_and_no_score(fork: Fork) -> None:
    row = fork.home / "bad.json"
    row.write_text(json.dumps({**LEAD, "age": "old"}))

    refused = fork.road("invoke", MODEL, "--json-file", str(row), ok=False)

    assert "age" in refused.stderr


LEAD = {
    "age": 58, "job": "management", "marital": "married", "education": "tertiary", "default": "no", "balance": 2143, "housing": "yes",
    "loan": "no", "contact": "unknown", "day": 5, "month": "may", "campaign": 1, "pdays": -1, "previous": 0, "poutcome": "unknown",
}  # fmt: skip
