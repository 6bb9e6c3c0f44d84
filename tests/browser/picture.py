"""Takes the picture of an evidence page that docs/ shows: its beginning at a desk and on a phone, and its plots on a phone at night.

./road exec python -m tests.browser.picture PACK/evidence.html docs/evidence.png
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from tests.browser.chromium import Browser, browser

HEIGHT, MARGIN = 900, 36
GROUND = "#d5dae0"
COLOURS = 256


def take(page: Path) -> Image.Image:
    """The screens, side by side."""
    with browser() as running:
        shots = [
            _shot(running, page, 1280, 900),
            _shot(running, page, 390, 844),
            _shot(running, page, 390, 844, at="#ranking .charts", dark=True),
        ]
    width = sum(shot.width for shot in shots) + MARGIN * (len(shots) + 1)
    picture, left = Image.new("RGB", (width, HEIGHT + 2 * MARGIN), GROUND), MARGIN
    for shot in shots:
        picture.paste(shot, (left, MARGIN))
        left += shot.width + MARGIN
    return picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def _shot(running: Browser, page: Path, width: int, height: int, *, at: str = "", dark: bool = False) -> Image.Image:
    shown = running.open(page.resolve().as_uri(), width=width, height=height, dark=dark)
    if at:
        shown.run(f"document.querySelector({at!r}).scrollIntoView({{behavior: 'instant'}})")
    return Image.open(io.BytesIO(shown.screenshot())).convert("RGB").resize((width * HEIGHT // height, HEIGHT), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    take(Path(sys.argv[1])).save(sys.argv[2], optimize=True)
