"""A shadow variant gets copies of production requests; nobody gets its answers, and nothing it does is felt in production."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localcloud.sagemaker import endpoints
from localcloud.sagemaker.shadow import QUEUE
from localcloud.testing import ACCOUNT, LAB, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json, ask, configured, described, load, measured, serving, updated
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

MANY = 1000  # requests: more than wait for a shadow anywhere
CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{LAB}/shadowed",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
}


def with_shadow(aws: Accounts, image: str, name: Name, weight: float = 1.0, behaviour: str = "") -> str:
    """A configuration whose shadow is version two."""
    candidate = configured(aws, image, name("candidate"), "two", BEHAVIOUR=behaviour)
    return configured(aws, image, name("c"), shadow={"ModelName": candidate, "InitialVariantWeight": weight}, capture=CAPTURE)


def captured(aws: Accounts, endpoint: str, variant: str) -> list[Json]:
    listed = aws.client("s3").list_objects_v2(Bucket=LAB, Prefix=f"shadowed/{endpoint}/{variant}/").get("Contents", [])
    bodies = [aws.client("s3").get_object(Bucket=LAB, Key=o["Key"])["Body"].read().decode() for o in listed]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


@pytest.mark.aws("a shadow compared with what serves, promoted or ended")
def test_a_share_of_the_requests_reaches_the_shadow_and_is_captured(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, with_shadow(aws, image, name, 0.5), name("e"))
    answers = [ask(aws, endpoint, f"row {n}", InferenceId=f"id-{n}") for n in range(20)]
    until(lambda: measured(aws, endpoint, "Invocations", variant="shadow") == 10)
    until(lambda: (len(captured(aws, endpoint, "shadow")), len(captured(aws, endpoint, "live"))) == (10, 20))

    assert {(a["model"]["version"], a["variant"]) for a in answers} == {("one", "live")}
    until(lambda: measured(aws, endpoint, "Invocations") == 20)
    until(lambda: measured(aws, endpoint, "ModelLatency", variant="shadow") > 0)
    assert {e["eventMetadata"]["inferenceId"] for e in captured(aws, endpoint, "shadow")} <= {f"id-{n}" for n in range(20)}
    (shadow,) = described(aws, endpoint)["ShadowProductionVariants"]
    assert (shadow["VariantName"], shadow["CurrentWeight"]) == ("shadow", 0.5)


@pytest.mark.aws("a shadow compared with what serves, promoted or ended")
@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["mute", "broken", "mortal"])
def test_what_a_shadow_does_is_not_felt(aws: Accounts, image: str, name: Name, behaviour: str) -> None:
    """A shadow that never answers would hold the first requests for ever, if anybody waited for it; what it cannot take is dropped."""
    endpoint = serving(aws, configured(aws, image, name("plain")), name("e"))
    updated(aws, endpoint, with_shadow(aws, image, name, behaviour=behaviour), {})
    described(aws, endpoint)
    with load(aws, endpoint, clients=8) as traffic:
        until(lambda: len(traffic.answers) > MANY)

    assert not traffic.failures
    assert set(traffic.answers) == {"one"}


@pytest.mark.slow
@pytest.mark.laptop("looks at the queue of a shadow's requests")
def test_what_a_shadow_cannot_take_is_dropped(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, with_shadow(aws, image, name, behaviour="mute"), name("e"))
    with load(aws, endpoint, clients=8) as traffic:
        until(lambda: len(traffic.answers) > QUEUE + 50)
    live = endpoints.find(ACCOUNT, REGION, endpoint).live

    assert live
    assert live.shadow
    assert live.shadow.dropped > 0


@pytest.mark.aws("a shadow compared with what serves, promoted or ended")
def test_one_production_variant_has_one_shadow(aws: Accounts, image: str, name: Name) -> None:
    model = configured(aws, image, name("m"))
    variant = {"VariantName": "a", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    for production, shadows in ((["a"], ["b", "c"]), (["a", "b"], ["c"]), (["a"], ["a"])):
        with pytest.raises(ClientError, match="ValidationException"):
            aws.client("sagemaker").create_endpoint_config(
                EndpointConfigName=name("no"),
                ProductionVariants=[variant | {"VariantName": n} for n in production],
                ShadowProductionVariants=[variant | {"VariantName": n} for n in shadows],
            )
