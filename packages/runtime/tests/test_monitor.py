"""The monitor as a processing job runs it: what it reads from S3, what it leaves behind, and what it tells."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capture import ENDPOINT, VARIANT, Row, csv_line, json_line, key, line
from container import MODEL, environment
from fakes import BUCKET, END, Cloud
from markupsafe import escape

from paved_runtime import artifact, contract
from paved_runtime.__main__ import main
from paved_runtime.invocations import Invocations
from paved_runtime.job import Job
from paved_runtime.monitor import count, monitor
from paved_runtime.monitoring import page
from paved_runtime.protocol import OWN
from paved_runtime.rules import rules
from paved_runtime.spec import Lookup, ModelSpec
from paved_runtime.table import Table


@dataclass(frozen=True)
class World:
    """The root of a processing job's file system with a model in it, that model, and held-out rows with their outcomes and scores."""

    root: Path
    spec: ModelSpec
    invocations: Invocations
    rows: Sequence[Row]
    labels: Sequence[str]
    scores: Sequence[float]

    def environ(self, root: Path | None = None, **variables: str) -> dict[str, str]:
        """What the monitoring pipeline gives its step."""
        usual = {
            "MODEL_VERSION": self.invocations.version,
            "ENDPOINT_NAME": ENDPOINT,
            "VARIANT": VARIANT,
            "CAPTURE_URI": f"s3://{BUCKET}/capture",
            "LABELS_URI": f"s3://{BUCKET}/labels",
            "REPORT_URI": f"s3://{BUCKET}/monitor/e1",
            "METRICS_NAMESPACE": f"Scores/{ENDPOINT}",
            "CONSOLE_URL": "https://eu-central-1.console.aws.amazon.com",
            "TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:topic",
            "WINDOW_END": END.isoformat(),
        }
        return environment(root or self.root, **{**usual, **variables})

    def job(self, root: Path | None = None, **variables: str) -> Job:
        return Job.of(self.environ(root, **variables))

    @property
    def accepted(self) -> float:
        """The share of the capture that may be unread."""
        assert self.spec.monitoring
        return self.spec.monitoring.unread

    @property
    def report(self) -> Any:
        return artifact.read_json(self.root / "processing/report/monitor.json")


@pytest.fixture
def world(trained: Path, invocations: Invocations, model_spec: ModelSpec, tmp_path: Path) -> World:
    artifact.pack(trained / "model", tmp_path / "processing/input/model/model.tar.gz")
    holdout = contract.read(trained / "work/holdout", model_spec.data)
    accepted = rules(model_spec.data)
    values = holdout.table.values.tolist()
    rows = [{name: rule.write(cell) for cell, (name, rule) in zip(row, accepted.items(), strict=True)} for row in values]
    labels = ["yes" if label else "no" for label in holdout.labels]
    return World(tmp_path, model_spec, invocations, rows, labels, invocations.scores(holdout.table).tolist())


def capture(world: World, cloud: Cloud) -> None:
    """800 rows in three objects and two encodings, with labels of 600 of them."""
    version = world.invocations.version
    each = [list(zip(world.rows, world.scores, strict=True))[start : start + 200] for start in range(0, 800, 200)]
    names = [f"r{n}" for n in range(400)]
    text = "".join(json_line([row], [score], name=name) for (row, score), name in zip(each[0] + each[1], names, strict=True))
    cloud.s3.put(key(version, END - timedelta(hours=1)), text)
    cloud.s3.put(key(version, END - timedelta(hours=1), "b.jsonl"), json_line(*map(list, zip(*each[2], strict=True)), name="many"))
    cloud.s3.put(key(version, END - timedelta(hours=23)), csv_line(*map(list, zip(*each[3], strict=True))))
    labelled = dict(zip([*names, *(f"many/{n}" for n in range(200))], world.labels, strict=False))
    cloud.s3.put("labels/day.csv", "\n".join(["inference_id,label", *(f"{name},{label}" for name, label in labelled.items()), "nobody,no"]))


def test_a_window_like_the_held_out_rows(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Cloud()
    capture(world, cloud)
    monitor(world.job(), cloud)
    report = world.report

    assert (report["requests"], report["rows"], report["skipped"], report["drifted"], report["moved"]) == (402, 800, None, False, [])
    assert report["window"] == {"start": "2026-11-20T12:00:00Z", "end": "2026-11-21T12:00:00Z"}
    assert {name: report[name] for name in ("model", "model_version", "endpoint", "variant")} == {
        "model": MODEL,
        "model_version": world.invocations.version,
        "endpoint": ENDPOINT,
        "variant": VARIANT,
    }
    assert {column["psi"] for column in report["columns"].values()} == {0}
    assert report["scores"]["psi"] == 0
    assert list(report["columns"]) == list(world.spec.column_names)
    assert (report["quality"]["labelled"], report["quality"]["unknown"]) == (600, 1)
    assert report["quality"]["figure"] == pytest.approx(report["quality"]["evaluation_figure"], abs=0.1)
    assert cloud.cloudwatch.namespaces == {f"Scores/{ENDPOINT}"}
    metrics = cloud.cloudwatch.metrics
    assert {name: metrics[name] for name in ("MonitorRuns", "MonitoredRows", "Drift", "DriftedColumns", "LabelledRows")} == {
        "MonitorRuns": 1,
        "MonitoredRows": 800,
        "Drift": 0,
        "DriftedColumns": 0,
        "LabelledRows": 600,
    }
    assert {f"PSI/{name}" for name in world.spec.column_names} | {"RocAuc", "CalibrationError", "ScorePSI", "Violations"} <= set(metrics)
    assert cloud.sns.messages == []
    assert capsys.readouterr().out.endswith("nothing moved\n")


def shifted(world: World) -> str:
    """Held-out rows with another balance, and their scores."""
    rows = [{**row, "balance": min(row["balance"] * 10 + 5000, 1_000_000)} for row in world.rows]
    table = Table(
        {name: n for n, name in enumerate(world.spec.column_names)},
        np.array([[rule.read(row[name]) for name, rule in rules(world.spec.data).items()] for row in rows]),
    )
    return "".join(json_line([row], [score]) for row, score in zip(rows, world.invocations.scores(table).tolist(), strict=True))


def test_what_moved_is_published_and_drift_is_no_failure(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Cloud()
    cloud.s3.put(key(world.invocations.version), shifted(world) + "garbage\n" + line('{"age": 7}', None))
    monitor(world.job(), cloud)
    report = world.report
    (message,) = cloud.sns.messages
    sentence = next(change["sentence"] for change in report["moved"] if change["what"] == "balance")

    assert report["drifted"]
    assert (report["requests"], report["failed"], report["malformed"]) == (801, 1, 1)
    assert report["violations"]["by"] == dict.fromkeys(world.spec.column_names, 1) | {"age": 1}
    assert sentence.startswith("balance is distributed differently: population stability index ")
    assert message["TopicArn"].endswith(":topic")
    assert re.fullmatch(rf"{ENDPOINT}: \d+ things? moved", message["Subject"])
    assert sentence in message["Message"]
    assert f"s3://{BUCKET}/monitor/e1/monitor.html" in message["Message"]
    assert message["Message"].endswith(f"console.aws.amazon.com/s3/object/{BUCKET}?prefix=monitor%2Fe1%2Fmonitor.html")
    assert (cloud.cloudwatch.metrics["Drift"], cloud.cloudwatch.metrics["PSI/balance"] > 0.5) == (1, True)
    said = capsys.readouterr().out
    assert f"moved: {sentence}\n" in said
    assert "lines that are none of data capture: 1\n" in said
    assert escape(sentence) in (world.root / "processing/report/monitor.html").read_text(encoding="utf-8")


def test_columns_of_a_feature_group_are_reported_together(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    cloud = Cloud()
    cloud.s3.put(key(world.invocations.version), shifted(world))
    lookups = {"accounts": Lookup(key="customer", columns=("balance", "loan")), "calls": Lookup(key="customer", columns=("campaign",))}
    job = world.job()
    monitor(replace(job, spec=world.spec.model_copy(update={"features": lookups})), cloud)
    accounts, calls = world.report["groups"].values()
    sentence = "feature group accounts: 1 of 2 columns moved (balance)"

    assert (accounts["columns"], accounts["moved"], calls["moved"]) == (["balance", "loan"], ["balance"], [])
    assert accounts["psi"] == world.report["columns"]["balance"]["psi"]
    assert sentence in capsys.readouterr().out
    assert f"- {sentence}" in cloud.sns.messages[0]["Message"]
    assert "feature group</th>" in (job.report / "monitor.html").read_text(encoding="utf-8")


def test_without_a_topic_nothing_is_published(world: World) -> None:
    cloud = Cloud()
    cloud.s3.put(key(world.invocations.version), shifted(world))
    monitor(world.job(TOPIC_ARN=""), cloud)

    assert world.report["drifted"]
    assert cloud.sns.messages == []


def test_other_versions_other_times_and_the_roads_own_requests_are_left_out(world: World) -> None:
    cloud = Cloud()
    request = [world.rows[0]], [world.scores[0]]
    cloud.s3.put(key("0" * 12), json_line(*request) * 600)
    cloud.s3.put(key(world.invocations.version, END), json_line(*request, at=END) * 600)
    cloud.s3.put(key(world.invocations.version), json_line(*request, name=f"{OWN}golden") * 600 + json_line(*request))
    monitor(world.job(), cloud)
    report = world.report

    assert (report["requests"], report["rows"], report["own"]) == (1, 1, 600)
    assert report["skipped"] == "1 rows in the window, at least 500 are needed to judge it"
    assert not {"Drift", "DriftedColumns", "ScorePSI", "Violations", "RocAuc"} & set(cloud.cloudwatch.metrics)
    assert {name for name, value in cloud.cloudwatch.metrics.items() if value} == {"MonitorRuns", "MonitoredRows"}
    assert not report["capture"]["sentences"]


def test_nothing_was_captured(world: World) -> None:
    monitor(world.job(), Cloud())

    assert world.report["skipped"].startswith("0 rows in the window")


def invoked(cloud: Cloud, *minutes: float, **errors: list[list[float]]) -> Cloud:
    """The same cloud, whose endpoint was asked so often in some minutes."""
    cloud.cloudwatch.answers.update({"Invocations": [list(minutes)], **errors})
    return cloud


def looked(world: World, cloud: Cloud) -> Any:
    """What a run says of the capture; the page, the log and the metrics say the same."""
    monitor(world.job(), cloud)
    capture, page = world.report["capture"], (world.root / "processing/report/monitor.html").read_text(encoding="utf-8")
    assert cloud.cloudwatch.metrics["UnreadShare"] == capture["share"]
    assert (capture["share"] > world.accepted) == bool(capture["sentences"])
    assert all(escape(sentence) in page for sentence in capture["sentences"])
    return capture


def test_lines_that_are_none_are_no_empty_window(world: World) -> None:
    cloud = Cloud()
    cloud.s3.put(key(world.invocations.version), "garbage\n" * 600)
    capture = looked(world, cloud)

    assert (capture["share"], capture["objects"], capture["unreadable_objects"]) == (1, 1, 1)
    assert "600 lines that are none of data capture" in capture["sentences"][0]
    assert cloud.cloudwatch.metrics["MalformedLines"] == 600


@pytest.mark.parametrize("encode", [lambda text: gzip.compress(text.encode()), lambda text: text.encode("utf-16")], ids=["gzip", "utf-16"])
def test_objects_that_cannot_be_read_are_told_apart_from_bad_lines(world: World, encode: Callable[[str], bytes]) -> None:
    """However few lines they seem to have."""
    cloud = Cloud()
    text = json_line([world.rows[0]], [world.scores[0]]) * 300
    for name, content in (("a", text.encode()), ("b", encode(text)), ("c", text.encode())):
        cloud.s3.put(key(world.invocations.version, name=f"{name}.jsonl"), content)
    capture = looked(world, cloud)

    assert capture["share"] == pytest.approx(1 / 3, abs=0.01)
    assert any("1 of 3 objects have no line that is one of data capture" in sentence for sentence in capture["sentences"])
    assert (world.report["rows"], cloud.cloudwatch.metrics["UnreadableObjects"]) == (600, 1)


def test_an_endpoint_that_is_asked_while_nothing_is_captured(world: World) -> None:
    cloud = invoked(Cloud(), 300, 400, Invocation4XXErrors=[[50.0], [50.0]])
    cloud.s3.put(key("0" * 12), "")
    cloud.s3.put(key(world.invocations.version).replace(VARIANT, "other"), "x")
    cloud.s3.put(key(world.invocations.version, END - timedelta(days=3)).replace(VARIANT, "earlier"), "x")
    capture = looked(world, cloud)
    request = cloud.cloudwatch.requests[0]
    dimensions = {d["Name"]: d["Value"] for d in request["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"]}

    assert (capture["answered"], capture["share"]) == (600, 1)
    assert capture["sentences"][0].startswith("the endpoint answered 600 requests, of which 100 % are captured: 0 are there, about 600")
    assert capture["elsewhere"] == {f"{'0' * 12}/{VARIANT}": 1, f"{world.invocations.version}/other": 1}
    assert dimensions == {"EndpointName": ENDPOINT, "VariantName": VARIANT, "EndpointConfigName": "scores-1"}
    assert (request["StartTime"], request["EndTime"]) == (END - timedelta(hours=24), END - timedelta(minutes=15))


@pytest.mark.parametrize(("asked", "percent", "captured", "told"), [(9, 100, 0, False), (10, 100, 0, True), (600, 100, 300, False),
    (600, 100, 299, True), (100, 10, 4, False), (100, 10, 0, True), (2000, 10, 60, True), (0, 100, 0, False)])  # fmt: skip
def test_fewer_captured_than_sampling_explains(world: World, asked: int, percent: int, captured: int, told: bool) -> None:
    cloud = invoked(Cloud(), asked)
    assert cloud.sagemaker.endpoint
    cloud.sagemaker.endpoint["DataCaptureConfig"]["CurrentSamplingPercentage"] = percent
    if captured:
        cloud.s3.put(key(world.invocations.version), json_line([world.rows[0]], [world.scores[0]]) * captured)

    assert bool(looked(world, cloud)["sentences"]) == told


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (None, "the endpoint is gone"),
        ({"EndpointStatus": "Failed", "EndpointConfigName": "c"}, "the endpoint is Failed"),
        ({"EndpointStatus": "InService", "EndpointConfigName": "c"}, "captures nothing"),
        ({"EndpointStatus": "InService", "EndpointConfigName": "c", "DataCaptureConfig": {"CaptureStatus": "Stopped"}}, "captures nothing"),
    ],
)
def test_no_endpoint_and_no_capture_are_no_quiet_window(world: World, endpoint: dict[str, Any] | None, said: str) -> None:
    cloud = Cloud()
    cloud.sagemaker.endpoint = endpoint
    capture = looked(world, cloud)

    assert capture["share"] == 1
    assert said in capture["sentences"][0]


@pytest.mark.parametrize(
    "shape", [{"AsyncInferenceConfig": {}}, {"ProductionVariants": [{"CurrentServerlessConfig": {"MemorySizeInMB": 2048}}]}]
)
def test_an_endpoint_of_which_sagemaker_captures_nothing_is_looked_at_by_its_batches_alone(world: World, shape: dict[str, Any]) -> None:
    cloud = invoked(Cloud(), 300)
    cloud.sagemaker.endpoint = {"EndpointStatus": "InService", "EndpointConfigName": "c", **shape}
    capture = looked(world, cloud)

    assert (capture["share"], capture["sentences"]) == (0, [])


def test_several_machines_count_what_one_counts(world: World, tmp_path: Path) -> None:
    cloud = Cloud()
    capture(world, cloud)
    cloud.s3.put(key(world.invocations.version, name="c.jsonl"), shifted(world) + "garbage\n")
    monitor(world.job(), cloud)
    alone, hosts = world.report, [f"algo-{n}" for n in (1, 2, 3)]
    shards = tmp_path / "processing/input/counts"
    shards.mkdir()
    for host in hosts:
        root = tmp_path / host
        shutil.copytree(tmp_path / "processing/input/model", root / "processing/input/model")
        artifact.write_json(root / "config/resourceconfig.json", {"current_host": host, "hosts": hosts[::-1]})
        count(world.job(root), cloud)
        (written,) = (root / "processing/counts").iterdir()
        shutil.copy(written, shards)
    monitor(world.job(), Cloud())

    assert world.report == alone
    assert alone["rows"] == 1600
    assert len([host for host in hosts if artifact.read_json(shards / f"{host}.json")["totals"].get("rows")]) > 1


def test_the_page_is_made_of_what_it_says_and_nothing_else(world: World) -> None:
    """Values and names are other people's: they neither become markup nor hide."""
    cloud = Cloud()
    capture(world, cloud)
    cloud.s3.put(key(world.invocations.version, name="c.jsonl"), shifted(world))
    monitor(world.job(), cloud)
    report = world.report
    foul = json.loads(json.dumps(report).replace("self-employed", "<script>alert(1)</script>\\u202e"))
    html = page.render(foul, "<b>purpose</b>")

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "⟨U+202E⟩" in html
    assert not re.search(r'(?:src|href)="(?!#|data:,)|@import|url\(', html)
    assert balanced(html)
    assert balanced(page.render({**report, "moved": [], "drifted": False, "skipped": "too few", "columns": {}, "scores": None}, "x"))


def balanced(html: str) -> bool:
    """Whether every element that was opened is closed, in order."""
    opened: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, *_: Any) -> None:
            if tag not in ("meta", "link"):
                opened.append(tag)

        def handle_startendtag(self, *_: Any) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Parser().feed(html)
    return not opened


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CAPTURE_URI": ""}, "the environment variable CAPTURE_URI is not set: the monitoring pipeline gives it to its step"),
        ({"WINDOW_END": "yesterday"}, "WINDOW_END: expected 'now' or a time like 2026-11-21T10:00:00Z, found 'yesterday'"),
        ({"MODEL_VERSION": "none"}, "not none, which the endpoint serves"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "neither AWS_REGION nor AWS_DEFAULT_REGION is set"),
        ({"CAPTURE_URI": "http://x/y"}, "expected a URI like s3://bucket/key, found 'http://x/y'"),
    ],
)
def test_what_cannot_be_done_is_one_line(world: World, variables: dict[str, str], said: str) -> None:
    assert main(["monitor"], world.environ() | {"AWS_DEFAULT_REGION": "eu-central-1"} | variables) == 1
    line = (world.root / "output/message").read_text()

    assert line.startswith("monitor: ")
    assert said in line
    assert line.count("\n") == 1


def test_counts_that_did_not_come(world: World) -> None:
    shards = world.root / "processing/input/counts"
    shards.mkdir()
    artifact.write_json(world.root / "config/resourceconfig.json", {"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]})
    with pytest.raises(artifact.ArtifactError, match="has the counts of 0 machines"):
        monitor(world.job(), Cloud())
    count(world.job(), Cloud())
    shutil.copy(world.root / "processing/counts/algo-1.json", shards)

    with pytest.raises(artifact.ArtifactError, match="has the counts of 1 machines: see why the step Count wrote no more"):
        monitor(world.job(), Cloud())


def scored_by_a_batch(world: World, rows: Sequence[Row], scores: Sequence[float], errors: int) -> str:
    """What a batch leaves for the monitor: its rows, each with its score, and as many that have an error instead."""
    good = [json_line([row], [score], name=f"r{number}") for number, (row, score) in enumerate(zip(rows, scores, strict=True))]
    bad = [line(json.dumps({**world.rows[0], "age": "x"}), json.dumps({"error": "column 'age': expected an integer"}))] * errors
    return "".join([*good, *bad])


def test_rows_of_a_batch_are_looked_at_and_are_no_requests(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """They are judged and joined with labels as others; the endpoint, which answered none of them, has nothing that is missing."""
    cloud = Cloud()
    version, text = world.invocations.version, scored_by_a_batch(world, world.rows, world.scores, errors=40)
    cloud.s3.put(key(version, END - timedelta(hours=2), "batch-a1b2-0.jsonl"), text)
    labels = [f"r{number},{label}" for number, label in enumerate(world.labels[:600])]
    cloud.s3.put("labels/day.csv", "\n".join(["inference_id,label", *labels]))
    monitor(world.job(), cloud)
    report = world.report

    assert (report["requests"], report["failed"], report["batch"], report["rows"], report["skipped"]) == (0, 0, 840, 840, None)
    assert report["violations"]["rows"] == 40
    assert (report["quality"]["labelled"], report["quality"]["unknown"]) == (600, 0)
    assert (report["capture"]["share"], report["capture"]["sentences"]) == (0, [])
    assert "of them 840 rows that batches have scored\n" in capsys.readouterr().out


def test_rows_of_a_batch_make_up_for_no_request_that_is_missing(world: World) -> None:
    """Nor do those of another version pass for requests that went elsewhere."""
    cloud, rows = Cloud(), scored_by_a_batch(world, world.rows, world.scores, errors=0)
    cloud.cloudwatch.answers["Invocations"] = [[800.0]]
    for version in (world.invocations.version, "0123456789ab"):
        cloud.s3.put(key(version, END - timedelta(hours=2), "batch-a1b2-0.jsonl"), rows)
    monitor(world.job(), cloud)

    assert world.report["capture"]["share"] == 1
    assert world.report["capture"]["elsewhere"] == {}


def test_a_batchs_lines_that_are_none_are_told(world: World) -> None:
    cloud = Cloud()
    cloud.s3.put(key(world.invocations.version, END - timedelta(hours=2), "batch-a1b2-0.jsonl"), "no line\n" * 20)
    monitor(world.job(), cloud)

    assert (world.report["malformed"], world.report["capture"]["unreadable_objects"]) == (20, 1)
