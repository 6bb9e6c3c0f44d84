"""A container that cannot serve, each in its own way: no request reaches it, nobody notices, and the stage says why."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from localcloud.testing.endpoints import canary, configured, described, load, measured, packed, serving, updated
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until
from pipelines.deployment.pace import Pace
from pipelines.deployment.package import Package
from pipelines.deployment.readback import TakenBack
from pipelines.deployment.readback import served as read_back
from pipelines.serving_stack import ServingOutputs

NEVER_HEALTHY = ("sick", "deaf")


@pytest.mark.slow
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
def test_the_new_fleet_never_takes_traffic_and_the_old_one_serves_on(aws: Aws, image: str, name: Name, behaviour: str, why: str) -> None:
    old, broken = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2, BEHAVIOUR=behaviour)
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint, clients=2) as traffic:
        with aws.cloud.impatient() if behaviour in NEVER_HEALTHY else nullcontext():
            updated(aws, endpoint, broken, canary(60))
            state = described(aws, endpoint)
        answered = len(traffic.answers)
        until(lambda: len(traffic.answers) > answered + 20)

    assert (state["EndpointStatus"], state["EndpointConfigName"]) == ("InService", old)
    assert (set(traffic.answers), traffic.failures) == ({"one"}, [])
    assert measured(aws, endpoint, "Invocations", config=broken) == 0
    version = Package(arn="arn:…/2", image=image, data=packed(aws, "two"), status="Approved", approval="")
    outputs = ServingOutputs(
        endpoint_name=endpoint,
        endpoint_config_name=broken,
        model_package=version.arn,
        rollback_alarms="",
        log_group="l",
        capture_bucket="b",
    )
    with pytest.raises(TakenBack, match=rf"serves {old}, not {broken}: the deployment was rolled back: .*{why}") as caught:
        read_back(aws.client("sagemaker"), outputs, version, Pace(poll_seconds=0.02))
    assert not caught.value.same_version
