"""Made-up data sets of many shapes, as teams have them: what a new model is written from. No row describes anybody."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

Row = dict[str, object]


def write(file: Path, rows: list[Row]) -> Path:
    """Rows as CSV."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file


def numeric_only(count: int = 3000) -> list[Row]:
    """Measurements, some of them negative or tiny, and a target of numbers."""
    return [_numeric(draw) for draw in _draws("numeric", count)]


def many_categories(count: int = 6000) -> list[Row]:
    """Texts of few and of many values; one of them of too many."""
    regions = [f"region {number}" for number in range(40)]
    codes = [f"code-{number}" for number in range(3000)]

    def row(draw: random.Random) -> Row:
        region, product, channel = draw.choice(regions), draw.choice("ABCDEFGH"), draw.choice(["web", "branch", "phone"])
        interest = (regions.index(region) % 7) / 3 - 1 + (product in "AB") * 1.5 - (channel == "web")
        return {
            "region": region,
            "product": product,
            "channel": channel,
            "campaign": draw.choice(codes),
            "bought": _outcome(draw, interest),
        }

    return [row(draw) for draw in _draws("categories", count)]


def hundred_columns(count: int = 2000) -> list[Row]:
    """A hundred columns, ten of which tell something."""

    def row(draw: random.Random) -> Row:
        values = [draw.gauss(0, 1) for _ in range(100)]
        return {
            **{f"x{number:03}": round(value, 4) for number, value in enumerate(values)},
            "label": int(_happens(draw, sum(values[:10]) / 2 - 1)),
        }

    return [row(draw) for draw in _draws("hundred", count)]


def missing_values(count: int = 4000) -> list[Row]:
    """Cells that are empty, in numbers and in categories, by chance."""

    def row(draw: random.Random) -> Row:
        income, age, job = draw.lognormvariate(10, 0.5), draw.randint(18, 90), draw.choice(["clerk", "nurse", "driver", "none"])
        outcome = _outcome(draw, (income - 24000) / 9000 - (age - 50) / 25 + (job == "nurse") - 1)
        cells: Row = {"income": round(income), "age": age, "job": job}
        return {**{name: "" if draw.random() < 0.15 else cell for name, cell in cells.items()}, "default": outcome}

    return [row(draw) for draw in _draws("missing", count)]


def rare_positives(count: int = 30_000) -> list[Row]:
    """One row in two hundred is positive."""

    def row(draw: random.Random) -> Row:
        amount, hour, foreign = draw.lognormvariate(4, 1), draw.randint(0, 23), int(draw.random() < 0.1)
        suspicion = -8.4 + math.log(amount) / 2 + 2 * foreign + (hour < 5) * 1.5
        return {"amount": round(amount, 2), "hour": hour, "foreign": foreign, "fraud": int(_happens(draw, suspicion))}

    return [row(draw) for draw in _draws("rare", count)]


def small(count: int = 2000) -> list[Row]:
    """Two thousand rows of two outcomes."""

    def row(draw: random.Random) -> Row:
        balance, months, branch = draw.gauss(1000, 800), draw.randint(1, 60), draw.choice(["north", "south", "east"])
        return {
            "balance": round(balance, 2),
            "months": months,
            "branch": branch,
            "churned": _outcome(draw, -balance / 700 + (branch == "east") - months / 40),
        }

    return [row(draw) for draw in _draws("small", count)]


def graded(count: int = 1500) -> list[Row]:
    """The same customers, and which of three offers each took."""
    offers = ["none", "card", "loan"]

    def row(draw: random.Random) -> Row:
        balance, months, branch = draw.gauss(1000, 800), draw.randint(1, 60), draw.choice(["north", "south", "east"])
        interest = -balance / 500 + 2 * (branch == "east") - months / 30 + draw.gauss(2, 0.8)
        place = (interest > -0.5) + (interest > 1.5)
        return {"balance": round(balance, 2), "months": months, "branch": branch, "offer": offers[place]}

    return [row(draw) for draw in _draws("graded", count)]


def spent(count: int = 1500) -> list[Row]:
    """The same customers, and what each spent, in cents."""

    def row(draw: random.Random) -> Row:
        balance, months, branch = draw.gauss(1000, 800), draw.randint(1, 60), draw.choice(["north", "south", "east"])
        amount = 5 + balance / 900 + (branch == "east") - months / 40 + draw.gauss(0, 0.5)
        return {"balance": round(balance, 2), "months": months, "branch": branch, "spent": round(100 * math.exp(amount / 2))}

    return [row(draw) for draw in _draws("spent", count)]


def odd_columns(count: int = 4000) -> list[Row]:
    """What a warehouse exports: identifiers, dates in three forms, a constant, notes, a code of few numbers, and a column that leaks."""

    def row(draw: random.Random, number: int) -> Row:
        grade, income = draw.choice([1, 2, 3, 4, 7]), draw.gauss(50, 15)
        accepted = _happens(draw, grade / 3 - income / 30 + 0.5)
        opened = date(2024, 1, 1) + timedelta(days=draw.randint(0, 700))
        return {
            "customer_id": 900_000 + number * 7,
            "uuid": f"{draw.getrandbits(64):016x}",
            "opened": opened.isoformat(),
            "seen": opened.strftime("%d.%m.%Y"),
            "booked": int(opened.strftime("%Y%m%d")),
            "currency": "EUR",
            "note": " ".join(draw.choice(["late", "good", "call", "again", "next", "week", "asked"]) for _ in range(6)),
            "grade": grade,
            "income (kEUR)": round(income, 1),
            "closing fee": (draw.randint(50, 90) if accepted else 0),
            "accepted": "Y" if accepted else "N",
        }

    return [row(draw, number) for number, draw in enumerate(_draws("odd", count))]


def typed_columns(count: int = 3000) -> list[Row]:
    """Dates as ISO 8601 writes them, some of them missing, booleans as Python writes them, and what somebody noted."""

    def row(draw: random.Random) -> Row:
        opened, active = date(2021, 1, 1) + timedelta(days=draw.randint(0, 1500)), draw.random() < 0.7
        interest = (opened.year - 2023) + active - 1.2
        cells: Row = {"opened": "" if draw.random() < 0.1 else opened.isoformat(), "active": active, "amount": round(draw.gauss(50, 20), 1)}
        cells["note"] = " ".join(draw.choice(["late", "good", "call", "again", "next", "week", "asked"]) for _ in range(6))
        return {**cells, "bought": _outcome(draw, interest)}

    return [row(draw) for draw in _draws("typed", count)]


def quoted(count: int = 3000) -> list[Row]:
    """Names, texts and classes with commas, quotes, apostrophes and letters that are not ASCII."""
    answers = ['"no", never', "später", "it's a yes"]
    towns = ["São Paulo", 'New "Big" York', "Köln, am Rhein", "O'Fallon", "東京"]

    def row(draw: random.Random) -> Row:
        town, größe = draw.choice(towns), draw.randint(1, 400)
        eager = towns.index(town) - größe / 150 + draw.gauss(0, 1)
        return {"town, city": town, "größe": größe, 'say "yes"': answers[(eager > -0.5) + (eager > 1.5)]}

    return [row(draw) for draw in _draws("quoted", count)]


SHAPES: dict[str, tuple[Callable[[], list[Row]], str]] = {
    "numeric_only": (numeric_only, "target"),
    "many_categories": (many_categories, "bought"),
    "hundred_columns": (hundred_columns, "label"),
    "missing_values": (missing_values, "default"),
    "rare_positives": (rare_positives, "fraud"),
    "small": (small, "churned"),
    "odd_columns": (odd_columns, "accepted"),
    "typed_columns": (typed_columns, "bought"),
    "quoted": (quoted, 'say "yes"'),
}


def _numeric(draw: random.Random) -> Row:
    length, width, depth, ratio = draw.gauss(20, 4), draw.gauss(-3, 1), draw.expovariate(900), draw.random()
    target = (length - 20) / 3 - width - 3 + 2 * ratio + draw.gauss(0, 1)
    return {"length": round(length, 3), "width": round(width, 4), "depth": depth, "ratio": round(ratio, 5), "target": round(target, 3)}


def _draws(seed: str, count: int) -> Iterator[random.Random]:
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    return (draw for _ in range(count))


def _outcome(draw: random.Random, log_odds: float) -> str:
    return "yes" if _happens(draw, log_odds) else "no"


def _happens(draw: random.Random, log_odds: float) -> bool:
    return draw.random() < 1 / (1 + math.exp(-log_odds))
