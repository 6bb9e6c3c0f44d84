"""The commands, put together: a table of who types what, which is also the order of the help."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# A command is a module of cli/commands: its `app`, which has commands of its own, or else its function of the same name.
WHO: dict[str, tuple[str, ...]] = {
    "First steps": ("demo", "init", "new_model", "up", "down", "env"),
    "Data scientist": (
        "train",
        "data",
        "features",
        "push",
        "status",
        "logs",
        "retry",
        "evidence",
        "invoke",
        "batch",
        "labels",
        "traffic",
        "monitor",
    ),
    "Approver and auditor": ("approve", "reject", "rollback", "evidence", "audit"),
    "Platform engineer": ("doctor", "bootstrap", "deploy", "clean", "upgrade"),
    "Contributor": ("check", "test", "lock", "base", "bench", "verify_aws"),
}
MODULES = tuple(dict.fromkeys(module for modules in WHO.values() for module in modules))
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
SETTINGS: dict[str, dict[str, Any]] = {"test": PASSED_ON, "bench": PASSED_ON}


def word(module: str) -> str:
    """What a person types for a module: `new-model` for `new_model`."""
    return module.replace("_", "-")


class Commands(TyperGroup):
    """Help that is ordered by who types a command."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - click's own signature
        """Write each person's commands below a heading."""
        width = max(map(len, self.commands))
        for who, modules in WHO.items():
            with formatter.section(who):
                known = {word(module): self.commands[word(module)] for module in modules}
                limit = formatter.width - width - 4
                formatter.write_dl([(name.ljust(width), command.get_short_help_str(limit)) for name, command in known.items()])


def app(arguments: Sequence[str] = ()) -> typer.Typer:
    """The one command that `arguments` begin with, or all of them: importing them takes longer than most take to run."""
    together = typer.Typer(
        name="road",
        help="From git push to production on Amazon SageMaker, and the same road whole on one laptop.",
        add_completion=False,
        rich_markup_mode=None,
        cls=Commands,
    )
    for name in [module for module in MODULES if [word(module)] == [*arguments[:1]]] or MODULES:
        module = import_module(f"cli.commands.{name}")
        if hasattr(module, "app"):
            together.add_typer(module.app, name=word(name))
        else:
            together.command(word(name), context_settings=SETTINGS.get(name))(getattr(module, name))
    return together
