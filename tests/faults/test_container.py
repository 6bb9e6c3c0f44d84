"""What may happen to a container: its artifact is not what it was, its training is killed, its requests are garbage."""

from __future__ import annotations

import hashlib
import http.client
import json
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.tree import HERE
from tests.faults.conftest import Container
from tests.support.container import SYNTHETIC, command, variables

BROKEN = [
    b"",
    b"\r\n" * 1000,
    b"GET",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # somebody speaks TLS
    b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly this",  # and goes away
    b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
    b"POST /invocations HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small synthetic data set."""
    folder = tmp_path_factory.mktemp("synthetic")
    subprocess.run([sys.executable, SYNTHETIC, "--rows", "4000", "--seed", "3", "--out", str(folder / "data.csv")], check=True)
    return folder


@pytest.fixture(scope="module")
def trained(container: Container, synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML_ROOT of a finished training job."""
    root = tmp_path_factory.mktemp("trained")
    shutil.copytree(synthetic, root / "input/data/data")
    done = container(root, "prepare", "train", "evaluate")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained model, to be harmed: its ML_ROOT is the folder above."""
    return Path(shutil.copytree(trained / "model", tmp_path / "model"))


def refusal(container: Container, model: Path) -> str:
    """Why the server does not start."""
    done = container(model.parent, "serve", SAGEMAKER_BIND_TO_PORT=str(free_port()))
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.file), "w")


@pytest.mark.slow
@pytest.mark.fault("pickle in an artifact")
@pytest.mark.parametrize("name", ["model.pkl", "model.onnx", "model.json", "golden.json"])
def test_a_pickle_is_refused_and_never_opened(container: Container, model: Path, name: str) -> None:
    exploded = model.parent / "exploded"
    (model / name).write_bytes(pickle.dumps(Bomb(exploded)))

    why = refusal(container, model)

    assert name in why
    assert not exploded.exists()


@pytest.mark.fault("corrupt or swapped artifact")
def test_a_flipped_byte_keeps_the_server_from_starting(container: Container, model: Path) -> None:
    content = bytearray((model / "model.onnx").read_bytes())
    for place in range(len(content) // 4, len(content), len(content) // 4):
        content[place] ^= 0xFF
    (model / "model.onnx").write_bytes(content)

    assert refusal(container, model).startswith("serve: ")


@pytest.mark.slow
@pytest.mark.fault("corrupt or swapped artifact")
def test_another_models_trees_keep_the_server_from_starting(container: Container, model: Path, trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    (other / "input/config").mkdir()
    (other / "input/config/hyperparameters.json").write_text(json.dumps({"seed": "5", "max_depth": "3"}))
    assert container(other, "train", "evaluate").returncode == 0
    shutil.copy(other / "model/model.onnx", model / "model.onnx")
    assert "model.onnx has sha256" in refusal(container, model)

    metadata = json.loads((model / "metadata.json").read_text())
    metadata["files"]["model.onnx"] = hashlib.sha256((model / "model.onnx").read_bytes()).hexdigest()  # as its maker could say
    (model / "metadata.json").write_text(json.dumps(metadata))
    assert "answered differently than in evaluation" in refusal(container, model)


@pytest.mark.slow
@pytest.mark.fault("training crash")
def test_training_killed_anywhere_and_run_again_gives_the_same_model(trained: Path, container: Container, tmp_path: Path) -> None:
    """Whatever a killed job left behind, the next one's result is that of an undisturbed one."""
    shutil.copytree(trained / "input", tmp_path / "input")
    for marker in ("work/train/train.csv", "model/model.json", "model/metadata.json"):
        argv, quiet = command("prepare", "train", "evaluate"), subprocess.DEVNULL
        with subprocess.Popen(argv, cwd=HERE, env=variables(tmp_path), stdout=quiet, stderr=quiet) as job:
            _until_there(tmp_path / marker, job)
            job.send_signal(signal.SIGKILL)

    again = container(tmp_path, "prepare", "train", "evaluate")

    assert again.returncode == 0, again.stderr
    for file in sorted((trained / "model").iterdir()):
        assert (tmp_path / "model" / file.name).read_bytes() == file.read_bytes(), file.name


def _until_there(file: Path, job: subprocess.Popen[bytes]) -> None:
    while not file.exists() and job.poll() is None:
        time.sleep(0.002)  # the job tells nobody of its files


@pytest.fixture
def server(trained: Path) -> Iterator[int]:
    """The port of a serving container."""
    port = free_port()
    env = variables(trained, SAGEMAKER_BIND_TO_PORT=str(port))
    with subprocess.Popen(command("serve"), cwd=HERE, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "serving" in process.stdout.readline()
        try:
            yield port
        finally:
            process.terminate()


@pytest.mark.fault("malformed or oversized payload")
def test_garbage_on_the_wire_never_costs_the_server_its_life(server: int, trained: Path) -> None:
    golden = json.loads((trained / "model/golden.json").read_text())["requests"][0]
    threads = [threading.Thread(target=_send, args=(server, body)) for body in BROKEN * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert _post(server, b"x" * 7 * 1024 * 1024) == 413
    assert _post(server, b'{"instances": [' + b"[" * 5000) == 400
    assert _post(server, json.dumps(golden["body"]).encode()) == 200


def _send(port: int, body: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        try:
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
            while answer := connection.recv(4096):
                assert not answer.startswith(b"HTTP/1.1 5")
        except (BrokenPipeError, ConnectionResetError):
            return  # the server hung up on garbage, as it may


def _post(port: int, body: bytes) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
