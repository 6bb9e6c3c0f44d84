"""A guarded update goes back by itself, ends in service on the old configuration, and loses nothing outside the canary's share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.sagemaker import deployment_policies, endpoints
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import (
    Json,
    alarm,
    ask,
    canary,
    configured,
    described,
    load,
    measured,
    routing,
    serving,
    updated,
    version,
)
from localcloud.testing.in_process import HOUR, Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until


def describe(aws: Accounts, endpoint: str) -> Json:
    return dict(aws.client("sagemaker").describe_endpoint(EndpointName=endpoint))


def went_back(aws: Accounts, endpoint: str, old: str) -> str:
    """The reason, once an update has been taken back."""
    after = described(aws, endpoint)

    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", old)
    assert "PendingDeploymentSummary" not in after
    assert version(aws, endpoint) == "one"
    return str(after.get("FailureReason"))


@pytest.mark.aws("rollback by alarms, by an instance that dies in the bake, and by the time limit")
def test_a_failing_fleet_is_caught_in_the_canary_and_costs_only_its_share(aws: Accounts, image: str, name: Name) -> None:
    old, bad = configured(aws, image, name("old"), count=2), configured(aws, image, name("bad"), "two", count=2, BEHAVIOUR="broken")
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint) as traffic:
        updated(aws, endpoint, bad, canary(HOUR), alarm(aws, name("a"), endpoint))
        until(lambda: traffic.failures)
        pending = describe(aws, endpoint).get("PendingDeploymentSummary", {})
        went_back(aws, endpoint, old)
        after, answered = len(traffic.failures), len(traffic.answers)
        until(lambda: len(traffic.answers) > answered + 20)

    assert pending["EndpointConfigName"] == bad
    assert pending["ProductionVariants"][0]["VariantStatus"][0]["Status"] in ("ActivatingTraffic", "Baking")
    assert set(traffic.answers) == {"one"}
    assert len(traffic.failures) == after
    until(lambda: measured(aws, endpoint, "Invocation5XXErrors", config=bad) == len(traffic.failures))
    until(lambda: measured(aws, endpoint, "Invocations", config=bad) == len(traffic.failures))
    assert measured(aws, endpoint, "Invocation5XXErrors", config=old) == 0


@pytest.mark.aws("rollback by alarms, by an instance that dies in the bake, and by the time limit")
def test_a_slow_fleet_is_caught_by_its_99th_percentile(aws: Accounts, image: str, name: Name) -> None:
    old, slow = configured(aws, image, name("old"), count=2), configured(aws, image, name("slow"), "two", count=2, BEHAVIOUR="slow")
    endpoint = serving(aws, old, name("e"))
    p99: Json = {"ExtendedStatistic": "p99", "Threshold": 250_000}
    with load(aws, endpoint) as traffic:
        updated(aws, endpoint, slow, canary(HOUR), alarm(aws, name("a"), endpoint, "ModelLatency", **p99))
        went_back(aws, endpoint, old)

    assert not traffic.failures


@pytest.mark.aws("rollback by alarms, by an instance that dies in the bake, and by the time limit")
@pytest.mark.parametrize("behaviour", ["mortal", "tired"])
def test_a_fleet_that_dies_in_the_bake_goes_back(aws: Accounts, image: str, name: Name, behaviour: str) -> None:
    old, new = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2, BEHAVIOUR=behaviour)
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint, clients=2) as traffic:
        updated(aws, endpoint, new, canary(HOUR))
        went_back(aws, endpoint, old)

    until(lambda: measured(aws, endpoint, "Invocation5XXErrors", config=new) == len(traffic.failures))
    assert measured(aws, endpoint, "Invocation5XXErrors", config=old) == 0


@pytest.mark.laptop("the words are localcloud's")
@pytest.mark.parametrize(
    ("behaviour", "why"),
    [("mortal", "variant live is gone: its process ended"), ("tired", "variant live is gone: /ping no longer answers")],
)
def test_why_a_fleet_was_taken_back_is_told(aws: Accounts, image: str, name: Name, behaviour: str, why: str) -> None:
    old, new = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2, BEHAVIOUR=behaviour)
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint, clients=2):
        updated(aws, endpoint, new, canary(HOUR))

        assert why in went_back(aws, endpoint, old)


@pytest.mark.aws("rollback by alarms, by an instance that dies in the bake, and by the time limit")
def test_an_alarm_that_is_in_alarm_already_stops_the_update_before_it_starts(aws: Accounts, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2)
    endpoint = serving(aws, old, name("e"))
    guard = alarm(aws, name("a"), endpoint, Period=86400, TreatMissingData="ignore")
    aws.client("cloudwatch").set_alarm_state(AlarmName=guard, StateValue="ALARM", StateReason="by hand")
    updated(aws, endpoint, new, canary(60), guard)
    went_back(aws, endpoint, old)

    assert measured(aws, endpoint, "Invocations", config=new) == 0


@pytest.mark.laptop("looks at instances, whose requests wait for a file")
def test_an_alarm_in_the_last_bake_brings_everything_back(aws: Aws, image: str, name: Name, tmp_path: Path) -> None:
    """The new fleet goes only when it has answered what it began."""
    old, new = configured(aws, image, name("old")), configured(aws, image, name("new"), "two")
    endpoint = serving(aws, old, name("e"))
    guard, go = alarm(aws, name("a"), endpoint, Period=86400), tmp_path / "go"
    updated(aws, endpoint, new, routing("ALL_AT_ONCE", HOUR), guard)
    until(lambda: version(aws, endpoint) == "two")
    (instance,) = endpoints.find(ACCOUNT, REGION, endpoint).shares[0][0].variants["live"].instances
    with load(aws, endpoint, body=f"hold {go}") as traffic:
        until(lambda: instance.busy)
        aws.client("cloudwatch").set_alarm_state(AlarmName=guard, StateValue="ALARM", StateReason="by hand")
        until(lambda: describe(aws, endpoint)["EndpointStatus"] == "RollingBack")
        go.touch()
        assert f"[{name('a')}]" in went_back(aws, endpoint, old)

    assert not traffic.failures
    assert "two" in traffic.answers


@pytest.mark.laptop("the patience of localcloud is cut short")
@pytest.mark.slow
def test_an_update_that_takes_too_long_goes_back(aws: Aws, image: str, name: Name) -> None:
    """Its containers would have an hour to become healthy."""
    old, new = configured(aws, image, name("old")), configured(aws, image, name("new"), "two", patience=3600, BEHAVIOUR="sick")
    endpoint = serving(aws, old, name("e"))
    policy = routing("ALL_AT_ONCE", 0)
    policy["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    with aws.cloud.impatient():
        updated(aws, endpoint, new, policy)
        assert "longer than its MaximumExecutionTimeoutInSeconds of 600" in went_back(aws, endpoint, old)


@pytest.mark.aws("deployments: all at once, canary, linear, rolling")
def test_without_alarms_a_failing_fleet_takes_over(aws: Accounts, image: str, name: Name) -> None:
    old, bad = configured(aws, image, name("old"), count=2), configured(aws, image, name("bad"), "two", count=2, BEHAVIOUR="broken")
    endpoint = serving(aws, old, name("e"))
    alarm(aws, name("a"), endpoint)
    with load(aws, endpoint, clients=2):
        updated(aws, endpoint, bad, canary(60))
        after = described(aws, endpoint)

    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", bad)
    assert "FailureReason" not in after


@pytest.mark.aws("deployments: all at once, canary, linear, rolling")
def test_a_request_that_was_begun_is_answered_by_the_fleet_that_goes(aws: Accounts, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old")), configured(aws, image, name("new"), "two")
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint, body="slow") as traffic:
        for config in (new, old, new):
            updated(aws, endpoint, config, routing("ALL_AT_ONCE", 0))
            described(aws, endpoint)

    assert not traffic.failures
    assert {"one", "two"} <= set(traffic.answers)


@pytest.mark.aws("deployments: all at once, canary, linear, rolling")
def test_a_linear_shift_under_quiet_alarms_arrives(aws: Accounts, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2)
    endpoint = serving(aws, old, name("e"))
    policy = routing("LINEAR", 60, LinearStepSize={"Type": "INSTANCE_COUNT", "Value": 1})
    with load(aws, endpoint, clients=2) as traffic:
        updated(aws, endpoint, new, policy, alarm(aws, name("a"), endpoint))
        assert described(aws, endpoint)["EndpointConfigName"] == new

    assert not traffic.failures
    assert describe(aws, endpoint)["LastDeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"] == [{"AlarmName": name("a")}]


def blue_green(**members: Any) -> Json:
    policy = canary(60)
    policy["BlueGreenUpdatePolicy"] |= members
    return policy


def batch(percent: int, **members: Any) -> Json:
    size = {"Type": "CAPACITY_PERCENT", "Value": percent}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 60, **members}}


def guards(count: int) -> Json:
    return {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"a{n}"} for n in range(count)]}}


@pytest.mark.laptop("a function of localcloud, and its words")
@pytest.mark.parametrize(
    ("config", "count", "said"),
    [
        (canary(60, 60), 2, "CanarySize is 60% of 2 instance.s.: CANARY accepts up to 50% of at least 2"),
        (canary(60, 50), 1, "of at least 2 instances"),
        (routing("CANARY", 60), 2, "CanarySize is needed"),
        (routing("CANARY", 60, CanarySize={"Type": "INSTANCE_COUNT", "Value": 2}), 3, "CanarySize is 67%"),
        (routing("LINEAR", 60, LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 5}), 20, "LINEAR accepts 10% to 50%"),
        (batch(4), 50, "ROLLING accepts 5% to 50%"),
        (batch(20, MaximumExecutionTimeoutInSeconds=300), 4, "must be between 600 and 28800"),
        (canary(3601), 2, "must be between 0 and 3600"),
        (blue_green(TerminationWaitInSeconds=3601), 2, "must be between 0 and 3600"),
        (blue_green(MaximumExecutionTimeoutInSeconds=599), 2, "must be between 600 and 28800"),
        (blue_green(MaximumExecutionTimeoutInSeconds=29000), 2, "must be between 600 and 28800"),
        (blue_green(MaximumExecutionTimeoutInSeconds=600, TerminationWaitInSeconds=480), 2, "must be greater than the 600 seconds"),
        (canary(60) | batch(20), 4, "only one of"),
        (
            {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"a{n}"} for n in range(11)]}},
            2,
            "Value 11 at .* must be between 1 and 10",
        ),
        ({"AutoRollbackConfiguration": {"Alarms": []}}, 2, "Value 0 at"),
    ],
)
def test_what_sagemaker_refuses_is_refused(config: Json, count: int, said: str) -> None:
    with pytest.raises(Exception, match=said):
        deployment_policies.read(config, {"live": count})


@pytest.mark.aws("deployments: all at once, canary, linear, rolling")
def test_names_that_do_not_fit_are_refused(aws: Accounts, image: str, name: Name) -> None:
    old = configured(aws, image, name("old"), count=2)
    variant = {"VariantName": "other", "ModelName": old, "InitialInstanceCount": 2, "InstanceType": "ml.m5.large"}
    aws.client("sagemaker").create_endpoint_config(EndpointConfigName=name("other"), ProductionVariants=[variant])
    endpoint = serving(aws, old, name("e"))
    with pytest.raises(ClientError, match="ValidationException"):
        updated(aws, endpoint, old, canary(60), name("nobody"))
    with pytest.raises(ClientError, match="ValidationException"):
        updated(aws, endpoint, name("other"), canary(60))
    aws.client("sagemaker").delete_endpoint_config(EndpointConfigName=old)
    with pytest.raises(ClientError, match=r"ValidationException.*Could not find endpoint configuration"):
        updated(aws, endpoint, name("other"), {})


@pytest.mark.laptop("the words are localcloud's")
def test_names_that_do_not_fit_are_told(aws: Accounts, image: str, name: Name) -> None:
    old = configured(aws, image, name("old"), count=2)
    variant = {"VariantName": "other", "ModelName": old, "InitialInstanceCount": 2, "InstanceType": "ml.m5.large"}
    aws.client("sagemaker").create_endpoint_config(EndpointConfigName=name("other"), ProductionVariants=[variant])
    endpoint = serving(aws, old, name("e"))
    with pytest.raises(ClientError, match=r"Could not find the alarm\(s\) nobody"):
        updated(aws, endpoint, old, canary(60), "nobody")
    with pytest.raises(ClientError, match="keeps the variants' names"):
        updated(aws, endpoint, name("other"), canary(60))


@pytest.mark.aws("rollback by alarms, by an instance that dies in the bake, and by the time limit")
def test_who_updates_must_be_allowed_to_see_the_alarms(cloud: Accounts, name: Name) -> None:
    """The endpoint need not exist, for permissions come first."""
    here, wanted = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}", {"EndpointName": name("e"), "EndpointConfigName": name("c")}
    on = [f"{here}:endpoint/{name('e')}", f"{here}:endpoint-config/{name('c')}"]
    account = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    role = cloud.role(name("updater"), trusts=account, allows=[{"Action": "sagemaker:UpdateEndpoint", "Resource": on}])
    client = cloud.client("sagemaker", **cloud.assume(role))
    with pytest.raises(ClientError, match="Could not find endpoint"):
        client.update_endpoint(**wanted)
    with pytest.raises(ClientError, match=r"not authorized to perform: cloudwatch:DescribeAlarms on resource: .*:alarm:a0"):
        client.update_endpoint(**wanted, DeploymentConfig=guards(1))


@pytest.mark.laptop("looks at processes")
def test_deleting_in_a_bake_ends_it(aws: Aws, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2)
    endpoint = serving(aws, old, name("e"))
    updated(aws, endpoint, new, canary(HOUR))
    held = endpoints.find(ACCOUNT, REGION, endpoint)
    until(lambda: len(held.shares) == 2)
    instances = [i for fleet, _ in held.shares for v in fleet.every for i in v.instances]
    held.delete()

    assert [i.pid for i in instances] == [None] * 4


@pytest.mark.aws("CPU, memory and disk of instances")
def test_instances_are_measured(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    about = {"Namespace": "/aws/sagemaker/Endpoints", "Period": 60, "Threshold": 0, "TreatMissingData": "missing"}
    names = [alarm(aws, name(metric), endpoint, metric, **about) for metric in ("CPUUtilization", "MemoryUtilization", "DiskUtilization")]

    def went_into_alarm(name: str) -> bool:
        ask(aws, endpoint)
        changes = aws.client("cloudwatch").describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
        return any(change["HistorySummary"].endswith("to ALARM") for change in changes)

    until(lambda: all(went_into_alarm(name) for name in names))
    until(lambda: measured(aws, endpoint, "ConcurrentRequestsPerModel", statistic="Maximum") == 1)
    until(lambda: measured(aws, endpoint, "ConcurrentRequestsPerModel", statistic="Minimum") == 0)
    until(lambda: measured(aws, endpoint, "InvocationsPerInstance") == measured(aws, endpoint, "Invocations"))
