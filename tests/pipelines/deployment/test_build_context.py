"""What can get into an image is what Docker says can: its own client library reads the same `.dockerignore`."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker.utils.build import PatternMatcher  # type: ignore[import-untyped]

from pipelines.deployment import build_context
from tests.reference import ROOT

TREE = (
    "a.txt",
    "b.txt",
    "models/one/README.md",
    "models/one/features.py",
    "models/one/docs/how/to.md",
    "models/one/tests/test_features.py",
    "models/one/tests/conftest.py",
    "models/two/deep/tests/x.txt",
    "models/two/a[1].txt",
    "packages/runtime/pyproject.toml",
    "packages/other/pyproject.toml",
    ".road/env/lib.py",
)
RULES = {
    "nothing": "",
    "comments": "# a comment\n\n  a.txt  \n",
    "all but": "**\n!models/**\n!packages/runtime\n**/tests\n**/*.md\n",
    "again": "models\n!models/one/features.py\nmodels/one\n!models/one/tests\n",
    "characters": "?.txt\n!b.txt\nmodels/two/a?1?.txt\nmodels/[o-p]ne/docs\n",
    "slashes": "/models/one/\n./packages/other/\nmodels/two/../one/tests\n",
    "one level": "*\n!models\nmodels/*/deep\n",
    "folders between": "models/**/x.txt\n**/conftest.py\nmodels/**\n!models/two/**\n",
}


def docker(root: Path) -> set[str]:
    """The files that Docker's library lets through; it adds `.dockerignore` itself, for the daemon."""
    lines = (root / ".dockerignore").read_text().splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return {name for name in PatternMatcher(patterns).walk(str(root)) if (root / name).is_file()} - {".dockerignore"}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_it_reads_as_docker_does(tmp_path: Path, rules: str) -> None:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".dockerignore").write_text(rules)

    assert {path.as_posix() for path in build_context.files(tmp_path)} - {".dockerignore"} == docker(tmp_path)


def test_this_clone_reads_as_docker_does() -> None:
    named = {path.as_posix() for path in build_context.files(ROOT)}

    assert named == docker(ROOT)
    assert not any("/tests/" in name or (name.endswith(("README.md", "Dockerfile")) and name.startswith("model_code")) for name in named)


def test_without_rules_everything_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.txt").touch()

    assert build_context.files(tmp_path) == [Path("a/b.txt")]
