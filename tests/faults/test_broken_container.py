"""A container that cannot serve, each in its own way: no request reaches it, nobody notices, and the stage says why."""

from __future__ import annotations

import pytest

from localcloud.sagemaker import fleets
from pipelines.steps.package import Package
from pipelines.steps.readback import TakenBack
from pipelines.steps.readback import served as read_back
from tests.localcloud.serving import Name, canary, configured, described, load, measured, packed, serving, until, updated
from tests.localcloud.support import Aws


@pytest.mark.fault("broken container")
@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("crash", "its process ended; its last lines: cannot read the model"),
        ("hungry", r"its process ended; its last lines: .*MemoryError"),
        ("sick", "/ping did not answer 200 in 2 s"),
        ("deaf", "/ping did not answer 200 in 2 s"),
    ],
)
def test_the_new_fleet_never_takes_traffic_and_the_old_one_serves_on(
    aws: Aws, image: str, name: Name, behaviour: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleets, "LEAST_PATIENCE", 2.0)
    monkeypatch.setattr(fleets, "PATIENCE", 2.0)
    old, broken = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2, BEHAVIOUR=behaviour)
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint, clients=2) as found:
        updated(aws, endpoint, broken, canary(60))
        state = described(aws, endpoint)
        answered = len(found.answers)
        until(lambda: len(found.answers) > answered + 20)

    assert (state["EndpointStatus"], state["EndpointConfigName"]) == ("InService", old)
    assert (set(found.answers), found.failures) == ({"one"}, [])
    assert measured(aws, endpoint, "Invocations", config=broken) == 0
    version = Package(arn="arn:…/2", image=image, data=packed(aws, "two"), status="Approved", approval="")
    outputs = {"EndpointName": endpoint, "EndpointConfigName": broken}
    with pytest.raises(TakenBack, match=rf"serves {old}, not {broken}: the deployment was rolled back: .*{why}") as caught:
        read_back(aws.client("sagemaker"), outputs, version, poll_seconds=0.02)
    assert not caught.value.same_version
