"""Makes a synthetic data set with the columns of the bank-marketing data, so that the road can be driven without the real one.

No row describes a person. Outcomes follow a logistic rule over a few columns plus chance; `duration` is there, as in the real data,
and tells the outcome because it is only known after the call: the contract must drop it. Standard library only.

    python -m model_code.lead_scoring.synthetic --rows 20000 --seed 7 --out data.csv
"""

from __future__ import annotations

import argparse
import csv
import math
import random
from pathlib import Path

HEADER = (
    *("age", "job", "marital", "education", "default", "balance", "housing", "loan", "contact"),
    *("day", "month", "duration", "campaign", "pdays", "previous", "poutcome", "y"),
)
JOBS = {
    "blue-collar": 21, "management": 21, "technician": 17, "admin.": 11, "services": 9, "retired": 5,
    "self-employed": 4, "entrepreneur": 3, "unemployed": 3, "housemaid": 3, "student": 2, "unknown": 1,
}  # fmt: skip
MONTHS = {
    "jan": 3, "feb": 6, "mar": 1, "apr": 6, "may": 30, "jun": 12,
    "jul": 15, "aug": 14, "sep": 1, "oct": 2, "nov": 9, "dec": 1,
}  # fmt: skip
LIFT = {
    "mar": 2.0, "sep": 1.9, "oct": 1.9, "dec": 2.0, "apr": 0.9, "feb": 0.4, "may": -1.0, "jul": -0.6, "jan": -0.7,
    "student": 1.0, "retired": 0.9, "blue-collar": -0.6, "management": 0.3,
    "success": 3.0, "failure": 0.2, "other": 0.5,
    "tertiary": 0.5, "primary": -0.4, "single": 0.3, "married": -0.3,
}  # fmt: skip
Cell = int | str


def rows(count: int, seed: int) -> list[tuple[Cell, ...]]:
    """`count` rows in the order of HEADER; the same seed gives the same rows."""
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    return [_row(draw) for _ in range(count)]


def write(file: Path, count: int, seed: int) -> None:
    """Write the data set as CSV with a header."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows(count, seed))


def _row(draw: random.Random) -> tuple[Cell, ...]:
    age = min(95, max(18, round(draw.gammavariate(15, 2.8))))
    job, month = _one(draw, JOBS), _one(draw, MONTHS)
    marital = _one(draw, {"married": 60, "single": 28, "divorced": 12})
    education = _one(draw, {"secondary": 51, "tertiary": 29, "primary": 15, "unknown": 4})
    contact = _one(draw, {"cellular": 65, "unknown": 29, "telephone": 6})
    default, housing, loan = (_one(draw, {"yes": share, "no": 100 - share}) for share in (2, 56, 16))
    balance = round(draw.gauss(0, 150) + draw.lognormvariate(6.3, 1.3))
    day, campaign = draw.randint(1, 31), min(60, 1 + int(draw.expovariate(0.6)))
    pdays, previous, poutcome = _history(draw)
    interest = -1.9 + LIFT.get(month, 0) + LIFT.get(job, 0) + LIFT.get(marital, 0) + LIFT.get(education, 0) + LIFT.get(poutcome, 0)
    interest += {"unknown": -1.5, "cellular": 0.4}.get(contact, 0.0) - 1.0 * (housing == "yes") - 0.7 * (loan == "yes")
    interest += 0.25 * math.log1p(max(balance, 0)) / 3 - 0.12 * min(campaign, 10) + 1.2 * (age > 60)
    bought = draw.random() < 1 / (1 + math.exp(-interest))
    duration = round(draw.lognormvariate(6.1 if bought else 5.0, 0.7))
    features = (age, job, marital, education, default, balance, housing, loan, contact, day, month)
    return (*features, duration, campaign, pdays, previous, poutcome, "yes" if bought else "no")


def _history(draw: random.Random) -> tuple[int, int, str]:
    """Days since an earlier campaign's contact, contacts then, and what came of it."""
    if draw.random() < 0.8:
        return -1, 0, "unknown"
    return draw.randint(20, 400), 1 + int(draw.expovariate(0.5)), _one(draw, {"failure": 60, "other": 22, "success": 18})


def _one(draw: random.Random, weights: dict[str, int]) -> str:
    return draw.choices(list(weights), weights=list(weights.values()))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a synthetic data set with the columns of the bank-marketing data.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write(arguments.out, arguments.rows, arguments.seed)


if __name__ == "__main__":
    main()
