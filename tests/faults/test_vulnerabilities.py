"""An image with a known vulnerability ends in Build, by name: nothing is trained in it.

The repository is as the registry's stack makes it, and the step asks with the role of the stage Build. What a scan finds is put there:
nothing here looks into images.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import naming
from tests.reference import CONFIG, MODEL
from tests.support.delivery_roads import job, lead, steps
from tests.support.production import HOME, IMAGE, Production, running
from tests.support.programs import run_step
from tests.support.scans import finding, put_scan

pytestmark = [pytest.mark.fault("known vulnerability"), pytest.mark.slow]
BUILD = naming.stage_project(CONFIG, MODEL, naming.BUILD)
Pushed = Callable[[str], str]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Iterator[Production]:
    """The model's registry and its road, in front of which no version serves."""
    with running(tmp_path_factory.mktemp("registry"), tree) as made:
        yield made


@pytest.fixture
def pushed(registry: Production, tmp_path: Path) -> Pushed:
    """`pushed(tag)`: the URI, by digest, of an image that was pushed just now and is like no other."""

    def push(tag: str) -> str:
        folder = tmp_path / tag
        shutil.copytree(IMAGE, folder)
        (folder / "program" / "version.txt").write_text(tag)
        return registry.cloud.docker(HOME).image(f"{registry.registry.facts.image_repository}:{tag}", folder)

    return push


def scanned(registry: Production, image: str, report: Path) -> subprocess.CompletedProcess[str]:
    """What the stage's step says of an image."""
    arguments = ("--model", MODEL, "--image-uri", image, "--report", str(report))
    variables = registry.stage_environment(BUILD)
    return run_step(registry.tree, "scan_image", *arguments, url=variables.pop("AWS_ENDPOINT_URL"), **variables)


def put(registry: Production, image: str, *severities: str, status: str = "COMPLETE") -> None:
    """Have the scan of an image find a vulnerability of each severity, CVE-2026-0 first."""
    findings = [finding(f"CVE-2026-{number}", severity, "openssl", "3.0.1") for number, severity in enumerate(severities)]
    put_scan(registry.cloud.state["url"], HOME, *findings, digest=image.partition("@")[2], status=status)


def test_a_critical_one_is_refused_by_name_with_the_way_out(registry: Production, pushed: Pushed, tmp_path: Path) -> None:
    image, report = pushed("critical"), tmp_path / "scan.json"
    put(registry, image, "MEDIUM", "CRITICAL")

    ran = scanned(registry, image, report)

    assert (ran.returncode, ran.stdout.count("\n")) == (1, 1)
    assert ran.stderr.startswith("scan_image: ECR's scan found CVE-2026-1 (CRITICAL, openssl 3.0.1): renew the base (./road base --renew)")
    assert ran.stderr.count("\n") == 1
    assert json.loads(report.read_text())["counts"] == {"CRITICAL": 1, "MEDIUM": 1}


def test_a_lesser_one_is_written_down_and_passes(registry: Production, pushed: Pushed, tmp_path: Path) -> None:
    image, report = pushed("high"), tmp_path / "scan.json"
    put(registry, image, "HIGH")

    ran = scanned(registry, image, report)

    assert ran.returncode == 0, ran.stderr
    assert [(each["id"], each["severity"]) for each in json.loads(report.read_text())["findings"]] == [("CVE-2026-0", "HIGH")]


def test_an_image_that_cannot_be_scanned_is_not_taken_for_a_sound_one(registry: Production, pushed: Pushed, tmp_path: Path) -> None:
    image = pushed("unscannable")
    put(registry, image, status="FAILED")

    ran = scanned(registry, image, tmp_path / "scan.json")

    assert ran.returncode == 1
    assert "ECR's scan: FAILED" in ran.stderr


def test_a_sound_image_passes(registry: Production, pushed: Pushed, tmp_path: Path) -> None:
    """The repository scans on push by itself: nobody asked for this scan."""
    ran = scanned(registry, pushed("sound"), tmp_path / "scan.json")

    assert ran.returncode == 0, ran.stderr
    assert json.loads((tmp_path / "scan.json").read_text())["findings"] == []


def test_nothing_is_made_of_an_image_before_its_scan_was_judged() -> None:
    build, *later = (steps(stage) for stage in lead().jobs)

    assert build.index("build_image") + 1 == build.index("scan_image")
    assert not any("scan_image" in stage for stage in later)
    assert job(lead(), naming.TRAIN).variables["IMAGE_URI"].namespace == naming.BUILD
