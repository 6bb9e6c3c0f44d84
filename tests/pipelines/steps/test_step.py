"""What every step is: a result on stdout, one line and a non-zero exit where it fails."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

import naming
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence.document import Verdict
from pipelines.steps.step import conclude, print_exports, run
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.facts import put_facts
from tests.support.moto_server import Clients
from tests.support.programs import run_step
from tests.support.shell import variables_of

RUN = ("--model", MODEL, "--image-uri", "i", "--commit", "c", "--cause", "push")


def verdict(passed: bool | None, gate: str = "live check") -> Verdict:
    return Verdict(gate=gate, subject="rows", passed=passed, found=0, comparison=">=", threshold=1, advice="" if passed else "ask more")


def test_variables_can_be_read_by_a_shell(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    print_exports({"KEY": "it's; $HOME", "EMPTY": ""})

    assert variables_of(capsys.readouterr().out, tmp_path, "KEY", "EMPTY") == ["it's; $HOME", ""]


@pytest.mark.parametrize("passed", [True, None])
def test_what_is_reported_and_not_judged_fails_nothing(passed: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    conclude({"endpoint": "e"}, [verdict(passed)])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)

    assert (report["endpoint"], report["gates"][0]["passed"]) == ("e", passed)


def test_every_failed_gate_is_in_the_one_line_and_the_report_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.json"
    verdicts = [verdict(False), verdict(True, "parity"), verdict(False, "memory")]

    with pytest.raises(DeploymentError) as caught:
        conclude({}, verdicts, file)

    assert [line.partition(": ")[0] for line in str(caught.value).split("; ")] == ["live check", "memory"]
    assert json.loads(file.read_text()) == json.loads(capsys.readouterr().out)


def test_a_registry_that_is_not_there_is_one_line(server: str, tree: Path) -> None:
    ran = run_step(tree, "describe_run", *RUN, url=server)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"describe_run: {naming.parameter(CONFIG, MODEL, 'data-bucket')}: no such parameter:"
        " the model's registry stack is not deployed: deploy it\n"
    )


def test_a_model_that_is_not_there_is_one_line(tree: Path) -> None:
    ran = run_step(tree, "describe_run", "--model", "nobody", *RUN[2:], url="http://127.0.0.1:1")

    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert ran.stderr.startswith("describe_run: model_code/nobody/model.toml: no such file")


def test_an_address_that_does_not_answer_is_one_line(tree: Path) -> None:
    ran = run_step(tree, "describe_run", *RUN, url="http://127.0.0.1:1")

    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert ran.stderr.startswith("describe_run: AWS refused or did not answer: ")


def test_an_error_of_aws_is_one_line(server: str, client: Clients, tree: Path) -> None:
    put_facts(client("ssm"))
    flags = ("--environment", CONFIG.environments[0].name, "--model-package-arn", f"{sample.ARN}/7", "--assembly", ".")
    ran = run_step(tree, "deploy", "--model", MODEL, *flags, url=server)

    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert ran.stderr.startswith("deploy: AWS refused or did not answer: An error occurred (")


def test_a_full_disk_is_one_line() -> None:
    def step() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/b/x")

    with pytest.raises(SystemExit, match="build: writing /b/x: the disk is full: free some space there, or choose a larger compute type"):
        run(step, "build")


def test_another_failure_of_the_system_stays_what_it_is() -> None:
    def step() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/b/x")

    with pytest.raises(FileNotFoundError):
        run(step, "build")
