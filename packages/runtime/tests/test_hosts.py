"""The machines of a job: who they are, which rows are whose, and that one of them leaves the model."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from container import MODEL, job, run

from paved_runtime import artifact, shard
from paved_runtime.hosts import FILE, Hosts
from paved_runtime.spec import ModelSpec

THREE = ["algo-1", "algo-2", "algo-3"]


def told(root: Path, own: str, names: list[str]) -> None:
    """What SageMaker tells a host."""
    artifact.write_json(root / FILE, {"current_host": own, "hosts": names, "network_interface_name": "eth0"})


def test_a_job_of_which_nothing_is_said_has_one_host(tmp_path: Path) -> None:
    hosts = Hosts.read(tmp_path)

    assert (len(hosts), hosts.rank, hosts.first) == (1, 0, True)


@pytest.mark.parametrize("order", [THREE, THREE[::-1]])
def test_all_hosts_number_themselves_alike(tmp_path: Path, order: list[str]) -> None:
    ranks = {}
    for own in order:
        told(tmp_path / own, own, order)
        hosts = Hosts.read(tmp_path / own)
        ranks[own] = (hosts.rank, hosts.first, hosts.interface, len(hosts))

    assert ranks == {name: (rank, rank == 0, "eth0", 3) for rank, name in enumerate(THREE)}


@pytest.mark.parametrize(
    ("content", "said"),
    [("{}", "expected hosts and current_host"), ("no JSON", "expected hosts"), ('{"current_host": "a", "hosts": ["b"]}', "'a' is none of")],
)
def test_a_file_that_is_not_sagemakers_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(content)

    with pytest.raises(ValueError, match=said):
        Hosts.read(tmp_path)


def test_each_row_is_one_hosts_and_about_as_many_are_each_ones() -> None:
    digests = np.random.default_rng(0).integers(0, 2**64, size=30_000, dtype=np.uint64)
    parts = np.array([shard.mine(digests, Hosts(names=tuple(THREE), own=own)) for own in THREE])

    assert (parts.sum(axis=0) == 1).all()
    assert np.abs(parts.sum(axis=1) - 10_000).max() < 500
    shuffled = np.random.default_rng(1).permutation(len(digests))
    assert (shard.mine(digests[shuffled], Hosts(names=tuple(THREE), own="algo-2")) == parts[1][shuffled]).all()


def test_jobs_on_one_machine_meet_at_different_ports(tmp_path: Path) -> None:
    told(tmp_path, "algo-2", THREE)
    ports = {job: Hosts.read(tmp_path, job=job).port for job in ("one", "other", "third")}

    assert len(set(ports.values())) == 3
    assert Hosts.read(tmp_path, job="one").port == ports["one"]


def test_rows_of_a_matrix_are_told_apart_by_what_is_in_them() -> None:
    matrix = np.array([[1, 2], [2, 1], [1, 2], [1, np.nan]], dtype=np.float32)
    digests = shard.of_matrix(matrix)

    assert digests[0] == digests[2]
    assert len(set(digests.tolist())) == 3


def test_one_host_has_all_rows() -> None:
    assert shard.mine(np.arange(9, dtype=np.uint64), Hosts()).all()


def test_every_host_prepares_and_trains_and_the_first_leaves_the_model(tmp_path: Path, data: Path, model_spec: ModelSpec) -> None:
    names = ["127.0.0.1", "127.0.0.2"]
    first, second = roots = [tmp_path / own for own in names]
    for root in roots:
        (root / "input/data/data").mkdir(parents=True)
        shutil.copy(data, root / "input/data/data")
        told(root, root.name, names)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda root: run(root, "prepare", "train", "evaluate"), roots))

    assert [host.returncode for host in done] == [0, 0], [host.stderr for host in done]
    assert {file.name for file in (first / "model").iterdir()} == set(artifact.complete_files(model_spec))
    assert not (second / "model").exists()
    assert not (second / "output").exists()
    assert (second / "work/model" / artifact.ONNX).read_bytes() == (first / "model" / artifact.ONNX).read_bytes()


def test_other_hosts_keep_what_they_say_to_themselves(tmp_path: Path, model_spec: ModelSpec) -> None:
    told(tmp_path, "algo-2", ["algo-1", "algo-2"])
    second = job(tmp_path, model_spec)

    assert (second.spec.name, second.model, second.report) == (MODEL, tmp_path / "work/model", tmp_path / "work/report")
    assert not second.checkpoints.writes
