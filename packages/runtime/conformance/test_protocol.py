"""A framework is a module that answers the same questions as every other, and brings its library when it is needed."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import get_args

import pytest

from conformance.subject import Subject
from paved_runtime import artifact, frameworks
from paved_runtime.frameworks import Explaining, Framework
from paved_runtime.spec import TaskName

ARGUMENTS = {"hyperparameters": ["task"], "train": ["run"], "save": ["model", "folder"], "load": ["folder"], "predict": ["model", "matrix"]}


def modules(package: str) -> list[str]:
    """The names by which a distribution's modules are imported."""
    return [module for module, packages in metadata.packages_distributions().items() if package in packages]


def imported(program: str, *arguments: str) -> set[str]:
    """The modules that a program has imported."""
    lines = f"{program}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", lines, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_it_is_what_it_is_called(framework: Framework, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getoption("framework") == framework.NAME
    assert frameworks.manifest(framework) == {"name": framework.NAME, "version": metadata.version(framework.PACKAGE)}


def test_it_learns_every_task(framework: Framework) -> None:
    """A team's own may promise fewer, the runtime's do not: what is taken out of TASKS is not tried here, and would not be missed."""
    assert set(framework.TASKS) == set(get_args(TaskName))


def test_its_files_are_nobody_elses(framework: Framework) -> None:
    files = framework.FILES

    assert files
    assert len({*files, *artifact.TRAINED, *artifact.JUDGED}) == len([*files, *artifact.TRAINED, *artifact.JUDGED])
    assert all(name == Path(name).name for name in files)


def test_it_has_every_function(framework: Framework) -> None:
    expected = ARGUMENTS | ({"contributions": ["model", "matrix"]} if isinstance(framework, Explaining) else {})
    for name, arguments in expected.items():
        assert list(inspect.signature(getattr(framework, name)).parameters) == arguments, name


def test_who_reads_its_name_does_not_wait_for_its_library(framework: Framework) -> None:
    names = modules(framework.PACKAGE)

    assert names
    assert not imported(f"import paved_runtime.frameworks.{framework.NAME}") & set(names)


def test_who_serves_its_graph_does_not_wait_for_its_library(tried: Subject, saved: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from paved_runtime import frameworks, scoring
scoring.load(frameworks.named("{tried.framework.NAME}"), Path(sys.argv[1]))
"""
    loaded = imported(program, str(saved)) & set(modules(tried.framework.PACKAGE))
    assert bool(loaded) == (artifact.ONNX not in tried.framework.FILES)
