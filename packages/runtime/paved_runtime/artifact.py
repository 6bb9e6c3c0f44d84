"""What a model is made of: files of data, known by name. Anything else in its folder or archive is refused, unread.

A pickle could run code wherever it is opened; none of these formats can. Seven are in every model, and its framework's beside them. All are
needed to serve but `rows.bin`, which says what rows the model was trained on (paved_runtime.training_rows): models of older runtimes do not
have it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paved_runtime import frameworks, protocol
from paved_runtime.spec import ModelSpec, TaskName

ONNX, SCHEMA, METADATA = protocol.ONNX, protocol.SCHEMA, protocol.METADATA
DATA, ROWS = "data.json", "rows.bin"
EVALUATION, BASELINE, GOLDEN = protocol.EVALUATION, "baseline.json", protocol.GOLDEN
TRAINED = (SCHEMA, METADATA, DATA, ROWS)  # what training leaves beside the framework's files
JUDGED = (EVALUATION, BASELINE, GOLDEN)  # and what evaluation adds
OLDEST = "xgboost"  # the framework of models whose metadata.json names none: there was no other
FILES = "files"  # of metadata.json: the SHA-256 of every other file, by name; models of older runtimes do not have it


class ArtifactError(ValueError):
    """Model files that are not what they should be."""


def schema(spec: ModelSpec, features: Sequence[str]) -> dict[str, Any]:
    """What the model was trained to accept: its columns and rules, its target, and its features in order."""
    target = {"binary": {"positive", "negative"}, "multiclass": {"classes"}, "regression": {"target_minimum", "target_maximum"}}
    return {
        **spec.data.model_dump(mode="json", include={"columns", "target", *target[spec.task], "exclude"}),
        "features": list(features),
    }


def write_json(file: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write JSON whose bytes depend on the content alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as stream:  # a champion's scores of millions of rows are not held as text
        json.dump(content, stream, indent=1, allow_nan=False)
        stream.write("\n")


def write_metadata(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Write metadata.json, with the digests of the files that lie beside it: who knows its digest knows the whole model."""
    write_json(folder / METADATA, {**metadata, FILES: _digests(folder)})


def read_json(file: Path) -> Any:
    """Read one of the JSON files. Raises ArtifactError if it is missing or broken."""
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise ArtifactError(f"{file.name} is missing") from error
    except ValueError as error:
        raise ArtifactError(f"{file.name} is not JSON: {error}") from error


def trained_files(spec: ModelSpec) -> tuple[str, ...]:
    """The names of what training leaves of a model."""
    return (*frameworks.of(spec).FILES, *TRAINED)


def complete_files(spec: ModelSpec) -> tuple[str, ...]:
    """The names of all that a model is made of."""
    return (*trained_files(spec), *JUDGED)


def check(folder: Path, spec: ModelSpec, features: Sequence[str], *, judged: bool = True) -> None:
    """Refuse a folder that holds anything unknown, lacks a file, has another one than its metadata says, or was trained for another
    task, under another contract or with another framework. Unless `judged`, it is what training has left, with every one of its files.

    Raises:
        ArtifactError: naming the file or what differs.
    """
    if not folder.is_dir():
        raise ArtifactError(f"there is no model in {folder}")
    _of_framework(folder, spec)
    known = complete_files(spec)
    for entry in sorted(folder.iterdir()):
        _known(entry.name, known, regular=entry.is_file() and not entry.is_symlink())
    for name in [name for name in known if name != ROWS] if judged else trained_files(spec):
        if not (folder / name).is_file():
            raise ArtifactError(f"{name} is missing")
    _unchanged(folder)
    trained, now = read_json(folder / SCHEMA), schema(spec, features)
    if (task := _task(trained)) != spec.task:
        raise ArtifactError(f"the model was trained for {task}, this image's model.toml says {spec.task}: train the model again")
    if differing := [part for part in now if trained.get(part) != now[part]]:
        raise ArtifactError(f"{SCHEMA} differs in {differing[0]} from this image's model.toml: train the model again")


def pack(folder: Path, archive: Path) -> None:
    """Write `model.tar.gz`; its bytes depend on the files alone."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with archive.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for file in sorted(folder.iterdir()):
            content = file.read_bytes()
            entry = tarfile.TarInfo(file.name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def unpack(archive: Path, folder: Path, spec: ModelSpec) -> None:
    """Unpack a model's `model.tar.gz` into a folder. Raises ArtifactError for a broken archive or an entry that is not a known file."""
    known = complete_files(spec)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            for entry in (entry for entry in tar if entry.name != "."):
                name = entry.name.removeprefix("./")
                _known(name, known, regular=entry.isreg())
                content = tar.extractfile(entry)
                assert content is not None
                (folder / name).write_bytes(content.read())
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArtifactError(f"{archive} cannot be unpacked: {error}") from error


def _digests(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.iterdir()) if file.name != METADATA)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _unchanged(folder: Path) -> None:
    """Raise ArtifactError where metadata.json lists other files, or other digests of them, than there are."""
    listed = read_json(folder / METADATA).get(FILES)
    if listed is None:
        return
    for name, digest in _digests(folder).items():
        if listed.get(name) != digest:
            raise ArtifactError(f"{name} has sha256 {digest}, {METADATA} says {listed.get(name, 'nothing of it')}: it was changed")
    if absent := sorted(set(listed) - set(_digests(folder))):
        raise ArtifactError(f"{absent[0]} is missing, {METADATA} has its digest")


def _of_framework(folder: Path, spec: ModelSpec) -> None:
    """Raise ArtifactError where metadata.json names another framework than `model.toml`; a folder without it lacks a file, which is said
    later.
    """
    written = read_json(folder / METADATA) if (folder / METADATA).is_file() else {}
    if (name := written.get("framework", {"name": OLDEST})["name"]) != spec.framework and written:
        raise ArtifactError(f"the model was trained with {name}, this image's model.toml says {spec.framework}: train the model again")


def _task(schema: Mapping[str, Any]) -> TaskName:
    """The task of the target that a model was trained for."""
    if "classes" in schema:
        return "multiclass"
    return "regression" if "target_minimum" in schema else "binary"


def _known(name: str, known: Sequence[str], *, regular: bool) -> None:
    if name not in known or not regular:
        raise ArtifactError(f"{name!r} does not belong in a model, which is made of {', '.join(known)} and nothing else")
