"""`road train`: prepare, train and evaluate on this machine, in seconds, and see the gates before anything is pushed."""

from __future__ import annotations

import json as encoder
import shutil
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import datasets, environments, local, local_features, local_search, local_training, output, packs, synthetic, target
from cli.local_features import LocalStore, Sources
from cli.local_search import Trial
from cli.local_training import Training
from cli.problem import Problem
from cli.progress import Progress
from cli.tree import TRAINED, relative, typed_path
from config import CONFIG
from paved_runtime.page import NONE, figure
from paved_runtime.spec import ModelSpec
from pipelines.deployment import ledger
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import wording
from pipelines.evidence.document import Evaluation
from pipelines.evidence.pack import group_and_version
from pipelines.evidence.page import measured, metrics

ROWS = 20_000
LAST = "last.json"  # about the last run that ended
MARKS = {False: ("✗ ", "red"), None: ("? ", "yellow"), True: ("✓ ", "green")}  # the most urgent first; None is left to a person
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """What is trained on: a data set, and source files of the feature groups that its rows may be joined with."""

    file: Path
    sources: Sources


def train(
    model: target.Model,
    *,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="CSV", parser=typed_path, help="A data set; the last one without it.")
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--features",
            metavar="GROUP=FILE",
            help="Source of a feature group in which it looks columns up, a file or a folder; once for each. The last ones without it.",
        ),
    ] = None,
    plots: Annotated[bool, typer.Option("--plots", help="Draw curves, slices and importance as a page, and open it.")] = False,
    search: Annotated[
        bool, typer.Option("--search", help="Search for hyperparameters first, as [training.search] says, at random; train what won.")
    ] = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Train and evaluate here, without any cloud. Shows the gates, beside those of the last run and of what serves."""
    spec = target.model(model)
    home = TRAINED / spec.name
    sources = local_features.parse(features or [], spec)
    with Progress() as progress:
        rows = _rows(spec, home, data, sources)
        stores = _checked(local_features.contract(spec, rows.file, joined=bool(features)), rows, home, progress)
        serves = _what_serves(spec, where)
        trials = _search(spec, home, rows.file, stores, progress) if search else []
        with progress.step("prepare, train, evaluate"):
            training, before = _trained(spec, home, rows, stores, _won(spec, trials))
    drawn = _draw(home, training) if plots else None
    view, machine = _view(training, before, serves, drawn), _machine(training, before, serves, drawn)
    shown = Group(_trials(spec, trials), Text(), view) if trials else view
    output.show(shown, machine | ({"search": [asdict(trial) for trial in trials]} if trials else {}), json=json)
    if drawn and not json and output.has_screen():
        webbrowser.open(drawn.resolve().as_uri())
    if training.evaluation["gates_failed"]:
        raise typer.Exit(1)


def champion(registry: Registry) -> Evaluation | None:
    """What the version that serves in the last environment was worth; None where none does.

    Raises:
        Problem: the ledger or the evidence is not what it should be.
    """
    try:
        entry = ledger.newest(registry, CONFIG.environments[-1].name)
    except DeploymentError as error:
        raise Problem(f"what serves of {registry.model.name}", str(error), f"./road audit {registry.model.name}") from error
    return packs.read(registry, int(group_and_version(entry.model_package_arn)[1])).evidence.evaluation if entry else None


def _last(home: Path) -> Rows | None:
    """What the last run was trained on."""
    if not (last := home / LAST).is_file():
        return None
    known = encoder.loads(last.read_text())
    sources = {group: [Path(file) for file in files] for group, files in known.get("features", {}).items()}
    return Rows(Path(known["data"]), sources)


def _rows(model: ModelSpec, home: Path, data: Path | None, sources: Sources) -> Rows:
    """Those that are named, else those of the last run; or made-up ones, which are made again, as their program may have changed."""
    last, made = _last(home), home / "synthetic.csv"
    known = {**(last.sources if last else {}), **sources}
    if data is None and last and last.file != made.resolve() and last.file.is_file():
        data = last.file
    home.mkdir(parents=True, exist_ok=True)
    return Rows(data or synthetic.make(model.name, made, ROWS), known)


def _checked(model: ModelSpec, rows: Rows, home: Path, progress: Progress) -> list[LocalStore]:
    """What the rows are joined with, once they were looked at. `model` is as rows are held against it."""
    with progress.step(f"check {rows.file.name}") as step:
        step.note = f"{datasets.check(rows.file, model).rows} rows"
    if not model.features:
        return []
    with progress.step(f"make features of {', '.join(model.features)}") as step:
        stores = local_features.make(model, rows.sources, home / "features")
        step.note = f"{sum(store.rows for store in stores)} records"
    return stores


def _search(model: ModelSpec, home: Path, file: Path, stores: Sequence[LocalStore], progress: Progress) -> list[Trial]:
    count = local_search.settings(model).jobs
    with progress.step(f"search, {count} trials") as step:

        def tell(number: int, trial: Trial) -> None:
            step.note = f"{number} of {count}: {trial.objective:.4f}"

        return local_search.run(model, environments.folder(model.name), file, home / "search", tell, stores)


def _won(model: ModelSpec, trials: Sequence[Trial]) -> dict[str, str]:
    """The hyperparameters to train with, beside those of model.toml."""
    return local_search.best(local_search.settings(model), trials).hyperparameters if trials else {}


def _trials(model: ModelSpec, trials: Sequence[Trial]) -> Table:
    search = local_search.settings(model)
    won = local_search.best(search, trials)
    table = Table("trial", *sorted(search.ranges), search.metric, "", box=None, pad_edge=False)
    for number, trial in enumerate(trials, start=1):
        values = [trial.hyperparameters[name] for name in sorted(search.ranges)]
        table.add_row(str(number), *values, f"{trial.objective:.4f}", "won" if trial is won else "")
    return table


def _trained(
    model: ModelSpec, home: Path, rows: Rows, stores: Sequence[LocalStore], hyperparameters: Mapping[str, str]
) -> tuple[Training, Training | None]:
    """A training, and the one before it. One that fails leaves both of those before it as they are."""
    new, last, before = home / "new", home / "ml", home / "before"
    seconds = local_training.run(environments.folder(model.name), rows.file, new, hyperparameters, stores).seconds
    shutil.rmtree(before, ignore_errors=True)
    if last.is_dir():
        last.rename(before)
    new.rename(last)
    sources = {store.group.name: [str(file) for file in rows.sources[store.group.name]] for store in stores}
    (home / LAST).write_text(encoder.dumps({"data": str(rows.file.resolve()), "seconds": round(seconds, 1), "features": sources}))
    return local_training.read(last, seconds=seconds), local_training.read(before) if before.is_dir() else None


def _what_serves(model: ModelSpec, where: target.Where | None) -> Evaluation | None:
    """The champion, where an AWS is asked for, or a localcloud runs that has this model."""
    if where is None and local.find() is None:
        return None
    try:
        return champion(target.choose(where).registry(model))
    except Problem:
        if where:
            raise
        return None


def _draw(home: Path, training: Training) -> Path:
    from pipelines.evidence import evaluation_page  # here, because matplotlib takes longer to import than most commands

    page = home / "evaluation.html"
    page.write_text(evaluation_page.render(training.evaluation, training.report), encoding="utf-8")
    return page


def _view(training: Training, before: Training | None, serves: Evaluation | None, page: Path | None) -> Group:
    evaluation = training.evaluation
    failed = evaluation["gates_failed"]
    verdict = f"{failed} gate{'s' if failed != 1 else ''} failed" if failed else "every gate of training passed"
    title = Text(f"{evaluation['model']}: {verdict}, in {training.seconds:.1f} s", "bold red" if failed else "bold green")
    drawn = [Text(f"plots: {relative(page)}")] if page else []
    return Group(title, Text(), _metrics(training, before, serves), Text(), _gates(evaluation, before), *drawn)


def _metrics(training: Training, before: Training | None, serves: Evaluation | None) -> Table:
    table = Table("metric, on held-out rows", "this run", "last run", "what serves", box=None, pad_edge=False)
    for key, (name, metric) in metrics(training.evaluation["metrics"], wording.of(training.evaluation.get("task"))).items():
        last = before.evaluation["metrics"].get(key) if before else None
        known = serves.metrics.get(key) if serves else None
        table.add_row(name, measured(metric), measured(last) if last else NONE, measured(known.model_dump()) if known else NONE)
    return table


def _gates(evaluation: Json, before: Training | None) -> Table:
    """Failed ones first, then what is left to a person; what is not judged is left to the page."""
    last = {(gate["gate"], gate["subject"]): gate["found"] for gate in before.evaluation["gates"]} if before else {}
    table = Table("gate", "subject", "found", "accepted", "last run", box=None, pad_edge=False)
    judged = sorted((gate for gate in evaluation["gates"] if gate["comparison"]), key=lambda gate: list(MARKS).index(gate["passed"]))
    for gate in judged:
        mark = Text(*MARKS[gate["passed"]])
        found, accepted = figure(gate["found"]), f"{gate['comparison']} {figure(gate['threshold'])}"
        known = figure(last[gate["gate"], gate["subject"]]) if (gate["gate"], gate["subject"]) in last else NONE
        table.add_row(mark + gate["gate"], gate["subject"], found, accepted, known)
        if not gate["passed"]:
            table.add_row("", Text(gate["advice"], "dim"), "", "", "")
    return table


def _machine(training: Training, before: Training | None, serves: Evaluation | None, page: Path | None) -> dict[str, Any]:
    return {
        "seconds": round(training.seconds, 1),
        "evaluation": training.evaluation,
        "last": before.evaluation if before else None,
        "champion": serves.model_dump(mode="json") if serves else None,
        "page": str(page) if page else None,
        "folder": str(training.home),
    }
