"""The hyperparameters of networks, each with a value for where `model.toml` gives none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from paved_runtime.plugin import Hyperparameters, Monotone


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a network looks, and how it learns.

    `hidden` are the sizes of its hidden layers, `dropout` the share of their outputs that a step leaves out. AdamW takes steps of
    `batch_size` rows, over all machines together, with `learning_rate` and `weight_decay`, for `epochs` passes at most: fewer when
    validation does not get better for `patience` of them. A checkpoint is left every `checkpoint_steps` steps. `seed` decides all that is
    drawn.
    """

    hidden: str = "64,64"
    dropout: float = 0.1
    batch_size: int = 256
    learning_rate: float = 0.001
    weight_decay: float = 0.01
    epochs: int = 100
    patience: int = 10
    checkpoint_steps: int = 500
    seed: int = 0

    @classmethod
    def of(cls, hyperparameters: Hyperparameters) -> Settings:
        """Those of `model.toml`.

        Raises:
            ValueError: one has another name, or a value with which nothing can be learnt.
        """
        kinds: Mapping[str, type] = {field.name: type(field.default) for field in fields(cls)}
        if unknown := sorted(set(hyperparameters) - set(kinds)):
            raise ValueError(f"hyperparameter {unknown[0]!r} is none of a network's, which are {', '.join(kinds)}")
        settings = cls(**{name: _typed(name, value, kinds[name]) for name, value in hyperparameters.items()})  # type: ignore[arg-type]
        for name in ("batch_size", "learning_rate", "epochs", "patience", "checkpoint_steps"):
            if not getattr(settings, name) > 0:
                raise ValueError(f"hyperparameter {name!r}: found {getattr(settings, name)}; accepted is a number above 0")
        if not 0 <= settings.dropout < 1:
            raise ValueError(f"hyperparameter 'dropout': found {settings.dropout}; accepted is a share from 0 to below 1")
        if not all(size > 0 for size in settings.layers):
            raise ValueError(f"hyperparameter 'hidden': found {settings.hidden!r}; accepted are sizes above 0, such as 64,64")
        return settings

    @property
    def layers(self) -> tuple[int, ...]:
        """The sizes of the hidden layers, from the first to the last; none for a network that is a line."""
        try:
            return tuple(int(size) for size in self.hidden.split(",") if size.strip())
        except ValueError as error:
            raise ValueError(f"hyperparameter 'hidden': found {self.hidden!r}; accepted are sizes such as 64,64") from error


DEFAULTS: Hyperparameters = asdict(Settings())


def refuse_directions(framework: str, monotone: Monotone) -> None:
    """Raise ValueError where a direction is declared: nothing in a network's weights keeps one."""
    if declared := [name for name, direction in monotone.items() if direction]:
        raise ValueError(
            f"{framework} keeps no declared direction, and gates.behaviour.monotone has {declared[0]!r}: "
            "take it out, or choose a framework that keeps it, such as xgboost"
        )


def _typed(name: str, value: float | str, kind: type) -> int | float | str:
    if kind is str:
        return str(value)  # one layer may be written as a number
    if isinstance(value, str) or (kind is int and value != int(value)):
        raise ValueError(f"hyperparameter {name!r}: expected {kind.__name__}, found {value!r}")
    number: int | float = kind(value)
    return number
