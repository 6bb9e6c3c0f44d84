"""What models' images are built on, as people look at it and renew it: `pipelines/deployment/base_image.py` says what a build takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import image_registry
from cli.image_registry import Contents
from cli.output import say
from cli.problem import Problem
from pipelines.deployment import base_image
from pipelines.deployment.base_image import Reference


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What was pinned, which nobody may know any more, and what is pinned now."""

    before: Reference | None
    old: Contents | None
    new: Contents

    @property
    def changed(self) -> bool:
        return self.before != self.new.reference

    def changes(self) -> dict[str, str]:
        """Name → `before → after`, for a person."""
        facts = {
            "base": (str(self.before or ""), str(self.new.reference)),
            "created": (self.old.created if self.old else "", self.new.created),
            "Python": (self.old.python if self.old else "", self.new.python),
            "compressed": (_megabytes(self.old) if self.old else "", _megabytes(self.new)),
        }
        return {name: (f"{was} → {now}" if was and was != now else now or "not said") for name, (was, now) in facts.items()}


def renew(base: str, lock: Path) -> Renewal:
    """Pin in `lock` the image that `base` names at its registry now. Raises Problem."""
    named = _usable(base)
    before = Reference.parse(lock.read_text(encoding="utf-8").strip()) if lock.is_file() else None
    renewal = Renewal(before=before, old=_if_there(before), new=image_registry.contents(named))
    lock.write_text(f"{renewal.new.reference}\n", encoding="utf-8")
    return renewal


def read(base: str, lock: Path) -> Reference:
    """What a build takes; whoever asks is told where that may be another image tomorrow. Raises Problem."""
    try:
        reference = base_image.locked(base, lock)
    except ValueError as error:
        raise Problem("base image", str(error), "correct config.py, or pin it anew") from error
    if not reference.digest:
        say(f"note   {reference} is not pinned: each build takes what the tag names then, and records it; ./road base --renew pins it")
    return reference


def check(base: str, lock: Path, dockerfiles: Sequence[Path]) -> list[str]:
    """Why images cannot rely on what they are built on: its registry, its version, or a model's own base that has no digest."""
    problems = []
    try:
        read(base, lock)
    except Problem as problem:
        problems.append(str(problem))
    for dockerfile in dockerfiles:
        try:
            base_image.own(dockerfile.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            problems.append(f"{dockerfile}: {error}")
    return problems


def _usable(base: str) -> Reference:
    try:
        return base_image.named(base)
    except ValueError as error:
        raise Problem("base image", str(error), "correct config.py") from error


def _if_there(pinned: Reference | None) -> Contents | None:
    """What was pinned, where its registry still has it: a mirror may have cleaned up."""
    if pinned is None:
        return None
    try:
        return image_registry.contents(pinned)
    except Problem as problem:
        say(f"what was pinned can no longer be looked at: {problem}")
        return None


def _megabytes(contents: Contents) -> str:
    return f"{contents.bytes / 1e6:.1f} MB"
