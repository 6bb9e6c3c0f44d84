"""What scored the rows of files: the manifests of batches, held against the ledger of what was let in."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.problem import Problem
from pipelines.evidence import pack
from pipelines.serving_stack import NO_VERSION

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One batch by its manifest; `doubt` says what is wrong with the version that it names."""

    manifest: Json
    doubt: str

    @property
    def execution(self) -> str:
        """The id of the run."""
        return str(self.manifest["execution"]).rpartition("/")[2]

    def as_dict(self) -> Json:
        """For `--json`."""
        return {**self.manifest, "doubt": self.doubt}


def look(manifests: Iterable[Json], served: Container[str], file: Path | None) -> list[Scored]:
    """Every batch, newest first; with `file` those that scored it, or wrote it. `served` are the versions (ARNs) of the ledger.

    Raises:
        Problem: no batch knows that file.
    """
    digest = _digest(file) if file else None
    chosen = [manifest for manifest in manifests if digest is None or digest in _files(manifest)]
    if file and not chosen:
        raise Problem(
            f"--file {file}", f"no batch that is kept has scored or written it (sha256 {digest})", "name the file as it was handed in"
        )
    chosen.sort(key=lambda manifest: str(manifest["began"]), reverse=True)
    return [Scored(manifest=manifest, doubt=_doubt(manifest, served)) for manifest in chosen]


def view(scored: Sequence[Scored]) -> Table | Text:
    """For a person."""
    if not scored:
        return Text("no batch is kept")
    table = Table("scored", "version", "rows", "without a score", "input", "execution", box=None, pad_edge=False, header_style="dim")
    for batch in scored:
        manifest = batch.manifest
        version = f"{_number(manifest['model_package_arn'])} ({manifest['model_version']})"
        figures = [str(manifest[name]) for name in ("rows", "failed")]
        table.add_row(str(manifest["ended"])[:16].replace("T", " "), version, *figures, manifest["input"]["uri"], batch.execution)
    return table


def _files(manifest: Json) -> set[str]:
    return {each["sha256"] for side in ("input", "output") for each in manifest[side]["files"]}


def _doubt(manifest: Json, served: Container[str]) -> str:
    arn = manifest["model_package_arn"]
    if arn == NO_VERSION:
        return f"it was scored by model {manifest['model_version']}, which no version of the registry is known to be"
    return "" if arn in served else f"it was scored by version {_number(arn)}, which the ledger does not know"


def _number(arn: str) -> str:
    return "?" if arn == NO_VERSION else pack.group_and_version(arn)[1]


def _digest(file: Path) -> str:
    if not file.is_file():
        raise Problem(f"--file {file}", "there is no such file", "name one that a batch has scored or written", code=2)
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
