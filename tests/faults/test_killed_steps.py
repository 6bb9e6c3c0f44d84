"""Every step may be killed anywhere and run again: what comes of it is the same as if nobody had died.

In memory it is tried after each single change that a step makes; with SIGKILL and real processes, at moments that nobody has chosen.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess

import pytest

from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.guard import Guard
from tests.support.fakes import Killed, mortal
from tests.support.production import Production
from tests.support.scene import ERRORS, Scene

pytestmark = pytest.mark.fault("killed in mid-work")


def doomed(scene: Scene, changes: int) -> Guard:
    """A guard that is killed right after so many changes and one more."""
    left = iter([True] * changes)
    return scene.guard(
        s3=mortal(scene.good.s3, left, "put_object"),
        registry=mortal(scene.good.sagemaker, left, "update_model_package"),
        cloudformation=mortal(scene.production, left, "update_stack"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("goes_back", [True, False], ids=["SageMaker went back", "the live check goes back"])
def test_taking_a_version_back_killed_after_each_of_its_changes(scene: Scene, goes_back: bool) -> None:
    outcomes, lines, changes = [], set(), 0
    while True:
        scene.clean()
        scene.deploy(goes_back=goes_back)
        scene.production.loud = dict(ERRORS)
        killed = False
        try:
            scene.step(doomed(scene, changes))
        except Killed:
            killed = True
        except DeploymentError as error:
            lines.add(str(error))
        if killed:
            with pytest.raises(DeploymentError) as caught:
                scene.step(scene.guard())
            lines.add(str(caught.value))
        outcomes.append(scene.outcome)
        if not killed:
            break
        changes += 1

    assert changes == (4 if goes_back else 7), "drawing, facts, signature, registry; and stack, ledger, its signature"
    assert {str(outcome) for outcome in outcomes} == {str(outcomes[0])}
    assert outcomes[0][0] == scene.good.arn
    assert len(lines) == 1


def killed_somewhere(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a step with all it started, after so many seconds; whether it still ran."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_delivery_whose_every_step_is_killed_ends_as_if_none_had_been(production: Production, seed: int) -> None:
    """Each step is killed at a moment of its own, then run again until it ends."""
    draw = random.Random(seed)  # noqa: S311 - the same moments every time
    before, version = production.served(), production.version(score=0.3)
    execution = f"killed-{seed}"
    with production.asked() as asked:
        for arguments, longest in (
            (production.deploy(version, execution), 9.0),
            (production.verify(version, execution), 3.0),
            (production.record(version, execution), 2.0),
        ):
            killed_somewhere(production.step(*arguments), draw.uniform(0.5, longest))
            done = production.run(*arguments)
            assert done.returncode == 0, done.stderr

    assert production.served() == version
    assert production.deployed.previous_model_version == production.model_version(before)
    told = [(entry.action, entry.model_package_arn) for entry in production.ledger if entry.execution == execution]
    assert told == [("deploying", version), ("deployed", version)]
    assert asked["failed"] == 0


@pytest.mark.slow
def test_a_bad_delivery_whose_check_is_killed_is_still_rejected(production: Production) -> None:
    draw = random.Random(7)  # noqa: S311
    before, version = production.served(), production.version(score=0.3, fails=0.5)
    with production.asked():
        production.shift(version)
    killed_somewhere(production.step(*production.verify(version)), draw.uniform(1.0, 3.0))
    first, again = (production.run(*production.verify(version)) for _ in range(2))

    assert (first.returncode, first.stderr) == (1, again.stderr)
    assert "the deployment was rolled back: alarm" in first.stderr.splitlines()[-1]
    assert production.served() == before
    assert production.registered(version)["ModelApprovalStatus"] == "Rejected"
    production.back_in_line()
