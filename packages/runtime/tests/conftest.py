"""What the tests share: a small synthetic data set, and one model trained by a real job on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from container import MODEL, environment
from hypothesis import settings

from paved_runtime import serving, spec, testing
from paved_runtime.invocations import Invocations
from paved_runtime.job import Job

settings.register_profile("fast", max_examples=25, deadline=None)  # --hypothesis-profile=default tries more
settings.load_profile("fast")


@pytest.fixture(scope="session")
def model_spec() -> spec.ModelSpec:
    return spec.load(MODEL)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic data set as CSV."""
    return testing.synthetic(MODEL, tmp_path_factory.mktemp("data") / "data.csv", rows=4000, seed=3)


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML_ROOT of a finished one-job training."""
    return testing.train(MODEL, data, tmp_path_factory.mktemp("one-job"))


@pytest.fixture(scope="session")
def invocations(trained: Path) -> Invocations:
    """The trained model, loaded as the server loads it."""
    return serving.load(Job.of(environment(trained)))
