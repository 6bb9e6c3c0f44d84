"""The accounts of AWS itself that tests run on, where somebody has them run there: what VERIFY_AWS says of them.

Without that variable there are none, and tests run on localcloud.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

VARIABLE = "VERIFY_AWS"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """One run of the tests on accounts.

    `profiles` are the account numbers with the profile of ~/.aws/config that has their credentials, the first the one that most tests
    use. Whatever the run makes has `prefix` in its name and is written to `journal` before it is made; what came of each test goes to
    `results`. Both lie in `folder`. `repository` is where a whole road begins: its `id`, `provider` and `connection`, and the `remote` that
    git pushes to. `pause` is the time between two looks at something that changes by itself, `propagation` the time that IAM has until what
    was written holds everywhere, both in seconds. What is not gone after so many `looks` is taken to stay: endpoints take minutes, and hold
    on to what they use.
    """

    prefix: str
    region: str
    profiles: Mapping[str, str]
    folder: Path
    repository: Mapping[str, str] = field(default_factory=dict)
    pause: float = 5.0
    looks: int = 720
    propagation: float = 15.0

    @classmethod
    def of_environment(cls) -> Self | None:
        """What VERIFY_AWS says; none without it."""
        text = os.environ.get(VARIABLE)
        if not text:
            return None
        content = json.loads(text)
        return cls(**{**content, "folder": Path(content["folder"])})

    def as_environment(self) -> dict[str, str]:
        """The variable by which tests hear of it."""
        return {VARIABLE: json.dumps({**asdict(self), "folder": str(self.folder)})}

    @property
    def accounts(self) -> tuple[str, ...]:
        """The account numbers."""
        return tuple(self.profiles)

    @property
    def journal(self) -> Path:
        """What was made, in order, a line each."""
        return self.folder / "journal.jsonl"

    @property
    def plan(self) -> Path:
        """The tests that were collected, a line each."""
        return self.folder / "plan.jsonl"

    @property
    def results(self) -> Path:
        """What came of each test, a line each."""
        return self.folder / "results.jsonl"


VERIFICATION = Verification.of_environment()


def named(kind: str) -> str:
    """The name of something that tests share, with the prefix of the run where they run on accounts."""
    return f"{VERIFICATION.prefix}-{kind}" if VERIFICATION else kind
