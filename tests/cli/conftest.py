"""How the tests of cli/ run commands: as a person would, in a process of their own, with a cloud folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.feature_groups import places as places
from tests.support.moto_server import client as client
from tests.support.moto_server import moto as moto
from tests.support.moto_server import server as server
from tests.support.programs import programs as programs
from tests.support.road import Road, road_in
from tests.support.scene import scene as scene
from tests.support.scene import worlds as worlds
from tests.support.world import approved as approved
from tests.support.world import evidence_server as evidence_server
from tests.support.world import staged as staged


@pytest.fixture
def road(tree: Path, tmp_path: Path) -> Iterator[Road]:
    """Runs `road ARGUMENTS` with no AWS credentials and no localcloud but the test's own, which is stopped at the end."""
    run = road_in(tree, tmp_path / "cloud")
    yield run
    if (tmp_path / "cloud").exists():
        run("down")
