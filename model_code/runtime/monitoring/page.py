"""What was found as a page for a person: one HTML file without script, font or image from elsewhere, what moved first.

Values of a data set and names of columns were written by somebody else: they are escaped, and what does not print is spelt as a number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from model_code.runtime.monitoring import plots

SPELLED = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}  # control, format, private, surrogate, separators of lines: nothing that prints
NONE = "\N{EN DASH}"
RULES = {
    "minimum_rows": "fewest rows that are judged",
    "false_alarm_rate": "false alarms among windows without change, at most",
    "psi": "population stability index from which a change counts",
    "missing": "rise of the share of empty cells from which it counts",
    "violations": "share of rows that may break the data contract",
    "minimum_labels": "fewest labelled rows that are judged",
    "roc_auc_loss": "loss of ROC AUC that is accepted",
    "calibration_error": "calibration error that is accepted",
}


def render(found: Mapping[str, Any], purpose: str) -> str:
    """The page about one run's monitor.json."""
    content = _legible(found)
    environment = Environment(
        loader=PackageLoader("model_code.runtime.monitoring", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "chance": chance, "count": count, "share": share, "moment": moment}
    columns = content["columns"]
    order = sorted(columns, key=lambda name: (not columns[name]["moved"], -(columns[name]["psi"] or 0.0)))
    judged = [name for name in order if columns[name]["psi"] is not None]
    return environment.get_template("page.html.j2").render(
        m=content,
        purpose=_legible(purpose),
        order=order,
        moved_columns=[name for name in order if columns[name]["moved"]],
        rules=[(RULES[name], value) for name, value in content["rules"].items()],
        shares=plots.shares,
        changes=plots.changes(columns, content["rules"]["psi"]) if judged else None,
        reliability=plots.reliability(content["quality"]["reliability"]) if content["quality"]["reliability"] else None,
    )


def figure(value: float | None) -> str:
    """A measured value, with four digits that count."""
    return NONE if value is None else f"{value:,.4g}".replace("-", "\N{MINUS SIGN}")


def chance(value: float | None) -> str:
    """A p-value; how much smaller than one in ten thousand it is does not matter."""
    return NONE if value is None else "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def count(value: float | None) -> str:
    """A number of things: `45,211`."""
    return NONE if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share in percent: `11.7 %`."""
    return NONE if value is None else f"{100 * value:.1f} %"


def moment(value: str) -> str:
    """A time as people write it.

    >>> moment("2026-11-21T07:31:59Z")
    '21 November 2026, 07:31 UTC'
    """
    time = datetime.fromisoformat(value)
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def legible(text: str) -> str:
    """`text` with every character that does not print spelt as its number.

    >>> legible("a\\u202eb\\x00")
    'a⟨U+202E⟩b⟨U+0000⟩'
    """
    return "".join(f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in SPELLED else c for c in text)


def _legible(value: Any) -> Any:
    match value:
        case str():
            return legible(value)
        case Mapping():
            return {legible(key): _legible(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_legible(inner) for inner in value]
        case _:
            return value
