"""What a stage types, as data. A command is a tuple of words, and becomes shell once, in a job's buildspec.

A word is a text, which the shell is kept from reading, or a `Variable`, whose value is one word whatever it holds.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Variable:
    """The value of an environment variable; empty where there is none."""

    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"variable {self.name!r}: expected letters, digits and underscores")

    def __str__(self) -> str:
        return f'"${{{self.name}}}"'


@dataclass(frozen=True)
class Reference:
    """What an earlier action of the pipeline, the pipeline or its execution says: CodePipeline fills it in."""

    namespace: str
    variable: str

    def __str__(self) -> str:
        return f"#{{{self.namespace}.{self.variable}}}"


Word = str | Variable


@dataclass(frozen=True)
class Command:
    """One command. Its output goes to the file `output`; with `sourced`, that file's `export` lines are then read into the shell.

    With `only` it is done where that variable has that value, and passed over elsewhere.
    """

    words: tuple[Word, ...]
    output: str | None = None
    sourced: bool = False
    only: tuple[Variable, str] | None = None

    def written_to(self, file: str) -> Command:
        """The same command, with its standard output in a file."""
        return replace(self, output=file)

    def exporting(self, file: str) -> Command:
        """The same command, whose output is variables for the commands after it."""
        return replace(self, output=file, sourced=True)

    def where(self, variable: Variable, value: str) -> Command:
        """The same command, done only where a variable has a value."""
        return replace(self, only=(variable, value))

    @property
    def variables(self) -> Iterator[str]:
        """The environment variables that it needs."""
        asked = self.only[:1] if self.only else ()
        return (word.name for word in (*asked, *self.words) if isinstance(word, Variable))

    def __str__(self) -> str:
        """The command as a shell reads it."""
        if self.only is None:
            return self._line()
        variable, value = self.only
        return f"[ {variable} != {shlex.quote(value)} ] || {{ {self._line()}; }}"

    def _line(self) -> str:
        line = " ".join(str(word) if isinstance(word, Variable) else shlex.quote(word) for word in self.words)
        if self.output is None:
            return line
        file = shlex.quote(self.output)
        return f"{line} > {file}" + (f" && . ./{file}" if self.sourced else "")


def road(*words: Word) -> Command:
    """`./road …`, as a person types it in a clone."""
    return Command(("./road", *words))


def program(module: str, flags: Mapping[str, Word | bool | None]) -> Command:
    """`python -m MODULE --flag value …`. A flag that is True has no value; one that is None or False is left out."""
    return road("exec", "python", "-m", module, *_options(flags))


def _options(flags: Mapping[str, Word | bool | None]) -> Iterator[Word]:
    for name, value in flags.items():
        if value is None or value is False:
            continue
        yield f"--{name.replace('_', '-')}"
        if value is not True:
            yield value
