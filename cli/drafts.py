"""A model that is not written yet: trained as the road would train it, until its gates and its made-up data hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cli import local_training, proposals, scaffold, synthesis
from cli.local_training import Training, Violations
from cli.model_toml import Words
from cli.problem import Problem
from cli.profiles import Profile
from cli.proposals import Gates
from config import Config
from paved_runtime import spec
from stacks import layout

ROWS, SEED = 20_000, 7  # of the made-up data set: what `road demo` makes
ATTEMPTS = 5
EASIER, EASIEST = 0.02, 0.99  # of the headline: how much better the made-up outcome can be told, to begin with, and at most


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A model's name and words, and a folder in which it may be tried."""

    name: str
    words: Words
    config: Config
    place: Path

    def check(self, profile: Profile) -> None:
        """Whether a model may have this name and these words, beside the models that there are. Raises Problem."""
        folder = self._write(profile, proposals.draft(profile.outcomes))
        try:
            layout.check(self.config, [*spec.load_all(), spec.load(self.name, folder.parent)])
        except ValueError as error:
            own = [line for line in str(error).splitlines() if line.startswith(f"model_code/{self.name}")]
            if own:
                raise Problem(f"model {self.name}", "; ".join(own), "choose another", code=2) from error

    def gates(self, profile: Profile) -> tuple[Profile, Gates]:
        """Gates, and the profile without columns that tell the outcome by themselves.

        Raises:
            Problem: no column is left, or together they do not tell the outcome.
        """
        first: list[Training] = []
        try:
            first.append(self._train(profile, proposals.draft(profile.outcomes), seed=0))
        except Violations as error:
            profile = _without(profile, proposals.leaks(error, profile.file))
        lenient = replace(
            proposals.draft(profile.outcomes), maximum_column_auc=1, maximum_pair_auc=1
        )  # another split may put a column just above the bound
        trainings = [*first, *(self._train(profile, lenient, seed) for seed in range(len(first), proposals.SPLITS))]
        return profile, proposals.propose(trainings, profile.outcomes, rows=profile.rows)

    def files(self, profile: Profile, gates: Gates) -> tuple[dict[str, str], list[str]]:
        """The model's files, and which of its gates its own made-up data do not pass: none, unless the data are odd.

        The rule by which their outcome follows is made easier until the gates hold, and harder where one column tells too much.
        """
        folder, seen = self._folder(), gates.seen[0]
        contents = scaffold.files(self.name, profile, gates, self.words, config=self.config)
        low, wanted, high = gates.floor, min(seen + EASIER, EASIEST), 1.0
        failed: list[str] = []
        for _ in range(ATTEMPTS):
            columns, outcome = synthesis.rule(profile, wanted)
            contents["synthetic.py"] = scaffold.synthetic(self.name, columns, outcome)
            scaffold.write(folder, contents)
            failed, reached = self._try(folder)
            if not failed:
                break
            if reached is None:
                high, wanted = wanted, (low + wanted) / 2
            else:
                low, wanted = wanted, min(wanted + max(EASIER, seen - reached), (wanted + high) / 2)
        return contents, failed

    def _try(self, folder: Path) -> tuple[list[str], float | None]:
        """What the made-up data do not pass, and the headline that they give; None where they break the contract."""
        try:
            training = local_training.run(folder, self._made_up(folder), self.place / "ml")
        except Violations as error:
            return sorted({check["rule"] for check in error.checks}), None
        headline = spec.HEADLINES[training.evaluation["task"]]
        return sorted({gate["gate"] for gate in training.evaluation["gates"] if gate["passed"] is False}), training.metrics[headline]

    def _train(self, profile: Profile, gates: Gates, seed: int) -> Training:
        return local_training.run(self._write(profile, gates, seed), profile.file, self.place / "ml")

    def _write(self, profile: Profile, gates: Gates, seed: int = 0) -> Path:
        folder = self._folder()
        scaffold.write(folder, scaffold.files(self.name, profile, gates, self.words, config=self.config, seed=seed))
        return folder

    def _folder(self) -> Path:
        return self.place / "model_code" / self.name

    def _made_up(self, folder: Path) -> Path:
        file = self.place / "synthetic.csv"
        program = [sys.executable, str(folder / "synthetic.py"), "--rows", str(ROWS), "--seed", str(SEED), "--out", str(file)]
        subprocess.run(program, check=True)
        return file


def _without(profile: Profile, leaks: Mapping[str, str]) -> Profile:
    left = {name: column for name, column in profile.columns.items() if name not in leaks}
    if not left:
        why = "; ".join(f"{name}: {reason}" for name, reason in leaks.items())
        raise Problem(f"data file {profile.file}", f"no column is left to learn from: {why}", "give it columns that are known in time")
    return replace(profile, columns=left, excluded={**profile.excluded, **leaks})
