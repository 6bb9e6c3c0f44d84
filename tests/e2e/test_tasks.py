"""Two models that are not binary, written by `./road new-model`, take their roads side by side: to production, into drift, and back.

The second version of each is learnt with another framework, and so is its image: what is compared, served beside it and taken back is not.
Requests of one of them wait in Staging, whose gates go through the queue.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import naming
from cli import configuration
from localcloud.testing.waiting import until
from paved_runtime.spec import FRAMEWORKS
from pipelines.evidence import document, pack
from pipelines.evidence.document import Evaluation
from tests.reference import CONFIG, MODEL
from tests.support import public_data
from tests.support.fork import Fork
from tests.support.frameworks import exchange

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]
ROWS = 1000
PRODUCTION = CONFIG.environments[-1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """A model to be: its data, what is learnt with what, and how the world moves; `quality` is the metric that evidence is headed by.

    The second version is learnt with `other`, with `hyperparameters` of its own.
    """

    name: str
    task: str
    framework: str
    other: str
    hyperparameters: Mapping[str, float | str]
    target: str
    data: Callable[[Path], Path]
    shift: str
    moved: str
    quality: str

    @property
    def pipeline(self) -> str:
        return naming.delivery_pipeline(CONFIG, self.name)

    def file(self, home: Path) -> Path:
        """Where its data set lies."""
        return home / f"{self.name}.csv"


KINDS = [
    Kind(
        name="digit",
        task="multiclass",
        framework="sklearn",
        other="torch",
        hyperparameters={},
        target="digit",
        data=public_data.digits,
        shift="pixel_36=*0.2",
        moved="pixel_36",
        quality="roc_auc",
    ),
    Kind(
        name="progression",
        task="regression",
        framework="lightgbm",
        other="keras",
        hyperparameters={"hidden": "", "batch_size": 64, "learning_rate": 0.03},  # a line: 354 rows teach no more
        target="progression",
        data=public_data.diabetes,
        shift="bmi=*1.3",
        moved="bmi",
        quality="r2",
    ),
]
QUEUED = KINDS[1]
STAGING = CONFIG.environments[0]
EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.task)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where data sets lie."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Fork]:
    """A clone with the two models, and nothing else."""
    made = Fork(tmp_path_factory.mktemp("fork"))
    configuration.write(made.home / "config.py", CONFIG)
    shutil.rmtree(made.home / "model_code" / MODEL)
    for kind in KINDS:
        file = kind.data(kind.file(home))
        made.road("new-model", kind.name, "--data", str(file), "--target", kind.target, "--task", kind.task, "--framework", kind.framework)
        toml = f"model_code/{kind.name}/model.toml"
        made.edit(toml, "[training]\n", "[training]\nreuse = false\n")
        made.edit(toml, 'on = ["drift"]', 'on = ["schedule"]\nschedule = "rate(30 days)"')  # its drift is looked at here, and not answered
    toml = f"model_code/{QUEUED.name}/model.toml"
    made.edit(toml, "instances = 1\n", 'instances = 1\nmaximum_instances = 2\nasynchronous = { notices = "all" }\n')
    made.edit(toml, "p50_ms = 250\np95_ms = 500\np99_ms = 1000\n", "p50_ms = 5000\np95_ms = 5000\np99_ms = 10000\nparity = 1e-6\n")
    made.aws.begin(made, CONFIG)
    try:
        for kind in KINDS:
            made.road("data", "put", kind.name, *halves(kind.file(home)))
        yield made
    finally:
        made.aws.end(made)


@pytest.fixture(scope="module")
def first(fork: Fork) -> dict[str, str]:
    """The package of each model that the first push has brought to production."""
    return delivered(fork, "two models", nullcontext())


@pytest.fixture(scope="module")
def second(fork: Fork, first: dict[str, str], home: Path) -> dict[str, str]:
    """Those of another push, which learns with another framework; callers go on asking, as a canary is judged by them."""
    for kind in KINDS:
        exchange(fork.home / "model_code" / kind.name, kind.other, kind.hyperparameters)
    packages = delivered(fork, "learn with other frameworks", asking(fork, home))
    assert set(first.values()).isdisjoint(packages.values())
    return packages


def halves(file: Path) -> list[str]:
    """The paths of two files that have a data set's rows between them."""
    header, *rows = file.read_text().splitlines()
    parts = []
    for name, some in (("first", rows[: len(rows) // 2]), ("second", rows[len(rows) // 2 :])):
        part = file.with_name(f"{file.stem}-{name}.csv")
        part.write_text("\n".join([header, *some]) + "\n")
        parts.append(str(part))
    return parts


@contextmanager
def asking(fork: Fork, home: Path) -> Iterator[None]:
    """Rows are sent to every endpoint of production, again and again, until the block ends."""
    ended = threading.Event()

    def ask(kind: Kind) -> None:
        while not ended.is_set():
            fork.road("traffic", kind.name, "--data", str(kind.file(home)), "--batch", "10", "--rows", "400")

    with ThreadPoolExecutor(len(KINDS)) as pool:
        asked = [pool.submit(ask, kind) for kind in KINDS]
        try:
            yield
        finally:
            ended.set()
    for each in asked:
        each.result()


def delivered(fork: Fork, message: str, callers: AbstractContextManager[None]) -> dict[str, str]:
    """Push, and take every model's road to its end, with callers while production changes; the package of each."""
    before = {kind.name: {each["pipelineExecutionId"] for each in fork.executions(kind.pipeline)} for kind in KINDS}
    fork.push(message, KINDS[0].pipeline)
    roads = {kind: fork.newest(kind.pipeline, before[kind.name]) for kind in KINDS}
    fork.stop_others(*(kind.pipeline for kind in KINDS))
    packages = {}
    for kind, execution in roads.items():
        fork.wait(execution, "Approval", "InProgress", pipeline=kind.pipeline)
        packages[kind.name] = fork.actions(execution, kind.pipeline)["Train"]["output"]["outputVariables"]["MODEL_PACKAGE_ARN"]
    with callers:
        for kind, execution in roads.items():
            fork.road("approve", kind.name, "--execution", execution, "--reason", "the figures are fine", "--yes")
        for kind, execution in roads.items():
            fork.wait(execution, "Production", "Succeeded", pipeline=kind.pipeline)
    return packages


def served(fork: Fork, kind: Kind) -> str:
    """The package that answers in production, by the live configuration."""
    return str(fork.served(PRODUCTION, kind.name)["ModelPackageName"])


def look(fork: Fork, kind: Kind) -> dict[str, Any]:
    """What the monitor sees."""
    seen: dict[str, Any] = json.loads(fork.road("monitor", kind.name, "--no-open", "--json").stdout)
    return seen


def evaluated(fork: Fork, kind: Kind, package: str) -> Evaluation:
    """What a package's evidence says of it."""
    bucket = f"s3://{naming.artifacts_bucket(CONFIG, kind.name)}"
    content = pack.read(fork.client("s3"), pack.evidence_uri(bucket, package))
    assert content
    return document.load_evidence(content).evaluation


@pytest.mark.aws("Staging and Production: serving stack")
@EACH
def test_its_evidence_is_of_its_task(fork: Fork, first: dict[str, str], kind: Kind) -> None:
    evaluation = evaluated(fork, kind, first[kind.name])

    assert (evaluation.task, evaluation.gates_failed) == (kind.task, 0)
    measured = evaluation.metrics[kind.quality]
    assert measured.low is not None
    assert measured.high is not None
    assert measured.low <= measured.value <= measured.high
    assert served(fork, kind) == first[kind.name]


@pytest.mark.laptop("it looks at these tests, and at no cloud")
def test_every_framework_but_that_of_other_roads_goes_this_one() -> None:
    assert {framework for kind in KINDS for framework in (kind.framework, kind.other)} == {*FRAMEWORKS} - {"xgboost"}


def instances(fork: Fork) -> int:
    """How many answer for the model whose requests wait."""
    sagemaker = fork.client("sagemaker", STAGING.account)
    live = sagemaker.describe_endpoint(EndpointName=naming.endpoint(CONFIG, QUEUED.name, STAGING))
    return int(live["ProductionVariants"][0]["CurrentInstanceCount"])


def notices(fork: Fork) -> Callable[[], list[dict[str, Any]]]:
    """Subscribe to the topic of answers; what is heard of since it was last asked."""
    sqs, sns = (fork.client(service, STAGING.account) for service in ("sqs", "sns"))
    name = naming.environment_parameter(CONFIG, QUEUED.name, STAGING, "answers-topic")
    topic = fork.client("ssm", STAGING.account).get_parameter(Name=name)["Parameter"]["Value"]
    url = sqs.create_queue(QueueName=f"answers-of-{QUEUED.name}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    lets = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [lets]})})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return lambda: [
        json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    ]


@pytest.mark.aws("asynchronous endpoints")
def test_requests_that_wait_start_an_instance_and_get_the_scores_of_evaluation(fork: Fork, first: dict[str, str], home: Path) -> None:
    bucket = f"s3://{naming.artifacts_bucket(CONFIG, QUEUED.name)}"
    content = pack.read(fork.client("s3"), pack.evidence_uri(bucket, first[QUEUED.name]))
    assert content
    gates = {gate.gate: gate for gate in document.load_evidence(content).staging.gates}
    told = notices(fork)

    until(lambda: instances(fork) == 0)
    rows = ("traffic", QUEUED.name, "--environment", STAGING.name, "--data", str(QUEUED.file(home)), "--rows", "5", "--json")
    sent = json.loads(fork.road(*rows).stdout)
    wrong = fork.home / "wrong.json"
    wrong.write_text('{"instances": [{"bmi": "much"}]}')
    refused = fork.road("invoke", QUEUED.name, "--environment", STAGING.name, "--json-file", str(wrong), ok=False)
    heard: list[dict[str, Any]] = []

    def failed() -> bool:
        heard.extend(told())
        return "Failed" in {each["invocationStatus"] for each in heard}

    until(failed)

    assert gates["parity"].passed
    assert gates["error rate"].passed
    assert (sent["rows"], sent["errors"]) == (5, 0)
    assert instances(fork) == 1
    assert "refused it: row 1" in refused.stderr
    assert [each["invocationStatus"] for each in heard].count("Completed") == 5


@pytest.mark.aws("a push starts the model")
@EACH
def test_it_answers_as_its_task_does(fork: Fork, first: dict[str, str], home: Path, kind: Kind) -> None:
    assert first
    sent = json.loads(fork.road("traffic", kind.name, "--data", str(kind.file(home)), "--rows", "50", "--batch", "10", "--json").stdout)
    mean = sent["mean_score"]

    assert (sent["rows"], sent["errors"]) == (50, 0)
    if kind.task == "multiclass":
        assert sum(mean.values()) == pytest.approx(1, abs=1e-4)
        assert list(mean) == [str(digit) for digit in range(10)]
    else:
        assert 25 < mean < 346


@pytest.mark.aws("the monitor: capture read")
@EACH
def test_a_world_that_moves_is_seen_and_one_that_does_not_is_not(fork: Fork, first: dict[str, str], home: Path, kind: Kind) -> None:
    assert first
    file, labels = str(kind.file(home)), fork.home / f"{kind.name}-labels.csv"
    fork.road("traffic", kind.name, "--data", file, "--batch", "10", "--rows", str(ROWS), "--labels", str(labels))
    fork.road("labels", "put", kind.name, str(labels))
    calm = look(fork, kind)
    fork.road("traffic", kind.name, "--data", file, "--batch", "10", "--rows", str(4 * ROWS), "--shift", kind.shift)
    moved = look(fork, kind)

    assert (calm["skipped"], calm["drifted"], calm["moved"]) == (None, False, [])
    assert calm["quality"]["labelled"] == ROWS
    assert moved["drifted"] is True
    assert kind.moved in {change["what"] for change in moved["moved"]}


@pytest.mark.aws("gates of training: data contract, champion")
@EACH
def test_a_version_of_another_framework_is_held_against_what_serves(
    fork: Fork, first: dict[str, str], second: dict[str, str], kind: Kind
) -> None:
    evaluation = evaluated(fork, kind, second[kind.name])
    champion, verdicts = evaluation.champion, {gate.gate: gate for gate in evaluation.gates}

    assert (evaluation.framework.name if evaluation.framework else None, evaluation.gates_failed) == (kind.other, 0)
    assert champion
    assert (champion.model_package_arn, champion.compared, champion.trained_rows) == (first[kind.name], True, 0)
    assert champion.metrics[kind.quality] != evaluation.metrics[kind.quality].value
    assert verdicts["champion"].passed is True


@pytest.mark.aws("`road rollback`")
@EACH
def test_a_newer_version_can_be_taken_back(fork: Fork, first: dict[str, str], second: dict[str, str], home: Path, kind: Kind) -> None:
    assert served(fork, kind) == second[kind.name]

    fork.road("rollback", kind.name, "--reason", "the newer one is too sure", "--yes")

    assert served(fork, kind) == first[kind.name]
    newest, *_ = json.loads(fork.road("audit", kind.name, "--json").stdout)
    assert (newest["action"], newest["model_package_arn"]) == ("rolled back", first[kind.name])
    sent = json.loads(fork.road("traffic", kind.name, "--data", str(kind.file(home)), "--rows", "50", "--batch", "10", "--json").stdout)
    assert (sent["rows"], sent["errors"]) == (50, 0)
