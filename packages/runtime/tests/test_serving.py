"""Whatever arrives, the server answers 2xx or 4xx with a reason, and lives on."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bodies import DATA, ROW, bodies
from container import MODEL, environment
from documents import departures
from hypothesis import given
from hypothesis import strategies as st
from server import Server, call

from paved_runtime import __version__, artifact
from paved_runtime.__main__ import main
from paved_runtime.explain import EXPLAINED
from paved_runtime.invocations import LIMIT, Invocations, resident
from paved_runtime.job import SCORE_LOG_SECONDS, Job
from paved_runtime.media_types import ALIASES, CSV, JSON, LINES
from paved_runtime.score_log import ScoreLog
from paved_runtime.serving import ASGI, application, load
from paved_runtime.spec import Category, Column, Integer, ModelSpec

REFUSED = {400, 406, 413, 415, 422}


IMPORTED = """
import contextlib, os, sys


class Witness:
    def find_spec(self, name, path, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))


sys.meta_path.insert(0, Witness())
import paved_runtime.serving
from paved_runtime.scoring import Graph

with contextlib.suppress(Exception):
    Graph(b"no graph")
"""


@pytest.mark.parametrize(("own", "seen"), [({}, "1\n"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0\n")])
def test_telemetry_is_off_before_the_runtime_of_onnx_is_there_unless_set_otherwise(own: dict[str, str], seen: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | own
    finished = subprocess.run([sys.executable, "-c", IMPORTED], env=environ, capture_output=True, text=True, check=True)

    assert finished.stdout == seen


@pytest.fixture(scope="module")
def app(model_spec: ModelSpec, invocations: Invocations) -> ASGI:
    return app_of(model_spec, invocations)


def app_of(model_spec: ModelSpec, invocations: Invocations) -> ASGI:
    return application(model_spec, invocations, ScoreLog(invocations.version, seconds=SCORE_LOG_SECONDS))


@pytest.fixture(scope="module")
def fuzz(app: ASGI) -> Callable[[bytes, str], None]:
    """Checks that one body is answered as promised."""

    def check(body: bytes, content_type: str) -> None:
        answer = call(app, "POST", "/invocations", body, content_type)
        if answer.status_code == 200 and "schema" not in answer.text:
            scores = scores_of(answer)
            assert scores
            assert all(0 <= score <= 1 for score in scores)
        elif answer.status_code != 200:
            assert answer.status_code in REFUSED
            assert answer.json()["error"]

    return check


def scores_of(answer: httpx.Response) -> list[float]:
    """The scores of an answer, whatever its format."""
    kind = answer.headers["content-type"]
    if kind == JSON:
        return [prediction["score"] for prediction in answer.json()["predictions"]]
    return [float(line) if kind == CSV else json.loads(line)["score"] for line in answer.text.splitlines()]


@given(body=bodies.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=60), kind=st.sampled_from([JSON, CSV, LINES]))
def test_any_body_is_answered(fuzz: Callable[[bytes, str], None], body: bytes, kind: str) -> None:
    fuzz(body, kind)


@given(kind=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30).map(str.strip))
def test_any_header_is_answered(app: ASGI, kind: str) -> None:
    text = kind.encode("latin-1").decode("ascii", "replace").replace("\ufffd", "?")

    assert call(app, "POST", "/invocations", b"{}", text).status_code in REFUSED
    assert call(app, "POST", "/invocations", json.dumps(ROW).encode(), accept=text).status_code in {200, 406}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ('application/json;charset="utf8"', 200),
        ("application/json; charset=latin-1", 415),
        ("application/json; charset=utf-16", 415),
        ("application/x-npy", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("application/octet-stream", 200),
        (None, 200),
        *((name, 200) for name, known in ALIASES.items() if known != CSV),
    ],
)
def test_content_types(app: ASGI, kind: str | None, status: int) -> None:
    answer = call(app, "POST", "/invocations", json.dumps(ROW).encode(), kind)

    assert answer.status_code == status
    if "charset" in (kind or "") and status == 415:
        assert "UTF-8" in answer.json()["error"]


LINE = ",".join(map(str, ROW.values()))


@pytest.mark.parametrize(
    ("kind", "accept", "answered"),
    [
        (JSON, None, JSON),
        (CSV, None, CSV),
        (LINES, None, LINES),
        (CSV, "*/*", CSV),
        (JSON, "text/html, image/gif, *; q=.2, */*; q=.2", JSON),
        (CSV, JSON, JSON),
        (JSON, CSV, CSV),
        (JSON, "TEXT/CSV", CSV),
        (CSV, LINES, LINES),
        (JSON, "application/x-ndjson", "application/x-ndjson"),
        ("application/x-ndjson", None, "application/x-ndjson"),
        ("text/csv; charset=utf-8; header=absent", None, CSV),
        (CSV, "application/*", JSON),
        (LINES, "application/*", LINES),
        (JSON, "text/*;q=0.5, application/json;q=0.4", CSV),
        (JSON, "application/json;q=0, */*", CSV),
        (CSV, "text/csv;q=0.1, application/json", JSON),
        (CSV, "image/png", None),
        (CSV, "application/json;q=0", None),
        (JSON, "json", None),
        ("application/x-npy", "image/png", None),
    ],
)
def test_an_answer_has_the_format_that_is_asked_for(app: ASGI, kind: str, accept: str | None, answered: str | None) -> None:
    body = LINE if kind.startswith(CSV) else json.dumps(ROW)
    answer = call(app, "POST", "/invocations", body.encode(), kind, accept)
    score = scores_of(call(app, "POST", "/invocations", json.dumps(ROW).encode()))

    if answered is None:
        assert answer.status_code == (415 if "npy" in kind else 406)
        assert answer.headers["content-type"] == JSON
    else:
        assert answer.headers["content-type"] == answered
        lines = {CSV: f"{score[0]!r}\n", JSON: None}.get(answered, f'{{"score":{score[0]!r}}}\n')
        assert answer.text == (lines or call(app, "POST", "/invocations", json.dumps(ROW).encode()).text)


def test_several_accept_headers_are_one_list(app: ASGI) -> None:
    answer = call(app, "POST", "/invocations", json.dumps(ROW).encode(), JSON, ["image/png", CSV])

    assert answer.headers["content-type"] == CSV


@pytest.mark.parametrize("body", [{"describe": True}, {"instances": [ROW], "explain": True}])
def test_reasons_and_descriptions_are_json_or_refused(app: ASGI, body: object) -> None:
    def status(accept: str | None) -> int:
        return call(app, "POST", "/invocations", json.dumps(body).encode(), JSON, accept).status_code

    assert [status(accept) for accept in (None, "*/*", "text/csv, application/json;q=0.1", CSV, LINES)] == [200, 200, 200, 406, 406]


def test_one_row_scores_the_same_alone_in_a_batch_and_as_csv(app: ASGI) -> None:
    alone = call(app, "POST", "/invocations", json.dumps(ROW).encode()).json()["predictions"][0]["score"]
    batch = call(app, "POST", "/invocations", json.dumps({"instances": [ROW] * 300}).encode()).json()["predictions"]
    line = call(app, "POST", "/invocations", ",".join(map(str, ROW.values())).encode(), CSV)

    assert [p["score"] for p in batch] == pytest.approx([alone] * 300, abs=1e-6)
    assert float(line.text) == pytest.approx(alone, abs=1e-6)
    assert line.headers["content-type"].startswith(CSV)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/models", 404)])
def test_other_routes(app: ASGI, method: str, path: str, status: int) -> None:
    answer = call(app, method, path)

    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_body_at_the_limit_and_over_it(app: ASGI) -> None:
    padded = json.dumps(ROW).encode()

    assert call(app, "POST", "/invocations", padded.ljust(LIMIT)).status_code == 200
    assert call(app, "POST", "/invocations", padded.ljust(LIMIT + 1)).status_code == 413


def test_requests_that_wait_may_be_larger(model_spec: ModelSpec, trained: Path) -> None:
    job = Job(spec=model_spec, root=trained, port=0, origin={}, environ={"REQUEST_MB": "7"})
    larger, padded = app_of(model_spec, load(job)), json.dumps(ROW).encode()

    assert call(larger, "POST", "/invocations", padded.ljust(7 * 2**20)).status_code == 200
    refused = call(larger, "POST", "/invocations", padded.ljust(7 * 2**20 + 1))
    assert "larger than 7340032 bytes" in call(larger, "GET", "/openapi.json").text
    assert (refused.status_code, refused.json()) == (413, {"error": "expected at most 7340032 bytes, found more"})
    with pytest.raises(ValueError, match="REQUEST_MB: expected a number of megabytes, found '7 MB'"):
        load(Job(spec=model_spec, root=trained, port=0, origin={}, environ={"REQUEST_MB": "7 MB"}))


def test_the_document_describes_what_is_accepted(app: ASGI, model_spec: ModelSpec) -> None:
    document = call(app, "GET", "/openapi.json").json()
    operation = document["paths"]["/invocations"]["post"]
    batch, rows, row, description = operation["requestBody"]["content"][JSON]["schema"]["oneOf"]

    assert set(batch["properties"]) == {"instances", "explain"}
    assert description["required"] == ["describe"]
    assert rows == batch["properties"]["instances"]
    assert set(operation["requestBody"]["content"]) == set(operation["responses"]["200"]["content"]) == {JSON, CSV, LINES}
    assert row["required"] == list(model_spec.column_names)
    assert row["properties"]["age"] == {"type": "integer", "minimum": 18, "maximum": 120}
    assert row["properties"]["loan"] == {"type": "string", "enum": ["no", "yes"]}
    assert set(operation["responses"]) == {"200", "400", "406", "413", "415", "422"}
    assert "/ping" in document["paths"]
    assert document["info"]["summary"] == f"Served by paved-runtime {__version__}"


def schema_of(app: ASGI, body: object) -> str:
    """Which of the documented answers a request got: the names of what it requires."""
    answer = call(app, "POST", "/invocations", json.dumps(body).encode()).json()
    document = call(app, "GET", "/openapi.json").json()["paths"]["/invocations"]["post"]["responses"]["200"]["content"][JSON]["schema"]
    (fitting,) = [schema for schema in document["oneOf"] if not list(departures(answer, schema))]
    return " ".join(fitting["required"])


def test_answers_are_as_documented(app: ASGI) -> None:
    assert schema_of(app, ROW) == "predictions model_version"
    assert schema_of(app, {"instances": [ROW] * 2, "explain": True}) == "predictions base model_version method"
    assert schema_of(app, {"describe": True}) == "model model_version model_sha256 runtime schema memory_mb"


def values(column: Column) -> st.SearchStrategy[str | int]:
    if isinstance(column, Category):
        return st.sampled_from(column.values)
    assert isinstance(column, Integer)
    return st.integers(column.minimum, column.maximum) | st.sampled_from([column.minimum, column.maximum])


valid = st.fixed_dictionaries({name: values(column) for name, column in DATA.columns.items()})


@given(rows=st.lists(valid, min_size=1, max_size=5))
def test_reasons_add_up_to_the_score(app: ASGI, rows: list[dict[str, Any]]) -> None:
    explained = call(app, "POST", "/invocations", json.dumps({"instances": rows, "explain": True}).encode()).json()
    plain = call(app, "POST", "/invocations", json.dumps({"instances": rows}).encode()).json()

    assert [p["score"] for p in explained["predictions"]] == [p["score"] for p in plain["predictions"]]
    assert explained["model_version"] == plain["model_version"]
    for row, prediction in zip(rows, explained["predictions"], strict=True):
        score, reasons = prediction["score"], prediction["reasons"]
        assert explained["base"] + sum(r["contribution"] for r in reasons) == pytest.approx(math.log(score / (1 - score)), abs=1e-4)
        assert {r["column"]: r["value"] for r in reasons} == row
        weights = [abs(r["contribution"]) for r in reasons]
        assert weights == sorted(weights, reverse=True)


def test_too_many_rows_to_explain(app: ASGI) -> None:
    def status(rows: int) -> int:
        return call(app, "POST", "/invocations", json.dumps({"instances": [ROW] * rows, "explain": True}).encode()).status_code

    assert (status(EXPLAINED), status(EXPLAINED + 1)) == (200, 413)


def test_the_model_describes_itself(app: ASGI, trained: Path) -> None:
    answer = call(app, "POST", "/invocations", b'{"describe": true}').json()

    assert (answer["model"], answer["runtime"]) == (MODEL, __version__)
    assert answer["schema"] == artifact.read_json(trained / "model" / artifact.SCHEMA)
    assert answer["model_version"] == call(app, "POST", "/invocations", json.dumps(ROW).encode()).json()["model_version"]


def test_memory_is_what_the_process_holds() -> None:
    before = resident()
    held = b"x" * 64 * 2**20
    grown = resident() - before

    assert 60 < grown < 70, len(held)


def test_a_missing_cell_is_explained_as_nothing(model_spec: ModelSpec, trained: Path) -> None:
    columns = {**model_spec.data.columns, "age": model_spec.data.columns["age"].model_copy(update={"missing": 0.5})}
    accepting = model_spec.model_copy(update={"data": model_spec.data.model_copy(update={"columns": columns})})
    reply = Invocations.load(accepting, trained / "model").reply(
        JSON, json.dumps({"instances": [ROW | {"age": None}], "explain": True}).encode()
    )
    (prediction,) = json.loads(reply.body)["predictions"]

    assert next(r for r in prediction["reasons"] if r["column"] == "age")["value"] is None


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Server]:
    with Server(trained) as started:
        yield started
        assert started.stop() == 0
        assert "Traceback" not in started.errors


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /invocations HTTP/1.1", "host: model", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


KIND = f"content-type: {JSON}"


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([post(b"[" * 200_000, KIND, "content-length: 200000")], b" 400 "),
        ([post(b"\xff\xfe", KIND, "content-length: 2")], b" 400 "),
        ([post(b"", KIND, "content-length: 0")], b" 400 "),
        ([post(b"", KIND)], b" 400 "),
        ([post(b"", KIND, "content-length: 10000000"), bytes(10_000_000)], b" 413 "),
        ([post(b"", KIND, "transfer-encoding: chunked"), b"2\r\n{}\r\n", b"0\r\n\r\n"], b" 422 "),
        ([post(b"{}", "content-length: 2")], b" 422 "),
        ([post(b"", KIND, "content-length: minus one")], b" 400 "),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"], b" 400 "),
        ([b"POST /\xff\xff HTTP/1.1\r\nhost: model\r\n\r\n"], None),
        ([post(b"{", KIND, "content-length: 100")], None),
        ([b"POST /invocations HTTP/1.1\r\nhost: model\r\nx: " + b"y" * 200_000 + b"\r\n\r\n"], None),
    ],
)
def test_raw_bytes_never_kill_the_server(server: Server, parts: list[bytes], status: bytes | None) -> None:
    try:
        answer = server.send(*parts, ends=status is None)
    except ConnectionError:  # to hang up on such a client is an answer, too
        answer = b""

    if status is not None:
        assert status in answer.split(b"\r\n")[0]
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert server.client.get("/ping").status_code == 200
    assert server.process.poll() is None


def test_the_server_gives_the_golden_answers(server: Server, trained: Path) -> None:
    golden = artifact.read_json(trained / "model" / artifact.GOLDEN)
    for request in golden["requests"]:
        answer = server.client.post("/invocations", json=request["body"])
        assert [p["score"] for p in answer.json()["predictions"]] == pytest.approx(request["scores"], abs=golden["tolerance"])
    explained = server.client.post("/invocations", json=golden["explained"]["body"]).json()
    for prediction, recorded in zip(explained["predictions"], golden["explained"]["contributions"], strict=True):
        contributions = {reason["column"]: reason["contribution"] for reason in prediction["reasons"]}
        assert contributions == pytest.approx(recorded, abs=golden["explained"]["tolerance"])
    for bad in golden["bad_requests"]:
        answer = server.client.post("/invocations", content=bad["body"], headers={"content-type": bad["content_type"]})
        assert answer.status_code == bad["expect"]


def test_sigterm_lets_a_request_finish_and_the_last_lines_be_logged(trained: Path) -> None:
    body = json.dumps(ROW).encode()
    with Server(trained, SCORE_LOG_SECONDS="1000") as server:
        server.client.post("/invocations", json={"instances": [ROW] * 2})
        server.client.post("/invocations", json={})
        with server.connect() as connection:
            connection.sendall(post(body[:10], KIND, f"content-length: {len(body)}"))
            assert server.client.get("/ping").status_code == 200  # so the server has the first half by now
            server.process.send_signal(signal.SIGTERM)
            connection.sendall(body[10:])
            answer = connection.makefile("rb").read()

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert server.stop() == 0
    lines = [json.loads(line) for line in server.output.splitlines()]
    assert [(line["event"], line.get("rows"), line.get("requests")) for line in lines] == [("scores", 3, None), ("refused", None, 1)]


def test_a_taken_port_is_one_line(trained: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["serve"], environment(trained, SAGEMAKER_BIND_TO_PORT=str(server.port)))
    line = (trained / "output/failure").read_text()

    assert code == 1
    assert line.startswith(f"serve: port {server.port} cannot be bound: Address already in use")
    assert line.count("\n") == 1
    assert capsys.readouterr().err.endswith(line)
