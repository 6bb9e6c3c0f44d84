"""Who may import whom. The design's walls, held by walking every syntax tree."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("app", "bench", "cli", "config", "localcloud", "model_code", "pipelines", "rules", "stacks", "tests")
SPEC, BOTO = "model_code.spec", ("boto3", "botocore")
STEP = ("pipelines.evidence", "pipelines.steps", SPEC, *BOTO)


@dataclass(frozen=True)
class Rule:
    """Modules that start with `module` may import what starts with one of `may`, and the standard library. First match holds."""

    module: str
    may: tuple[str, ...]


RULES = (
    Rule("app", ("config", "stacks", SPEC, "aws_cdk")),
    Rule("config", ()),
    Rule("stacks.constructs", ("stacks.constructs", "aws_cdk", "constructs")),
    Rule(
        "stacks", ("config", "stacks", "pipelines.delivery", "pipelines.instances", "pipelines.monitoring", SPEC, "aws_cdk", "constructs")
    ),
    Rule("pipelines.delivery", ("config", SPEC)),
    Rule("pipelines.instances", ()),
    Rule("pipelines.monitoring", (SPEC, "pipelines.instances")),
    Rule("pipelines.definition", BOTO),
    Rule("pipelines.sdk_steps", ("sagemaker",)),
    Rule("pipelines.training", ("config", SPEC, "pipelines", "sagemaker", *BOTO)),
    Rule("pipelines.evidence", ("pipelines.evidence", SPEC, "cryptography", "jinja2", "markupsafe", "matplotlib", "pydantic", *BOTO)),
    Rule("pipelines.steps.bill_of_materials", (*STEP, "cyclonedx", "packageurl", "packaging")),
    Rule("pipelines.steps", STEP),
    Rule("rules", ("rules", "pipelines.instances", "cfnlint")),
    Rule("model_code.spec", ("pydantic",)),
)


def modules() -> list[str]:
    """Every module of the product, without tests."""
    files = [ROOT / "app.py", ROOT / "config.py", *(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))]
    named = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return sorted({name for name in named if not {"tests", "conftest"} & set(name.split("."))})


def path(module: str) -> Path:
    """A module's file."""
    plain = ROOT.joinpath(*module.split("."))
    return plain / "__init__.py" if plain.is_dir() else plain.with_suffix(".py")


def imports(source: str, module: str) -> Iterator[str]:
    """Every module that `source` imports, anywhere in it; relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*base, node.module] if node.module else base)
            yield from (f"{origin}.{alias.name}" if origin in PACKAGES else origin for alias in node.names)


PACKAGES = {name for name in modules() if path(name).name == "__init__.py"}


def starts(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def forbidden(source: str, module: str) -> list[str]:
    """What a module imports against its rule."""
    found = set(imports(source, module))
    rule = next((rule for rule in RULES if starts(module, rule.module)), None)
    if rule:
        outside = {name for name in found if name.partition(".")[0] not in sys.stdlib_module_names}
        return sorted(name for name in outside if not any(starts(name, prefix) for prefix in rule.may))
    if starts(module, "model_code.runtime"):
        return sorted(name for name in found if _ours(name) and not any(starts(name, may) for may in ("model_code.runtime", SPEC)))
    if starts(module, "model_code"):
        own = ".".join(module.split(".")[:2])
        return sorted(name for name in found if _ours(name) and not any(starts(name, may) for may in (own, "model_code.runtime")))
    return []


def _ours(name: str) -> bool:
    return name.partition(".")[0] in ROOMS


@pytest.mark.parametrize("module", modules())
def test_imports_stay_inside_the_walls(module: str) -> None:
    assert forbidden(path(module).read_text(), module) == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("stacks.constructs.key", "from config import CONFIG", ["config"]),
        ("stacks.serving", "import boto3", ["boto3"]),
        ("stacks.serving", "from pipelines import training", ["pipelines.training"]),
        ("pipelines.steps.deploy", "from config import CONFIG", ["config"]),
        ("pipelines.steps.prove", "import cyclonedx, matplotlib", ["cyclonedx", "matplotlib"]),
        ("pipelines.evidence.page", "from pipelines.steps import package", ["pipelines.steps.package"]),
        ("pipelines.training", "def late():\n    import aws_cdk", ["aws_cdk"]),
        ("model_code.spec", "import tomllib, yaml", ["yaml"]),
        ("model_code.runtime.serve", "from stacks import names", ["stacks.names"]),
        ("model_code.lead_scoring.features", "from model_code.credit_risk import features", ["model_code.credit_risk"]),
        ("config", "import pydantic", ["pydantic"]),
    ],
)
def test_a_breach_is_seen(module: str, source: str, found: list[str]) -> None:
    assert forbidden(source, module) == found


def test_the_road_does_not_know_the_laptop() -> None:
    rooms = [ROOT / "app.py", ROOT / "config.py", ROOT / "cdk.json", *(ROOT / room for room in ("stacks", "pipelines", "model_code"))]
    files = [file for room in rooms for file in ([room] if room.is_file() else room.rglob("*")) if file.is_file()]
    named = [file for file in files if file.suffix != ".pyc" and b"localcloud" in file.read_bytes()]

    assert named == []
