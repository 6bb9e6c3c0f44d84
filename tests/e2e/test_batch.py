"""Whole files of rows: by the clock and by hand, while a canary moves the endpoint to the next version, and though a machine is lost."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import naming
from localcloud.testing.waiting import until
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.fork import Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
STAGING, PRODUCTION = CONFIG.environments
NIGHTLY, LARGE = 500, 100_000  # rows
BUCKET = "acme-risk-rows"
TABLES = f"""bake_minutes = 10, minimum_requests = 0 }}

[serving.staging.batch]
instance_type = "ml.m5.large"

[serving.production.batch]
instance_type = "ml.m5.large"
schedule = "rate(1 day)"
input = "s3://{BUCKET}/leads"
output = "s3://{BUCKET}/scores"

[monitoring] """
PIPELINE = naming.batch_pipeline(CONFIG, MODEL, PRODUCTION)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """A clone with batches, whose endpoints nobody asks. The first transform job, the gate's, loses its machine as soon as it serves."""
    edit = (f"model_code/{MODEL}/model.toml", "bake_minutes = 10 }\n\n[monitoring] ", TABLES)
    with Fork.up(tmp_path_factory.mktemp("fork"), edit=edit, environment={"LOCALCLOUD_LOSE_HOSTS": "1/0/7"}) as made:
        yield made


@pytest.fixture(scope="module")
def leads(fork: Fork) -> Path:
    """Tonight's rows, which lie where the schedule reads."""
    file, s3 = rows(fork, NIGHTLY), fork.client("s3", PRODUCTION.account)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": PRODUCTION.account.region})
    s3.upload_file(str(file), BUCKET, f"leads/{file.name}")
    return file


@pytest.fixture(scope="module")
def first(fork: Fork, leads: Path) -> str:
    """The first version, in production; its model package."""
    assert leads.is_file()
    return delivered(fork, "the first version")


def delivered(fork: Fork, message: str) -> str:
    _, execution = fork.push(message)
    fork.stop_others()
    fork.wait(execution, "Approval", "InProgress")
    fork.road("approve", MODEL, "--execution", execution, "--reason", "the numbers are fine", "--yes")
    fork.wait(execution, "Production", "Succeeded")
    return package(fork, execution)


def package(fork: Fork, execution: str) -> str:
    return str(fork.actions(execution)["Train"]["output"]["outputVariables"]["MODEL_PACKAGE_ARN"])


def rows(fork: Fork, number: int) -> Path:
    """A file of rows that nobody has trained on, each with an id."""
    plain, named = (fork.home / ".road" / f"{kind}-{number}.csv" for kind in ("plain", "leads"))
    maker = [sys.executable, f"model_code/{MODEL}/synthetic.py", "--rows", str(number), "--seed", "11", "--out", str(plain)]
    subprocess.run(maker, cwd=fork.home, check=True)
    with plain.open(newline="") as source, named.open("w", newline="") as target:
        reader, writer = csv.reader(source), csv.writer(target)
        writer.writerow(["id", *next(reader)])
        writer.writerows([f"lead-{at}", *row] for at, row in enumerate(reader))
    return named


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def ended(fork: Fork) -> list[Json]:
    listed = fork.client("sagemaker", PRODUCTION.account).list_pipeline_executions(PipelineName=PIPELINE)["PipelineExecutionSummaries"]
    return [each for each in listed if each["PipelineExecutionStatus"] not in ("Executing", "Stopping")]


@pytest.mark.laptop("a machine that is lost when a test says so")
def test_the_gate_of_staging_goes_on_after_its_machine_was_lost(fork: Fork, first: str) -> None:
    jobs = fork.client("sagemaker", STAGING.account).list_transform_jobs(SortBy="CreationTime", SortOrder="Ascending")
    told = json.loads(fork.road("evidence", MODEL, "--json").stdout)
    (verdict,) = [gate for gate in told["staging"]["gates"] if gate["gate"] == "batch parity"]

    assert [job["TransformJobStatus"] for job in jobs["TransformJobSummaries"]] == ["Failed", "Completed"]
    assert told["model_package_arn"] == first
    assert verdict["passed"]
    assert verdict["found"] <= 1e-6


@pytest.mark.laptop("a schedule that begins at once")
def test_the_clock_has_tonights_rows_scored_as_the_endpoint_scores_them(fork: Fork, first: str, leads: Path) -> None:
    (run,) = until(lambda: ended(fork))
    assert run["PipelineExecutionStatus"] == "Succeeded"
    s3, runtime = fork.client("s3", PRODUCTION.account), fork.client("sagemaker-runtime", PRODUCTION.account)
    scored, manifest = (s3.get_object(Bucket=BUCKET, Key=f"scores/{name}")["Body"].read() for name in (leads.name, "manifest.json"))
    instances = [{name: typed(row[name]) for name in reference.model().data.columns} for row in read(leads.read_text())]
    asked = json.dumps({"instances": instances[:200]})
    name = naming.endpoint(CONFIG, MODEL, PRODUCTION)
    answer = json.loads(runtime.invoke_endpoint(EndpointName=name, Body=asked, ContentType="application/json")["Body"].read())
    results = read(scored.decode())
    differences = [abs(float(row["score"]) - one["score"]) for row, one in zip(results, answer["predictions"], strict=False)]

    assert [row["id"] for row in results] == [f"lead-{at}" for at in range(NIGHTLY)]
    assert max(differences) <= 1e-6
    assert json.loads(manifest)["model_package_arn"] == first
    assert json.loads(manifest)["input"]["files"][0]["sha256"] == hashlib.sha256(leads.read_bytes()).hexdigest()


@pytest.mark.laptop("a canary whose hours are seconds")
def test_a_batch_that_begins_while_a_canary_shifts_is_scored_once_by_one_version(fork: Fork, first: str) -> None:
    file = rows(fork, LARGE)
    fork.edit(f"model_code/{MODEL}/model.toml", "eta = 0.1\n", "eta = 0.11\n")
    _, execution = fork.push("learn a little faster")
    fork.wait(execution, "Approval", "InProgress")
    fork.road("approve", MODEL, "--execution", execution, "--reason", "faster", "--yes")
    sagemaker, endpoint = fork.client("sagemaker", PRODUCTION.account), naming.endpoint(CONFIG, MODEL, PRODUCTION)
    until(lambda: sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "Updating")

    told = json.loads(fork.road("batch", MODEL, "--input", str(file), "--json").stdout)
    fork.wait(execution, "Production", "Succeeded")
    results = read((Path(told["folder"]) / file.name).read_text())
    later = json.loads(fork.road("batch", MODEL, "--input", str(fork.home / f".road/leads-{NIGHTLY}.csv"), "--json").stdout)
    kept = json.loads(fork.road("audit", MODEL, "--file", str(file), "--json").stdout)

    assert [row["id"] for row in results] == [f"lead-{at}" for at in range(LARGE)]
    assert {(row["error"], row["model_version"]) for row in results} == {("", told["model_version"])}
    assert (told["model_package_arn"], told["rows"], told["scored"], told["failed"]) == (first, LARGE, LARGE, 0)
    assert told["output"]["files"][0]["sha256"] == hashlib.sha256((Path(told["folder"]) / file.name).read_bytes()).hexdigest()
    assert later["model_package_arn"] == package(fork, execution) != first
    assert later["model_version"] != told["model_version"]
    assert [each["execution"] for each in kept] == [told["execution"]]


def typed(cell: str) -> float | str:
    try:
        return int(cell)
    except ValueError:
        return cell
