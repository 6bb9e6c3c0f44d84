"""What the lead-scoring model looks at: the columns as they are, and the day of the year in a form that knows no New Year's jump."""

from __future__ import annotations

import numpy as np

from paved_runtime.table import Matrix, Table

NAMES = (
    *("age", "job", "marital", "education", "default", "balance", "housing", "loan"),
    *("contact", "day", "month", "campaign", "pdays", "previous", "poutcome"),
    *("day_of_year", "season_sine", "season_cosine"),
)
SOURCES = dict.fromkeys(NAMES[15:], "month")  # a day within its month adds little to them


def _seasons() -> Matrix:
    """day_of_year, season_sine and season_cosine of every month 0-11 and day 0-31: float32 [12, 32, 3]."""
    month, day = np.meshgrid(np.arange(12), np.arange(32), indexing="ij")
    angle = 2 * np.pi * (month * 30.5 + day) / 366
    return np.stack([month * 30.5 + day, np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)


SEASONS = _seasons()


def features(table: Table) -> Matrix:
    """float32 [rows, 18], in the order of NAMES; months count from 0, as `model.toml` lists them."""
    matrix = np.empty((len(table), len(NAMES)), dtype=np.float32)
    matrix[:, :15] = table.values
    matrix[:, 15:] = SEASONS[table["month"].astype(np.intp), table["day"].astype(np.intp)]
    return matrix
