"""A fork's first hour: the template as a team clones it, its own accounts, names and model, ours gone, and what it must be able to do."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.data_sets import missing_values, write
from tests.support.fork import Clone
from tests.support.tree import clone

MODEL, TARGET = "loan_default", "default"
HOME, LAB, LIVE = "400000000004", "500000000005", "600000000006"
THREE = (f"dev={LAB}", f"test={LAB}", f"live={LIVE}:approved")  # environments, as `./road init` takes them
TWO = (f"trial={LIVE}", f"prod={LIVE}:approved")
ONE = (f"prod={HOME}",)
OWN = ("tests/fork", "tests/test_docs.py")  # the tests that look at the clone in which they are
NAMES = {"project": "zenith", "region": "us-west-2", "toolchain": HOME, "repository": "zenith/lending", "owner": "ml@zenith.test"}

COPIES = """[serving.prod]
deployment = { policy = "rolling", size_percent = 50, bake_minutes = 3 }

[serving.prod.component]
endpoint = "small"
memory_mb = 1024
cores = 1
copies = 2
"""


@dataclass(frozen=True)
class FirstHour:
    """A fork, and the environments that it chose."""

    fork: Clone
    environments: tuple[str, ...]

    @classmethod
    def begin(cls, fork: Clone, environments: tuple[str, ...], data: Path, *shape: str) -> FirstHour:
        """With names of its own, and a model made of the data set that is written to `data`; `shape` are words of how it is asked."""
        words = [word for name, value in NAMES.items() for word in (f"--{name}", value)]
        fork.road("init", *words, *(word for environment in environments for word in ("--environment", environment)))
        own = f'id="{HOME}", region="{NAMES["region"]}"'
        fork.edit("config.py", own, f"{own}, budget=Budget(monthly_dollars=500)")
        fork.road("exec", "ruff", "format", "--quiet", "config.py")
        fork.road("new-model", MODEL, "--data", str(write(data, missing_values())), "--target", TARGET, *shape)
        fork.commit("our accounts, our model")
        return cls(fork, environments)

    def share(self) -> None:
        """Have the model answer in the last environment from copies of its own on an endpoint that others may share: `[monitoring]`, which
        knows real-time endpoints and batches, goes.
        """
        approved = "approved_only=True"
        shared = 'SharedEndpoint(name="small", instance_type="ml.m5.xlarge", maximum_instances=2)'
        self.fork.edit("config.py", f"{approved})", f"{approved}, shared_endpoints=({shared},))")
        self.fork.road("exec", "ruff", "format", "--quiet", "config.py")
        model = self.fork.home / "model_code" / MODEL / "model.toml"
        before, table, _ = model.read_text().partition("[serving.prod]\n")
        assert table
        model.write_text(before + COPIES)
        self.fork.commit("on an endpoint with others")

    def demonstrate(self) -> None:
        """Its model takes the whole road."""
        told = json.loads(self.fork.road("demo", "--yes", "--json").stdout)

        assert told["endpoint"] == f"zenith-loan-default-{self.environments[-1].partition('=')[0]}"
        assert 0 < told["scored"]["answer"]["predictions"][0]["score"] < 1


def without_models(home: Path) -> Clone:
    """The template as a team clones it to `home`, with the models in it taken out."""
    home.mkdir()
    made = Clone(clone(home))
    for spec in (home / "model_code").glob("*/model.toml"):
        shutil.rmtree(spec.parent)
    return made
