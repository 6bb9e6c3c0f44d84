"""The evidence page in a real browser, as a phone, a desk and a printer show it. Without a browser these tests fail."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from paved_runtime.spec import Data
from pipelines.evidence import page
from tests.browser import chromium
from tests.browser.chromium import Browser, Page
from tests.reference import MODEL
from tests.support import sample, task_samples
from tests.support.pages import HOSTILE, SECTIONS, UNREADABLE, approved, hostile, usual

PHONE, DESK = (390, 844), (1280, 900)
SHAPES = """[...document.querySelectorAll("main > section, .plot")].map(part => {
    const { width, height, left, right } = part.getBoundingClientRect();
    return { id: part.id, width, height, left, right };
})"""
SEEN_AT_FIRST = """[...document.querySelectorAll("header *")]
    .filter(part => part.children.length == 0 && part.getBoundingClientRect().bottom < innerHeight)
    .map(part => part.textContent)"""
OVERLAPPING = """[...document.querySelectorAll(".plot")].flatMap(plot => {
    const shared = (a, b) => [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
    const labels = [...plot.querySelectorAll("text")].filter(text => !/^digit/.test(text.textContent));  // some are slanted
    const boxes = labels.map(text => [text.textContent, text.getBoundingClientRect()]);
    const over = ([, a], [, b]) => shared(a, b)[0] > 3 && shared(a, b)[1] > 5;
    return boxes.flatMap((one, i) => boxes.slice(i + 1).filter(other => over(one, other)).map(other => `${one[0]} over ${other[0]}`));
})"""
HIDDEN = '[...document.querySelectorAll("td, th[scope]")].filter(cell => !cell.checkVisibility()).length'
Write = Callable[[str], str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a page; its address."""

    def put(html: str) -> str:
        file = tmp_path / "evidence.html"
        file.write_text(html)
        return file.as_uri()

    return put


def accessibility() -> str:
    """JavaScript that lists what keeps people from reading the page."""
    return (chromium.installed() / "axe.min.js").read_text() + UNREADABLE


def unseen(shown: Page, width: int) -> list[dict[str, Any]]:
    """The sections and plots that have no size, or stick out."""
    return [s for s in shown.run(SHAPES) if min(s["width"], s["height"]) < 30 or s["left"] < 0 or s["right"] > width]


def colours(png: bytes) -> int:
    """How many colours a picture has."""
    return len(Image.open(io.BytesIO(png)).convert("RGB").getcolors(1 << 24) or [])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [PHONE, DESK], ids=["phone", "desk"])
def test_the_page_is_whole_and_readable(browser: Browser, write: Write, width: int, height: int, dark: bool) -> None:
    address = write(approved())
    shown = browser.open(address, width=width, height=height, dark=dark)

    assert shown.run("document.documentElement.scrollWidth") == width
    assert [shape["id"] for shape in shown.run(SHAPES) if shape["id"]] == SECTIONS
    assert unseen(shown, width) == []
    assert colours(shown.screenshot()) > 50
    assert shown.said == []
    assert shown.asked == [address]


DIGITS = tuple(f"digit {number}" for number in range(10))


@pytest.mark.parametrize("data", [task_samples.grades(DIGITS), task_samples.amounts()], ids=["classes", "amounts"])
def test_the_pages_of_other_tasks_are_whole_readable_and_accessible(browser: Browser, write: Write, data: Data) -> None:
    address = write(page.render(task_samples.evidence(data), task_samples.report(data)))
    for width, height in (PHONE, DESK):
        shown = browser.open(address, width=width, height=height, dark=width == PHONE[0])

        assert shown.run("document.documentElement.scrollWidth") == width
        assert [shape["id"] for shape in shown.run(SHAPES) if shape["id"]] == SECTIONS
        assert unseen(shown, width) == []
        assert shown.run(OVERLAPPING) == []
        assert shown.said == []
        assert shown.run(accessibility()) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_accessible(browser: Browser, write: Write, dark: bool) -> None:
    shown = browser.open(write(approved()), width=PHONE[0], height=PHONE[1], dark=dark)
    assert shown.run(accessibility()) == []


def test_the_first_screen_of_a_phone_says_what_must_be_known(browser: Browser, write: Write) -> None:
    shown = browser.open(write(usual()), width=PHONE[0], height=PHONE[1])
    seen = shown.run(SEEN_AT_FIRST)

    facts = (MODEL, "version 7", "Waits for a person's decision", sample.COMMIT[:10], "dana@example.com", "40", "0", "5")
    assert [fact for fact in (*facts, "0.809 (0.794\N{EN DASH}0.825)") if fact not in seen] == []


@pytest.mark.parametrize(("width", "height"), [PHONE, DESK], ids=["phone", "desk"])
def test_hostile_text_neither_runs_nor_breaks_the_page(browser: Browser, write: Write, width: int, height: int) -> None:
    content, long = sample.content(), HOSTILE + "unbroken" * 60
    content |= {"model": long, "purpose": long, "delivery": hostile(content["delivery"])}
    content["commit"] |= {"message": long, "author": long}
    for verdict in content["evaluation"]["gates"]:
        verdict |= {"subject": long, "advice": long, "found": long}
    address = write(page.render(sample.evidence(**content), hostile(sample.report())))
    shown = browser.open(address, width=width, height=height)

    assert shown.run("document.documentElement.scrollWidth") == width
    assert unseen(shown, width) == []
    assert shown.run("document.scripts.length + document.images.length") == 0
    assert shown.said == []
    assert shown.asked == [address]


def test_print_shows_what_the_screen_folds(browser: Browser, write: Write) -> None:
    shown = browser.open(write(usual()), width=700, height=1000)
    assert shown.run(HIDDEN) > 20
    shown.tell("Emulation.setEmulatedMedia", media="print")

    assert shown.run(HIDDEN) == 0
    assert shown.pdf().count(b"/Type /Page\n") in range(5, 15)


def test_a_broken_page_would_be_noticed(browser: Browser, write: Write) -> None:
    broken = """<!doctype html><html><main><section id="gates"><svg class="plot" width="0" height="0"></svg></section></main>
        <p style="width:900px; color:#aaa; background:#bbb">faint</p><img src="missing.png"><script>console.error("no")</script>"""
    address = write(broken)
    shown = browser.open(address, width=PHONE[0], height=PHONE[1])

    assert shown.run("document.documentElement.scrollWidth") > PHONE[0]
    assert len(unseen(shown, PHONE[0])) == 2
    assert {problem.partition(":")[0] for problem in shown.run(accessibility())} >= {
        "color-contrast",
        "html-has-lang",
        "image-alt",
    }
    assert any("no" in line for line in shown.said)
    assert [address.rpartition("/")[2] for address in shown.asked] == ["evidence.html", "missing.png"]
