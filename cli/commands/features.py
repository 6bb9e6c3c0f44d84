"""`road features`: what is kept of customers, accounts and the like, for training and for serving alike."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli import feature_places, feature_sql, feature_values, features, ingestions, output, replays, target
from cli.ingestions import Ingestion
from cli.offline_store import LAG, OfflineStore
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress
from cli.repository import Clone
from cli.tree import HERE, typed_path
from paved_runtime import feature_groups
from paved_runtime.feature_groups import FeatureGroup

app = typer.Typer(invoke_without_command=True)

Group = Annotated[str, typer.Argument(metavar="GROUP", help="A feature group: a folder of feature_groups with a group.toml.")]
Source = Annotated[
    list[Path],
    typer.Option(
        "--source",
        metavar="PATH",
        help="A file (CSV with a header, or Parquet) or a folder of such; once for each.",
        parser=typed_path,
    ),
]


@app.callback()
def overview(
    context: typer.Context,
    *,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """List feature groups: features, owners, records that ingestions put, and how old the newest event is."""
    if context.invoked_subcommand:
        return
    groups = feature_groups.load_all()
    places = feature_places.everywhere(target.choose(where)) if groups else []
    standings = [features.look(group, places) for group in groups]
    output.show(features.overview(standings), [standing.as_dict() for standing in standings], json=json)


@app.command()
def put(
    group: Group,
    *,
    source: Source,
    environment: Annotated[
        list[str] | None,
        typer.Option("--environment", metavar="NAME", help="Beside the toolchain, only that environment; once for each. All without it."),
    ] = None,
    replay: Annotated[
        str | None, typer.Option("--replay", metavar="INGESTION", help="Put nothing: say what that ingestion has put otherwise.")
    ] = None,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Make features of source files by the group's SQL, check them, and put every record into the feature store, oldest first.

    Old events are a backfill: they count from their event time on. The same source put again changes nothing online.
    """
    known, files = feature_places.group(group), feature_sql.sources(source)
    aws = target.choose(where)
    with feature_sql.made(known, files) as made:
        if replay:
            _replay(aws, known, made, files, replay, json=json)
            return
        if not made.rows:
            raise Problem(f"features.sql of {group}", "it makes no records of this source", "hand in another source, or correct it")
        places = feature_places.everywhere(aws, environment)
        for place in places:
            place.describe(known)
        ingestion = ingestions.begin(made, files, places, Clone(HERE))
        say(f"ingestion {ingestion.ingestion}: {made.rows} records to {'; '.join(place.name for place in places)}")
        ended = _put(ingestion, made, places)
    output.show(output.table(_told(ended)), asdict(ended), json=json)


@app.command()
def show(
    group: Group,
    *,
    record: Annotated[
        str | None, typer.Option("--record", metavar="ID", help="Every record of this identifier, newest event first.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", metavar="NAME", help="Of that environment; without it the toolchain's, for training.")
    ] = None,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Show how the values of each feature are spread, or what was known of one identifier, and when. It brings the offline store here."""
    known = feature_places.group(group)
    with feature_values.brought(feature_places.one(target.choose(where), environment), known) as connection:
        if record is None:
            spread = feature_values.histograms(connection, known)
            output.show(feature_values.histograms_view(spread), spread, json=json)
        else:
            rows = feature_values.history(connection, known, record)
            output.show(feature_values.history_view(rows), rows, json=json)


@app.command()
def check(
    group: Annotated[str | None, typer.Argument(metavar="GROUP", help="A feature group; all without one.")] = None,
    *,
    source: Annotated[
        list[Path] | None,
        typer.Option("--source", metavar="PATH", help="Source files or folders, on which its SQL is run, too.", parser=typed_path),
    ] = None,
    json: output.Json = False,
) -> None:
    """Check declarations and SQL, without AWS. With source files also what the SQL makes of them; nothing is put anywhere."""
    if source and not group:
        raise Problem("road features check", "files are the source of one group", "name it, too", code=2)
    groups = [feature_places.group(group)] if group else feature_groups.load_all()
    for known in groups:
        feature_sql.check(known)
    rows = {known.name: _rows(known, source) for known in groups} if source else {known.name: None for known in groups}
    words = [f"{name} is in order" + ("" if count is None else f": {count} records") for name, count in rows.items()]
    output.show(
        "\n".join(words) or "no feature group is declared", [{"group": name, "rows": count} for name, count in rows.items()], json=json
    )


def _rows(group: FeatureGroup, source: list[Path]) -> int:
    with feature_sql.made(group, feature_sql.sources(source)) as made:
        return made.rows


def _put(ingestion: Ingestion, made: feature_sql.Features, places: list[feature_places.Place]) -> Ingestion:
    there = 0
    with Progress() as progress, progress.step("put records") as step:

        def advance(more: int) -> None:
            nonlocal there
            there += more
            step.note = f"{there} of {made.rows}"

        return ingestions.put(ingestion, made, places, advance)


def _replay(aws: target.Target, group: FeatureGroup, made: feature_sql.Features, files: list[Path], name: str, *, json: bool) -> None:
    place = feature_places.one(aws, None)
    ingestion = ingestions.read(place, group.name, name)
    difference = replays.compare(ingestion, made, files, OfflineStore.of(place.s3, place.describe(group)))
    rows = {
        "missing": str(difference.missing),
        "unexpected": str(difference.unexpected),
        "different": ", ".join(f"{feature}: {count}" for feature, count in difference.different.items()) or "0",
        "such as": "\n".join(difference.examples),
    }
    same = f"{made.rows} records: the offline store has what source and SQL make"
    output.show(output.table(rows) if difference.any else same, asdict(difference), json=json)
    if difference.missing:
        say(LAG)
    if difference.any:
        raise typer.Exit(1)


def _told(ingestion: Ingestion) -> dict[str, str]:
    return {
        "ingestion": ingestion.ingestion,
        "records": str(ingestion.rows),
        "events": f"{ingestion.first} to {ingestion.last}" if ingestion.rows else "none",
        "in": "; ".join(ingestion.places),
    }
