"""Evidence pages: as they usually are, and of evidence in which somebody wrote what does harm."""

from __future__ import annotations

from functools import cache
from typing import Any

from pipelines.evidence import page
from tests.support import sample

HOSTILE = "<script>alert(1)</script><img src=x onerror='steal()'> & \" $\\frac{a}{b}$ {{ 7*7 }} \u202egnol\x00 ]]> --> 列"
SECTIONS = ["gates", "ranking", "calibration", "slices", "fairness", "behaviour", "data", "staging", "origin", "verify"]

UNREADABLE = "axe.run().then(found => found.violations.map(v => `${v.id}: ${v.nodes[0].html}`))"  # what keeps people from reading a page


@cache
def usual() -> str:
    """The page of the sample before a decision."""
    return page.render(sample.evidence(), sample.report())


@cache
def approved() -> str:
    """The page of the sample after it."""
    return page.render(sample.approved(), sample.report())


def hostile(value: Any) -> Any:
    """The same structure, with every text replaced."""
    match value:
        case str():
            return HOSTILE
        case dict():
            return {key: inner if key == "type" else hostile(inner) for key, inner in value.items()}
        case list():
            return [hostile(inner) for inner in value]
        case _:
            return value
