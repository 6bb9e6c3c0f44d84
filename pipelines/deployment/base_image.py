"""What a model's image is built on: the base that `config.py` names, by the digest that `base-image.lock` pins.

The same tag is another image tomorrow; a digest is not. A model whose Dockerfile does not begin with `FROM ${BASE}` chooses its own base,
and pins it there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import naming

LOCK = Path("base-image.lock")
ARGUMENT = "BASE"
DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
REFERENCE = re.compile(
    r"(?P<repository>(?:[a-z0-9][\w.-]*(?::\d+)?/)?[a-z0-9][\w.-]*(?:/[a-z0-9][\w.-]*)*)(?::(?P<tag>\w[\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
FROM = re.compile(r"^FROM +(?:--\S+ +)*(\S+)(?: +AS +(\S+))?", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image as Docker names it. `digest` is `sha256:…`, or empty where the tag alone says which image."""

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises ValueError: it is no name of an image."""
        match = REFERENCE.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} does not name an image: accepted is REPOSITORY:TAG")
        return cls(**{name: value or "" for name, value in match.groupdict().items()})

    @property
    def name(self) -> str:
        """Without the digest."""
        return f"{self.repository}:{self.tag}" if self.tag else self.repository

    @property
    def registry(self) -> str:
        """The host; Docker Hub's where none is named."""
        host, slash, _ = self.repository.partition("/")
        return host if slash and ("." in host or ":" in host or host == "localhost") else DOCKER_HUB[0]

    @property
    def private(self) -> re.Match[str] | None:
        """`account`, `region` and `name` of a repository in a private ECR registry, a pull-through cache's too."""
        return naming.PRIVATE_ECR.fullmatch(self.repository)

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else self.name


def named(base: str) -> Reference:
    """The base that `config.py` names. Raises ValueError: nothing should be built on it."""
    reference = Reference.parse(base)
    if problem := "; ".join(problems(reference)):
        raise ValueError(f"config.py: images.base: {problem}")
    return reference


def locked(base: str, lock: Path = LOCK) -> Reference:
    """The base that `config.py` names, with its digest where `lock` pins it.

    Raises:
        ValueError: nothing should be built on it, or `lock` pins another image.
    """
    reference = named(base)
    if reference.digest or not lock.is_file():
        return reference
    pinned = Reference.parse(lock.read_text(encoding="utf-8").strip())
    if (pinned.name, bool(pinned.digest)) != (reference.name, True):
        raise ValueError(f"{lock.name} pins {pinned}, and config.py names {reference.name}: ./road base --renew")
    return pinned


def problems(reference: Reference) -> list[str]:
    """Why nothing should be built on an image."""
    wrong = []
    if reference.registry in DOCKER_HUB:
        wrong.append(f"{reference} comes from Docker Hub, which limits anonymous pulls: name ECR Public or your mirror")
    if reference.tag in ("", "latest") and not reference.digest:
        wrong.append(f"{reference} says no version: name a tag")
    return wrong


def own(dockerfile: str) -> Reference | None:
    """The image that the last stage of a Dockerfile is built on; None where that is the base that the build hands over.

    Raises:
        ValueError: it has no FROM, or an image of its own that is not pinned by digest.
    """
    defaults = dict(re.findall(r"^ARG +(\w+)=(\S+)", dockerfile, re.MULTILINE))
    stages = FROM.findall(dockerfile)
    if not stages:
        raise ValueError("the Dockerfile has no FROM")
    names = {name for _, name in stages if name}
    for image in (source for source, _ in stages if source not in names and not _handed_over(source)):
        reference = Reference.parse(_fill(image, defaults))
        wrong = problems(reference) + (
            [] if reference.digest else [f"{reference} has no digest: pin it, or begin with FROM ${{{ARGUMENT}}}"]
        )
        if wrong:
            raise ValueError(f"FROM {image}: {'; '.join(wrong)}")
    last = ""
    for source, name in reversed(stages):  # a stage may be built on an earlier one
        if last in ("", name):
            last = source
    return None if _handed_over(last) else Reference.parse(_fill(last, defaults))


def _handed_over(image: str) -> bool:
    return image in (f"${ARGUMENT}", f"${{{ARGUMENT}}}")


def _fill(image: str, defaults: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda named: defaults.get(named[1], named[0]), image)
