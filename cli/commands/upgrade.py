"""`road upgrade`: a newer release of the template into this fork, merged and left for a person to look at."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import output
from cli.problem import Problem
from cli.repository import Clone
from cli.tree import HERE
from cli.upgrade import BACK, LOCKS, REMOTE, Outcome, current, fetch, known, merge, plan

NEWER = 2  # exit code of --check


def upgrade(
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="A release, branch or commit of the template; without it the newest release.")
    ] = None,
    *,
    template: Annotated[str, typer.Option("--from", metavar="REMOTE", help="The template: a remote, an address or a folder.")] = REMOTE,
    check: Annotated[bool, typer.Option("--check", help="Only say whether there is a newer release; exit code 2 if so.")] = False,
    json: output.Json = False,
) -> None:
    """Merge a newer release of the template. What is the team's is kept, and nothing is committed."""
    clone = Clone(HERE)
    if check:
        _check(clone, template, json=json)
        return
    planned = plan(clone, template, version)
    if planned is None:
        stands = str(current(clone))
        output.show(f"this fork has all of it: it stands on {stands}", {"from": stands, "to": stands, "files": {}}, json=json)
        return
    outcome = merge(clone, planned)
    output.show(view(outcome), machine(outcome), json=json)
    if outcome.conflicts:
        conflict = Problem(f"upgrade to {planned.new}: in conflict", ", ".join(outcome.conflicts), f"{_mend(outcome)}; {BACK}")
        raise typer.Exit(1) if json else conflict


def view(outcome: Outcome) -> Group:
    """What has changed, for a person."""
    planned = outcome.plan
    rows = {
        "files changed": ", ".join(f"{room} {count}" for room, count in outcome.rooms.items()),
        "kept removed": ", ".join(outcome.deleted),
        "left as yours": ", ".join(outcome.left),
        "new in config.py": ", ".join(
            f"{name} = {default}" if default else f"{name} must be set" for name, default in outcome.settings.items()
        ),
        "gone from config.py": ", ".join(outcome.gone),
    }
    if outcome.left:
        rows["to see those"] = f"git diff {planned.base[:12]} {planned.commit[:12]} -- {' '.join(planned.own)}"
    title = f"from {planned.old} to {planned.new}, commit {planned.commit[:12]}: merged and staged, not committed\n"
    parts: list[Text | Table] = [Text(title, "bold"), output.table({name: text for name, text in rows.items() if text})]
    if outcome.changelog:
        parts.append(Text(f"\n{outcome.changelog}"))
    if not outcome.conflicts:
        parts.append(Text(f"\nNext: ./road check, ./road test, git commit. {BACK}."))
    return Group(*parts)


def machine(outcome: Outcome) -> dict[str, object]:
    """The same for `--json`."""
    facts = asdict(outcome)
    planned = facts.pop("plan")
    return {
        "from": str(outcome.plan.old),
        "to": str(outcome.plan.new),
        "base": planned["base"],
        "commit": planned["commit"],
        "files": facts.pop("rooms"),
        **facts,
    }


def _check(clone: Clone, template: str, *, json: bool) -> None:
    stands = current(clone)
    fetch(clone, template)
    newest = max(known(clone), default=stands)
    facts = {"version": str(stands), "newest": str(newest), "newer": newest > stands}
    news = f"{newest} is newer than {stands}: ./road upgrade" if newest > stands else f"{stands} is the newest release"
    output.show(news, facts, json=json)
    if newest > stands:
        raise typer.Exit(NEWER)


def _mend(outcome: Outcome) -> str:
    locks = any(path.endswith(LOCKS) for path in outcome.conflicts)
    return "mend each and git add it" + (", then ./road lock for the locks" if locks else "") + ", then ./road check"
