"""Declared directions that training cannot keep: better refused than found out by a gate."""

from __future__ import annotations

from paved_runtime.plugin import TrainingRun


def refuse_of_classes(framework: str, run: TrainingRun) -> None:
    """Raise ValueError where a direction is declared of a model of classes: what makes one of them likelier makes the others less so."""
    declared = [name for name, direction in run.monotone.items() if direction]
    if declared and run.task == "multiclass":
        raise ValueError(
            f"{framework} keeps no direction of classes, and gates.behaviour.monotone declares one of {declared[0]!r}: take it out"
        )
