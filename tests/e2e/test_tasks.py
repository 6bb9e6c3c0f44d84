"""Two models that are not binary, written by `./road new-model`, take their roads side by side: to production, into drift, and back."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import naming
from cli import configuration
from pipelines.evidence import document, pack
from tests.reference import CONFIG, MODEL
from tests.support import public_data
from tests.support.fork import Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]
ROWS = 1000
PRODUCTION = CONFIG.environments[-1]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A model to be: its data, what is learnt with what, and how the world moves; `quality` is the metric that evidence is headed by."""

    name: str
    task: str
    framework: str
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
        target="progression",
        data=public_data.diabetes,
        shift="bmi=*1.3",
        moved="bmi",
        quality="r2",
    ),
]
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
    made.aws.begin(made, CONFIG)
    try:
        for kind in KINDS:
            made.road("data", "put", kind.name, str(kind.file(home)))
        yield made
    finally:
        made.aws.end(made)


@pytest.fixture(scope="module")
def first(fork: Fork) -> dict[str, str]:
    """The package of each model that the first push has brought to production."""
    return delivered(fork, "two models", nullcontext())


@pytest.fixture(scope="module")
def second(fork: Fork, first: dict[str, str], home: Path) -> dict[str, str]:
    """Those of another push, which trains as the first did; callers go on asking, as a canary is judged by them."""
    for kind in KINDS:
        with (fork.home / f"model_code/{kind.name}/training.py").open("a") as code:
            code.write("\n# as before\n")
    packages = delivered(fork, "train again", asking(fork, home))
    assert set(first.values()).isdisjoint(packages.values())
    return packages


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


@pytest.mark.aws("Staging and Production: serving stack")
@EACH
def test_its_evidence_is_of_its_task(fork: Fork, first: dict[str, str], kind: Kind) -> None:
    bucket = f"s3://{naming.artifacts_bucket(CONFIG, kind.name)}"
    content = pack.read(fork.client("s3"), pack.evidence_uri(bucket, first[kind.name]))
    assert content
    evaluation = document.load_evidence(content).evaluation

    assert (evaluation.task, evaluation.gates_failed) == (kind.task, 0)
    measured = evaluation.metrics[kind.quality]
    assert measured.low is not None
    assert measured.high is not None
    assert measured.low <= measured.value <= measured.high
    assert served(fork, kind) == first[kind.name]


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


@pytest.mark.aws("`road rollback`")
@EACH
def test_a_newer_version_can_be_taken_back(fork: Fork, first: dict[str, str], second: dict[str, str], kind: Kind) -> None:
    assert served(fork, kind) == second[kind.name]

    fork.road("rollback", kind.name, "--reason", "the newer one is too sure", "--yes")

    assert served(fork, kind) == first[kind.name]
    newest, *_ = json.loads(fork.road("audit", kind.name, "--json").stdout)
    assert (newest["action"], newest["model_package_arn"]) == ("rolled back", first[kind.name])
