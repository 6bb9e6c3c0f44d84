"""The commands, put together: a table of who types what, which is also the order of the help."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import typer
from typer.core import TyperGroup

from cli.commands import (
    approve,
    audit,
    base,
    bench,
    bootstrap,
    check,
    data,
    demo,
    deploy,
    doctor,
    down,
    env,
    evidence,
    init,
    invoke,
    labels,
    lock,
    logs,
    monitor,
    new_model,
    push,
    reject,
    retry,
    rollback,
    status,
    test,
    traffic,
    train,
    up,
    upgrade,
    verify_aws,
)

# A command is a module of cli/commands: its `app`, which has commands of its own, or else its function of the same name.
WHO: dict[str, tuple[ModuleType, ...]] = {
    "First steps": (demo, init, new_model, up, down, env),
    "Data scientist": (train, data, push, status, logs, retry, evidence, invoke, labels, traffic, monitor),
    "Approver and auditor": (approve, reject, rollback, evidence, audit),
    "Platform engineer": (doctor, bootstrap, deploy, upgrade),
    "Contributor": (check, test, lock, base, bench, verify_aws),
}
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
SETTINGS: dict[ModuleType, dict[str, Any]] = {test: PASSED_ON, bench: PASSED_ON}


def name(command: ModuleType) -> str:
    """As it is typed: the module `new_model` is `new-model`."""
    return command.__name__.rpartition(".")[2].replace("_", "-")


class Commands(TyperGroup):
    """Help that is ordered by who types a command."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - click's own signature
        """Write each person's commands below a heading."""
        width = max(map(len, self.commands))
        for who, modules in WHO.items():
            with formatter.section(who):
                known = {name(module): self.commands[name(module)] for module in modules}
                limit = formatter.width - width - 4
                formatter.write_dl([(word.ljust(width), command.get_short_help_str(limit)) for word, command in known.items()])


def _app() -> typer.Typer:
    together = typer.Typer(
        name="road",
        help="From git push to production on Amazon SageMaker, and the same road whole on one laptop.",
        add_completion=False,
        rich_markup_mode=None,
        cls=Commands,
    )
    for module in dict.fromkeys(module for modules in WHO.values() for module in modules):
        if hasattr(module, "app"):
            together.add_typer(module.app, name=name(module))
        else:
            function = getattr(module, module.__name__.rpartition(".")[2])
            together.command(name(module), context_settings=SETTINGS.get(module))(function)
    return together


app = _app()
