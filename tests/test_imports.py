"""Who may import whom, and what tests may not do. The design's walls, held by walking every syntax tree."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reference import ROOT

PACKAGES = {"paved_runtime": "packages/runtime", "localcloud": "packages/localcloud", "deployability": "packages/deployability"}
CONFORMANCE = "packages/runtime/conformance"  # tests of every framework
ROOMS = ("app", "bench", "cli", "config", "model_code", "naming", "pipelines", "stacks", "tests")  # what no package knows
SPEC, PROTOCOL, BOTO, SYNTH = "paved_runtime.spec", "paved_runtime.protocol", ("boto3", "botocore", "mypy_boto3"), ("aws_cdk", "constructs")
OURS = ("config", "naming", SPEC)
GROUPS = "paved_runtime.feature_groups"
DEPLOYMENT = (
    *OURS,
    GROUPS,
    PROTOCOL,
    "pipelines.deployment",
    "pipelines.evidence",
    "pipelines.run",
    "pipelines.serving_stack",
    "pipelines.waiting",
    *BOTO,
)
EVIDENCE = ("pipelines.evidence", "naming", SPEC, PROTOCOL, "paved_runtime.page", *BOTO)
PAGES = ("cryptography", "jinja2", "markupsafe", "matplotlib", "pydantic")
TRAINING = (
    *OURS,
    GROUPS,
    PROTOCOL,
    "pipelines.definition",
    "pipelines.run",
    "pipelines.tags",
    "pipelines.sdk_steps",
    "pipelines.search_space",
    "pipelines.waiting",
    "deployability.instances",
    "sagemaker",
    *BOTO,
)
STACKS = (
    *OURS,
    GROUPS,
    "stacks",
    "pipelines.batch",
    "pipelines.delivery",
    "pipelines.monitoring",
    "pipelines.serving_stack",
    "pipelines.tags",
    "pipelines.waiting",
    "deployability.instances",
    *SYNTH,
)


@dataclass(frozen=True)
class Rule:
    """Modules that start with `module` may import what starts with one of `may`, and the standard library but for `never`."""

    module: str
    may: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


RULES = (  # the first that fits holds
    Rule("app", ("config", "naming", "stacks", GROUPS, SPEC, "aws_cdk")),
    Rule("config"),
    Rule("naming", ("config",)),
    Rule("stacks.constructs", ("stacks.constructs", *SYNTH)),
    Rule("stacks", STACKS),
    Rule("pipelines.commands"),
    Rule("pipelines.run", (GROUPS,)),
    Rule("pipelines.serving_stack"),
    Rule("pipelines.tags", ("config", SPEC)),
    Rule("pipelines.search_space", (SPEC,)),
    Rule("pipelines.waiting", (SPEC,)),
    Rule("pipelines.delivery", ("config", "naming", "pipelines.commands", "pipelines.waiting", SPEC)),
    Rule("pipelines.batch", ("naming", "pipelines.job_steps", "pipelines.serving_stack", SPEC)),
    Rule("pipelines.job_steps", ("deployability.instances",)),
    Rule("pipelines.monitoring", ("pipelines.job_steps", "pipelines.serving_stack", SPEC)),
    Rule("pipelines.definition", ("pipelines.step_requests",)),
    Rule("pipelines.step_requests", ("deployability.instances", *BOTO)),
    Rule("pipelines.sdk_steps", ("sagemaker", PROTOCOL)),
    Rule("pipelines.training", TRAINING),
    Rule("pipelines.evidence", (*EVIDENCE, *PAGES)),
    Rule("pipelines.deployment.bill_of_materials", (*DEPLOYMENT, "cyclonedx", "packageurl", "packaging"), never=("argparse",)),
    Rule("pipelines.deployment.feature_parity", (*DEPLOYMENT, "duckdb", "numpy", "paved_runtime.as_of"), never=("argparse",)),
    Rule("pipelines.deployment", DEPLOYMENT, never=("argparse",)),
    Rule("pipelines.steps", ("pipelines.steps", *DEPLOYMENT)),
    Rule(SPEC, (SPEC, "pydantic", "paved_runtime.dates")),
    Rule(GROUPS, (SPEC, "pydantic")),
    Rule("paved_runtime.dates"),
    Rule(PROTOCOL),
    Rule("paved_runtime.csv_text"),
    Rule("deployability", ("deployability", "cfnlint")),
)
PATCHES = {"setattr", "delattr", "setitem", "delitem"}  # of MonkeyPatch; what setenv, chdir and syspath_prepend change is the world's
REFERENCE = {
    "sets config.CONFIG",
    "sets feature_groups.GROUPS",
    "sets spec.MODELS",
}  # once, by tests/conftest.py, before anything is imported


@dataclass(frozen=True)
class Module:
    """One file of ours, by the name under which it is imported."""

    name: str
    file: Path


def modules(*folders: str, under: Path = ROOT) -> list[Module]:
    """Every module of these folders or files, tests left out."""
    files = [file for folder in folders for file in ([under / folder] if (under / folder).is_file() else (under / folder).rglob("*.py"))]
    named = [Module(".".join(file.relative_to(under).with_suffix("").parts).removesuffix(".__init__"), file) for file in sorted(files)]
    return [module for module in named if not {"tests", "conftest"} & set(module.name.split("."))]


PRODUCT = [
    *modules("app.py", "config.py", "naming.py", "cli", "model_code", "pipelines", "stacks"),
    *(module for package, home in PACKAGES.items() for module in modules(package, under=ROOT / home)),
]
FOLDERS = {module.name for module in PRODUCT if module.file.name == "__init__.py"}
TESTS = {home: sorted((ROOT / home).rglob("*.py")) for home in ("tests", CONFORMANCE, *(f"{home}/tests" for home in PACKAGES.values()))}


def imports(tree: ast.Module, module: str) -> Iterator[str]:
    """Every module that is imported, anywhere in a module; relative ones made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*base, node.module] if node.module else base)
            yield from (f"{origin}.{alias.name}" if origin in FOLDERS else origin for alias in node.names)


def starts(module: str, prefix: str) -> bool:
    """Whether a module is `prefix`, or lies in it; boto3's stubs are `mypy_boto3_s3` and so on."""
    return module == prefix or module.startswith(f"{prefix}.") or (prefix == "mypy_boto3" and module.startswith("mypy_boto3_"))


def ours(name: str) -> bool:
    return name.partition(".")[0] in (*ROOMS, *PACKAGES)


def forbidden(source: str, module: str) -> list[str]:
    """What a module imports against its rules."""
    names = set(imports(ast.parse(source), module))
    room, rule = module.partition(".")[0], next((rule for rule in RULES if starts(module, rule.module)), None)
    wrong: set[str] = set()
    if rule:
        outside = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
        wrong |= {name for name in outside if not any(starts(name, prefix) for prefix in rule.may)}
        wrong |= {name for name in names if any(starts(name, prefix) for prefix in rule.never)}
    if room in PACKAGES:
        wrong |= {name for name in names if ours(name) and not starts(name, room)}
    if room == "model_code":
        own = ".".join(module.split(".")[:2])
        wrong |= {name for name in names if ours(name) and not any(starts(name, may) for may in (own, "paved_runtime"))}
    if starts(module, "cli.commands"):
        wrong |= {name for name in names if starts(name, "cli.commands")}
    return sorted(wrong)


@pytest.mark.parametrize("module", PRODUCT, ids=lambda module: module.name)
def test_imports_stay_inside_the_walls(module: Module) -> None:
    assert forbidden(module.file.read_text(encoding="utf-8"), module.name) == []


@pytest.mark.parametrize(
    ("module", "source", "breach"),
    [
        ("app", "import pipelines.delivery", ["pipelines.delivery"]),
        ("config", "import pydantic", ["pydantic"]),
        ("naming", "from paved_runtime import spec", ["paved_runtime.spec"]),
        ("stacks.constructs.key", "import naming\nfrom config import Config", ["config", "naming"]),
        ("stacks.serving", "import boto3", ["boto3"]),
        ("stacks.serving", "from pipelines import training", ["pipelines.training"]),
        ("pipelines.commands", "import config", ["config"]),
        ("pipelines.delivery", "from stacks import facts", ["stacks.facts"]),
        ("pipelines.monitoring", "import naming", ["naming"]),
        ("pipelines.training", "def late():\n    import aws_cdk", ["aws_cdk"]),
        ("pipelines.deployment.stack", "from argparse import Namespace", ["argparse"]),
        ("pipelines.deployment.stack", "from pipelines.steps import step\nimport cyclonedx", ["cyclonedx", "pipelines.steps.step"]),
        ("pipelines.steps.prove", "import cyclonedx, matplotlib", ["cyclonedx", "matplotlib"]),
        ("pipelines.evidence.page", "from pipelines.steps import step", ["pipelines.steps.step"]),
        ("paved_runtime.spec", "import tomllib, yaml", ["yaml"]),
        ("paved_runtime.serve", "import naming\nfrom deployability import instances", ["deployability.instances", "naming"]),
        ("localcloud.server", "from stacks.layout import check\nimport tests.reference", ["stacks.layout", "tests.reference"]),
        ("deployability.rule", "import yaml", ["yaml"]),
        ("model_code.churn.features", "from model_code.fraud import features", ["model_code.fraud"]),
        ("model_code.churn.features", "from config import CONFIG", ["config"]),
        ("cli.commands.demo", "from cli.commands import up", ["cli.commands"]),
    ],
)
def test_a_breach_is_seen(module: str, source: str, breach: list[str]) -> None:
    assert [name.removesuffix(".up") for name in forbidden(source, module)] == breach


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("pipelines.deployment.stack", "import json\nfrom mypy_boto3_s3 import S3Client\nfrom paved_runtime.spec import ModelSpec"),
        ("pipelines.steps.deploy", "from argparse import ArgumentParser\nfrom pipelines.deployment import stack"),
        ("model_code.churn.training", "import numpy\nfrom paved_runtime import plugin\nfrom model_code.churn import features"),
        ("cli.commands.demo", "from cli import local"),
    ],
)
def test_what_is_allowed_is_no_breach(module: str, source: str) -> None:
    assert forbidden(source, module) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.module)
def test_every_rule_is_about_something(rule: Rule) -> None:
    assert any(starts(module.name, rule.module) for module in PRODUCT)


def test_the_product_does_not_know_the_laptop() -> None:
    rooms = (
        "app.py",
        "config.py",
        "naming.py",
        "cdk.json",
        "model_code",
        "pipelines",
        "stacks",
        "packages/runtime",
        "packages/deployability",
    )
    files = [file for room in rooms for file in ([ROOT / room] if (ROOT / room).is_file() else (ROOT / room).rglob("*")) if file.is_file()]
    named = [str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts and b"localcloud" in file.read_bytes()]

    assert named == []


def imported(tree: ast.Module) -> set[str]:
    """The names in a module that stand for another module, or for something in one."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(alias.asname or alias.name).partition(".")[0] for node in nodes for alias in node.names}


def words(node: ast.Import | ast.ImportFrom) -> set[str]:
    """Every part of what is imported."""
    origin = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return {word for name in (*origin, *(alias.name for alias in node.names)) for word in name.split(".")}


def targets(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> list[ast.expr]:
    """What is assigned to."""
    every = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [part for target in every for part in (target.elts if isinstance(target, ast.Tuple | ast.List) else [target])]


def liberties(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, what) a test may not do: import a test, patch, or set what belongs to a module."""
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, f"imports {word}") for word in words(node) if word.startswith("test_") or word == "patch")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) == ("mock", "patch"):
            yield node.lineno, "calls mock.patch"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PATCHES:
            yield node.lineno, f"calls {ast.unparse(node.func)}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PATCHES:
            yield node.lineno, f"calls {node.func.id}"
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            attributes = [part for part in targets(node) if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)]
            owned = [part for part in attributes if isinstance(part.value, ast.Name) and part.value.id in names]
            yield from ((node.lineno, f"sets {ast.unparse(part)}") for part in owned)


@pytest.mark.parametrize("file", [file for files in TESTS.values() for file in files], ids=lambda file: str(file.relative_to(ROOT)))
def test_tests_take_no_liberties(file: Path) -> None:
    taken = list(liberties(ast.parse(file.read_text(encoding="utf-8"))))

    assert [liberty for liberty in taken if file != ROOT / "tests/conftest.py" or liberty[1] not in REFERENCE] == []


@pytest.mark.parametrize(
    ("source", "liberty"),
    [
        ("from tests.stacks.test_serving import parameters", "imports test_serving"),
        ("from tests.stacks import test_serving", "imports test_serving"),
        ("from .test_serving import parameters", "imports test_serving"),
        ("import test_serving", "imports test_serving"),
        ("def test(monkeypatch):\n    monkeypatch.setattr(check, 'HERE', folder)", "calls monkeypatch.setattr"),
        ("def test(patches):\n    patches.setitem(os.environ, 'A', 'b')", "calls patches.setitem"),
        ("from unittest import mock\nwith mock.patch('a.b'): pass", "calls mock.patch"),
        ("from unittest.mock import patch", "imports patch"),
        ("from cli import check\nsetattr(check, 'HERE', folder)", "calls setattr"),
        ("from cli import check\ncheck.HERE = folder", "sets check.HERE"),
        ("import config\n(config.CONFIG, other) = (1, 2)", "sets config.CONFIG"),
    ],
)
def test_a_liberty_is_seen(source: str, liberty: str) -> None:
    assert [what for _, what in liberties(ast.parse(source))] == [liberty]


@pytest.mark.parametrize(
    "source",
    [
        "def test(monkeypatch):\n    monkeypatch.setenv('A', 'b')\n    monkeypatch.chdir('/')\n    monkeypatch.syspath_prepend('/')",
        "import os\nos.environ['A'] = 'b'",
        "from unittest.mock import Mock",
        "from localcloud.testing import running\nfake = running.Running()\nfake.speed = 2",
        "class Fake:\n    def __init__(self):\n        self.calls = []",
    ],
)
def test_what_is_no_liberty(source: str) -> None:
    assert list(liberties(ast.parse(source))) == []


def test_all_of_cdk_that_is_used_has_its_types_read() -> None:
    """mypy skips what pyproject.toml does not list, and takes it for Any."""
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    (listed,) = [each["module"] for each in overrides if "aws_cdk" in each["module"]]
    files = [module.file for module in PRODUCT] + TESTS["tests"]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module and starts(node.module, "aws_cdk")]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names if starts(alias.name, "aws_cdk")}
    submodules = {f"aws_cdk.{alias.name}" for node in froms if node.module == "aws_cdk" for alias in node.names if alias.name.islower()}

    assert sorted({"aws_cdk"} | imported | submodules | {str(node.module) for node in froms}) == listed
