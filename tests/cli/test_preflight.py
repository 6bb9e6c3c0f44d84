"""What `road doctor` finds on accounts that answer this or that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

import naming
from cli.job_logs import GROUPS
from cli.preflight import bootstrapping, connection, job_logs, leftovers, network, quotas, regions
from cli.preflight.finding import Finding, Verdict, Visit, look
from config import Account, SharedEndpoint
from paved_runtime.spec import Batch, Component, Deployment, Serverless, Serving
from stacks.network import FEATURE_STORE, services
from tests.reference import CONFIG, model
from tests.support import feature_groups
from tests.support.fakes import Fake
from tests.support.networks import EXISTING

HOME, LAST = CONFIG.toolchain, CONFIG.environments[-1].account
MODEL = model()


def refused(code: str, operation: str = "Call") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said AWS"}}, operation)


def fails(code: str) -> Callable[..., Any]:
    def call(**_: object) -> Any:
        raise refused(code)

    return call


def answers(answer: Mapping[str, Any]) -> Callable[..., Any]:
    return lambda **_: answer


def visit(account: Account = HOME, **clients: Fake) -> Visit:
    def make(service: str, /, **_: object) -> Any:
        return clients[service.replace("-", "_")]

    return Visit(config=CONFIG, models=(MODEL,), account=account, clients=make)


def parameter(value: str) -> Callable[..., Any]:
    return answers({"Parameter": {"Value": value}})


def role(*principals: str) -> Callable[..., Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": list(principals)}}
    return answers({"Role": {"AssumeRolePolicyDocument": {"Statement": [statement]}}})


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_a_bootstrap_that_is_there_new_enough_and_trusts() -> None:
    good = visit(LAST, ssm=Fake(get_parameter=parameter("21")), iam=Fake(get_role=role(f"arn:aws:iam::{HOME.id}:root")))
    assert [finding.verdict for finding in look("bootstrap", bootstrapping.check, good)] == [Verdict.RIGHT, Verdict.RIGHT]


@pytest.mark.parametrize("principal", [f"arn:aws:iam::{LAST.id}:root", "*"])
def test_an_environment_that_does_not_trust_the_toolchain_is_named(principal: str) -> None:
    there = visit(LAST, ssm=Fake(get_parameter=parameter("21")), iam=Fake(get_role=role(principal)))
    wrong = look("bootstrap", bootstrapping.check, there)[-1]

    assert wrong.verdict is Verdict.WRONG
    assert naming.bootstrap_role(CONFIG, "deploy", LAST) in wrong.state
    assert f"road bootstrap {LAST.id}" in wrong.advice


def test_the_toolchains_own_account_need_not_trust_itself() -> None:
    assert only(look("bootstrap", bootstrapping.check, visit(ssm=Fake(get_parameter=parameter("21"))))).verdict is Verdict.RIGHT


def test_an_old_bootstrap_is_named() -> None:
    wrong = only(look("bootstrap", bootstrapping.check, visit(ssm=Fake(get_parameter=parameter("6")))))
    assert (wrong.verdict, wrong.state) == (Verdict.WRONG, "version 6, and 8 is needed")


def test_another_qualifier_is_named_where_ours_is_not_there() -> None:
    listed = {"Parameters": [{"Name": "/cdk-bootstrap/firm/version"}]}
    ssm = Fake(get_parameter=fails("ParameterNotFound"), describe_parameters=answers(listed))
    wrong = only(look("bootstrap", bootstrapping.check, visit(ssm=ssm)))

    assert wrong.verdict is Verdict.WRONG
    assert wrong.state.endswith("qualifiers there: firm")


def test_what_may_not_be_asked_is_unknown_in_awss_words() -> None:
    unknown = only(look("bootstrap", bootstrapping.check, visit(ssm=Fake(get_parameter=fails("AccessDeniedException")))))
    assert unknown.verdict is Verdict.UNKNOWN
    assert "AccessDeniedException: said AWS" in unknown.state


@pytest.mark.parametrize(("status", "verdict"), [("AVAILABLE", Verdict.RIGHT), ("PENDING", Verdict.WRONG), ("ERROR", Verdict.WRONG)])
def test_a_connection_is_right_once_it_was_authorised(status: str, verdict: Verdict) -> None:
    told = answers({"Connection": {"ConnectionStatus": status}})
    there = visit(ssm=Fake(get_parameter=parameter("arn:aws:…")), codeconnections=Fake(get_connection=told))
    assert only(look("connection", connection.check, there)).verdict is verdict


def test_a_connection_of_the_firms_own_is_looked_at_without_the_toolchain() -> None:
    arn = f"arn:aws:codeconnections:{HOME.region}:{HOME.id}:connection/0123"
    there = visit(codeconnections=Fake(get_connection=answers({"Connection": {"ConnectionStatus": "PENDING"}})))
    there = replace(there, config=replace(CONFIG, repository=replace(CONFIG.repository, connection=arn)))

    assert f"{arn} is PENDING" in only(look("connection", connection.check, there)).state


def test_a_connection_that_does_not_stand_yet_is_no_fault() -> None:
    there = visit(ssm=Fake(get_parameter=fails("ParameterNotFound")))
    assert only(look("connection", connection.check, there)).verdict is Verdict.UNKNOWN
    assert look("connection", connection.check, visit(LAST)) == []


def service_quotas(applied: Mapping[str, float], defaults: Mapping[str, float]) -> Fake:
    def listed(values: Mapping[str, float]) -> Callable[..., Any]:
        return answers(
            {"Quotas": [{"QuotaName": name, "QuotaCode": f"L-{i}", "Value": value} for i, (name, value) in enumerate(values.items())]}
        )

    return Fake(list_service_quotas=listed(applied), list_aws_default_service_quotas=listed(defaults))


def test_a_quota_must_hold_two_fleets_of_the_largest_size() -> None:
    serving = MODEL.serving[CONFIG.environments[-1].name]
    assert serving.fleet
    most = 2 * max(serving.fleet.instances, serving.maximum_instances or 0)
    name = f"{serving.fleet.instance_type} for endpoint usage"
    others = {quota: 100.0 for quota in quotas.demand(visit(LAST)) if quota != name}

    for value, verdict in ((most, Verdict.RIGHT), (most - 1, Verdict.WRONG)):
        there = visit(LAST, service_quotas=service_quotas({**others, name: value}, {}))
        finding = next(each for each in look("quotas", quotas.check, there) if each.subject == name)
        assert finding.verdict is verdict
    assert f"--desired-value {most}" in finding.advice


def test_a_serverless_endpoint_needs_requests_at_a_time_instead_of_instances() -> None:
    table = Serving(serverless=Serverless(memory_mb=2048, maximum_concurrency=20), deployment=Deployment(policy="all-at-once"))
    served = MODEL.model_copy(update={"serving": {**MODEL.serving, CONFIG.environments[-1].name: table}})
    demand = quotas.demand(replace(visit(LAST), models=(served,)))

    assert demand[quotas.CONCURRENCY] == 40  # those of the old version and the new one
    assert not any(name.endswith("for endpoint usage") for name in demand)


def test_an_endpoint_that_models_share_can_need_all_its_instances() -> None:
    shared = SharedEndpoint(name="small", instance_type="ml.m7i.large", maximum_instances=7)
    there = visit(LAST)
    config = replace(
        there.config, environments=(*there.config.environments[:-1], replace(CONFIG.environments[-1], shared_endpoints=(shared,)))
    )
    table = Serving(component=Component(endpoint="small", memory_mb=512), deployment=Deployment(policy="rolling"))
    served = MODEL.model_copy(update={"serving": {**MODEL.serving, CONFIG.environments[-1].name: table}, "monitoring": None})

    demand = quotas.demand(replace(there, config=config, models=(served,)))
    assert {name: count for name, count in demand.items() if name.endswith("for endpoint usage")} == {"ml.m7i.large for endpoint usage": 7}


def test_the_accounts_own_quota_counts_before_awss_default() -> None:
    name = f"{MODEL.training.instance_type} for training job usage"
    for applied, verdict in ({name: 5.0}, Verdict.RIGHT), ({name: 0.0}, Verdict.WRONG), ({}, Verdict.WRONG):
        there = visit(service_quotas=service_quotas(applied, {name: 0.0}))
        found = {finding.subject: finding.verdict for finding in look("quotas", quotas.check, there)}
        assert found[name] is verdict


def test_spot_instances_have_a_quota_of_their_own() -> None:
    training = MODEL.training.model_copy(update={"spot": True, "instance_count": 3})
    spot = replace(visit(), models=(MODEL.model_copy(update={"training": training}),))
    kind = MODEL.training.instance_type

    assert quotas.demand(spot)[f"{kind} for spot training job usage"] == 3
    assert f"{kind} for training job usage" not in quotas.demand(spot)
    assert quotas.demand(visit())[f"{kind} for training job usage"] == MODEL.training.instance_count


def test_a_quota_that_aws_does_not_list_is_unknown() -> None:
    findings = look("quotas", quotas.check, visit(service_quotas=service_quotas({}, {})))
    assert {finding.verdict for finding in findings} == {Verdict.UNKNOWN}


def test_machines_that_stay_warm_have_a_quota_of_their_own() -> None:
    training = MODEL.training
    warm = MODEL.model_copy(update={"training": training.model_copy(update={"keep_alive_minutes": 10})})
    asked = quotas.demand(replace(visit(), models=(warm,))) - quotas.demand(visit())

    assert asked == {f"{training.instance_type} for training warm pool usage": training.instance_count}


def test_batches_have_a_quota_of_their_own() -> None:
    name = CONFIG.environments[-1].name
    table = MODEL.serving[name].model_copy(update={"batch": Batch(instance_type="ml.c5.xlarge", instances=3)})
    scored = MODEL.model_copy(update={"serving": {**MODEL.serving, name: table}})
    asked = quotas.demand(replace(visit(LAST), models=(scored,))) - quotas.demand(visit(LAST))

    assert asked == {"ml.c5.xlarge for transform job usage": 3, "ml.c5.xlarge for processing job usage": 1}


def test_models_ask_for_instances_together() -> None:
    both = replace(visit(LAST), models=(MODEL, MODEL))
    assert quotas.demand(both) == quotas.demand(visit(LAST)) + quotas.demand(visit(LAST))


@pytest.mark.parametrize(
    ("status", "verdict"), [("opt-in-not-required", Verdict.RIGHT), ("opted-in", Verdict.RIGHT), ("not-opted-in", Verdict.WRONG)]
)
def test_a_region_must_be_switched_on(status: str, verdict: Verdict) -> None:
    ec2 = Fake(describe_regions=answers({"Regions": [{"OptInStatus": status}]}))
    assert only(look("region", regions.check, visit(ec2=ec2))).verdict is verdict


def test_a_region_without_a_service_is_named() -> None:
    ec2 = Fake(describe_regions=answers({"Regions": [{"OptInStatus": "opt-in-not-required"}]}))
    there = replace(
        visit(ec2=ec2), account=replace(HOME, region="eu-nowhere-1"), config=replace(CONFIG, toolchain=replace(HOME, region="eu-nowhere-1"))
    )
    wrong = look("region", regions.check, there)[0]
    assert wrong.verdict is Verdict.WRONG
    assert "sagemaker" in wrong.state


def stacks(**status: str) -> Fake:
    def describe(StackName: str) -> Any:  # noqa: N803 - AWS's own
        if StackName not in status:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": f"Stack {StackName} does not exist"}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": status[StackName]}]}

    return Fake(describe_stacks=describe, describe_stack_events=answers({"StackEvents": []}))


NOTHING = {
    "s3": Fake(head_bucket=fails("404")),
    "ecr": Fake(describe_repositories=fails("RepositoryNotFoundException")),
    "sagemaker": Fake(describe_model_package_group=fails("ValidationException")),
}


@pytest.mark.parametrize(
    ("kept", "days", "verdict", "state"),
    [
        ([{"retentionInDays": 30}], None, Verdict.RIGHT, "for 30 days"),
        ([{"retentionInDays": 30}], 400, Verdict.RIGHT, "for 30 days"),  # as somebody has said
        ([{}], None, Verdict.UNKNOWN, "for ever"),
        ([{}], 400, Verdict.WRONG, "for ever"),
        ([], None, Verdict.UNKNOWN, "not there yet"),
        ([], 400, Verdict.WRONG, "not there yet"),
    ],
)
def test_logs_of_jobs_that_are_kept_for_ever_are_named(kept: list[dict[str, int]], days: int | None, verdict: Verdict, state: str) -> None:
    def groups(logGroupNamePrefix: str) -> Any:  # noqa: N803 - boto3's
        others = {"logGroupName": f"{logGroupNamePrefix}OfOthers", "retentionInDays": 1}
        return {"logGroups": [*({"logGroupName": logGroupNamePrefix, **each} for each in kept), others]}

    there = visit(logs=Fake(describe_log_groups=groups))
    found = look("job logs", job_logs.check, replace(there, config=replace(CONFIG, job_log_days=days)))

    assert [finding.verdict for finding in found] == [verdict] * len(GROUPS)
    assert all(state in finding.state for finding in found)
    assert all(("400" in finding.advice) is (verdict is Verdict.WRONG) for finding in found)


def test_names_that_nobody_has_are_free() -> None:
    findings = look("stacks", leftovers.check, visit(cloudformation=stacks(), **NOTHING))
    assert {finding.verdict for finding in findings} == {Verdict.RIGHT}


def test_what_a_deleted_stack_kept_is_named() -> None:
    there = visit(cloudformation=stacks(), **{**NOTHING, "ecr": Fake(describe_repositories=answers({}))})
    wrong = look("stacks", leftovers.check, there)[-1]
    assert wrong.verdict is Verdict.WRONG
    assert wrong.state.startswith(f"image repository {naming.image_repository(CONFIG, MODEL.name)} is there, and the stack ")


def test_a_bucket_of_somebody_else_is_named() -> None:
    there = visit(cloudformation=stacks(), **{**NOTHING, "s3": Fake(head_bucket=fails("403"))})
    assert [finding.advice for finding in look("stacks", leftovers.check, there) if finding.verdict is Verdict.WRONG] == [
        "choose another `project`"
    ] * 2


def test_a_stack_that_takes_no_update_is_named() -> None:
    registry = naming.registry_stack(CONFIG, MODEL.name)
    there = visit(cloudformation=stacks(**{registry: "UPDATE_ROLLBACK_FAILED"}))
    wrong = only(look("stacks", leftovers.check, there))
    assert wrong.verdict is Verdict.WRONG
    assert registry in wrong.state


VPC, GROUP = EXISTING.vpc_id, EXISTING.security_group_ids[0]
NETWORKED = replace(HOME, network=EXISTING)
OUT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}


def ec2(
    *,
    subnets: int = 2,
    zones: str = "ab",
    vpc: str = VPC,
    groups_in: str = VPC,
    routes: tuple[Mapping[str, str], ...] = (),
    endpoints: Sequence[str] = (),
) -> Fake:
    """A VPC with these subnets, one in each zone, and one route table."""
    known = [
        {"SubnetId": subnet, "VpcId": vpc, "AvailabilityZone": zones[place % len(zones)]}
        for place, subnet in enumerate(EXISTING.subnet_ids[:subnets])
    ]
    named = [{"ServiceName": f"com.amazonaws.{HOME.region}.{service}"} for service in endpoints]
    return Fake(
        describe_subnets=answers({"Subnets": known}),
        describe_security_groups=answers(
            {"SecurityGroups": [{"GroupId": group, "VpcId": groups_in} for group in EXISTING.security_group_ids]}
        ),
        describe_route_tables=answers({"RouteTables": [{"Associations": [{"Main": True}], "Routes": list(routes)}]}),
        describe_vpc_endpoints=answers({"VpcEndpoints": named}),
    )


def networked(**known: Any) -> list[Finding]:
    config = replace(CONFIG, toolchain=NETWORKED)
    return look("network", network.check, replace(visit(NETWORKED, ec2=ec2(**known)), config=config))


def test_an_account_without_a_network_of_its_firm_has_nothing_to_look_at() -> None:
    assert look("network", network.check, visit()) == []


def test_subnets_with_a_way_out_need_no_endpoint() -> None:
    assert only(networked(routes=(OUT,))).verdict is Verdict.RIGHT


def test_subnets_without_a_way_out_need_every_endpoint() -> None:
    needed = ["s3", *services(replace(CONFIG, toolchain=NETWORKED), NETWORKED)]

    assert only(networked(endpoints=needed)).verdict is Verdict.RIGHT
    lacking = only(networked(endpoints=needed[:-1]))
    assert lacking.verdict is Verdict.WRONG
    assert lacking.state.endswith(f"no endpoint of {needed[-1]}")


def test_where_there_are_feature_groups_their_endpoint_is_called_too(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["s3", *services(replace(CONFIG, toolchain=NETWORKED), NETWORKED)]
    monkeypatch.chdir(feature_groups.GROUPS.parents[1])

    assert only(networked(endpoints=needed)).state.endswith(f"no endpoint of {FEATURE_STORE}")


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ({"subnets": 1}, f"there is no subnet {EXISTING.subnet_ids[1]}"),
        ({"vpc": "vpc-0other", "groups_in": VPC}, f"subnets are in vpc-0other, not in {VPC}"),
        ({"zones": "a"}, "every subnet is in the same availability zone"),
        ({"groups_in": "vpc-0other"}, f"security groups {GROUP} are not in {VPC}"),
    ],
)
def test_what_is_wrong_with_a_network_is_named(known: dict[str, Any], state: str) -> None:
    wrong = [finding.state for finding in networked(routes=(OUT,), **known) if finding.verdict is Verdict.WRONG]
    assert wrong == [state]
