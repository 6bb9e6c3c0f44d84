"""`python -m cli`: runs a command and puts its failure into one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException
from typer.main import get_group

from cli.app import app
from cli.problem import explain, one_line


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0, 1 for a failure, 2 for a command typed wrongly, 130 after Ctrl-C."""
    try:
        code = get_group(app(arguments)).main(args=list(arguments) or ["--help"], prog_name="road", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except TyperException as wrong:
        return _failed(f"{one_line(wrong.format_message()).rstrip('.')}: see ./road --help", wrong.exit_code, arguments)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has seen enough
        return 0
    except Exception as error:
        if (problem := explain(error)) is None:
            raise
        return _failed(str(problem), problem.code, arguments)


def _failed(line: str, code: int, arguments: Sequence[str]) -> int:
    print(f"road: {line}", file=sys.stderr)
    if "--json" in arguments:
        print(json.dumps({"error": line}))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
