"""Made-up rows of the frozen models of other tasks than binary: grades of four classes, and amounts."""

from __future__ import annotations

import numpy as np

MODELS = {"multiclass": "risk_grade", "regression": "claim_amount"}
CLASSES = ("low", "medium", "high", "severe")
REGIONS = ("north", "south", "east")
Row = dict[str, str]


def made(task: str, rows: int, seed: int = 0, *, shift: float = 0.0) -> list[Row]:
    """Rows of a task's model. With `shift`, incomes are higher by so many of their standard deviations."""
    draw = np.random.default_rng(seed)
    income = np.clip(draw.normal(40_000 + shift * 12_000, 12_000, rows), 0, 1_000_000).round(2)
    debt = draw.gamma(2, 5_000, rows).round(2)
    years, region = draw.integers(0, 40, rows), draw.integers(0, 3, rows)
    strength = (income - 40_000) / 12_000 - debt / 10_000 + years / 20 + 0.3 * region
    known = draw.random(rows) > 0.05
    cells = [
        {"income": str(i), "debt": str(d) if k else "", "years": str(y), "region": REGIONS[r]}
        for i, d, k, y, r in zip(income.tolist(), debt.tolist(), known.tolist(), years.tolist(), region.tolist(), strict=True)
    ]
    if task == "multiclass":
        noisy = strength + draw.logistic(0, 0.5, rows)
        grades = np.searchsorted([-1.0, 0.0, 1.0], -noisy)
        return [cell | {"grade": CLASSES[grade]} for cell, grade in zip(cells, grades.tolist(), strict=True)]
    amounts = np.clip(12_000 + 4_000 * strength + draw.normal(0, 3_000, rows), 0, 50_000).round(2)
    return [cell | {"amount": str(amount)} for cell, amount in zip(cells, amounts.tolist(), strict=True)]
