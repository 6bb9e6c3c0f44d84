"""What training depends on has one digest: it stays where a word is changed, and changes with everything that an image may read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from paved_runtime import spec
from pipelines.deployment.bill_of_materials import bill
from pipelines.deployment.training_inputs import base_of, sources_sha256
from tests.reference import MODEL, MODELS, ROOT

PINNED = f"public.example/python:3.11@sha256:{'a' * 64}"
FOLDER = Path("model_code")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """As much of a clone as an image is built from."""
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    shutil.copytree(MODELS, tmp_path / FOLDER)
    shutil.copytree(ROOT / "packages/runtime/paved_runtime", tmp_path / "packages/runtime/paved_runtime")
    return tmp_path


def digest(root: Path, base: str = PINNED) -> str:
    return sources_sha256(spec.load(MODEL, root / FOLDER), base, root=root, models=FOLDER)


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def made(root: Path) -> None:
        file = root / FOLDER / MODEL / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    return made


def add(name: str) -> Callable[[Path], None]:
    def made(root: Path) -> None:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a word\n" + (file.read_text() if file.exists() else ""))

    return made


WORDS = {
    "README.md": add(f"model_code/{MODEL}/README.md"),
    "docs": add(f"model_code/{MODEL}/docs/how.md"),
    "a test": add(f"model_code/{MODEL}/tests/test_more.py"),
    "a lock of tests": add(f"model_code/{MODEL}/requirements-test.lock"),
    "another model": add("model_code/another/features.py"),
    "a stack": add("stacks/serving.py"),
    "a comment in model.toml": edit("model.toml", "[training]", "# a word\n[training]"),
    "the endpoint's size": edit("model.toml", "instances = 2", "instances = 3"),
    "the endpoint's load": edit("model.toml", "p95_ms = 500", "p95_ms = 600"),
    "the owner": edit("model.toml", "lead-scoring@", "leads@"),
    "warm machines": edit("model.toml", "[training]\n", "[training]\nkeep_alive_minutes = 10\n"),
}
CHANGES = {
    "features": edit("features.py", "\n", "\n\n"),
    "a file that the image may read": add(f"model_code/{MODEL}/prompt.md"),
    "the lock": edit("requirements.lock", "\n", "\n# another\n"),
    "the Dockerfile": edit("Dockerfile", "EXPOSE 8080", "EXPOSE 8081"),
    "a hyper-parameter": edit("model.toml", "eta = 0.1", "eta = 0.2"),
    "a gate": edit("model.toml", "roc_auc = 0.75", "roc_auc = 0.76"),
    "what the monitor reads": edit("model.toml", "minimum_rows = 500", "minimum_rows = 600"),
    "the purpose, which the server tells": edit("model.toml", "Ranks", "Sorts"),
    "the runtime": add("packages/runtime/paved_runtime/train.py"),
}


@pytest.mark.parametrize("change", WORDS.values(), ids=WORDS)
def test_a_word_changes_nothing(root: Path, change: Callable[[Path], None]) -> None:
    before = digest(root)
    change(root)

    assert digest(root) == before


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_one(root: Path, change: Callable[[Path], None]) -> None:
    before = digest(root)
    change(root)

    assert digest(root) != before


def test_another_model_that_the_dockerfile_copies_counts(root: Path) -> None:
    edit("Dockerfile", "EXPOSE", "COPY model_code/other model_code/other\nEXPOSE")(root)
    before = digest(root)
    add("model_code/other/features.py")(root)

    assert digest(root) != before


def test_a_name_is_part_of_what_a_file_says(root: Path) -> None:
    before = digest(root)
    (root / FOLDER / MODEL / "features.py").rename(root / FOLDER / MODEL / "columns.py")

    assert digest(root) != before


def test_another_base_is_another_image(root: Path) -> None:
    assert digest(root, PINNED.replace("a" * 64, "b" * 64)) != digest(root)


@pytest.mark.parametrize(("base", "known"), [(PINNED, PINNED), ("", ""), ("public.example/python:3.11", "")])
def test_the_bill_of_materials_says_on_what_an_image_was_built(base: str, known: str) -> None:
    lock = f"numpy==2.4.1 \\\n    --hash=sha256:{'c' * 64}\n"
    image = f"registry.example/leads@sha256:{'d' * 64}"

    assert base_of(bill(image, lock, base, {}, project="acme"), "acme") == known
