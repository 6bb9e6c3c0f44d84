"""What a changelog says of releases: which there are, which commit each of them is, and what came after one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADING = re.compile(r"^## \[([^\]]+)\].*$", re.MULTILINE)
COMMIT = re.compile(r"^Commit: ([0-9a-f]{40})$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Version:
    """Major, minor, patch. A release has no more than these."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def version(text: str) -> Version | None:
    """`1.2.3`, or as a tag has it, `v1.2.3`; None for anything else."""
    parts = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return Version(*map(int, parts.groups())) if parts else None


def commits(changelog: str) -> dict[Version, str]:
    """The commit of every release, by the line `Commit: <40 digits>` below its heading; empty where there is none.

    A release's own changelog cannot name its commit: the commits after it do.
    """
    parts = HEADING.split(changelog)[1:]  # heading, section, heading, section …
    sections = {release: section for name, section in zip(parts[::2], parts[1::2], strict=True) if (release := version(name))}
    return {release: line[1] if (line := COMMIT.search(section)) else "" for release, section in sections.items()}


def since(changelog: str, release: Version) -> str:
    """The sections above that of `release`, without those that are empty."""
    headings = [*HEADING.finditer(changelog)]
    sections = []
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        if version(heading[1]) == release:
            break
        text = changelog[heading.start() : following.start() if following else None].strip()
        if text != heading[0]:
            sections.append(COMMIT.sub("", text))
    return "\n\n".join(re.sub(r"\n{3,}", "\n\n", section) for section in sections)
