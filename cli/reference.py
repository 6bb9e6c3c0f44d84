"""Writes docs/commands.md from the commands themselves; a test fails when the two differ.

./road exec python -m cli.reference > docs/commands.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_group

from cli.app import WHO, app, word

HEAD = """# Commands

Made by `./road exec python -m cli.reference > docs/commands.md`: do not edit.

Commands speak to localcloud when it runs in this clone, else to the account of your AWS credentials; `--target` overrides.
They can be typed from any folder: a path is meant from there.
What is told on the way goes to standard error, facts go to standard output. A failure is one line
`road: what: why: what to do`, exit code 1 (2 for a command typed wrongly); with `--json` it is also `{"error": "…"}` on standard output.

`./road exec PROGRAM …` runs a program in the project's environment: `./road exec cdk diff`, `./road exec python app.py`.

| environment variable | meaning |
|---|---|
| `PYTHON` | the Python, 3.11 or newer, that makes the environment |
| `ROAD_ENV` | an environment made elsewhere, used when it fits this tree's locks; without it `.road/env` |
| `ROAD_LOCK` | `requirements-stage.lock`: what a stage needs that synthesises nothing, in `.road/stage`; an environment with all will do |
| `ROAD_CLOUD` | the folder of localcloud's state; without it `.road/cloud` |
| `AWS_PROFILE` and what else AWS's tools read | the account, when localcloud is not the target |
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_who(), *(section for typed, command in commands() for section in _section(typed, command))])


def commands() -> Iterator[tuple[str, Any]]:
    """Every command: `("data put", …)`, in the order of the help."""
    yield from _below(get_group(app()), "")


def _below(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield f"{prefix}{name}", command
            yield from _below(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _who() -> Iterator[str]:
    yield "| who types it | commands |\n|---|---|"
    yield from (f"| {who} | {', '.join(f'`{word(module)}`' for module in modules)} |" for who, modules in WHO.items())
    yield ""


def _section(typed: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    rest = ["[PYTEST ARGUMENTS]"] if command.context_settings.get("allow_extra_args") else []
    usage = " ".join(["./road", typed, *(_metavar(a) for a in arguments), *(_needed(o) for o in options if o.required), *rest])
    yield f"## {typed}\n"
    yield f"```sh\n{usage}\n```\n"
    yield f"{command.help}\n"
    if arguments or options:
        yield "| | |\n|---|---|"
        yield from (f"| `{_metavar(a)}` | {a.help} |" for a in arguments)
        yield from (f"| `{_needed(o)}` | {o.help}{_default(o)} |" for o in options)
        yield ""


def _metavar(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).strip("[]") + ("…" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _needed(option: Any) -> str:
    names = ", ".join(sorted(option.opts, key=len, reverse=True))
    return names if option.is_flag else f"{names} {option.metavar.replace('|', ' or ')}"


def _default(option: Any) -> str:
    return "" if option.is_flag or option.default in (None, "") or option.required else f" Default: {option.default}."


if __name__ == "__main__":
    print(reference())
