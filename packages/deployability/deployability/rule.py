"""What a rule is: an id, a title, and a function that finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deployability.template import Template

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `resource` is its logical id, `where` the path below `Properties` as far as one can be named."""

    resource: str
    wrong: str
    do: str
    where: Path = ()

    @property
    def path(self) -> list[str | int]:
        """The place in the template."""
        return ["Resources", self.resource, *(("Properties", *self.where) if self.where else ())]


Check = Callable[[Template], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """`id` begins with E for what AWS refuses or silently undoes, with W for what is likely to hurt later.

    `absent` is what a property that the rule reads means where a template leaves it out, as CloudFormation's schema or AWS's pages say.
    """

    id: str
    title: str
    absent: str
    check: Check


RULES: list[Rule] = []


def rule(name: str, title: str, *, absent: str) -> Callable[[Check], Check]:
    """Make a function a rule."""

    def register(check: Check) -> Check:
        RULES.append(Rule(name, title, absent, check))
        return check

    return register
