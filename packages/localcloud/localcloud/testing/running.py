"""A real localcloud process for tests: started as any program starts it, called as any AWS is called. IAM is enforced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import localcloud
from localcloud.core.assumptions import Assumption
from localcloud.testing import ACCOUNT, OTHER, REGION
from localcloud.testing.accounts import Accounts, administrator, keyed
from localcloud.testing.docker import Docker

SOURCE = Path(localcloud.__file__).parents[1]  # so that the process is of this very package, installed or not
ENDS_WITHIN = 120  # seconds
PLENTY = ("*=1000",)  # tests share accounts


class Running(Accounts):
    """`with Running(folder) as cloud:` — ends with the block, or with the test process, however that ends.

    `options` are more of localcloud's own.
    """

    def __init__(
        self,
        root: Path,
        *options: str,
        speed: float = 600,
        accounts: Sequence[str] = (ACCOUNT, OTHER),
        region: str = REGION,
        assumptions: Sequence[Assumption] = (),
        quotas: Sequence[str] = PLENTY,
    ) -> None:
        self.region = region
        argv = [sys.executable, "-m", "localcloud", "--exit-with-parent", "--root", str(root), "--speed", str(speed)]
        argv += ["--accounts", ",".join(accounts), "--region", region, *options]
        argv += [word for assumption in assumptions for word in ("--assume", assumption)]
        argv += [word for quota in quotas for word in ("--quota", quota)]
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env["PYTHONPATH"] = os.pathsep.join([str(SOURCE), *filter(None, [env.get("PYTHONPATH")])])
        self.process = subprocess.Popen(argv, cwd=root.parent, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), line
        self.state: dict[str, Any] = json.loads((root / "cloud.json").read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(ENDS_WITHIN)

    def client(self, service: str, account: str = ACCOUNT, **keys: str) -> Any:
        key = keys or administrator(self.state["accounts"][account])
        return keyed(service, self.region, key, self.state["url"])

    def docker(self, account: str = ACCOUNT) -> Docker:
        """docker, as the account's administrator runs it."""
        return Docker(self.state["url"], self.state["accounts"][account], Path(self.state["root"]) / "images", self.state["containers"])

    def image(self, repository: str, account: str = ACCOUNT) -> str:
        return self.docker(account).image(f"{account}.dkr.ecr.{self.region}.amazonaws.com/{repository}:test")
