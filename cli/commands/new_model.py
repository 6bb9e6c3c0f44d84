"""`road new-model`: from a CSV file and a target column to a model that takes the whole road as it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import environments, output, profiles, proposals, scaffold
from cli.drafts import Draft
from cli.model_toml import Words
from cli.outcomes import Amounts, Several, Two
from cli.problem import Problem
from cli.processes import captured
from cli.profiles import Profile
from cli.progress import Progress
from cli.proposals import SCALES, Gates
from cli.shapes import Offered, Shape
from cli.tree import DRAFTS, typed_path
from config import CONFIG
from naming import RESERVED
from paved_runtime import frameworks, spec

SHOWN = 5  # classes
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
Data = Annotated[Path, typer.Option("--data", metavar="CSV", help="A data set with a header; it is read, not kept.", parser=typed_path)]
Target = Annotated[str, typer.Option(metavar="COLUMN", help="The column that says what became of each row.")]
Task = Annotated[
    spec.TaskName | None,
    typer.Option(metavar="|".join(get_args(spec.TaskName)), help="What the model answers with; taken from the target's cells without it."),
]
Positive = Annotated[
    str | None, typer.Option(metavar="VALUE", help="Of two outcomes, the one whose probability is scored; guessed without it.")
]
Framework = Annotated[spec.Framework, typer.Option(metavar="|".join(spec.FRAMEWORKS), help="What the model is learnt with.")]
Serving = Annotated[Offered, typer.Option(metavar="|".join(get_args(Offered)), help="How the model is asked.")]
Batch = Annotated[bool, typer.Option("--batch", help="Have files of rows scored, too.")]
Exclude = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="A column that is not known in time. May be repeated.")]


def new_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model's name: lower case, digits and underscores.")],
    *,
    data: Data,
    target: Target,
    task: Task = None,
    positive: Positive = None,
    exclude: Exclude = None,
    purpose: Annotated[str | None, typer.Option(metavar="TEXT", help="What is decided with the score, and for whom.")] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="MAIL", help="Who answers for the model; without it the first owner in config.py.")
    ] = None,
    framework: Framework = "xgboost",
    serving: Serving = "real-time",
    batch: Batch = False,
    json: output.Json = False,
) -> None:
    """Write a model's folder from a CSV file. Columns, ranges and gates are inferred, tried, and explained in its model.toml."""
    folder, place = _folder(name), DRAFTS / name
    shutil.rmtree(place, ignore_errors=True)
    with Progress() as progress:
        with progress.step("read the data set") as step:
            profile = profiles.read(data, target=target, task=task, positive=positive, exclude=exclude or [])
            learns(framework, profile, {name: frameworks.named(name).TASKS for name in spec.FRAMEWORKS})
            step.note = f"{profile.rows} rows, {len(profile.columns)} columns, a target for {profile.task}"
            words = Words(
                purpose=purpose or _purpose(profile),
                owner=owner or CONFIG.owners[0],
                framework=framework,
                shape=Shape(style=serving, batch=batch),
            )
            draft = Draft(name=name, words=words, config=CONFIG, place=place)
            draft.check(profile)
        with progress.step(f"train on {proposals.SPLITS} splits, to propose gates") as step:
            profile, gates = draft.gates(profile)
            step.note = _seen(profile, gates)
        with progress.step("make up a data set like it, and train on that") as step:
            contents, failed = draft.files(profile, gates)
            step.note = f"it does not pass {', '.join(failed)}: ./road demo {name} needs --data" if failed else ""
        scaffold.write(folder, contents)
        captured(["ruff", "format", "--quiet", str(folder)])
        shutil.rmtree(place)
    output.show(_view(name, profile, gates), _machine(name, profile, gates, framework), json=json)


def _folder(name: str) -> Path:
    folder = environments.folder(name)
    if not NAME.fullmatch(name) or name in RESERVED:
        accepted = f"accepted are up to 32 lower-case letters, digits and underscores, and none of {', '.join(sorted(RESERVED))}"
        raise Problem(f"model {name}", accepted, "choose another name", code=2)
    if folder.exists():
        raise Problem(f"model_code/{name}", "it is there already", "choose another name, or remove the folder", code=2)
    return folder


def learns(framework: str, profile: Profile, learnt: Mapping[str, Sequence[spec.TaskName]]) -> None:
    """Raise Problem where a framework does not learn the task of a data set; `learnt` has what each of them does."""
    if profile.task not in learnt[framework]:
        others = ", ".join(name for name, tasks in learnt.items() if profile.task in tasks)
        why = f"it learns {', '.join(learnt[framework])}, and target {profile.target!r} is one for {profile.task}"
        raise Problem(f"--framework {framework}", why, f"choose one of {others}", code=2)


def _purpose(profile: Profile) -> str:
    match profile.outcomes:
        case Two() as two:
            scored = f"Scores how likely {profile.target} is to be {two.positive}."
        case Several():
            scored = f"Scores how likely each class of {profile.target} is."
        case Amounts():
            scored = f"Estimates {profile.target}."
    return f"{scored} Say here what is decided with it, and for whom."


def _seen(profile: Profile, gates: Gates) -> str:
    mean, spread = gates.seen
    return f"{SCALES[profile.task].title} {mean:.3f} ± {spread:.3f}"


def _view(name: str, profile: Profile, gates: Gates) -> Group:
    table = Table.grid(padding=(0, 2))
    for column, declared in profile.columns.items():
        table.add_row(Text("  kept"), column, Text(_declared(declared), "dim"))
    for column, why in profile.excluded.items():
        table.add_row(Text("  left out", "yellow"), column, Text(why, "dim"))
    title = f"model_code/{name}: {_described(profile)} in {profile.rows} rows of {profile.file.name}"
    seen = f"\n{_seen(profile, gates)} over {proposals.SPLITS} splits; proposed gate {gates.floor}"
    return Group(Text(title, "bold"), *_chosen(profile), table, Text(seen), Text(_decisions(name)))


def _described(profile: Profile) -> str:
    match profile.outcomes:
        case Two() as two:
            return f"{two.positive!r} ({two.share:.2%})"
        case Several() as several:
            shown = ", ".join(f"{label!r} ({share:.1%})" for label, share in list(several.shares.items())[:SHOWN])
            return f"{len(several.counts)} classes, {shown}{', …' if len(several.counts) > SHOWN else ''},"
        case Amounts() as amounts:
            return f"numbers from {amounts.ordered[0]:g} to {amounts.ordered[-1]:g}, on average {amounts.mean:.4g},"


def _chosen(profile: Profile) -> list[Text]:
    """Which task was taken where there was a choice, and how to have the other one."""
    return [Text(f"  task {profile.task}: {profile.outcomes.why}", "yellow")] if profile.outcomes.why else []


def _decisions(name: str) -> str:
    return f"""
Only you can decide, in model_code/{name}/model.toml:
  purpose, owner    what is decided with the score, and who answers for it
  exclude           which columns are not known at the time of the decision
  split             whether the newest rows (time), or whole customers (group), are what is held out, and which column says so
  gates.fairness    between which groups of people what must hold

Next: ./road train {name} --data CSV, then ./road check --model {name}; docs/new-model.md shows the way to production."""


def _declared(column: spec.Column) -> str:
    if isinstance(column, spec.Category):
        return f"category of {len(column.values)} values"
    if isinstance(column, spec.Boolean):
        return f"boolean: {column.true} or {column.false}"
    if isinstance(column, spec.Text):
        return f"text of up to {column.maximum_length} characters"
    if isinstance(column, spec.Date):
        return f"date from {column.minimum} to {column.maximum}"
    return f"{column.type} from {column.minimum:g} to {column.maximum:g}"


def _machine(name: str, profile: Profile, gates: Gates, framework: str) -> dict[str, object]:
    mean, spread = gates.seen
    return {
        "folder": f"model_code/{name}",
        "task": profile.task,
        "framework": framework,
        "rows": profile.rows,
        **_target(profile),
        "columns": {column: declared.model_dump(mode="json") for column, declared in profile.columns.items()},
        "excluded": dict(profile.excluded),
        spec.HEADLINES[profile.task]: {"mean": mean, "standard_deviation": spread, "gate": gates.floor},
        "calibration_error": {"largest": gates.calibration_error_seen, "gate": gates.calibration_error},
    }


def _target(profile: Profile) -> dict[str, object]:
    """What the target holds, as `--json` says it."""
    match profile.outcomes:
        case Two() as two:
            return {"positive": two.positive, "negative": two.negative, "positive_share": two.share}
        case Several() as several:
            return {"class_shares": several.shares}
        case Amounts() as amounts:
            ends = {"minimum": amounts.ordered[0], "maximum": amounts.ordered[-1]}
            return {"target_range": ends, "target_mean": amounts.mean}
