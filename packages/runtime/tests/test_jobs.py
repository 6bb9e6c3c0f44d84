"""Jobs as SageMaker runs them: processes with a file system of their own, in one job or in three, and what they say when they fail."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from container import MODEL, age, edit, environment

from paved_runtime import __version__, artifact, golden, serving, spec
from paved_runtime.__main__ import main
from paved_runtime.artifact import ArtifactError
from paved_runtime.invocations import Invocations, sha256
from paved_runtime.job import Job
from paved_runtime.testing import ORIGIN
from paved_runtime.training_rows import TrainingRows

SPEC = spec.load(MODEL)


def fail(root: Path, *commands: str, **variables: str) -> str:
    """Run commands in this process; the line they leave behind."""
    assert main(commands, environment(root, **variables)) == 1
    (reason,) = [file for name in ("failure", "message") if (file := root / "output" / name).is_file()]
    line = reason.read_text()
    assert line.count("\n") == 1
    return line


def put(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(source, folder)


def test_one_job_leaves_a_complete_model(trained: Path) -> None:
    evaluation = artifact.read_json(trained / "model" / artifact.EVALUATION)

    assert sorted(file.name for file in (trained / "model").iterdir()) == sorted(artifact.complete_files(SPEC))
    assert (evaluation["model"], evaluation["runtime"]) == (MODEL, __version__)
    assert {name.upper(): evaluation[name] for name in ("commit", "image_uri")} == ORIGIN
    assert evaluation["rows"] == {"train": 3200, "holdout": 800}
    assert set(evaluation["metrics"]) == {"roc_auc", "average_precision", "brier", "log_loss", "calibration_error"}
    assert f"metric roc_auc={evaluation['metrics']['roc_auc']['value']:.6f}\n" in (trained / "stdout").read_text()


def test_three_jobs_give_what_one_job_gives(tmp_path: Path, data: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """These run in this process, the one job in its own."""
    prepare, train, evaluate = (tmp_path / name for name in ("prepare", "train", "evaluate"))
    put(data, prepare / "processing/input/data")
    assert main(["prepare"], environment(prepare)) == 0
    shutil.copytree(prepare / "processing/train", train / "input/data/train")
    assert main(["train"], environment(train)) == 0
    artifact.pack(train / "model", evaluate / "processing/input/model/model.tar.gz")
    put(prepare / "processing/holdout/holdout.csv", evaluate / "processing/input/holdout")
    capsys.readouterr()
    assert main(["evaluate"], environment(evaluate)) == 0
    printed = capsys.readouterr().out
    artifact.unpack(evaluate / "processing/model/model.tar.gz", tmp_path / "model", SPEC)

    for name in artifact.complete_files(SPEC):
        assert (tmp_path / "model" / name).read_bytes() == (trained / "model" / name).read_bytes(), name
    assert (evaluate / "processing/evaluation/evaluation.json").read_bytes() == (trained / "model/evaluation.json").read_bytes()
    with tarfile.open(evaluate / "processing/model/output.tar.gz") as tar:
        packed = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    assert packed == {name: (trained / "output/data" / name).read_bytes() for name in ("report.json", "parity.json")}
    assert printed in (trained / "stdout").read_text()


def test_rows_and_columns_in_another_order_give_the_same_bytes(tmp_path: Path, data: Path, trained: Path) -> None:
    with data.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    shuffle = random.Random(1)  # noqa: S311 - repeatable, not secret
    columns = shuffle.sample(list(rows[0]), len(rows[0]))
    (tmp_path / "input/data/data").mkdir(parents=True)
    with (tmp_path / "input/data/data/other.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(shuffle.sample(rows, len(rows)))
    assert main(["prepare", "train", "evaluate"], environment(tmp_path)) == 0

    for name in artifact.complete_files(SPEC):
        own, other = (folder / "model" / name for folder in (tmp_path, trained))
        if name in (artifact.METADATA, artifact.DATA, artifact.EVALUATION):  # these say which file it was
            assert of_any_file(own) == of_any_file(other), name
        else:
            assert own.read_bytes() == other.read_bytes(), name


def of_any_file(file: Path) -> dict[str, Any]:
    """What a model says of itself, apart from the digest of the data set and of what has that digest in it."""
    return {name: value for name, value in artifact.read_json(file).items() if name not in ("sha256", "data_sha256", artifact.FILES)}


def test_a_broken_contract_is_one_line_and_a_table(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = data.read_text().splitlines()
    lines[5] = "x" + lines[5].lstrip("0123456789")
    (tmp_path / "input/data/data").mkdir(parents=True)
    (tmp_path / "input/data/data/data.csv").write_text("\n".join(lines))
    line = fail(tmp_path, "prepare", "train")
    table = capsys.readouterr().err

    problem = "column 'age': expected an integer between 18 and 120, found 'x' (1 row, first 5)"
    assert line == f"prepare: data.csv breaks the data contract: {problem}: correct the data, or model.toml\n"
    assert "column  rule  found" in table
    assert table.endswith(line)
    assert not (tmp_path / "model").exists()


def test_a_processing_job_leaves_its_reason_in_message(tmp_path: Path) -> None:
    (tmp_path / "processing/input/data").mkdir(parents=True)

    assert fail(tmp_path, "prepare").startswith("prepare: no *.csv in")
    assert (tmp_path / "output/message").is_file()


@pytest.mark.parametrize("commands", [[], ["dance"], ["prepare", "dance"]])
def test_unknown_commands(tmp_path: Path, commands: list[str]) -> None:
    known = "prepare, train, evaluate, search, score, serve, count, monitor, batch-prepare, batch-collect"
    expected = f"runtime: expected commands among {known}, found {' '.join(commands) or 'none'}\n"

    assert fail(tmp_path, *commands) == expected


def test_an_unknown_model(tmp_path: Path) -> None:
    line = fail(tmp_path, "prepare", MODEL="nobody")

    assert line.startswith("runtime: model_code/nobody/model.toml: no such file; known models: ")


def test_an_image_that_is_not_told_its_model_says_what_to_set(tmp_path: Path) -> None:
    line = "runtime: the environment variable MODEL is not set: it says which model this container is for: set it to "

    assert fail(tmp_path, "serve", MODEL="") == f"{line}{' or '.join(spec.names())}\n"


def test_an_image_without_models_says_where_it_has_looked(tmp_path: Path) -> None:
    environ = {name: value for name, value in environment(tmp_path, MODEL_CODE=str(tmp_path / "code")).items() if name != "MODEL"}
    finished = subprocess.run([sys.executable, "-m", "paved_runtime", "serve"], env=environ, capture_output=True, text=True, check=False)

    assert finished.returncode == 1
    said = finished.stderr.splitlines()[-1]
    assert said.endswith(f"set it to a model's name; {tmp_path / 'code'} has none (MODEL_CODE says where models are)")


def test_a_port_that_is_no_number(tmp_path: Path) -> None:
    expected = "runtime: SAGEMAKER_BIND_TO_PORT: expected a port number, found 'http'\n"
    assert fail(tmp_path, "serve", SAGEMAKER_BIND_TO_PORT="http") == expected


def hyperparameters(root: Path, **values: str) -> Job:
    (root / "input/config").mkdir(parents=True, exist_ok=True)
    (root / "input/config/hyperparameters.json").write_text(json.dumps(values))
    return Job.of(environment(root))


def test_a_job_may_replace_hyperparameters(tmp_path: Path) -> None:
    job = hyperparameters(tmp_path, max_depth="3", eta='"0.5"', sagemaker_program="x")

    assert (job.hyperparameters["max_depth"], job.hyperparameters["eta"]) == (3, 0.5)
    assert job.hyperparameters["rounds"] == job.spec.training.hyperparameters["rounds"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"depth": "3"}, "hyperparameter 'depth' is unknown; model.toml has"),
        ({"max_depth": "deep"}, "'max_depth': expected int, found 'deep'"),
    ],
)
def test_wrong_hyperparameters(tmp_path: Path, values: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _ = hyperparameters(tmp_path, **values).hyperparameters


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """An ML_ROOT with a copy of the trained model, for breaking."""
    shutil.copytree(trained / "model", tmp_path / "model")
    return tmp_path


def test_golden_answers_are_the_same_after_loading(copied: Path, invocations: Invocations) -> None:
    recorded = artifact.read_json(copied / "model" / artifact.GOLDEN)

    assert golden.record(Job.of(environment(copied)).spec, invocations) == recorded
    assert {len(request["scores"]) for request in recorded["requests"]} == {1, 2, 50}
    assert {bad["expect"] for bad in recorded["bad_requests"]} == {400, 415, 422}


def test_a_model_that_answers_differently_is_not_served(copied: Path) -> None:
    def change(recorded: Any) -> None:
        recorded["requests"][2]["scores"][1] += 1e-4

    edit(copied / "model", artifact.GOLDEN, change)

    assert fail(copied, "serve").startswith("serve: golden request 3 is answered differently than in evaluation, by 0.0001")


@pytest.mark.parametrize("name", ["model.pkl", "code", "model.joblib", "__init__.py"])
def test_an_unknown_file_is_refused_unread(copied: Path, name: str) -> None:
    marker = copied / "executed"
    (copied / "model" / name).write_bytes(f"cposix\nsystem\n(S'touch {marker}'\ntR.".encode())

    assert fail(copied, "serve").startswith(f"serve: {name!r} does not belong in a model")
    assert not marker.exists()


def test_a_pickle_under_a_known_name_is_refused(copied: Path) -> None:
    marker = copied / "executed"
    (copied / "model" / artifact.ONNX).write_bytes(f"cposix\nsystem\n(S'touch {marker}'\ntR.".encode())
    artifact.write_metadata(copied / "model", artifact.read_json(copied / "model" / artifact.METADATA))

    assert fail(copied, "serve").startswith("serve: model.onnx cannot be loaded")
    assert not marker.exists()


@pytest.mark.parametrize("name", [name for name in artifact.complete_files(SPEC) if name != artifact.METADATA])
def test_a_file_that_was_changed_after_training_is_refused(copied: Path, name: str) -> None:
    file = copied / "model" / name
    file.write_bytes(file.read_bytes() + b" ")

    changed, expected = (hashlib.sha256(content).hexdigest() for content in (file.read_bytes(), file.read_bytes()[:-1]))
    assert fail(copied, "serve") == f"serve: {name} has sha256 {changed}, metadata.json says {expected}: it was changed\n"


def test_another_model_than_the_one_deployed_is_not_served(copied: Path) -> None:
    """One that is whole, and whose maker had every right to make it."""
    expected = sha256(copied / "model")
    metadata = artifact.read_json(copied / "model" / artifact.METADATA)
    artifact.write_metadata(copied / "model", metadata | {"commit": "another"})

    line = fail(copied, "serve", MODEL_SHA256=expected)
    assert line.startswith(f"serve: the model has sha256 {sha256(copied / 'model')}, this endpoint was deployed to serve {expected}: ")


@pytest.mark.parametrize("name", [name for name in artifact.complete_files(SPEC) if name != artifact.ROWS])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / "model" / name).unlink()

    assert fail(copied, "serve") == f"serve: {name} is missing\n"


def test_a_model_of_an_older_runtime_serves_without_knowing_its_rows(copied: Path) -> None:
    age(copied / "model")
    loaded = serving.load(Job.of(environment(copied)))

    assert loaded.sha256 == sha256(copied / "model")
    assert TrainingRows.load(copied / "model") is None


def test_a_model_of_another_contract_is_refused(copied: Path) -> None:
    edit(copied / "model", artifact.SCHEMA, lambda schema: schema["columns"]["age"].update(maximum=121))

    assert fail(copied, "serve") == "serve: schema.json differs in columns from this image's model.toml: train the model again\n"


def test_no_model_at_all(tmp_path: Path) -> None:
    assert fail(tmp_path, "serve") == f"serve: there is no model in {tmp_path / 'model'}\n"


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/model.onnx", "code/inference.py", "model.pkl"])
def test_an_archive_with_a_foreign_entry_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name), BytesIO())

    with pytest.raises(ArtifactError, match="does not belong in a model"):
        artifact.unpack(tmp_path / "model.tar.gz", tmp_path / "model", SPEC)
    assert not list((tmp_path / "model").iterdir())


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo(artifact.ONNX)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.addfile(link)

    with pytest.raises(ArtifactError, match="does not belong in a model"):
        artifact.unpack(tmp_path / "model.tar.gz", tmp_path / "model", SPEC)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00"])
def test_a_broken_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)

    with pytest.raises(ArtifactError, match="cannot be unpacked"):
        artifact.unpack(tmp_path / "model.tar.gz", tmp_path / "model", SPEC)
