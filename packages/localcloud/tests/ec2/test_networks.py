"""Networks: stacks make them, and jobs, models and builds are attached to what is there, by roles that may attach them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deleted, deploy, reasons
from sagemaker_jobs import processing, training

from localcloud.ec2 import networks
from localcloud.iam import policies
from localcloud.iam.permissions import of_place
from localcloud.testing import ACCOUNT, REGION, REPOSITORY, named
from localcloud.testing.accounts import TRUST, Accounts
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name

HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
MACHINE = {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "aws/codebuild/standard:7.0"}
SPLIT = {"Fn::Split": [",", {"Ref": "Subnets"}]}


def network(name: str) -> Template:
    """A VPC with two subnets, an endpoint of each kind and a flow log, which tells its ids in parameters."""
    vpc, members = {"Ref": "Vpc"}, {"Fn::GetAtt": ["Members", "GroupId"]}
    zones = [{"Fn::Select": [place, {"Fn::GetAZs": ""}]} for place in range(2)]
    subnets = {
        f"Subnet{place}": ("Subnet", {"VpcId": vpc, "CidrBlock": f"10.7.{place}.0/24", "AvailabilityZone": zone})
        for place, zone in enumerate(zones)
    }
    ids = [{"Ref": subnet} for subnet in subnets]
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    resources: dict[str, tuple[str, dict[str, Any]]] = {
        "Vpc": ("VPC", {"CidrBlock": "10.7.0.0/16", "EnableDnsSupport": True, "EnableDnsHostnames": True}),
        **subnets,
        "Routes": ("RouteTable", {"VpcId": vpc}),
        "Association": ("SubnetRouteTableAssociation", {"RouteTableId": {"Ref": "Routes"}, "SubnetId": {"Ref": "Subnet0"}}),
        "Members": (
            "SecurityGroup",
            {"VpcId": vpc, "GroupDescription": "Members", "SecurityGroupEgress": [{**HTTPS, "CidrIp": "0.0.0.0/0"}]},
        ),
        "Among": ("SecurityGroupIngress", {"GroupId": members, "IpProtocol": "-1", "SourceSecurityGroupId": members}),
        "Storage": (
            "VPCEndpoint",
            {
                "VpcId": vpc,
                "VpcEndpointType": "Gateway",
                "ServiceName": f"com.amazonaws.{REGION}.s3",
                "RouteTableIds": [{"Ref": "Routes"}],
                "PolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]},
            },
        ),
        "Sessions": (
            "VPCEndpoint",
            {
                "VpcId": vpc,
                "VpcEndpointType": "Interface",
                "ServiceName": f"com.amazonaws.{REGION}.sts",
                "SubnetIds": ids,
                "SecurityGroupIds": [members],
                "PrivateDnsEnabled": True,
            },
        ),
        "FlowLog": (
            "FlowLog",
            {
                "ResourceId": vpc,
                "ResourceType": "VPC",
                "TrafficType": "ALL",
                "LogGroupName": {"Ref": "Log"},
                "DeliverLogsPermissionArn": {"Fn::GetAtt": ["Writer", "Arn"]},
            },
        ),
    }
    facts = {"vpc": vpc, "subnets": {"Fn::Join": [",", ids]}, "groups": members}
    return {
        "Resources": {
            **{each: {"Type": f"AWS::EC2::{kind}", "Properties": properties} for each, (kind, properties) in resources.items()},
            "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{name}"}},
            "Writer": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
            **{
                f"{fact.title()}Fact": {
                    "Type": "AWS::SSM::Parameter",
                    "Properties": {"Name": f"/{name}/{fact}", "Type": "String", "Value": value},
                }
                for fact, value in facts.items()
            },
        }
    }


def build(name: str, *, allowed: list[str]) -> Template:
    """A project in that VPC, whose role may do `allowed`."""
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    policy = {"Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    spec = {"version": "0.2", "phases": {"build": {"commands": ["true"]}}}
    facts = {fact: f"/{name}/{fact.lower()}" for fact in ("Vpc", "Subnets", "Groups")}
    return {
        "Parameters": {fact: {"Type": "AWS::SSM::Parameter::Value<String>", "Default": path} for fact, path in facts.items()},
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [{"PolicyName": "p", "PolicyDocument": policy}]},
            },
            "Project": {
                "Type": "AWS::CodeBuild::Project",
                "Properties": {
                    "Name": name,
                    "ServiceRole": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Source": {"Type": "CODEPIPELINE", "BuildSpec": json.dumps(spec)},
                    "Artifacts": {"Type": "CODEPIPELINE"},
                    "Environment": MACHINE,
                    "VpcConfig": {
                        "VpcId": {"Ref": "Vpc"},
                        "Subnets": [{"Fn::Select": [place, SPLIT]} for place in range(2)],
                        "SecurityGroupIds": [{"Ref": "Groups"}],
                    },
                },
            },
        },
    }


@pytest.mark.aws("the network stack: VPC, endpoints with policies, flow logs")
def test_a_stack_makes_a_network_that_another_stacks_builds_run_in(cloud: Accounts, name: Name) -> None:
    network_stack, build_stack = name("network"), name("builds")
    ec2 = cloud.client("ec2")

    assert deploy(cloud, network_stack, network(network_stack)) == "CREATE_COMPLETE", reasons(cloud, network_stack)
    ssm = cloud.client("ssm")
    vpc, subnets = (ssm.get_parameter(Name=f"/{network_stack}/{fact}")["Parameter"]["Value"] for fact in ("vpc", "subnets"))
    assert {subnet["VpcId"] for subnet in ec2.describe_subnets(SubnetIds=subnets.split(","))["Subnets"]} == {vpc}
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    assert sorted(each["VpcEndpointType"] for each in ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"]) == ["Gateway", "Interface"]
    (log,) = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc]}])["FlowLogs"]
    assert log["LogGroupName"] == f"/{network_stack}"
    (group,) = [each for each in ec2.describe_security_groups(Filters=mine)["SecurityGroups"] if each["Description"] == "Members"]
    assert [rule["ToPort"] for rule in group["IpPermissionsEgress"]] == [443]

    looks = [f"ec2:Describe{kind}" for kind in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")]
    allowed = [
        *looks,
        *(f"ec2:{action}" for action in ("CreateNetworkInterface", "CreateNetworkInterfacePermission", "DeleteNetworkInterface")),
    ]
    assert deploy(cloud, build_stack, build(network_stack, allowed=allowed)) == "CREATE_COMPLETE", reasons(cloud, build_stack)
    (project,) = cloud.client("codebuild").batch_get_projects(names=[network_stack])["projects"]
    assert project["vpcConfig"] == {"vpcId": vpc, "subnets": subnets.split(","), "securityGroupIds": [group["GroupId"]]}

    for stack in (build_stack, network_stack):
        assert deleted(cloud, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert ec2.describe_vpcs(Filters=mine)["Vpcs"] == []


@pytest.mark.aws("networks of accounts: builds, jobs, models and the monitor name subnets and groups")
def test_a_project_whose_role_may_not_attach_builds_is_refused(cloud: Accounts, name: Name) -> None:
    network_stack, build_stack = name("network"), name("builds")
    assert deploy(cloud, network_stack, network(network_stack)) == "CREATE_COMPLETE"

    assert deploy(cloud, build_stack, build(network_stack, allowed=["ec2:DescribeVpcs"])) == "ROLLBACK_COMPLETE"
    assert "Not authorized to perform Describe" in reasons(cloud, build_stack)


VPC, SUBNETS, GROUPS = "vpc-0000000000000abc1", ["subnet-0000000000000abc1", "subnet-0000000000000abc2"], ["sg-0000000000000abc1"]
PLACE = {"Subnets": SUBNETS, "SecurityGroupIds": GROUPS}


@pytest.fixture(scope="session")
def placed(aws: Aws) -> Aws:
    """The cloud in this process, with a network that the firm made."""
    networks.stand(ACCOUNT, REGION, vpc=VPC, subnets=SUBNETS, groups=GROUPS)
    return aws


@pytest.fixture(scope="session")
def place(aws: Accounts) -> dict[str, Any]:
    """The VpcConfig of a network that the tests made, which leads nowhere."""
    ec2, names = aws.client("ec2"), [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": named("placed")}]}]
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16", TagSpecifications=names)["Vpc"]["VpcId"]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(zones)
    ]
    group = ec2.create_security_group(GroupName=named("placed"), Description="Members", VpcId=vpc)["GroupId"]
    return {"Subnets": subnets, "SecurityGroupIds": [group]}


@pytest.mark.aws("networks of accounts: builds, jobs, models and the monitor name subnets and groups")
def test_jobs_and_models_say_where_they_run(aws: Accounts, place: dict[str, Any], image: str, name: Name) -> None:
    job, sagemaker = name("job"), aws.client("sagemaker")
    training(aws, image, job, VpcConfig=place)
    processing(aws, image, job, NetworkConfig={"EnableNetworkIsolation": False, "VpcConfig": place})
    sagemaker.create_model(ModelName=job, ExecutionRoleArn=aws.worker(), PrimaryContainer={"Image": image}, VpcConfig=place)

    assert sagemaker.describe_training_job(TrainingJobName=job)["VpcConfig"] == place
    assert sagemaker.describe_processing_job(ProcessingJobName=job)["NetworkConfig"]["VpcConfig"] == place
    assert sagemaker.describe_model(ModelName=job)["VpcConfig"] == place


@pytest.mark.aws("networks of accounts: builds, jobs, models and the monitor name subnets and groups")
@pytest.mark.parametrize(
    "wrong",
    [
        {"Subnets": ["subnet-00000000000000bad"]},
        {"SecurityGroupIds": ["sg-00000000000000bad"]},
        {"SecurityGroupIds": [f"sg-0000000{number}" for number in range(6)]},
    ],
)
def test_a_job_in_no_network_is_refused(aws: Accounts, place: dict[str, Any], image: str, name: Name, wrong: dict[str, Any]) -> None:
    """A subnet and a group that are not there, and too many groups."""
    with pytest.raises(ClientError, match="ValidationException"):
        training(aws, image, name("job"), VpcConfig={**place, **wrong})


@pytest.mark.aws("networks of accounts: builds, jobs, models and the monitor name subnets and groups")
def test_a_model_is_not_made_whose_role_may_not_attach_it(aws: Accounts, place: dict[str, Any], image: str, name: Name) -> None:
    pulls = {"Action": ["ecr:*", "s3:GetObject"], "Resource": "*"}
    role = aws.role(name("role"), trusts={"Service": "sagemaker.amazonaws.com"}, allows=[pulls])

    with pytest.raises(ClientError, match="ValidationException"):
        aws.client("sagemaker").create_model(
            ModelName=name("model"), ExecutionRoleArn=role, PrimaryContainer={"Image": image}, VpcConfig=place
        )


@pytest.mark.laptop("the words are localcloud's, in a network put there with known ids")
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({**PLACE, "Subnets": ["subnet-00000000000000bad"]}, "The subnet ID 'subnet-00000000000000bad' does not exist"),
        ({**PLACE, "SecurityGroupIds": ["sg-00000000000000bad"]}, "The security group 'sg-00000000000000bad' does not exist"),
        ({**PLACE, "SecurityGroupIds": [f"sg-0000000{place}" for place in range(6)]}, "must be between 1 and 5"),
    ],
)
def test_what_is_not_there_is_refused(placed: Aws, image: str, name: Name, place: dict[str, Any], why: str) -> None:
    with pytest.raises(ClientError, match=why):
        training(placed, image, name("job"), VpcConfig=place)


@pytest.mark.laptop("the words are localcloud's, in a network put there with known ids")
def test_subnets_and_groups_are_of_one_vpc(placed: Aws, image: str, name: Name) -> None:
    elsewhere = placed.client("ec2").describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]

    with pytest.raises(ClientError, match=f"{elsewhere} is in vpc-.*, and {SUBNETS[0]} in {VPC}"):
        training(placed, image, name("job"), VpcConfig={**PLACE, "SecurityGroupIds": [elsewhere]})


@pytest.mark.laptop("the words are localcloud's, in a network put there with known ids")
@pytest.mark.parametrize(
    ("allowed", "lacks"),
    [
        ({"Action": "ec2:*", "Resource": f"arn:aws:ec2:*:*:subnet/{SUBNETS[0]}"}, "ec2:DescribeDhcpOptions"),
        ({"Action": [*networks.LOOKS, "ec2:CreateNetworkInterface"], "Resource": "*"}, "ec2:CreateNetworkInterfacePermission"),
    ],
)
def test_a_role_that_may_not_attach_a_model_is_named(placed: Aws, image: str, name: Name, allowed: dict[str, Any], lacks: str) -> None:
    role = name("role")
    arn = placed.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **allowed}]}
    placed.client("iam").put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(policy))

    with pytest.raises(ClientError, match=f"may not do {lacks}, which SageMaker needs for a VPC"):
        placed.client("sagemaker").create_model(ModelName=role, ExecutionRoleArn=arn, PrimaryContainer={"Image": image}, VpcConfig=PLACE)


DEMANDS = [  # as a service control policy has them
    {"Effect": "Deny", "Action": ["sagemaker:Create*Job", "sagemaker:CreateModel"], "Resource": "*", "Condition": condition}
    for condition in (
        {"Null": {"sagemaker:VpcSubnets": "true"}},
        {"ForAnyValue:StringNotEquals": {"sagemaker:VpcSubnets": SUBNETS}},
    )
]


@pytest.mark.laptop("a function of localcloud that judges policies")
@pytest.mark.parametrize(
    ("request_", "refused"),
    [
        ({"VpcConfig": PLACE}, False),
        ({"NetworkConfig": {"VpcConfig": PLACE}}, False),
        ({}, True),
        ({"NetworkConfig": {"EnableNetworkIsolation": True}}, True),
        ({"VpcConfig": {**PLACE, "Subnets": [SUBNETS[0], "subnet-00000000000000bad"]}}, True),
    ],
)
def test_a_policy_may_demand_subnets(request_: dict[str, Any], *, refused: bool) -> None:
    context = of_place(request_)

    assert policies.denies(DEMANDS, action="sagemaker:CreateModel", resource="*", context=context) is refused


@pytest.mark.aws("a service control policy that demands subnets, groups, isolation")
def test_a_denied_model_is_denied_by_the_server(cloud: Accounts, name: Name) -> None:
    everything = {"Action": "*", "Resource": "*"}
    role = cloud.role(name("role"), trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, allows=[everything])
    policy = {"Version": "2012-10-17", "Statement": DEMANDS}
    cloud.client("iam").put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="demands", PolicyDocument=json.dumps(policy))
    cloud.settle()
    keys = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    sagemaker = cloud.client("sagemaker", **{key: keys[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")})
    model = name("model")
    request = {
        "ModelName": model,
        "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{name('none')}",
        "PrimaryContainer": {"Image": REPOSITORY},
    }

    with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
        sagemaker.create_model(**request)
    with pytest.raises(ClientError, match="ValidationException"):  # a step further: nothing of it is there
        sagemaker.create_model(**request, VpcConfig=PLACE)
