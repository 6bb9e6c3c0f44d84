"""What pre-commit asks before a commit, file by file: no secret, nothing large, and a text ends with a line's end.

`./road check` looks for secrets in the whole tree, too; here one is found before a commit keeps it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli import secrets
from cli.tree import HERE

LARGEST = 512 * 1024  # bytes; the largest lock has 370,000


def problems(root: Path, files: Sequence[str]) -> Iterator[str]:
    """A line about everything that is wrong with `files`, which are paths from `root`."""
    for file in files:
        content = (root / file).read_bytes()
        if len(content) > LARGEST:
            yield f"{file}: it has {len(content):,} bytes, accepted are {LARGEST:,}: data and models belong into their buckets"
        if content and b"\0" not in content and not content.endswith(b"\n"):
            yield f"{file}: its last line does not end: add a line's end"
    yield from (str(finding) for finding in secrets.findings(root) if finding.file in files)


def main(files: Sequence[str]) -> int:
    """1 when something is wrong."""
    wrong = list(problems(HERE, files))
    print("\n".join(wrong), end="\n" if wrong else "")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
