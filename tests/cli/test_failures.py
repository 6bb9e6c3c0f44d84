"""Every expected failure is one line that says what, why and what to do, and an exit code; never a traceback."""

from __future__ import annotations

import errno
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from botocore import exceptions as aws

from cli import disk
from cli.problem import Problem, explain
from cli.tree import HERE
from paved_runtime.spec import SpecError
from tests.reference import CONFIG, MODEL
from tests.support.road import Done, Road, each, environment, road_in
from tests.support.tree import reference_tree

ENVIRONMENTS = ", ".join(known.name for known in CONFIG.environments)

HEADER = "age,job,marital,education,default,balance,housing,loan,contact,day,month,campaign,pdays,previous,poutcome,y"
ROW = "x,admin.,single,primary,no,0,no,no,unknown,1,jan,1,-1,0,unknown,no"


def line(done: subprocess.CompletedProcess[str] | Done, code: int = 1) -> str:
    """The one line of a failed command."""
    ended = done if isinstance(done, Done) else Done(done.returncode, done.stdout, done.stderr)
    assert ended.code == code, ended
    lines = [line for line in ended.err.splitlines() if not line.startswith(("target: ", "model: "))]
    assert len(lines) == 1, ended
    assert lines[0].startswith("road: ")
    return lines[0]


def test_a_configuration_that_is_no_python_is_one_line(tmp_path: Path) -> None:
    road, file = road_in(reference_tree(tmp_path / "copy"), tmp_path / "cloud"), tmp_path / "copy/config.py"
    sound = file.read_text()
    number = len(sound.splitlines()) + 1
    for ending, why in {  # of different lengths: Python goes by size and second
        "CONFIG = Config(projekt='x')": "TypeError: Config.__init__() got an unexpected keyword argument 'projekt'",
        "CONFIG = Confg()": "NameError: name 'Confg' is not defined",
        "CONFIG = Config((": "SyntaxError: '(' was never closed",
    }.items():
        file.write_text(f"{sound}{ending}\n")
        assert line(road("status")).startswith(f"road: config.py, line {number}: {why}")


@pytest.mark.parametrize("command", [["data", "put", MODEL], ["demo", "--yes", "--data"]])
def test_a_bad_data_file_is_refused_before_anything_starts(tree: Path, tmp_path: Path, command: list[str]) -> None:
    whys = {
        None: "there is no such file",
        "": "it has no header: its first line is empty",
        HEADER.replace("age", "edge") + "\n": "column 'age': expected it in the header, which is 'edge,",
        f"{HEADER}\n{ROW}\n": "row 1, column 'age': expected an integer between 18 and 120, found 'x'",
    }
    paths = [tmp_path / f"data{number}.csv" for number, _ in enumerate(whys)]
    for path, content in zip(paths, whys, strict=True):
        if content is not None:
            path.write_text(content)

    ended = each(tree, tmp_path / "cloud", [[*command, str(path)] for path in paths])

    for done, path, why in zip(ended, paths, whys.values(), strict=True):
        assert line(done).startswith(f"road: data file {path}: {why}")
    assert not (tmp_path / "cloud").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", [["up"], ["demo", "--yes"]])
def test_a_taken_port_is_named(road: Road, command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = road(*command, "--port", str(port))

    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith("road: localcloud did not start: ")
    assert str(port) in said
    assert "leave --port out" in said
    assert "Traceback" not in done.stderr


def test_nothing_to_talk_to(tree: Path, tmp_path: Path) -> None:
    for done in each(tree, tmp_path / "cloud", [["status"], ["logs", MODEL], ["approve", MODEL, "--reason", "x"]]):
        assert "no localcloud runs and no AWS credentials are set: ./road up, or" in line(done)


def test_localcloud_was_asked_for_and_does_not_run(road: Road) -> None:
    assert line(road("status", "--target", "local")) == "road: localcloud: it does not run: ./road up"
    assert line(road("env")) == "road: localcloud: it does not run: ./road up"
    assert "a real account watches the repository of config.py" in line(road("push"))


def test_an_endpoint_that_does_not_answer(road: Road) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://localhost:{unused.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "1"}
        said = line(road("status", AWS_ENDPOINT_URL=url, **keys))
    assert said.startswith("road: AWS does not answer: ")
    assert url in said


def test_what_was_typed_wrongly_exits_with_2(tree: Path, tmp_path: Path) -> None:
    wrong: list[tuple[list[str], str]] = [
        (["status", "credit"], f"model credit: there are {MODEL}: name one of them"),
        (["data", "put", "credit", "x.csv"], f"model credit: there are {MODEL}: name one of them"),
        (["check", "--model", "credit"], f"model credit: there are {MODEL}: name one of them"),
        (["invoke", MODEL, "--environment", "moon"], f"environment moon: config.py has {ENVIRONMENTS}: name one of them"),
        (["approve", MODEL, "--reason", " "], "--reason: it is empty: say why in a few words"),
        (["approve", MODEL], "Missing option '--reason': see ./road --help"),
        (["fly"], "No such command 'fly'"),
        (["up", "--port", "66000"], "Invalid value for '--port'"),
        (["demo"], "approval: there is no terminal to ask on: add --yes"),
        (["demo", "credit", "--yes"], f"model credit: there are {MODEL}: name one of them"),
        (["bench", "nothing_like_it"], "bench nothing_like_it: bench/ has "),
    ]

    ended = each(tree, tmp_path / "cloud", [command for command, _ in wrong])

    for done, (_, why) in zip(ended, wrong, strict=True):
        assert line(done, 2).startswith(f"road: {why}")


def test_a_missing_request_file(road: Road) -> None:
    assert line(road("invoke", MODEL, "--json-file", "none.json")).startswith("road: request file none.json: there is no such file")


def test_json_tells_machines_the_same_line(road: Road) -> None:
    done = road("status", "--json")
    assert json.loads(done.stdout) == {"error": line(done).removeprefix("road: ")}


def test_a_full_disk_is_told_in_a_line(tree: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli", "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=tree, env=environment(tree, tmp_path / "cloud"), stdout=full, stderr=subprocess.PIPE, text=True)
    assert "the disk is full: free some space" in line(done)


def test_down_when_nothing_runs(road: Road) -> None:
    done = road("down")
    assert (done.returncode, done.stderr) == (0, "nothing was running\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            SpecError("model_code/m/model.toml: a: b\nmodel_code/m/model.toml: c: d"),
            "model.toml: model_code/m/model.toml: a: b; model_code",
        ),
        (aws.NoCredentialsError(), "no AWS to talk to: "),
        (aws.ProfileNotFound(profile="me"), "AWS credentials: The config profile (me) could not be found: "),
        (OSError(errno.ENOSPC, "No space left on device", "/work/data.csv"), "writing /work/data.csv: the disk is full: free some space"),
        (OSError(errno.ENOSPC, "No space left on device"), f"writing {HERE}: the disk is full: free some space"),
        (
            shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
            f"writing {HERE}: the disk is full: free some space",
        ),
        (
            Problem("training failed", "OSError: [Errno 28] No space left on device", "see its log"),
            f"training failed: OSError: [Errno 28] No space left on device: see its log: {HERE}: the disk is full: free some",
        ),
        (
            aws.ClientError({"Error": {"Code": "AccessDenied", "Message": "User x is not authorized."}}, "GetParameter"),
            "GetParameter was refused: AccessDenied: User x is not authorized: use credentials that are allowed to",
        ),
    ],
)
def test_failures_of_the_libraries_are_put_into_words(error: Exception, said: str) -> None:
    assert str(explain(error)).startswith(said)
    assert "\n" not in str(explain(error))


def test_what_is_said_of_a_full_disk_is_said_once() -> None:
    said = explain(OSError(errno.EDQUOT, "Disk quota exceeded", "/work/data.csv"))
    assert said
    assert explain(said) is said


def test_a_full_disk_is_known_by_what_is_left_on_it(tmp_path: Path) -> None:
    assert str(tmp_path / "not" / "yet") in disk.full(tmp_path / "not" / "yet", least=1 << 60).split(", ")
    assert disk.full(tmp_path, least=0) == ""


def test_what_nobody_expected_stays_what_it_is() -> None:
    assert explain(KeyError("a bug")) is None
    assert str(Problem("a\nb", "c", "d")) == "a; b: c: d"
