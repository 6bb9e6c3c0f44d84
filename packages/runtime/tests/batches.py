"""Batches as SageMaker runs them, in this process: the two jobs, and between them a transform job that asks the container's server."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from container import environment
from fakes import BUCKET

from paved_runtime import artifact, as_of
from paved_runtime.batch.collect import batch_collect
from paved_runtime.batch.lookups import Join
from paved_runtime.batch.prepare import batch_prepare
from paved_runtime.invocations import Invocations
from paved_runtime.job import Job
from paved_runtime.line_by_line import LineByLine
from paved_runtime.media_types import LINES
from paved_runtime.spec import Lookup

EXECUTION = "arn:aws:sagemaker:eu-central-1:123456789012:pipeline/scores-batch/execution/a1b2c3d4e5f6"
PROCESSING = "processing/input"
Json = dict[str, Any]


@dataclass
class Uploaded:
    """S3 as far as files are uploaded to it: bucket and key → content, in this order."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def upload_file(self, Filename: str, Bucket: str, Key: str) -> None:  # noqa: N803 - boto3's names
        self.objects[f"{Bucket}/{Key}"] = Path(Filename).read_bytes()


@dataclass(frozen=True)
class Batch:
    """One batch of a model, in a folder of its own. `lookups` are what its model.toml says, joined by `join`."""

    root: Path
    name: str
    invocations: Invocations
    s3: Uploaded = field(default_factory=Uploaded)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    join: Join = as_of.join

    @classmethod
    def of(cls, archive: Path, name: str, invocations: Invocations, root: Path) -> Batch:
        """A batch of the model that an archive has."""
        for job in ("prepare", "collect"):
            model = root / job / PROCESSING / "model/model.tar.gz"
            model.parent.mkdir(parents=True)
            model.symlink_to(archive)
        return cls(root, name, invocations)

    def put(self, name: str, content: str | bytes) -> None:
        """Write one of the files that are to be scored."""
        file = self.root / "prepare" / PROCESSING / "rows" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def job(self, name: str, **variables: str) -> Job:
        usual = {
            "MODEL": self.name,
            "MODEL_VERSION": self.invocations.version,
            "MODEL_SHA256": self.invocations.sha256,
            "MODEL_PACKAGE_ARN": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/scores/3",
            "EXECUTION": EXECUTION,
            "INPUT_URI": f"s3://{BUCKET}/input/today",
            "RESULTS_URI": f"s3://{BUCKET}/runs/a1b2c3d4e5f6/results",
            "ENDPOINT_NAME": "scores-production",
            "VARIANT": "AllTraffic",
            "MAXIMUM_FAILED": "1",
            "PAYLOAD_MB": "1",
        }
        job = Job.of(environment(self.root / name, **{**usual, **variables}))
        return replace(job, spec=job.spec.model_copy(update={"features": dict(self.lookups)}))

    def prepare(self, **variables: str) -> Json:
        """The first job; its list of what it prepared."""
        batch_prepare(self.job("prepare", **variables), self.join)
        prepared: Json = artifact.read_json(self.root / "prepare/processing/prepared/prepared.json")
        return prepared

    def transform(self, records: int = 7) -> None:
        """The transform job, so many records a request."""
        answering, target = LineByLine(self.invocations, 2**20), self.root / "collect" / PROCESSING / "scored"
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted((self.root / "prepare/processing/parts").iterdir()):
            lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            scored = []
            for start in range(0, len(lines), records):
                some = lines[start : start + records]
                reply = answering.reply(LINES, b"".join(json.dumps(line["row"]).encode() + b"\n" for line in some), LINES)
                assert reply.status == 200, reply.body
                scored += [
                    {"number": line["number"], "keep": line["keep"], "SageMakerOutput": json.loads(answer)}
                    for line, answer in zip(some, reply.body.splitlines(), strict=True)
                ]
            (target / f"{file.name}.out").write_text("".join(json.dumps(line) + "\n" for line in scored))

    def hand_over(self) -> None:
        """What SageMaker downloads for the last job of what the first has left."""
        for name in ("parts", "prepared"):
            target = self.root / "collect" / PROCESSING / name
            target.mkdir(parents=True, exist_ok=True)
            for file in (self.root / "prepare/processing" / name).iterdir():
                (target / file.name).write_bytes(file.read_bytes())

    def collect(self, **variables: str) -> Json:
        """The last job; its manifest."""
        batch_collect(self.job("collect", **variables), self.s3)
        manifest: Json = artifact.read_json(self.results / "manifest.json")
        return manifest

    def run(self, **variables: str) -> Json:
        """All three; the manifest."""
        self.prepare(**variables)
        self.transform()
        self.hand_over()
        return self.collect(**variables)

    @property
    def results(self) -> Path:
        return self.root / "collect/processing/results"

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a result file in CSV."""
        with (self.results / name).open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    @property
    def captured(self) -> Iterator[Json]:
        """The lines that the monitor will see."""
        for file in sorted((self.root / "collect/processing/captured").rglob("*.jsonl")):
            yield from map(json.loads, file.read_text().splitlines())


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
