"""`paved-runtime check`: is a model's `model.toml` what the contract says? For people and builds; it needs no data and no trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paved_runtime import frameworks, spec


def check(folders: Sequence[str]) -> int:
    """Print one line a problem, or that a folder's `model.toml` is ok; 0 if all of them are, else 1."""
    if not folders:
        print("check: no folder was named: type `paved-runtime check path/to/model_code/MODEL`")
    problems = [_problems(Path(folder).resolve()) for folder in folders]
    for folder, lines in zip(folders, problems, strict=True):
        print("\n".join(lines or [f"{folder}: ok"]))
    return int(not folders or any(problems))


def _problems(folder: Path) -> list[str]:
    try:
        model = spec.load(folder.name, folder.parent)
        if model.framework in spec.FRAMEWORKS or folder.parent == spec.MODELS.resolve():  # elsewhere a framework.py is not found
            frameworks.method(model, frameworks.of(model))
    except spec.SpecError as error:
        return str(error).splitlines()
    except ValueError as error:
        return [f"{folder.parent.name}/{folder.name}/model.toml: {error}"]
    return []
