"""Buildspecs: which are understood, the one shell script that they become, and the artifacts that they name."""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from localcloud.core.errors import invalid

PHASES = ("install", "pre_build", "build")
KNOWN = {"version", "env", "phases", "artifacts", "cache"}


def read(project: Mapping[str, Any]) -> dict[str, Any]:
    """The project's parsed buildspec. Raises an AWS error when it is not one this runner can honour."""
    spec = yaml.safe_load(project["source"].get("buildspec", ""))
    if not isinstance(spec, dict) or "phases" not in spec:
        raise invalid(f"project {project['name']}: its buildspec must be written inline and have phases")
    if unknown := set(spec) - KNOWN | set(spec["phases"]) - {*PHASES, "post_build"}:
        raise invalid(f"project {project['name']}: localcloud does not know {', '.join(sorted(unknown))} in a buildspec")
    return spec


def script(spec: Mapping[str, Any], folder: Path) -> str:
    """One bash script for all phases: later commands see what earlier ones exported, as in CodeBuild."""

    def chain(commands: list[str]) -> str:
        return " && ".join(f"__run {shlex.quote(c)}" for c in commands) or "true"

    failed = shlex.quote(str(folder / "failed"))
    lines = ['__run() { printf "[Container] Running command %s\\n" "$1"; eval "$1"; }', "__code=0", "__built="]
    for phase in (*PHASES, "post_build"):
        body = spec["phases"].get(phase)
        if not body:
            continue
        guard = '[ -n "$__built" ]' if phase == "post_build" else '[ "$__code" = 0 ]'
        lines += [f"if {guard}; then", f'echo "[Container] Entering phase {phase.upper()}"']
        lines += ["__built=1"] if phase == "build" else []
        lines += [
            chain(body.get("commands", [])),
            "__now=$?",
            chain(body.get("finally", [])),
            '[ "$__now" = 0 ] || [ "$__code" != 0 ] || ' + f"{{ __code=$__now; echo {phase.upper()} > {failed}; }}",
            "fi",
        ]
    for name in spec.get("env", {}).get("exported-variables", []):
        lines.append(f'[ -z "${{{name}+set}}" ] || printf "%s\\0" "{name}=${name}" >> {shlex.quote(str(folder / "exported"))}')
    return "\n".join([*lines, 'exit "$__code"', ""])


def collect(artifacts: Mapping[str, Any], name: str, outputs: tuple[str, ...], source: Path, folder: Path) -> Path:
    """Zip the files of one output artifact; with several outputs each is a secondary artifact of that name."""
    chosen = artifacts.get("secondary-artifacts", {}).get(name, {}) if len(outputs) > 1 else artifacts
    base = source / chosen.get("base-directory", ".")
    files = sorted({f for pattern in chosen.get("files", []) for f in _glob(base, pattern)})
    if not files:
        raise invalid(f"output artifact {name}: no file matches {chosen.get('files', [])} in {chosen.get('base-directory', '.')}")
    target = folder / f"{name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(base))
    return target


def _glob(base: Path, pattern: str) -> list[Path]:
    paths = base.rglob("*") if pattern == "**/*" else base.glob(pattern)
    return [path for path in paths if path.is_file()]
