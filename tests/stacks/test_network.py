"""Networks of accounts, in every layout: all that runs is in them, and a network that is made has no way out but to what is called."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import naming
from cli.deployability import findings
from config import Builds, Config, ExistingNetwork, ManagedNetwork
from stacks.layout import check
from stacks.network import BUILD_SERVICES, FEATURE_STORE, JOB_SERVICES
from tests.reference import CONFIG, MODEL, ROOT
from tests.support.layouts import PRODUCTION, STAGING, Layout, configuration, listed, models, synth
from tests.support.networks import EXISTING, GROUPS, MANAGED, PRIVATE, SUBNETS, with_networks

pytestmark = pytest.mark.laptop("templates alone")

NETWORKS: dict[
    str, tuple[ExistingNetwork | ManagedNetwork, ExistingNetwork | ManagedNetwork]
] = {  # layout → of the toolchain's account, of the environments' accounts
    "three": (MANAGED, MANAGED),
    "two": (EXISTING, MANAGED),
    "one": (EXISTING, EXISTING),
}
CLIENTS = {  # boto3's name → the endpoint's
    "cloudwatch": "monitoring",
    "sagemaker": "sagemaker.api",
    "sagemaker-featurestore-runtime": FEATURE_STORE,  # where there are feature groups
    "sagemaker-runtime": "sagemaker.runtime",
}
ENDPOINT, GROUP, ROLE = "AWS::EC2::VPCEndpoint", "AWS::EC2::SecurityGroup", "AWS::IAM::Role"


@pytest.fixture(scope="module")
def networked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Layout]:
    """Layouts in which all accounts have a network."""
    return {name: synth(with_networks(name, *networks), models()[:1], tmp_path_factory.mktemp(name)) for name, networks in NETWORKS.items()}


@pytest.fixture(params=NETWORKS)
def layout(request: pytest.FixtureRequest, networked: dict[str, Layout]) -> Layout:
    """Each in turn."""
    return networked[request.param]


@pytest.fixture
def three(networked: dict[str, Layout]) -> Layout:
    """The layout whose networks are all made."""
    return networked["three"]


def places(layout: Layout) -> Iterator[tuple[str, dict[str, Any]]]:
    """(stack, VpcConfig) of all that runs: builds, models, and the monitor's jobs."""
    for stack, project in layout.every("AWS::CodeBuild::Project"):
        yield stack, project["VpcConfig"]
    for stack, model in layout.every("AWS::SageMaker::Model"):
        yield stack, model["VpcConfig"]
    for stack, pipeline in layout.every("AWS::SageMaker::Pipeline"):
        text = filled(pipeline["PipelineDefinition"]["PipelineDefinitionBody"])
        for step in json.loads(text)["Steps"]:
            yield stack, step["Arguments"]["NetworkConfig"]["VpcConfig"]


def filled(value: Any) -> str:
    """A text whose parts CloudFormation joins, with a word for each that it looks up."""
    if isinstance(value, str):
        return value
    separator, parts = value["Fn::Join"]
    return str(separator).join(part if isinstance(part, str) else json.dumps(part).replace('"', "'") for part in parts)


def network_stack(layout: Layout, stack: str) -> str | None:
    """The stack that makes the network of a stack's account."""
    return next((name for name in layout.templates if "-Network-" in name and layout.account_of[name] == layout.account_of[stack]), None)


def test_all_that_runs_is_in_the_network_of_its_account(layout: Layout) -> None:
    count = 0
    for stack, place in places(layout):
        count += 1
        if network_stack(layout, stack) is None:
            assert (tuple(place["Subnets"]), tuple(place["SecurityGroupIds"])) == (SUBNETS, GROUPS)
        else:
            assert len(place["Subnets"]) == 2
            assert all("NetworkSubnets" in str(subnet) for subnet in place["Subnets"])
            assert all("NetworkSecurityGroups" in str(group) for group in place["SecurityGroupIds"])
    assert count > 10


def test_builds_name_their_vpc(layout: Layout) -> None:
    for stack, project in layout.every("AWS::CodeBuild::Project"):
        assert project["VpcConfig"]["VpcId"] == ({"Ref": "NetworkVpc"} if network_stack(layout, stack) else EXISTING.vpc_id)


def test_the_registry_tells_training_where_to_run(layout: Layout) -> None:
    registry = naming.registry_stack(CONFIG, MODEL)
    told = {each["Name"]: each["Value"] for each in layout.all(registry, "AWS::SSM::Parameter").values()}
    subnets, groups = (told[naming.parameter(CONFIG, MODEL, fact)] for fact in ("subnets", "security-groups"))

    if network_stack(layout, registry) is None:
        assert (subnets, groups) == (",".join(SUBNETS), ",".join(GROUPS))
    else:
        assert "NetworkSubnets" in str(subnets)
        assert groups == {"Ref": "NetworkSecurityGroups"}


def test_whoever_runs_in_a_network_may_attach_to_it_and_to_no_other(layout: Layout) -> None:
    for stack, role in layout.every(ROLE):
        trusted = str(role["AssumeRolePolicyDocument"])
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
            if "ec2:CreateNetworkInterface" in listed(statement["Action"]):
                others = [each for each in listed(statement["Resource"]) if "network-interface/*" not in str(each)]
                assert others
                assert all(
                    any(each in str(other) for each in (*SUBNETS, *GROUPS, "NetworkSubnets", "NetworkSecurityGroups")) for other in others
                ), stack
        actions = {a for s in role["Policies"][0]["PolicyDocument"]["Statement"] for a in listed(s.get("Action", []))}
        runs = "codebuild.amazonaws.com" in trusted or str(role.get("RoleName", "")).endswith(("-training", "-execution", "-monitoring"))
        assert ("ec2:CreateNetworkInterface" in actions) == runs, role.get("RoleName")


def test_an_account_without_a_network_has_no_vpc_and_no_such_permission(tmp_path_factory: pytest.TempPathFactory) -> None:
    plain = synth(configuration("three"), models()[:1], tmp_path_factory.mktemp("plain"))

    text = json.dumps(plain.templates)
    assert "VpcConfig" not in text
    assert "ec2:" not in text
    assert "-Network-" not in text


def test_a_network_is_made_once_an_account(networked: dict[str, Layout]) -> None:
    made = {name: [stack for stack in layout.templates if "-Network-" in stack] for name, layout in networked.items()}

    title = naming.title(CONFIG)
    assert made["three"] == [f"{title}-Network-{place}" for place in ("production", "staging", "toolchain")]
    assert made["two"] == [f"{title}-Network-{STAGING.name}"]
    assert made["one"] == []


def test_what_is_made_has_no_way_out(three: Layout) -> None:
    kinds = {resource["Type"] for template in three.templates.values() for resource in template["Resources"].values()}

    assert {kind for kind in kinds if kind.startswith("AWS::EC2::")} == {
        "AWS::EC2::FlowLog",
        GROUP,
        f"{GROUP}Egress",
        f"{GROUP}Ingress",
        "AWS::EC2::RouteTable",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        ENDPOINT,
    }
    assert not any(subnet["MapPublicIpOnLaunch"] for _, subnet in three.every("AWS::EC2::Subnet"))


def test_every_service_has_an_endpoint_where_it_is_called(three: Layout) -> None:
    region = CONFIG.toolchain.region

    def endpoints(place: str) -> set[str]:
        stack = f"{naming.title(CONFIG)}-Network-{place}"
        return {each["ServiceName"].removeprefix(f"com.amazonaws.{region}.") for each in three.all(stack, ENDPOINT).values()}

    assert endpoints("toolchain") == {"s3", *BUILD_SERVICES}
    assert endpoints(STAGING.name) == {"s3"}
    assert endpoints(PRODUCTION.name) == {"s3", *JOB_SERVICES}


def called(*folders: str) -> set[str]:
    """The services whose clients are made in these folders, as boto3 calls them: every text handed to what may make a client."""
    services: set[object] = set()
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    services.add(node.args[0].value)
    known = __import__("boto3").Session().get_available_services()
    return {str(service) for service in services if service in known}


def test_endpoints_follow_from_the_clients_that_are_made() -> None:
    """`ecr.dkr` is Docker's; CodeBuild's own agent writes the log."""
    stages = {CLIENTS.get(service, service) for service in called("pipelines")} - {"s3", FEATURE_STORE}

    assert {service.replace("ecr", "ecr.api") for service in stages} == set(BUILD_SERVICES) - {"ecr.dkr", "logs"}


def test_the_monitor_calls_what_it_has_endpoints_for() -> None:
    monitor = (ROOT / "packages/runtime/paved_runtime/monitoring/services.py").read_text()
    (names,) = [
        {element.value for element in node.iter.elts if isinstance(element, ast.Constant)}
        for comprehension in ast.walk(ast.parse(monitor))
        if isinstance(comprehension, ast.DictComp)
        for node in comprehension.generators
        if isinstance(node.iter, ast.Tuple)
    ]

    assert {CLIENTS.get(str(name), str(name)) for name in names} - {"s3"} == set(JOB_SERVICES)


def test_endpoints_answer_to_the_firms_accounts_alone(three: Layout) -> None:
    accounts = sorted(account.id for account in CONFIG.accounts)
    for _, endpoint in three.every(ENDPOINT):
        if endpoint["ServiceName"].endswith(".codepipeline"):
            assert "PolicyDocument" not in endpoint
            continue
        anything, *reads = endpoint["PolicyDocument"]["Statement"]
        key = "aws:ResourceAccount" if endpoint["VpcEndpointType"] == "Gateway" else "aws:PrincipalAccount"
        assert anything["Condition"] == {"StringEquals": {key: accounts}}
        assert [read["Action"] for read in reads] == (["s3:GetObject"] if endpoint["VpcEndpointType"] == "Gateway" else [])


def test_flow_logs_are_encrypted_and_cover_the_vpc(three: Layout) -> None:
    for stack, log in three.every("AWS::EC2::FlowLog"):
        assert (log["ResourceType"], log["TrafficType"]) == ("VPC", "ALL")
        (group,) = three.all(stack, "AWS::Logs::LogGroup").values()
        assert "KmsKeyId" in group
        (key,) = three.all(stack, "AWS::KMS::Key").values()
        assert f"logs.{CONFIG.toolchain.region}.amazonaws.com" in str(key["KeyPolicy"])


def test_zones_and_further_services_are_those_that_are_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    region = CONFIG.toolchain.region
    index = f"com.amazonaws.vpce.{region}.vpce-svc-0a1b2c3d4e5f60001"
    zones = tuple(f"{region}{letter}" for letter in "abc")
    named = ManagedNetwork(cidr="10.9.0.0/22", zones=zones, endpoint_services=(index,))
    config = replace(with_networks("one", named, named), builds=replace(PRIVATE, proxy="http://proxy.acme.test:3128"))
    layout = synth(config, [], tmp_path_factory.mktemp("zones"))

    subnets = {each["AvailabilityZone"]: each["CidrBlock"] for _, each in layout.every("AWS::EC2::Subnet")}
    assert subnets == dict(zip(zones, ("10.9.0.0/24", "10.9.1.0/24", "10.9.2.0/24"), strict=True))
    (other,) = [each for _, each in layout.every(ENDPOINT) if each["ServiceName"] == index]
    assert not other["PrivateDnsEnabled"]
    members = next(group for _, group in layout.every(GROUP) if group["GroupDescription"] == "Builds, jobs and models")
    assert [rule["ToPort"] for rule in members["SecurityGroupEgress"]] == [443, 3128]


def test_nothing_breaks_a_deployability_rule(layout: Layout) -> None:
    broken = {stack: findings(layout.folder / f"{stack}.template.json") for stack in layout.templates}

    assert {stack: rules for stack, rules in broken.items() if rules} == {}


def network(**changes: Any) -> Config:
    return with_networks("one", replace(EXISTING, **changes), EXISTING)


def managed(**changes: Any) -> Config:
    return with_networks("one", ManagedNetwork(**changes), EXISTING)


HERE = f"config.py: account {CONFIG.toolchain.id}: network: "
REGION = CONFIG.toolchain.region


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (network(vpc_id="vpc-1"), f"{HERE}vpc_id: found 'vpc-1'; accepted is vpc- with 8 or 17 hexadecimal digits"),
        (network(subnet_ids=SUBNETS[:1]), f"{HERE}subnet_ids: found 1; accepted are 2 to 16, each once"),
        (network(subnet_ids=SUBNETS[:1] * 2), f"{HERE}subnet_ids: found 2, some of them twice; accepted are 2 to 16, each once"),
        (network(security_group_ids=()), f"{HERE}security_group_ids: found 0; accepted are 1 to 5, each once"),
        (network(security_group_ids=("default",)), f"{HERE}security_group_ids: found 'default'; accepted is sg- with"),
        (managed(cidr="10.0.0.1/20"), f"{HERE}cidr: found '10.0.0.1/20': 10.0.0.1/20 has host bits set; accepted is such as 10.0.0.0/20"),
        (managed(cidr="10.0.0.0/28"), f"{HERE}cidr: found '10.0.0.0/28'; accepted are /16 to /24"),
        (managed(cidr="52.0.0.0/20"), f"{HERE}cidr: found '52.0.0.0/20', which is public"),
        (managed(zones=(f"{REGION}a",)), f"{HERE}zones: found {REGION}a; accepted are 2 at the least"),
        (managed(zones=("us-east-1a", f"{REGION}b")), f"{HERE}zones: found 'us-east-1a'; accepted is a zone of {REGION} such as"),
        (managed(endpoint_services=("pypi.acme.test",)), f"{HERE}endpoint_services: found 'pypi.acme.test'; accepted is a service's name"),
        (
            replace(with_networks("one", EXISTING, EXISTING), toolchain=CONFIG.toolchain),
            f"config.py: account {CONFIG.toolchain.id}: found two networks in {REGION}; accepted is one an account and region",
        ),
        (
            replace(managed(), pull_requests=True),
            "config.py: pull_requests: found True in a managed network, which does not reach the repository's host; accepted is False",
        ),
        (
            replace(managed(), builds=Builds()),
            "config.py: builds: package_index: found none for builds in a managed network, which reach no public one;",
        ),
    ],
)
def test_a_network_that_aws_could_not_have_made_is_refused_in_words(config: Config, problem: str) -> None:
    with pytest.raises(ValueError, match=r"config\.py") as refused:
        check(config, [])

    assert str(refused.value).splitlines()[0].startswith(problem)


def test_networks_of_every_kind_are_accepted_and_hashable() -> None:
    for name, networks in NETWORKS.items():
        check(with_networks(name, *networks), [])
    assert len({EXISTING, MANAGED, ExistingNetwork(**vars(EXISTING))}) == 2
