"""The last job of a batch: every row's answer goes back to where the row came from, and a manifest says by what it was scored.

Results are there whatever was wrong with single rows; where too many of them have no score, the job fails behind them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

from paved_runtime import artifact
from paved_runtime.artifact import ArtifactError
from paved_runtime.batch import lines, model, results
from paved_runtime.batch.capture import Capture
from paved_runtime.batch.errors import BatchError
from paved_runtime.batch.prepare import LIST, now
from paved_runtime.batch.results import Outcome
from paved_runtime.job import Job
from paved_runtime.monitoring.store import place
from paved_runtime.protocol import model_version

INPUT, RESULTS, CAPTURED = "processing/input", "processing/results", "processing/captured"
MANIFEST, FAILURES = "manifest.json", "failures.csv"
FORMAT = 1
CHUNK = 2_000  # rows that are held at a time
VARIABLES = ("MODEL_VERSION", "EXECUTION", "INPUT_URI", "RESULTS_URI", "MAXIMUM_FAILED")
Json = dict[str, Any]


class Uploads(Protocol):
    """A client of S3 that uploads files."""

    def upload_file(self, Filename: str, Bucket: str, Key: str) -> object: ...  # noqa: N803 - boto3's names


@dataclass(frozen=True, kw_only=True)
class Run:
    """One batch: what it scored by which version, where its results go, and how many rows may have no score."""

    job: Job
    version: str
    model_sha256: str
    execution: str
    output_uri: str
    maximum_failed: float
    prepared: Json

    @classmethod
    def of(cls, job: Job) -> Self:
        """The run of a job's environment and inputs.

        Raises:
            ValueError: a variable is not set, or MAXIMUM_FAILED is no share.
            ArtifactError: the model is another than the one that was deployed, or that the rows were prepared for.
        """
        environ = job.environ
        if lacking := [name for name in VARIABLES if not environ.get(name)]:
            raise ValueError(f"the environment variable {lacking[0]} is not set: the batch pipeline gives it to its step")
        prepared, digest = artifact.read_json(job.root / INPUT / "prepared" / LIST), model.digest(job)
        if digest != prepared["model_sha256"] or model_version(digest) != environ["MODEL_VERSION"]:
            raise ArtifactError(f"the model is version {model_version(digest)}, not {environ['MODEL_VERSION']}: start the batch anew")
        return cls(
            job=job,
            version=environ["MODEL_VERSION"],
            model_sha256=digest,
            execution=environ["EXECUTION"],
            output_uri=environ.get("OUTPUT_URI", "").rstrip("/"),
            maximum_failed=_share(environ["MAXIMUM_FAILED"]),
            prepared=prepared,
        )

    @property
    def execution_id(self) -> str:
        """The last part of its ARN."""
        return self.execution.rpartition("/")[2]

    def outcomes(self) -> Iterator[Outcome]:
        """Every row, in order, with its answer. Raises BatchError where the transform job has not left one for each."""
        data, folder = self.job.spec.data, self.job.root / INPUT
        answered = lines.answered(folder / "parts", folder / "scored", self.prepared["parts"])
        return ((part, answer, results.why(part, answer, data)) for part, answer in answered)

    def capture(self) -> Capture | None:
        """Where the monitor sees the batch; None where nothing is captured of the environment's endpoint."""
        environ = self.job.environ
        if not environ.get("ENDPOINT_NAME") or not environ.get("VARIANT"):
            return None
        folder = self.job.root / CAPTURED / self.version / environ["ENDPOINT_NAME"] / environ["VARIANT"]
        rows = self.prepared["rows"]
        return Capture(folder, of=rows, version=self.version, execution=self.execution_id, moment=datetime.now(UTC))


class Failures:
    """Rows without a score, in failures.csv, which is there only if there are any."""

    def __init__(self, file: Path) -> None:
        self.count, self.first = 0, ""
        self._file = file

    def add(self, name: str, first: int, outcomes: Sequence[Outcome]) -> None:
        """Note those of some rows of a file, whose first row has the number `first`. 1 is a file's first row."""
        failed = [(name, part.number - first + 1, error) for part, _, error in outcomes if error]
        if not failed:
            return
        if not self.count:
            self._file.write_text("file,row,error\n", encoding="utf-8")
            self.first = f"{failed[0][0]}, row {failed[0][1]}: {failed[0][2]}"
        self.count += len(failed)
        with self._file.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(failed)


def batch_collect(job: Job, s3: Uploads | None = None) -> None:
    """Write a result file for each input file, failures.csv, manifest.json, and what the monitor is to see.

    Where OUTPUT_URI says so, results are copied there, too, the manifest last. Where too many rows have no score they are copied to
    RESULTS_URI by this job itself: SageMaker need not upload what a job that fails leaves.

    Raises:
        BatchError: a row has no answer or several, or too many have no score.
        ValueError: as `Run.of` says.
        ArtifactError: as `Run.of` says.
    """
    run, folder = Run.of(job), job.root / RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    failures, capture = Failures(folder / FAILURES), run.capture()
    outcomes = run.outcomes()
    written = [_file(run, file, outcomes, failures, capture) for file in run.prepared["files"]]
    if next(outcomes, None):
        raise BatchError(["there are answers to more rows than were prepared"])
    manifest = _manifest(run, written, failures.count, capture)
    artifact.write_json(folder / MANIFEST, manifest)
    names = [*(file["name"] for file in written), *([FAILURES] if failures.count else []), MANIFEST]
    exceeded = failures.count > run.maximum_failed * manifest["rows"]
    for uri in [uri for uri in (run.output_uri, job.environ["RESULTS_URI"] if exceeded else "") if uri]:
        _copy(s3 or _client(job.environ), folder, names, uri)
    _report(manifest, run.maximum_failed, failures, exceeded=exceeded)


def _report(manifest: Json, maximum: float, failures: Failures, *, exceeded: bool) -> None:
    rows = manifest["rows"]
    if exceeded:
        share = f"{failures.count} of {rows} rows have no score, {100 * failures.count / rows:.3g} %; accepted are {100 * maximum:.3g} %"
        raise BatchError([f"{share}; the first is {failures.first}: see {manifest['output']['uri']}/{FAILURES}"])
    captured = f", {manifest['captured']} of them for the monitor" if manifest["captured"] else ""
    print(f"scored {manifest['scored']} of {rows} rows{captured}: {manifest['output']['uri']}/{MANIFEST}", flush=True)


def _file(run: Run, file: Json, outcomes: Iterator[Outcome], failures: Failures, capture: Capture | None) -> Json:
    """Write one file's results; what the manifest says of them."""
    target = run.job.root / RESULTS / file["name"]
    of_file = islice(outcomes, file["rows"])
    with closing(results.opened(target, file["keep"], file.get("schema", ""), run.job.spec.data, run.version)) as written:
        while chunk := list(islice(of_file, CHUNK)):
            written.add(chunk)
            failures.add(file["name"], file["first"], chunk)
            if capture:
                capture.add(chunk)
    with target.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"name": file["name"], "rows": file["rows"], "bytes": target.stat().st_size, "sha256": digest}


def _manifest(run: Run, written: Sequence[Json], failed: int, capture: Capture | None) -> Json:
    environ, prepared = run.job.environ, run.prepared
    files = [{name: file[name] for name in ("name", "rows", "bytes", "sha256")} for file in prepared["files"]]
    return {
        "format": FORMAT,
        "model": run.job.spec.name,
        "model_version": run.version,
        "model_sha256": run.model_sha256,
        "model_package_arn": environ.get("MODEL_PACKAGE_ARN", ""),
        "image_uri": environ.get("IMAGE_URI", ""),
        "execution": run.execution,
        "input": {"uri": environ["INPUT_URI"], "sha256": prepared["input_sha256"], "files": files},
        **({"features_until": prepared["features_until"]} if "features_until" in prepared else {}),
        "output": {"uri": run.output_uri or environ["RESULTS_URI"].rstrip("/"), "files": list(written)},
        "rows": prepared["rows"],
        "scored": prepared["rows"] - failed,
        "failed": failed,
        "captured": capture.rows if capture else 0,
        "began": prepared["began"],
        "ended": now(),
    }


def _copy(s3: Uploads, folder: Path, names: Sequence[str], uri: str) -> None:
    """Upload files in this order: who sees the manifest sees all of them."""
    bucket, prefix = place(uri)
    for name in names:
        s3.upload_file(str(folder / name), bucket, f"{prefix}/{name}" if prefix else name)


def _client(environ: Mapping[str, str]) -> Uploads:
    import boto3  # type: ignore[import-untyped]  # a batch whose results stay where they are needs none

    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise ValueError("neither AWS_REGION nor AWS_DEFAULT_REGION is set: give the step's Environment AWS_DEFAULT_REGION")
    client: Uploads = boto3.client("s3", region_name=region)
    return client


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"MAXIMUM_FAILED: expected a share of rows from 0 to 1, found {text!r}")
    return share
