"""What is known of a candidate is signed, and then a person's decision written beside it, as stages do both."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.deployment import package
from pipelines.evidence import document
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.programs import run_step
from tests.support.shell import variables_of
from tests.support.world import EXECUTION, World, decision

STAGING, PRODUCTION = CONFIG.environments


def epoch(value: object) -> float:
    """A time, as CodePipeline sends it."""
    assert isinstance(value, datetime)
    return value.timestamp()


@pytest.fixture
def codepipeline(staged: World) -> Iterator[str]:
    """The address of a CodePipeline that tells what the world's does; moto has none that does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"actionExecutionDetails": staged.actions}, default=epoch).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_evidence_is_signed_shown_and_decided_about(
    staged: World, tree: Path, evidence_server: str, codepipeline: str, tmp_path: Path
) -> None:
    staged.write_facts()
    (tmp_path / "verified.json").write_bytes(staged.candidate().staging)

    def run(step: str, environment: str, *flags: str) -> subprocess.CompletedProcess[str]:
        about = ("--model", MODEL, "--environment", environment, "--model-package-arn", staged.arn, "--execution", EXECUTION)
        done = run_step(tree, step, *about, *flags, url=evidence_server, AWS_ENDPOINT_URL_CODEPIPELINE=codepipeline)
        assert done.returncode == 0, done.stderr
        return done

    origin = ("--training-execution-arn", staged.training, "--cause", "push", "--staging", str(tmp_path / "verified.json"))
    uri, sha256 = variables_of(run("prove", STAGING.name, *origin).stdout, tmp_path, "EVIDENCE_URI", "EVIDENCE_SHA256")
    staged.actions.append(decision(f"{MODEL}: commit {sample.COMMIT}, model package {staged.arn}, evidence {uri} sha256 {sha256}"))
    decided = run("record_approval", PRODUCTION.name, "--commit", sample.COMMIT, "--evidence-sha256", sha256)
    version = package.read(staged.sagemaker, staged.arn)

    assert (uri, sha256) == (staged.uri, document.sha256(staged.read(staged.uri)))
    assert json.loads(decided.stdout) == {"model_package_arn": staged.arn, "approval": version.approval, "evidence_sha256": sha256}
    assert version.status == "Approved"
    assert staged.wrong() == set()
