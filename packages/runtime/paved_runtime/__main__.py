"""The entry point of every model container: `paved-runtime prepare train evaluate`, `serve`, `monitor` or
`batch-prepare`; and, for people, `check`.

A job's only voice, once its container is gone, is one line in the file that SageMaker reads as the failure's reason.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from paved_runtime import __version__, stop
from paved_runtime.check import check
from paved_runtime.contract import ContractError
from paved_runtime.job import Job, root

COMMANDS = {
    "prepare": "prepare",
    "train": "train",
    "evaluate": "evaluate",
    "search": "search",
    "score": "score",
    "serve": "serving",
    "count": "monitor",
    "monitor": "monitor",
    "batch-prepare": "batch.prepare",
    "batch-collect": "batch.collect",
}
JOBS = tuple(name for name in COMMANDS if name != "serve")
ONCE = ("evaluate",)  # of several hosts, all of which have prepared and trained, the first does it for all
REASON = 1024  # characters that SageMaker keeps
HELP = f"""paved-runtime {__version__}
  paved-runtime check MODEL_FOLDER...      is each model.toml what the contract says?
  paved-runtime COMMAND...                 what a container does, one after the other: {", ".join(COMMANDS)}
The environment says for which model and where: MODEL, MODEL_CODE, ML_ROOT (/opt/ml). Where it has TRIAL_COMMANDS, they are what `train`
alone stands for: SageMaker gives a trial of a hyperparameter search no other argument."""


def program() -> None:
    """The console script. A job that is stopped says so; a server has its own way to end."""
    arguments = _asked(sys.argv[1:], os.environ)
    if set(arguments) & set(JOBS):
        line = f"{' '.join(arguments)}: stopped by SIGTERM before it was done"
        stop.on_stop(lambda: _leave(line, root(os.environ)))
    sys.exit(main(arguments, os.environ))


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run commands one after the other; 0, or 1 after saying in one line what failed."""
    match _asked(arguments, environ):
        case ["check", *folders]:
            return check(folders)
        case ["--help" | "-h" | "--version"]:
            print(HELP)
            return 0
        case commands:
            return _job(commands, environ)


def _asked(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The arguments, or what they stand for in a trial of a search."""
    trial = environ.get("TRIAL_COMMANDS", "").split()
    return trial if trial and list(arguments) == ["train"] else list(arguments)


def _job(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    command = "runtime"
    try:
        programs, job = _programs(arguments), Job.of(environ)
        for command, program in programs.items():
            if command not in ONCE or job.hosts.first:
                program(job)
    except Exception as error:
        _report(error, command, root(environ))
        return 1
    return 0


def _programs(commands: Sequence[str]) -> dict[str, Callable[[Job], None]]:
    """The function of each command. Modules are imported when asked for: a server needs no trainer."""
    if not commands or not set(commands) <= set(COMMANDS):
        raise ValueError(f"expected commands among {', '.join(COMMANDS)}, found {' '.join(commands) or 'none'}")
    return {name: getattr(import_module(f"paved_runtime.{COMMANDS[name]}"), name.replace("-", "_")) for name in commands}


def _report(error: Exception, command: str, folder: Path) -> None:
    """Everything to stderr, for the log; one line for SageMaker."""
    if isinstance(error, ContractError):
        print(error.table(), file=sys.stderr)
    else:
        traceback.print_exception(error)
    _leave(f"{command}: {' '.join(str(error).split()) or type(error).__name__}", folder)


def _leave(line: str, folder: Path) -> None:
    """One line to the failure file, for SageMaker, which has made the folder that it lies in; and to stderr."""
    line = line if len(line) <= REASON else line[: REASON - 1] + "…"
    print(line, file=sys.stderr, flush=True)
    if not folder.is_dir():
        return
    output = folder / "output" / ("message" if (folder / "processing").is_dir() else "failure")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(line + "\n", encoding="utf-8")


if __name__ == "__main__":
    program()
