"""`road init`: a fork's own configuration, asked for or given, checked, and written into config.py."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import configuration, output, serving_tables
from cli.output import say
from cli.problem import Problem
from cli.processes import captured
from cli.tree import HERE, typed_path
from config import CONFIG, Account, Config, Environment
from stacks import layout

APPROVED = "approved"
Text = str | None
Many = list[str] | None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was given, by flags or in a file; what is None is asked for, or stays as it is."""

    project: str | None = None
    region: str | None = None
    toolchain: str | None = None
    environments: Sequence[str] | None = None
    repository: str | None = None
    branch: str | None = None
    provider: str | None = None
    host: str | None = None
    url: str | None = None
    owners: Sequence[str] | None = None
    qualifier: str | None = None


QUESTIONS: dict[str, str] = {
    "project": "Project: the beginning of every name in AWS",
    "region": "Region, where none is named",
    "toolchain": "Account of the toolchain: pipelines, registry, training",
    "environments": f"Environments in order, NAME=ACCOUNT or NAME=ACCOUNT/REGION, with :{APPROVED} where a person decides first",
    "repository": "Repository, owner/name",
    "branch": "Branch that is deployed",
    "provider": f"Where it is hosted: {', '.join(layout.SOURCES)}",
    "host": "ARN of its host in CodeConnections, where it is on a server of your own",
    "url": "Where that server answers, such as https://git.example.com",
    "owners": "Who gets approval requests and alarms, by mail",
    "qualifier": "Qualifier of CDK's bootstrap",
}
LISTS = ("environments", "owners")


def init(
    *,
    project: Annotated[Text, typer.Option(metavar="NAME", help="The beginning of every name in AWS.")] = None,
    region: Annotated[Text, typer.Option(metavar="REGION", help="The region of every account for which none is named.")] = None,
    toolchain: Annotated[Text, typer.Option(metavar="ACCOUNT", help="The toolchain's account.")] = None,
    environment: Annotated[
        Many,
        typer.Option(
            metavar="NAME=ACCOUNT", help=f"An environment, in order; /REGION behind it, and :{APPROVED} where a person decides first."
        ),
    ] = None,
    repository: Annotated[Text, typer.Option(metavar="OWNER/NAME", help="The repository.")] = None,
    branch: Annotated[Text, typer.Option(metavar="BRANCH", help="The branch that is deployed.")] = None,
    provider: Annotated[Text, typer.Option(metavar="PROVIDER", help=f"{', '.join(layout.SOURCES)}.")] = None,
    host: Annotated[Text, typer.Option(metavar="ARN", help="A server of your own: its host in CodeConnections.")] = None,
    url: Annotated[Text, typer.Option(metavar="URL", help="A server of your own: where it answers.")] = None,
    owner: Annotated[Many, typer.Option(metavar="MAIL", help="Who is told. May be repeated.")] = None,
    qualifier: Annotated[Text, typer.Option(metavar="TEXT", help="The qualifier of CDK's bootstrap.")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="TOML", parser=typed_path, help="Answers in a file; its keys are those that are asked for.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Write config.py: whose accounts, which environments, which repository, who is told. Without options, asks on a terminal."""
    options = Answers(
        project=project,
        region=region,
        toolchain=toolchain,
        environments=environment,
        repository=repository,
        branch=branch,
        provider=provider,
        host=host,
        url=url,
        owners=owner,
        qualifier=qualifier,
    )
    config = _asked_for({**(_read(file) if file else {}), **{key: value for key, value in asdict(options).items() if value is not None}})
    configuration.write(HERE / "config.py", config)
    captured(["ruff", "format", "--quiet", "config.py"])
    renamed = serving_tables.follow(HERE / "model_code", config)
    teams = configuration.own_teams(HERE / "CODEOWNERS", config, before=CONFIG)
    left = configuration.placeholders(config)
    if left:
        say(f"placeholders are left, which localcloud takes and AWS does not: {', '.join(left)}")
    machine = {**asdict(config), "placeholders": left, "models": renamed, "teams": teams}
    output.show(_view(config, renamed, teams), machine, json=json)


def accepted(answers: Mapping[str, Any]) -> Config:
    """The configuration that answers make. Raises Problem for what is wrong with it."""
    region = answers["region"]
    config = replace(
        CONFIG,
        project=answers["project"],
        toolchain=_account(answers["toolchain"], region),
        environments=tuple(_environment(text, region) for text in answers["environments"]),
        repository=replace(
            CONFIG.repository,
            id=answers["repository"],
            branch=answers["branch"],
            provider=answers["provider"],
            host=answers["host"],
            url=answers["url"],
        ),
        owners=tuple(answers["owners"]),
        qualifier=answers["qualifier"],
    )
    if wrong := list(configuration.problems(config)):
        raise Problem("config.py was not changed", "; ".join(wrong), "correct that", code=2)
    return config


def _environment(text: str, region: str) -> Environment:
    match = re.fullmatch(rf"([^=:/]+)=([^=:/]+)(?:/([^=:/]+))?(:{APPROVED})?", text.strip())
    if not match:
        accepted_form = f"accepted is NAME=ACCOUNT, with /REGION and :{APPROVED} where wanted"
        raise Problem(f"environment {text!r}", accepted_form, "write it so", code=2)
    return Environment(name=match[1], account=_account(match[2], match[3] or region), approved_only=bool(match[4]))


def _account(number: str, region: str) -> Account:
    """An account as config.py has it, with its network; or a new one."""
    known = {(account.id, account.region): account for account in CONFIG.accounts}
    return known.get((number, region), Account(id=number, region=region))


def _asked_for(answers: Mapping[str, Any]) -> Config:
    """With what config.py has now for the rest. Without any, on a terminal, a person is asked until all is accepted."""
    known = _now()
    if answers or not sys.stdin.isatty():
        return accepted({**known, **answers})
    while True:
        known = {key: _ask(key, known[key]) for key in QUESTIONS}
        try:
            return accepted(known)
        except Problem as problem:
            say(str(problem))


def _ask(key: str, known: Any) -> str | list[str]:
    if key not in LISTS:
        return str(typer.prompt(QUESTIONS[key], default=known, err=True)).strip()
    line = typer.prompt(f"{QUESTIONS[key]} (comma-separated)", default=", ".join(known), err=True)
    return [part.strip() for part in line.split(",") if part.strip()]


def _now() -> dict[str, Any]:
    return {
        "project": CONFIG.project,
        "region": CONFIG.toolchain.region,
        "toolchain": CONFIG.toolchain.id,
        "environments": list(map(_as_typed, CONFIG.environments)),
        **asdict(CONFIG.repository),
        "repository": CONFIG.repository.id,
        "owners": list(CONFIG.owners),
        "qualifier": CONFIG.qualifier,
    }


def _as_typed(environment: Environment) -> str:
    account = environment.account
    region = f"/{account.region}" if account.region != CONFIG.toolchain.region else ""
    return f"{environment.name}={account.id}{region}{f':{APPROVED}' if environment.approved_only else ''}"


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise Problem(f"file {file}", "there is no such file", "name a TOML file", code=2)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(f"file {file}", f"not valid TOML: {error}", "correct it", code=2) from error
    for key, value in content.items():
        if key not in QUESTIONS:
            raise Problem(f"file {file}", f"found the key {key!r}; accepted are {', '.join(QUESTIONS)}", "correct it", code=2)
        kind = list if key in LISTS else str
        if not isinstance(value, kind) or (kind is list and not all(isinstance(part, str) for part in value)):
            raise Problem(
                f"file {file}", f"{key}: expected {'texts in a list' if kind is list else 'a text'}, found {value!r}", "correct it", code=2
            )
    return content


def _view(config: Config, renamed: Sequence[str], teams: Sequence[str]) -> str:
    places = "\n".join(
        f"  {e.name:<16} {e.account.id} {e.account.region}{'  a person decides first' if e.approved_only else ''}"
        for e in config.environments
    )
    models = f"\nserving tables of {', '.join(renamed)} follow the environments" if renamed else ""
    owners = f"\nCODEOWNERS asks {', '.join(teams)}: make these teams, or name others" if teams else ""
    return f"""config.py: {config.project}
  {"toolchain":<16} {config.toolchain.id} {config.toolchain.region}
{places}{models}{owners}

Next: ./road check; ./road demo for the road on this laptop; ./road bootstrap and ./road deploy for your accounts."""
