"""Long work, shown while it happens: a live line a step on a terminal, one line at each step's end elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.output import narration

MARKS = {"ok": Text("✓", "green"), "failed": Text("✗", "red"), "waiting": Text("?", "yellow")}


@dataclass
class Step:
    """One piece of work. `state` is running, waiting, ok or failed; `seconds` is fixed once it has ended."""

    name: str
    key: str = ""
    state: str = "running"
    note: str = ""
    started: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started if self.seconds is None else self.seconds

    def end(self, state: str = "ok", *, seconds: float | None = None, note: str = "") -> None:
        """Close the step; `seconds` when somebody else has measured it better."""
        self.seconds = self.elapsed if seconds is None else seconds
        self.state, self.note = state, note
        if not narration.is_terminal:
            narration.print(f"{state:<7} {self.name} {self.seconds:.1f} s {note}".rstrip(), markup=False)


class Progress:
    """Use as a context: `with Progress() as progress, progress.step("bootstrap"): …`."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._live = Live(get_renderable=self._table, console=narration, refresh_per_second=8, transient=False)

    def __enter__(self) -> Progress:
        if narration.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for step in self.steps:
            if step.seconds is None:
                step.end("failed")
        if narration.is_terminal:
            self._live.stop()

    def begin(self, name: str, *, key: str = "") -> Step:
        """Show one more step; the caller ends it, and finds it again by its `key`, as steps may have the same name."""
        self.steps.append(Step(name, key))
        return self.steps[-1]

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """A step that lasts as long as the block; it has failed when the block raises."""
        step = self.begin(name)
        try:
            yield step
        except BaseException:
            step.end("failed")
            raise
        if step.seconds is None:
            step.end(note=step.note)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Nothing is drawn while the block asks the person something."""
        if narration.is_terminal:
            self._live.stop()
        yield
        if narration.is_terminal:
            self._live.start()

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for step in self.steps:
            table.add_row(MARKS.get(step.state, step.spinner), Text(step.name), Text(f"{step.elapsed:.1f} s"), Text(step.note, "dim"))
        return table
