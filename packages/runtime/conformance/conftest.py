"""What the suite shares: the framework that is tried (`--framework NAME`), in its own environment, and what it learns, once for each task.

`./road test` runs the suite for each framework that the runtime promises, and every test here for each task that the framework promises.
What cannot be tried fails.
"""

# ruff: noqa: E402 - the runtime asks for MODEL_CODE when it is imported

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

WRITTEN = tempfile.TemporaryDirectory(prefix="conformance-")
FRAMEWORKS = Path(__file__).parent / "frameworks"
os.environ["MODEL_CODE"] = str(Path(WRITTEN.name) / "model_code")

from conformance import DOWNLOADS, subject
from conformance.subject import Subject
from paved_runtime import frameworks, spec, testing
from paved_runtime.frameworks import Framework
from paved_runtime.spec import TaskName


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--framework", choices=spec.FRAMEWORKS, required=True, help="the framework that is tried")


def named(config: pytest.Config) -> Framework:
    """The framework that is tried."""
    return frameworks.named(config.getoption("framework"))


def pytest_configure(config: pytest.Config) -> None:
    for task in named(config).TASKS:
        subject.write_model(named(config).NAME, task, spec.MODELS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "task" in metafunc.fixturenames:
        metafunc.parametrize("task", named(metafunc.config).TASKS, indirect=True, scope="session")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests that lie beside a framework's packages are that framework's alone."""
    elsewhere = collection_path.parent == FRAMEWORKS and collection_path.name != subject.home(config.getoption("framework"))
    return elsewhere or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("framework") in DOWNLOADS:
        for item in items:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def framework(pytestconfig: pytest.Config) -> Framework:
    """The framework that is tried."""
    return named(pytestconfig)


@pytest.fixture(scope="session")
def task(request: pytest.FixtureRequest) -> TaskName:
    """One of the tasks that the framework learns."""
    name: TaskName = request.param
    return name


@pytest.fixture(scope="session")
def data(task: TaskName, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set as CSV."""
    return subject.write_data(tmp_path_factory.mktemp("data") / "data.csv", task, seed=3)


@pytest.fixture(scope="session")
def tried(framework: Framework, task: TaskName, data: Path) -> Subject:
    """The framework, and a model that it taught."""
    return subject.learn(framework.NAME, task, data)


@pytest.fixture(scope="session")
def saved(tried: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the framework has written it."""
    return tried.save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture(scope="session")
def judged(tried: Subject, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML_ROOT of a finished one-job training."""
    return testing.train(tried.model.name, data, tmp_path_factory.mktemp("one-job"))
