"""Serverless endpoints: containers that start when somebody asks, end when nobody does, and are as few as was said."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from answers import answer
from botocore.exceptions import ClientError
from sagemaker_jobs import logged

from localcloud.sagemaker import endpoints, on_demand, quotas
from localcloud.testing import ACCOUNT, OTHER, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json, alarm, ask, canary, configured, described, measured, routing, serving, updated, version
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

ROW = "serverless endpoints:"


def small(concurrency: int = 2, memory: int = 1024, **more: int) -> Json:
    """A ServerlessConfig."""
    return {"MemorySizeInMB": memory, "MaxConcurrency": concurrency, **more}


def containers(endpoint: str) -> int:
    """How many containers an endpoint has just now."""
    return len(endpoints.find(ACCOUNT, REGION, endpoint).variant("live").instances)


@pytest.mark.aws(ROW)
def test_it_answers_with_its_model_and_says_that_it_is_serverless(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), serverless=small()), name("e"))

    assert ask(aws, endpoint)["model"] == {"version": "one"}
    (variant,) = described(aws, endpoint)["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == small()
    assert "CurrentInstanceCount" not in variant


@pytest.mark.aws(ROW)
def test_a_container_that_cannot_start_fails_the_endpoint(aws: Accounts, image: str, name: Name) -> None:
    failed = described(aws, serving(aws, configured(aws, image, name("c"), serverless=small(), BEHAVIOUR="crash"), name("e")))

    assert failed["EndpointStatus"] == "Failed"


@pytest.mark.laptop("looks at containers; how long an idle one stays is localcloud's")
def test_idle_containers_end_and_the_next_request_waits_for_one_to_start(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), serverless=small()), name("e"))
    first = ask(aws, endpoint)["instance"]
    until(lambda: containers(endpoint) == 0)
    second = ask(aws, endpoint)["instance"]

    assert second != first
    assert measured(aws, endpoint, "ModelSetupTime", statistic="SampleCount") == 1
    assert measured(aws, endpoint, "ModelSetupTime") <= measured(aws, endpoint, "OverheadLatency")


@pytest.mark.laptop("looks at containers")
def test_a_container_that_is_asked_is_not_idle(aws: Aws, image: str, name: Name) -> None:
    """However short its answers are."""
    endpoint = serving(aws, configured(aws, image, name("c"), serverless=small()), name("e"))
    variant = endpoints.find(ACCOUNT, REGION, endpoint).variant("live")
    assert isinstance(variant, on_demand.OnDemand)
    ask(aws, endpoint)
    (before,) = variant.idle_since.values()
    ask(aws, endpoint)

    assert [since > before for since in variant.idle_since.values()] == [True]


@pytest.mark.laptop("looks at containers")
def test_provisioned_containers_stay(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), serverless=small(3, ProvisionedConcurrency=2)), name("e"))
    assert containers(endpoint) == 2
    with ThreadPoolExecutor(3) as pool:
        instances = {each["instance"] for each in pool.map(lambda _: ask(aws, endpoint, "slow"), range(3))}
    until(lambda: containers(endpoint) == 2)

    assert len(instances) == 3
    assert measured(aws, endpoint, "ModelSetupTime", statistic="SampleCount") == 1


@pytest.mark.laptop("requests wait for a file of this machine")
def test_a_container_answers_one_request_at_a_time_and_more_than_allowed_are_throttled(
    aws: Aws, image: str, name: Name, tmp_path: Path
) -> None:
    endpoint, gate = serving(aws, configured(aws, image, name("c"), serverless=small(2)), name("e")), tmp_path / "open"
    variant = endpoints.find(ACCOUNT, REGION, endpoint).variant("live")
    assert isinstance(variant, on_demand.OnDemand)
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(ask, aws, endpoint, f"hold {gate}") for _ in range(2)]
        until(lambda: variant.busy == 1 and not variant.starting)
        with pytest.raises(ClientError, match="ThrottlingException"):
            ask(aws, endpoint)
        gate.touch()
        instances = {each.result()["instance"] for each in held}

    assert len(instances) == 2
    assert ask(aws, endpoint)["instance"] in instances


@pytest.mark.laptop("looks at memory on this machine")
def test_a_container_that_takes_more_memory_than_it_has_is_ended(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), serverless=small()), name("e"))
    before = ask(aws, endpoint, "eat 100")["instance"]
    assert ask(aws, endpoint)["instance"] == before

    answer(ask, aws=aws, endpoint=endpoint, body="eat 1000")

    until(lambda: "took more than the 1024 MB" in " ".join(logged(aws, f"/aws/sagemaker/Endpoints/{endpoint}")))
    until(lambda: answer(ask, aws=aws, endpoint=endpoint) == "done")
    assert ask(aws, endpoint)["instance"] != before


@pytest.mark.aws(ROW)
def test_a_payload_over_four_megabytes_is_refused(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), serverless=small()), name("e"))

    assert ask(aws, endpoint, b"x" * 4_000_000)["type"] == "text/csv"
    with pytest.raises(ClientError, match="ValidationError"):
        ask(aws, endpoint, b"x" * 5_000_000)


@pytest.mark.laptop("bakes at the speed of localcloud")
def test_a_version_takes_over_all_at_once_and_alarms_take_it_back(aws: Aws, image: str, name: Name) -> None:
    good, better, bad = (
        configured(aws, image, name(each), each, serverless=small(), BEHAVIOUR="broken" if each == "bad" else "")
        for each in ("good", "better", "bad")
    )
    endpoint = serving(aws, good, name("e"))
    updated(aws, endpoint, better, routing("ALL_AT_ONCE", 1))
    assert described(aws, endpoint)["EndpointConfigName"] == better
    assert version(aws, endpoint) == "better"

    ended = threading.Event()

    def callers() -> None:
        while not ended.is_set():
            answer(ask, aws=aws, endpoint=endpoint)

    errors = alarm(aws, name("errors"), endpoint, Period=10)
    asking = threading.Thread(target=callers)
    asking.start()
    try:
        updated(aws, endpoint, bad, routing("ALL_AT_ONCE", 600), errors)
        after = described(aws, endpoint)
    finally:
        ended.set()
        asking.join()

    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", better)
    assert name("errors") in after["FailureReason"]


@pytest.mark.laptop("the words are localcloud's")
def test_it_is_moved_neither_in_parts_nor_from_instances(aws: Aws, image: str, name: Name) -> None:
    serverless, other = (configured(aws, image, name(each), serverless=small()) for each in ("c", "d"))
    instances = configured(aws, image, name("i"))
    endpoint, fleet = serving(aws, serverless, name("e")), serving(aws, instances, name("f"))

    with pytest.raises(ClientError, match="at least 2 instances"):
        updated(aws, endpoint, other, canary(10))
    with pytest.raises(ClientError, match="from instances to serverless"):
        aws.client("sagemaker").update_endpoint(EndpointName=fleet, EndpointConfigName=serverless)
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=instances)
    assert "CurrentInstanceCount" in described(aws, endpoint)["ProductionVariants"][0]


@pytest.mark.laptop("the words are localcloud's, but for those about the image")
@pytest.mark.parametrize(
    ("variant", "config", "said"),
    [
        ({"ServerlessConfig": small(memory=1536)}, {}, "MemorySizeInMB"),
        ({"ServerlessConfig": small(2, ProvisionedConcurrency=3)}, {}, "more than MaxConcurrency"),
        ({"InstanceType": "ml.m5.large"}, {}, "only one of them"),
        ({}, {"DataCaptureConfig": {"EnableCapture": True}}, "DataCaptureConfig is not supported"),
        ({}, {"ShadowProductionVariants": [{"VariantName": "shadow"}]}, "no shadow"),
    ],
)
def test_what_serverless_endpoints_have_not_is_refused(aws: Aws, image: str, name: Name, variant: Json, config: Json, said: str) -> None:
    sagemaker, role = aws.client("sagemaker"), aws.worker()
    sagemaker.create_model(ModelName=name("m"), ExecutionRoleArn=role, PrimaryContainer={"Image": image})
    declared = {"VariantName": "live", "ModelName": name("m"), "ServerlessConfig": small(), **variant}
    more = {**config}
    if capture := more.get("DataCaptureConfig"):
        needed = {"InitialSamplingPercentage": 1, "DestinationS3Uri": "s3://bucket/capture", "CaptureOptions": [{"CaptureMode": "Input"}]}
        more["DataCaptureConfig"] = {**needed, **capture}
    if shadows := more.get("ShadowProductionVariants"):
        more["ShadowProductionVariants"] = [{**declared, **shadows[0]}]

    with pytest.raises(ClientError, match=said):
        sagemaker.create_endpoint_config(EndpointConfigName=name("c"), ProductionVariants=[declared], **more)


@pytest.mark.laptop("the words are localcloud's, but for those about the image")
def test_models_of_isolated_containers_and_images_of_other_accounts_are_refused(aws: Aws, image: str, name: Name) -> None:
    sagemaker, variant = aws.client("sagemaker"), {"VariantName": "live", "ServerlessConfig": small()}
    foreign = image.replace(ACCOUNT, OTHER)
    for model, container, isolated in ((name("i"), image, True), (name("f"), foreign, False)):
        sagemaker.create_model(
            ModelName=model, ExecutionRoleArn=aws.worker(), PrimaryContainer={"Image": container}, EnableNetworkIsolation=isolated
        )

    for model, said in ((name("i"), "EnableNetworkIsolation is not supported"), (name("f"), "within the same AWS account")):
        with pytest.raises(ClientError, match=said):
            sagemaker.create_endpoint_config(EndpointConfigName=name("c"), ProductionVariants=[{**variant, "ModelName": model}])


@pytest.mark.laptop("the quota is this test's")
def test_all_endpoints_share_so_many_requests_at_a_time(aws: Aws, image: str, name: Name) -> None:
    config, more = (configured(aws, image, name(each), serverless=small(2)) for each in ("c", "d"))
    endpoint = serving(aws, config, name("e"))
    used = endpoints.concurrency(ACCOUNT, REGION)
    aws.cloud.quotas[quotas.CONCURRENCY] = used + 1
    try:
        with pytest.raises(ClientError, match=rf"'{quotas.CONCURRENCY}' is {used + 1} .* request delta of 2 "):
            aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=more)
    finally:
        del aws.cloud.quotas[quotas.CONCURRENCY]
