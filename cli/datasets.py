"""A model's data sets: looked at here before they are uploaded, stored under the hash of their content, and one is pointed to.

A cheap look, so that a mistake costs seconds and not a training job. The training job checks the same contract again, with all violations
listed, and what only the data set as a whole can break; here the first wrong cell is enough.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import naming
from cli import data_files
from cli.output import say
from cli.problem import Problem
from paved_runtime import csv_text, rules
from paved_runtime.moments import Moment
from paved_runtime.rules import TargetRule
from paved_runtime.spec import Column, Data, ModelSpec
from pipelines.deployment.facts import DATA
from pipelines.deployment.registry import Registry
from pipelines.evidence import pack

SHOWN = 40
LISTED = 10  # outcomes in an error
DISTINCT = 1000  # cells of the target that are kept: outcomes are fewer, and of numbers it is enough that some differ
Rule = tuple[str, Callable[[str], bool]]  # what is accepted, in words and as a test of one cell


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A data set that may be uploaded. `rows` does not count the header; `bytes` is the file's size."""

    path: Path
    sha256: str
    rows: int
    bytes: int


def check(path: Path, model: ModelSpec, parts: Sequence[Path] = ()) -> DataFile:
    """Read the whole file against the model's contract. Columns may come in any order.

    Where it was joined of `parts`, these are read, so that a mistake has its place in the file that a person knows.

    Raises:
        Problem: the file is missing or empty, or names the first row, column, what was expected and what was found.
    """
    rows, labels = 0, set[str]()
    for part in parts or [path]:
        with data_files.rows(part, model.data) as (header, lines):
            rows += _rows(header, lines, part, model, labels)
    whole = ", ".join(map(str, parts or [path]))
    _occurring(whole, labels, rules.target(model.data), model)
    if rows < model.data.minimum_rows:
        raise _wrong(whole, f"expected at least {model.data.minimum_rows} rows, found {rows}", model)
    return DataFile(path=path, sha256=_sha256(path), rows=rows, bytes=path.stat().st_size)


def store(registry: Registry, file: DataFile) -> dict[str, Any]:
    """Upload the file unless its content is there already, and point to it. Returns the pointer: uri, sha256, version, rows, bytes.

    Raises:
        Problem: what lies there afterwards is not the file.
    """
    bucket, key = registry.facts.data_bucket, f"data/{file.sha256}/data{data_files.suffix(file.path)}"
    uri = f"s3://{bucket}/{key}"
    stored = pack.measure(registry.s3, uri)
    if stored and stored.sha256 == file.sha256:
        say("this content is stored already")
    else:
        registry.s3.upload_file(str(file.path), bucket, key)
        stored = pack.measure(registry.s3, uri)
    if stored is None or stored.sha256 != file.sha256:
        raise Problem(uri, f"it is not what was uploaded: {stored or 'nothing is there'}", "somebody writes there too: store it once more")
    pointer = {"uri": uri, "sha256": file.sha256, "version": stored.version, "rows": file.rows, "bytes": file.bytes}
    name = naming.parameter(registry.config, registry.model.name, DATA)
    registry.clients("ssm").put_parameter(Name=name, Value=json.dumps(pointer), Type="String", Overwrite=True)
    return pointer


def _rows(header: Sequence[str], lines: Iterator[Sequence[str]], path: Path, model: ModelSpec, labels: set[str]) -> int:
    """How many rows there are, each of them accepted. What they have as outcome goes into `labels`."""
    if why := _header(header, model):
        raise _wrong(path, why, model)
    target = header.index(model.data.target)
    accepted = {name: _rule(column) for name, column in model.stored_columns.items()} | _keys(model.data)
    checks = [(i, name, accepted[name]) for i, name in enumerate(header) if name in accepted]
    late = _late(header, model.data)
    outcomes, row = rules.target(model.data), 0
    for row, line in enumerate(lines, start=1):
        if len(line) != len(header):
            raise _wrong(path, f"row {row}: expected {len(header)} cells, found {len(line)}", model)
        for i, name, (expected, accepts) in checks:
            if not accepts(line[i]):
                raise _wrong(path, f"row {row}, column {name!r}: expected {expected}, found {line[i][:SHOWN]!r}", model)
        if late and (why := late(line)):
            raise _wrong(path, f"row {row}, {why}", model)
        if line[target] not in labels:
            _outcome(path, row, line[target], outcomes, model)
            labels.update([line[target]] if len(labels) < DISTINCT else [])
    return row


def _header(header: Sequence[str], model: ModelSpec) -> str:
    wanted = [*model.stored_columns, *model.lookup_keys, *model.data.keys, model.data.target]
    for name in wanted:
        if name not in header:
            return f"column {name!r}: expected it in the header, which is {csv_text.shortened(','.join(header))}"
    for name in header:
        if name not in wanted and name not in model.data.exclude:
            return f"column {name!r}: expected only columns of the contract, found this one"
    return ""


def _outcome(path: Path, row: int, cell: str, outcomes: TargetRule, model: ModelSpec) -> None:
    """Raise Problem where a cell of the target is none that it may have."""
    if not outcomes.accepts(cell):
        why = f"row {row}, column {model.data.target!r}: expected {outcomes.expected}, found {cell[:SHOWN]!r}"
        raise Problem(f"data file {path}", why, outcomes.advice(cell))


def _occurring(path: str, labels: Collection[str], outcomes: TargetRule, model: ModelSpec) -> None:
    """Raise Problem where an outcome does not occur, or all numbers are the same."""
    column, shown = f"column {model.data.target!r}", ", ".join(map(repr, sorted(labels)[:LISTED])) or "a header"
    if absent := [outcome for outcome in outcomes.everywhere if outcome not in labels]:
        every = f"{column}: expected {'both ' if len(outcomes.everywhere) == 2 else ''}{' and '.join(map(repr, outcomes.everywhere))}"
        raise _wrong(path, f"{every}, {absent[0]!r} is not there, found only {shown}", model)
    if len({outcomes.label(label) for label in labels}) < 2:
        raise _wrong(path, f"{column}: expected numbers that differ, found only {shown}", model)


def _rule(column: Column) -> Rule:
    """What the column accepts, in words and as a test of one cell; a cell that was accepted once is not judged again."""
    rule, good = rules.of(column), {""} if column.missing else set()

    def accepts(cell: str) -> bool:
        if cell not in good and rules.accepts(rule, cell):
            good.add(cell)
        return cell in good

    return rule.expected, accepts


def _keys(data: Data) -> dict[str, Rule]:
    """The rules of the columns that only say which rows are held out."""
    day: Rule = (rules.ANY_DAY.expected, partial(rules.accepts, rules.ANY_DAY))
    return {name: day if name == data.time else ("a text in every row", bool) for name in data.keys}


def _late(header: Sequence[str], data: Data) -> Callable[[Sequence[str]], str] | None:
    """What says of a row, whose cells are accepted, which of its dates is later than its decision; None where none could be."""
    moment = Moment.of(data)
    if moment is None:
        return None
    at, places = header.index(moment.column), [header.index(name) for name in moment.dates if name in header]

    def late(line: Sequence[str]) -> str:
        for place in places:
            if line[place] > line[at]:  # as texts, ISO dates stand in their order
                expected = f"expected no date after {moment.column!r}, which is {line[at]}"
                return f"column {header[place]!r}: {expected}, found {line[place]!r}"
        return ""

    return late


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in _blocks(stream.read):
            digest.update(block)
    return digest.hexdigest()


def _blocks(read: Callable[[int], bytes]) -> Iterable[bytes]:
    return iter(lambda: read(1 << 20), b"")


def _wrong(path: Path | str, why: str, model: ModelSpec) -> Problem:
    return Problem(f"data file {path}", why, f"correct the file, or model_code/{model.name}/model.toml")
