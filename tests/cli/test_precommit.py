"""What must not be committed is named, file by file, with what to do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli import precommit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a file that is well and one that is not committed."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "good.py").write_text("x = 1\n")
    return tmp_path


def test_good_files_pass(root: Path) -> None:
    (root / "empty").touch()
    (root / "picture.png").write_bytes(b"\0\1")

    assert list(precommit.problems(root, ["good.py", "empty", "picture.png"])) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("x" * precommit.LARGEST + "\n", "big: it has 524,289 bytes, accepted are 524,288"),
        ("x = 1", "big: its last line does not end"),
        ("key = 'AKIA" + "Q7ZT5RMWJ2LXNB4D'\n", "big:1: AWS Access Key: take it out"),
    ],
)
def test_what_must_not_be_committed_is_named(root: Path, content: str, why: str) -> None:
    (root / "big").write_text(content)

    (line,) = precommit.problems(root, ["big", "good.py"])
    assert line.startswith(why)
    assert list(precommit.problems(root, ["good.py"])) == []


def test_a_hook_fails_with_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert precommit.main(["README.md"]) == 0
    assert capsys.readouterr().out == ""

    file = tmp_path / "unfinished"
    file.write_text("x = 1")
    assert precommit.main([str(file)]) == 1
    assert capsys.readouterr().out == f"{file}: its last line does not end: add a line's end\n"
