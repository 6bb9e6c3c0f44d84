"""`./road demo --story`: from nothing to production, then the world moves and the model follows, on one laptop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser.chromium import browser, installed
from tests.support.fork import Fork
from tests.support.pages import UNREADABLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.laptop("months that pass in minutes")]


def test_the_world_moves_and_the_model_follows(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    clone = Fork(tmp_path / "clone")
    told = json.loads(clone.road("demo", "--story", "--yes", "--json", "--out", str(tmp_path / "pictures")).stdout)
    story = told["story"]
    calm, drift, after = (story["looks"][name] for name in ("calm", "drift", "after"))

    assert [look["drifted"] for look in (calm, drift, after)] == [False, True, False]
    assert [look["skipped"] for look in (calm, drift, after)] == [None, None, None]
    category, number = (text.partition("=")[0] for text in story["shifts"])
    assert {category, number} <= {moved["what"] for moved in drift["moved"]} <= {category, number, "score", "scores"}
    assert calm["model_version"] == drift["model_version"] == told["scored"]["answer"]["model_version"] != after["model_version"]
    assert calm["quality"]["labelled"] > 2000
    assert story["cause"].startswith("drift: ")
    assert story["model_package_arn"].endswith("/2")
    assert story["lost_requests"] == 0 < story["requests"]
    assert [Path(picture).read_bytes()[:4] for picture in story["pictures"]] == [b"\x89PNG"] * 6
    assert not (clone.home / ".road/cloud").exists()
    with browser() as running:
        for width, height in ((390, 844), (1280, 900)):
            page = running.open(Path(drift["page"]).as_uri(), width=width, height=height)
            assert page.run("document.documentElement.scrollWidth") == width
            assert page.run((installed() / "axe.min.js").read_text() + UNREADABLE) == []
            assert f"{category} is distributed differently" in page.run("document.body.innerText")
            assert (page.said, page.asked) == ([], [Path(drift["page"]).as_uri()])
