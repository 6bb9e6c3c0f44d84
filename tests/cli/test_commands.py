"""What commands do to AWS: data sets by content, requests to endpoints, logs in order; and how work and checks are told."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from cli import check, data, invoke, test
from cli.datafile import DataFile
from cli.local import LocalCloud
from cli.logs import Stream
from cli.problem import Problem
from cli.progress import Progress
from cli.target import Target
from config import CONFIG
from pipelines.steps.cdk import telling

KEYS = {"AWS_ACCESS_KEY_ID": CONFIG.toolchain.id, "AWS_SECRET_ACCESS_KEY": "secret"}  # moto reads such a key as the account


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Target]:
    """A moto server with a data bucket, as the workshop would leave it."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    cloud = LocalCloud(
        pid=0,
        url=f"http://{host}:{port}",
        region="eu-west-1",
        remote="",
        root=str(tmp_path),
        speed=1.0,
        accounts={CONFIG.toolchain.id: KEYS},
    )
    yield Target(cloud=cloud)
    server.stop()


def stored(tmp_path: Path, content: bytes) -> DataFile:
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    return DataFile(path=path, sha256=content.hex(), rows=1, bytes=len(content))


def test_data_are_stored_once_by_content_and_pointed_to(aws: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    s3, ssm = aws.client("s3"), aws.client("ssm")
    with pytest.raises(Problem, match="the model's workshop is not deployed"):
        data.store(aws, "lead_scoring", stored(tmp_path, b"ab"))
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    ssm.put_parameter(Name="/paved-road/lead_scoring/data-bucket", Value="data", Type="String")

    first = data.store(aws, "lead_scoring", stored(tmp_path, b"ab"))
    written = s3.head_object(Bucket="data", Key="data/6162/data.csv")["LastModified"]
    again = data.store(aws, "lead_scoring", stored(tmp_path, b"ab"))

    assert first == again == {"uri": "s3://data/data/6162/data.csv", "sha256": "6162", "rows": 1, "bytes": 2}
    assert capsys.readouterr().err.count("this content is stored already") == 1
    assert s3.head_object(Bucket="data", Key="data/6162/data.csv")["LastModified"] == written
    other = data.store(aws, "lead_scoring", stored(tmp_path, b"cd"))
    assert json.loads(ssm.get_parameter(Name="/paved-road/lead_scoring/data")["Parameter"]["Value"]) == other
    assert {item["Key"] for item in s3.list_objects_v2(Bucket="data")["Contents"]} == {"data/6162/data.csv", "data/6364/data.csv"}


def test_an_account_that_this_cloud_lacks_is_named(aws: Target) -> None:
    with pytest.raises(Problem, match=f"account {CONFIG.environments[-1].account.id}: this localcloud has {CONFIG.toolchain.id}"):
        aws.client("s3", CONFIG.environments[-1].account)


@dataclass
class Endpoint:
    """A SageMaker runtime whose container answers once, or refuses."""

    refusal: dict[str, Any] | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        if self.refusal:
            raise ClientError(self.refusal, "InvokeEndpoint")  # type: ignore[arg-type]
        return {"Body": io.BytesIO(b'{"predictions": [{"score": 0.5}]}')}


def test_an_endpoint_is_asked_as_any_client_asks() -> None:
    endpoint = Endpoint()
    assert invoke.ask(endpoint, "paved-road-m-staging", b"1,2", invoke.CSV) == '{"predictions": [{"score": 0.5}]}'
    assert endpoint.requests == [{"EndpointName": "paved-road-m-staging", "Body": b"1,2", "ContentType": "text/csv", "Accept": "text/csv"}]


def test_a_containers_refusal_is_told_in_its_own_words() -> None:
    why = "row 1, column 'age': expected an integer between 18 and 120, found 'x'"
    refusal = {
        "Error": {"Code": "ModelError", "Message": "Received client error"},
        "OriginalStatusCode": 422,
        "OriginalMessage": json.dumps({"error": why}),
    }
    with pytest.raises(Problem) as raised:
        invoke.ask(Endpoint(refusal), "e", b"{}", invoke.JSON)
    assert str(raised.value) == f"endpoint e answered 422: {why}: correct the request"
    with pytest.raises(ClientError):
        invoke.ask(Endpoint({"Error": {"Code": "ValidationError", "Message": "no such endpoint"}}), "e", b"{}", invoke.JSON)


def test_a_log_is_read_on_from_where_the_last_look_ended(aws: Target) -> None:
    logs = aws.client("logs")
    stream = Stream("Train/Train", "jobs", "job-1")
    assert list(stream.lines(logs)) == []
    logs.create_log_group(logGroupName="jobs")
    logs.create_log_stream(logGroupName="jobs", logStreamName="job-1/algo-1")
    now = int(time.time() * 1000)

    def write(*lines: str) -> None:
        events = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(logGroupName="jobs", logStreamName="job-1/algo-1", logEvents=events)

    write("one", "two")
    assert list(stream.lines(logs)) == ["one", "two"]
    assert list(stream.lines(logs)) == []
    write("three")
    assert list(stream.lines(logs)) == ["three"]


def test_progress_without_a_terminal_is_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with Progress() as progress:
            with progress.step("push") as step:
                step.note = "abc"
            progress.begin("Build").end("ok", seconds=12.34)
            with progress.step("Train"):
                raise Problem("stage Train failed", "why", "what to do")

    with pytest.raises(Problem):
        work()
    assert capsys.readouterr().err.splitlines() == ["ok      push 0.0 s abc", "ok      Build 12.3 s", "failed  Train 0.0 s"]


def test_a_check_prints_what_it_found_only_when_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert check._timed("good", lambda: (0, "noise")).ok
    assert not check._timed("bad", lambda: (1, "the reason")).ok
    assert capsys.readouterr().err.splitlines() == ["ok     good 0.0 s", "FAILED bad 0.0 s", "the reason"]


def test_of_a_failed_deployment_the_first_broken_resource_is_told() -> None:
    output = "Stack | CREATE_IN_PROGRESS\nStack |  CREATE_FAILED | AWS::S3::Bucket | name is taken\n❌ Stack failed\nstack trace"
    assert telling(output.splitlines()) == "Stack | CREATE_FAILED | AWS::S3::Bucket | name is taken"
    assert telling(["fine", "ValidationError: no such stack", "at line 1"]) == "ValidationError: no such stack"
    assert telling(["\n"]) == "it printed nothing"


@pytest.mark.parametrize(
    ("arguments", "suites"),
    [
        (
            [],
            {
                "root": ["--numprocesses", "2", "--dist", "loadfile"],
                "lead_scoring": ["model_code/tests", "model_code/runtime", "model_code/lead_scoring"],
            },
        ),
        (
            ["-k", "gate"],
            {"root": ["-k", "gate"], "lead_scoring": ["-k", "gate", "model_code/tests", "model_code/runtime", "model_code/lead_scoring"]},
        ),
        (["tests/cli"], {"root": ["tests/cli"]}),
        (["-x", "model_code/runtime"], {"lead_scoring": ["-x", "model_code/runtime"]}),
    ],
)
def test_paths_go_to_the_suite_they_belong_to(arguments: list[str], suites: dict[str, list[str]]) -> None:
    assert {name: command[3:] for name, command in test._suites(arguments)} == suites
