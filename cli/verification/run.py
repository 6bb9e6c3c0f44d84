"""One run of the tests on accounts: its folder, which tests there are, the run itself, and the removal of all that it made."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.commands import test
from cli.problem import Problem
from cli.processes import captured, shown
from cli.tree import HERE
from localcloud.testing import removal
from localcloud.testing.verification import Verification

FOLDER = HERE / ".road" / "verify-aws"
SUITES = ("packages/localcloud/tests", "tests/stacks", "tests/e2e")
MINUTES, MINUTES_OF_INSTANCES = 1.0, 15.0  # of a test; an endpoint takes 5 to 20 minutes to start, a job 3 to 8
INSTANCES = 2.0  # that a test which starts some has on average
SETTINGS = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE")  # of the person's, that say where profiles are


@dataclass(frozen=True, kw_only=True)
class Run:
    """A verification with what its programs need of the environment."""

    verification: Verification
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Over the person's own, without AWS's settings."""
        kept = {name: os.environ[name] for name in SETTINGS if name in os.environ}
        return {**kept, **self.variables, **self.verification.as_environment()}

    def plan(self, paths: Sequence[str]) -> list[dict[str, Any]]:
        """The tests: `test`, `row`, `instances`. Raises Problem where they cannot be collected."""
        planned = []
        for suite, mine in test.chosen(list(paths or SUITES)):
            code, printed = captured(suite.command(["--collect-only", "-q", "-m", "aws"], mine), self.environment)
            if code not in (0, test.NOTHING_COLLECTED):
                raise Problem("verify-aws", f"the tests of {suite.name} cannot be collected", printed.strip().splitlines()[-1])
            planned += [json.loads(line) for line in self.verification.plan.read_text(encoding="utf-8").splitlines() if line]
        if not planned:
            raise Problem("verify-aws", f"no test of {', '.join(paths)} describes AWS", "name tests marked @pytest.mark.aws", code=2)
        return planned

    def test(self, paths: Sequence[str], parallel: int) -> int:
        """Run them, shown to the person; pytest's exit code, the worst of them."""
        codes = []
        for suite, mine in test.chosen(list(paths or SUITES)):
            options = ["-m", "aws", "--numprocesses", str(parallel), *test.SPREAD]
            codes.append(shown(suite.command(options, mine), self.environment, aside=True))
        return max(codes)

    def remove(self) -> list[str]:
        """Take away what the run made; what is left, with the reason."""
        kept = dict(os.environ)
        os.environ.update(self.environment)
        try:
            return removal.remove_all(self.verification)
        finally:
            os.environ.clear()
            os.environ.update(kept)

    def results(self) -> list[dict[str, Any]]:
        """What came of each test: `test`, `row`, `outcome`, `seconds`."""
        with suppress(FileNotFoundError):
            return [json.loads(line) for line in self.verification.results.read_text(encoding="utf-8").splitlines()]
        return []


def begin(profiles: Mapping[str, str], region: str, variables: Mapping[str, str] | None = None, **more: Any) -> Run:
    """A new run, with a prefix and a folder that no other has; the folder says what it is, so that another process can end it."""
    prefix = f"va{secrets.token_hex(3)}"
    folder = FOLDER / prefix
    folder.mkdir(parents=True)
    verification = Verification(prefix=prefix, region=region, profiles=dict(profiles), folder=folder, **more)
    (folder / "run.json").write_text(next(iter(verification.as_environment().values())), encoding="utf-8")
    return Run(verification=verification, variables=variables or {})


def find(prefix: str) -> Run:
    """An earlier run. Raises Problem where there is none."""
    file = FOLDER / prefix / "run.json"
    if not file.is_file():
        known = ", ".join(sorted(each.name for each in FOLDER.glob("*") if (each / "run.json").is_file())) or "none"
        raise Problem(f"run {prefix}", f"the runs of this clone are {known}", "name one of them", code=2)
    content = json.loads(file.read_text(encoding="utf-8"))
    return Run(verification=Verification(**{**content, "folder": Path(content["folder"])}))


def estimate(planned: Sequence[Mapping[str, Any]], parallel: int) -> tuple[float, float]:
    """Hours that the run takes, and hours of instances that it pays for."""
    started = sum(bool(each["instances"]) for each in planned)
    minutes = started * MINUTES_OF_INSTANCES + (len(planned) - started) * MINUTES
    return minutes / 60 / parallel, started * MINUTES_OF_INSTANCES / 60 * INSTANCES
