"""The faults that a delivery road must survive, and the table of which ones it did: `./road test -m faults` prints it.

A test in this folder names its fault with `@pytest.mark.fault("worse model")`. A fault is survived when every test of it passed.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs/faults.md"


@dataclass(frozen=True)
class Fault:
    """`first_class` is what a first-class design does. `untried` says why it cannot be tried here; such a fault has no test."""

    name: str
    first_class: str
    untried: str = ""


FAULTS = (
    Fault("poisoned data", "schema, ranges, label rate and change are judged before training; the column is named"),
    Fault(
        "target leakage",
        "a column, a pair or empty cells that tell the target are refused by name; what is too good to be true asks a person",
    ),
    Fault("training crash", "the same data gives the same model again; what failed is said in one line"),
    Fault("worse model", "judged against the champion on the same held-out rows, with an interval; an equal one passes"),
    Fault("unfair model", "selection rates and opportunities of the groups are gates"),
    Fault("reasons that do not add up", "a score's reasons sum to the score, for every row"),
    Fault("corrupt or swapped artifact", "digests in the evidence, checked again before production and at load"),
    Fault("data swapped after they were stored", "what was read is measured as it is read; other bytes stop the run there"),
    Fault("somebody changes what evidence binds", "each role may write its own part; what was changed all the same is noticed and named"),
    Fault("evidence edited", "the signature no longer holds, and production says so"),
    Fault(
        "somebody signs what is not theirs to sign", "keys refuse all but those who may attest; another key's signature counts for nothing"
    ),
    Fault("pickle in an artifact", "formats that are data; loading refuses the rest, unread"),
    Fault("broken container", "the new fleet never takes traffic; the old one keeps serving"),
    Fault("bad canary", "5xx, latency or shifted scores bring the old fleet back; too little traffic is no success"),
    Fault("flapping or missing alarm data", "M of N datapoints; missing data in a bake is not a pass"),
    Fault("silent rollback", "the served configuration is read back, and the stage fails"),
    Fault("two pushes, stale approval", "an approval holds one package and one evidence; later executions wait"),
    Fault("killed in mid-work", "every step can be run again, and nothing is left running"),
    Fault("permission revoked, throttling", "bounded retries, a clear error, the champion serves on"),
    Fault("duplicate or reordered events", "the result is the same as in order"),
    Fault("target that cannot be reached", "what was for it waits in a queue, whose alarm tells the owners; nothing is lost"),
    Fault("rollback after bad versions", "the last good version is kept, with its configuration, and comes back"),
    Fault("endpoint changed by hand", "the endpoint is asked first: gone or moved, it is named with the way back, which works"),
    Fault("secret in the repository", "a blocking check names file and line"),
    Fault("known vulnerability", "the scan of each pushed image is waited for; a critical finding ends the build by name"),
    Fault("malformed or oversized payload", "4xx with a reason, never 5xx, never a dead server"),
    Fault("unauthorised invocation", "denied"),
    Fault("spot loss", "checkpoint and resume", untried="training takes minutes on on-demand instances; it starts again instead"),
    Fault("drift false alarms, retraining storm", "tests that know the sample's size, a cool-down and a budget"),
)
NAMES = {fault.name for fault in FAULTS}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(name): which fault of tests/faults/table.py a test tries")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in (item for item in items if HERE in item.path.parents):
        item.add_marker(pytest.mark.faults)
        for mark in item.iter_markers("fault"):
            assert mark.args[0] in NAMES, f"{item.nodeid}: no fault is called {mark.args[0]!r} in {__file__}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    item.user_properties += [("fault", mark.args[0]) for mark in item.iter_markers("fault")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table, when faults were asked for by their marker."""
    if "faults" not in str(terminalreporter.config.option.markexpr):
        return
    rows = list(_rows(_outcomes(terminalreporter)))
    width = max(len(name) for name, _, _ in rows)
    terminalreporter.section("faults")
    for name, outcome, first_class in rows:
        terminalreporter.write_line(f"{name:<{width}}  {outcome:<24}  {first_class}")
    survived = sum(outcome.startswith("survived") for _, outcome, _ in rows)
    terminalreporter.write_line(f"survived {survived} of {len(FAULTS)} faults")
    if os.environ.get("FAULTS_DOCUMENT"):
        DOCUMENT.write_text(document(rows, survived), encoding="utf-8")


def document(rows: list[tuple[str, str, str]], survived: int) -> str:
    """docs/faults.md."""
    reasons = [f"- **{fault.name}**: {fault.untried}." for fault in FAULTS if fault.untried]
    return "\n".join(
        [
            "# Faults",
            "",
            "What may go wrong on the way to production and in it, what a first-class design does, and what happened when it was tried.",
            "`./road test -m faults` tries them and prints this table; `FAULTS_DOCUMENT=1 ./road test -m faults` writes this file.",
            "",
            "| fault | a first-class design | outcome |",
            "|---|---|---|",
            *(f"| {name} | {first_class} | {outcome} |" for name, outcome, first_class in rows),
            "",
            f"Survived: {survived} of {len(FAULTS)}. Not tried here, and why:",
            "",
            *reasons,
            "",
        ]
    )


def _outcomes(reporter: pytest.TerminalReporter) -> dict[str, list[str]]:
    """Each fault's test outcomes: passed, failed, error, skipped."""
    found: dict[str, list[str]] = defaultdict(list)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in reporter.getreports(outcome):
            for name, value in getattr(report, "user_properties", ()):
                if name == "fault":
                    found[value].append(outcome)
    return found


def _rows(outcomes: dict[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    for fault in FAULTS:
        yield fault.name, _outcome(outcomes.get(fault.name, [])), fault.first_class


def _outcome(seen: list[str]) -> str:
    passed, skipped = seen.count("passed"), seen.count("skipped")
    if passed + skipped < len(seen):
        return "NOT survived"
    if not passed:
        return "not tried"
    return f"survived ({passed} test{'s' if passed > 1 else ''}{f', {skipped} skipped' if skipped else ''})"
