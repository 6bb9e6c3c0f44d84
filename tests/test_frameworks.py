"""What the runtime promises of frameworks is there: a module, and the packages with which the module is tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import environments, scaffold
from conformance import DOWNLOADS
from paved_runtime import frameworks
from paved_runtime.spec import FRAMEWORKS
from tests.reference import ROOT


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_promised_framework_is_there_and_can_be_tried(name: str) -> None:
    """Its module is read here, where no model's packages are: a command asks it for what a new model begins with."""
    framework = frameworks.named(name)

    assert name == framework.NAME
    assert framework.hyperparameters("binary")
    assert [file for file in scaffold.PACKAGES if not (environments.proven(name) / file).is_file()] == []


def test_no_module_and_no_packages_are_anything_but_promised() -> None:
    home = Path(frameworks.__file__).parent

    assert {file.stem for file in home.glob("*.py")} == {"__init__", *FRAMEWORKS}
    assert {environments.sample(), *environments.CONFORMANCE.iterdir()} == {environments.proven(name) for name in FRAMEWORKS}
    assert set(DOWNLOADS) < set(FRAMEWORKS)
    assert home.is_relative_to(ROOT)
