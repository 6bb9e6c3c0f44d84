"""The statement in `config.py` that is a fork's own: what it may hold, how it is written, and whether placeholders are left in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from cli.config_source import STATEMENT
from cli.problem import Problem
from config import Account, Config
from stacks import layout

ACCOUNT = re.compile(r"\d{12}", re.ASCII)
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)+", re.ASCII)
BRANCH = re.compile(r"[^\s~^:?*\[\\]+")
MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
QUALIFIER = re.compile(r"[a-z0-9]{1,10}")
RESERVED_DOMAINS = re.compile(r"@(.*\.)?example(\.(com|org|net))?$")
MOST_ENVIRONMENTS = 3
OPTIONAL = [each for each in fields(Config) if each.default is not MISSING or each.default_factory is not MISSING]
TEAM = "@example/"  # the template's own, in CODEOWNERS


def problems(config: Config) -> Iterator[str]:
    """What is wrong with it, a line each: which setting, what was found, what is accepted."""
    for setting, text, pattern, accepted in _texts(config):
        if not (pattern.fullmatch(text) and text.isprintable()):
            yield f"{setting}: found {text!r}; accepted {accepted}"
    for where, account in (("toolchain", config.toolchain), *((f"environment {e.name!r}", e.account) for e in config.environments)):
        yield from _account(where, account)
    if not 1 <= len(config.environments) <= MOST_ENVIRONMENTS:
        yield f"environments: found {len(config.environments)}; accepted are 1 to {MOST_ENVIRONMENTS}"
    else:
        yield from _layout(config)
    if not config.owners:
        yield "owners: found none; accepted is at least one mail address"


def _texts(config: Config) -> Iterator[tuple[str, str, re.Pattern[str], str]]:
    """Each setting that is a text, with its pattern, and the pattern in words."""
    yield "repository", config.repository.id, REPOSITORY, "is owner/name"
    yield "branch", config.repository.branch, BRANCH, "is a branch's name"
    for owner in config.owners:
        yield "owners", owner, MAIL, "is a mail address"
    yield "qualifier", config.qualifier, QUALIFIER, "are up to 10 lower-case letters and digits, as `cdk bootstrap` has it"


def _layout(config: Config) -> Iterator[str]:
    """What synth would refuse."""
    try:
        layout.check(config, [])
    except ValueError as error:
        yield from (line.removeprefix("config.py: ") for line in str(error).splitlines())


def placeholders(config: Config) -> list[str]:
    """The settings that still are the template's: accounts of one digit, a repository of `example`, mail to reserved domains."""
    accounts = dict.fromkeys(f"account {account.id}" for account in config.accounts if len(set(account.id)) == 1)
    repository = [f"repository {config.repository.id}"] if config.repository.id.startswith("example/") else []
    return [*accounts, *repository, *(f"owner {owner}" for owner in config.owners if RESERVED_DOMAINS.search(owner))]


def must_be_real(config: Config) -> None:
    """Raises Problem where AWS would be asked for what is nobody's."""
    if left := placeholders(config):
        raise Problem(
            "config.py", f"it still has the template's placeholders: {', '.join(left)}", "./road init, or edit it; localcloud takes them"
        )


def source(config: Config) -> str:
    """The statement, as a person would write it."""
    lines = [
        "CONFIG = Config(",
        f"    project={_text(config.project)},",
        f"    toolchain={_literal(config.toolchain)},",
        "    environments=(",
        *(f"        {_literal(environment)}," for environment in config.environments),
        "    ),",
        f"    repository={_literal(config.repository)},",
        f"    owners=({', '.join(map(_text, config.owners))},),",
        *(f"    {each.name}={_literal(getattr(config, each.name))}," for each in OPTIONAL if _differs(config, each)),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    """A value as a person would write it: of a class of config.py, what differs from its defaults."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(each)}' for key, each in value.items())}}}"
    if not is_dataclass(value):
        return repr(value)
    chosen = [(each.name, getattr(value, each.name)) for each in fields(value) if _differs(value, each)]
    return f"{type(value).__name__}({', '.join(f'{name}={_literal(each)}' for name, each in chosen)})"


def _differs(value: Any, setting: Field[Any]) -> bool:
    """Whether a setting has another value than it has where it is left out."""
    default = setting.default if setting.default_factory is MISSING else setting.default_factory()
    return bool(getattr(value, setting.name) != default)


def write(file: Path, config: Config) -> None:
    """Put the statement into a `config.py`; all else in it stays."""
    text, replaced = STATEMENT.subn(lambda _: source(config), file.read_text(encoding="utf-8"))
    if replaced != 1:
        raise Problem(str(file), "it has no statement `CONFIG = Config(` that ends with `)` at the beginning of a line", "write it by hand")
    file.write_text(text, encoding="utf-8")


def own_teams(file: Path, config: Config, *, before: Config) -> list[str]:
    """Have a CODEOWNERS file name teams of the repository's owner instead of the template's, or of the owner before; those teams."""
    team, others = _team(config), {TEAM, _team(before)} - {_team(config)}
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if not any(other in text for other in others):
        return []
    for other in others:
        text = text.replace(other, team)
    file.write_text(text, encoding="utf-8")
    return sorted(set(re.findall(rf"{re.escape(team)}[\w-]+", text)))


def _team(config: Config) -> str:
    """What the name of a team begins with."""
    return f"@{config.repository.id.split('/')[0]}/"


def _account(where: str, account: Account) -> Iterator[str]:
    if not ACCOUNT.fullmatch(account.id):
        yield f"{where}: found account {account.id!r}; accepted are 12 digits"
    if account.region not in _regions():
        yield f"{where}: found region {account.region!r}; accepted is one that has SageMaker, such as eu-west-1"


@cache
def _regions() -> frozenset[str]:
    return frozenset(boto3.Session().get_available_regions("sagemaker"))


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
