"""What our pages share: one HTML file without script, font or image from elsewhere, in one look, with one way to write figures.

What a page says was written by somebody else, commit messages and column names included: it is escaped, and characters that would be
invisible or turn a line round are shown by their number.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

SPELLED = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}  # control, format, private, surrogate, separators of lines: nothing that prints
DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
NONE = DASH  # what there is not
LARGE, LARGEST = 9_999.5, 1e12  # measured values between are written whole, and not with a power of ten
SMALL = 10  # measured values below it have three decimals at the least
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def environment(package: str) -> Environment:
    """The templates of a package, which extend `base.html.j2` and have a `page.css` of their own. The filters here are known to them."""
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader("paved_runtime.page", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {word.__name__: word for word in (figure, count, share, moment)}
    return templates


def figure(value: float | str | None) -> str:
    """A measured value, with four digits that count; a large one whole.

    >>> figure(0.80934612), figure(8), figure("equal"), figure(0.00000012), figure(51234.4)
    ('0.8093', '8', 'equal', '1.2·10⁻⁷', '51,234')
    """
    if not isinstance(value, float):
        return NONE if value is None else str(value)
    mantissa, _, exponent = (f"{value:,.0f}" if LARGE <= abs(value) < LARGEST else f"{value:,.4g}").partition("e")
    return mantissa.replace("-", MINUS) + (f"·10{str(int(exponent)).translate(RAISED)}" if exponent else "")


def interval(value: float, low: float | None, high: float | None) -> str:
    """A measured value and the range in which it may be, with as many digits as the range lets count; where none is known, the value alone.

    >>> interval(0.808412, 0.800113, 0.816187) == "0.808 (0.800\\N{EN DASH}0.816)", interval(0.8, None, None)
    (True, '0.8')
    >>> interval(2917.9, 2823.2, 3013.2) == "2,918 (2,823\\N{EN DASH}3,013)"
    True
    """
    if low is None or high is None:
        return figure(value)
    least = 3 if max(abs(low), abs(high)) < SMALL else 0
    places = max(least, -math.floor(math.log10((high - low) / 2))) if high > low else 3
    return f"{value:,.{places}f} ({low:,.{places}f}{DASH}{high:,.{places}f})".replace("-", MINUS)


def count(value: float | None) -> str:
    """A number of things: `45,211`."""
    return NONE if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share in percent: `11.7 %`."""
    return NONE if value is None else f"{100 * value:.1f} %"


def moment(value: str) -> str:
    """A time of ISO 8601 as people write it; what is no such time stays as it is.

    >>> moment("2026-11-21T07:31:59Z")
    '21 November 2026, 07:31 UTC'
    """
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return value
    return f"{time.day} {time:%B %Y, %H:%M} {time.tzname() or ''}".strip()


def legible(text: str, *, lines: bool = False) -> str:
    """`text` with every character that does not print spelt as its number; with `lines`, line breaks stay what they are.

    >>> legible("a\\u202eb\\x00")
    'a⟨U+202E⟩b⟨U+0000⟩'
    """
    return "".join(f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in SPELLED and not (lines and c == "\n") else c for c in text)


def legible_json(content: Any, *, lines: bool = False) -> Any:
    """JSON content in which every text is legible, keys too."""
    match content:
        case str():
            return legible(content, lines=lines)
        case Mapping():
            return {legible(key, lines=lines): legible_json(value, lines=lines) for key, value in content.items()}
        case list() | tuple():
            return [legible_json(value, lines=lines) for value in content]
        case _:
            return content
