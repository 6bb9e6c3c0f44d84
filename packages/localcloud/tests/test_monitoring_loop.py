"""The whole loop as stacks: a schedule runs a pipeline on several instances, its metric alarms, and another account hears of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from cloudformation_stacks import deploy, reasons
from event_rules import caller, document, rule

from localcloud.testing import ACCOUNT, OTHER, REGION
from localcloud.testing.pipelines import executions, of_approvals
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

Json = dict[str, Any]
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/loop"
JOB = "/opt/ml/processing/counts"


def role(service: str, *statements: Json) -> Json:
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": f"{service}.amazonaws.com"}}]}
    policy = {"PolicyName": "all", "PolicyDocument": {"Statement": [{"Effect": "Allow", **s} for s in statements]}}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [policy]}}


def arn(name: str) -> Json:
    return {"Fn::GetAtt": [name, "Arn"]}


def definition(image: str) -> str:
    """A pipeline of one step on two instances, whose environment and output are known when it runs only."""

    def get(reference: str) -> Json:
        return {"Get": reference}

    report = {"Std:Join": {"On": "/", "Values": ["s3://watched", "monitor", get("Execution.PipelineExecutionId")]}}
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 10}
    uploads = {"S3Uri": {"Std:Join": {"On": "/", "Values": [report, "counts"]}}, "LocalPath": JOB, "S3UploadMode": "EndOfJob"}
    environment = {
        "REPORT_URI": report,
        "TOPIC_ARN": "${Topic}",
        "STARTED": get("Execution.StartDateTime"),
        "PACKAGES": str(Path(boto3.__file__).parents[1]),
    }
    step = {
        "Name": "Count",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": get("Parameters.ImageUri"), "ContainerArguments": ["monitor"]},
            "RoleArn": "${JobRole.Arn}",
            "ProcessingResources": {"ClusterConfig": cluster},
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "counts", "S3Output": uploads}]},
            "Environment": environment,
        },
    }
    parameters = [{"Name": n, "Type": "String", "DefaultValue": v} for n, v in (("ImageUri", image), ("WindowEnd", "never"))]
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": [step]})


def template(image: str) -> Json:
    watched: list[Json] = [
        {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::watched/monitor/*"},
        {"Action": ["ecr:BatchGetImage", "cloudwatch:PutMetricData"], "Resource": "*"},
        {"Action": "sns:Publish", "Resource": {"Ref": "Topic"}},
    ]
    jobs: list[Json] = [
        {"Action": ["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob"], "Resource": "*"},
        {"Action": "iam:PassRole", "Resource": arn("JobRole")},
    ]
    where = {"Fn::Sub": "arn:aws:sagemaker:${AWS::Region}:${AWS::AccountId}:pipeline/watch"}
    start = {"Action": "sagemaker:StartPipelineExecution", "Resource": where}
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [{"Ref": "Drift"}], "state": {"value": ["ALARM"]}}}
    rules = [
        {"Id": "monitor", "Prefix": "monitor/", "Status": "Enabled", "ExpirationInDays": 30},
        {"Id": "old", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
    ]
    parameters = {"PipelineParameterList": [{"Name": "WindowEnd", "Value": {"Ref": "WindowEnd"}}]}
    target = {"Arn": where, "RoleArn": arn("ScheduleRole"), "SageMakerPipelineParameters": parameters}
    alarm = {
        "AlarmName": "endpoint-Drift",
        "Namespace": "lab",
        "MetricName": "Drift",
        "Statistic": "Maximum",
        "Period": 86400,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "ignore",
    }
    schedule = {"ScheduleExpression": "rate(365 days)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    forward = {"Id": "loop", "Arn": BUS, "RoleArn": arn("RuleRole")}
    body = {"PipelineDefinitionBody": {"Fn::Sub": definition(image)}}
    resources = {
        "Schedule": {"Type": "AWS::Scheduler::Schedule", "DependsOn": ["Pipeline", "Rule"], "Properties": schedule},
        "Pipeline": {
            "Type": "AWS::SageMaker::Pipeline",
            "Properties": {"PipelineName": "watch", "PipelineDefinition": body, "RoleArn": arn("PipelineRole")},
        },
        "Rule": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern, "State": "ENABLED", "Targets": [forward]}},
        "Drift": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "moved"}},
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "BucketName": "watched",
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
                "LifecycleConfiguration": {"Rules": rules},
            },
        },
        "Fact": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/lab/bucket", "Type": "String", "Value": {"Ref": "Bucket"}}},
        "JobRole": role("sagemaker", *watched),
        "PipelineRole": role("sagemaker", *jobs),
        "ScheduleRole": role("scheduler", start),
        "RuleRole": role("events", {"Action": "events:PutEvents", "Resource": BUS}),
    }
    return {"Resources": resources, "Parameters": {"WindowEnd": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/lab/end"}}}


@pytest.fixture(scope="module")
def image(cloud: Running) -> str:
    """An image of the toolchain's account, which the other account may pull."""
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="team/watch")
    allowed = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "ecr:BatchGetImage"}
    ecr.set_repository_policy(repositoryName="team/watch", policyText=json.dumps({"Statement": [allowed]}))
    return cloud.image("team/watch")


@pytest.mark.laptop("its jobs call AWS by packages of this machine, which no image has")
@pytest.mark.slow
def test_a_schedule_finds_drift_and_the_toolchain_retrains_once(cloud: Running, image: str) -> None:
    target = of_approvals(cloud, "retrain-model")
    policy = {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Effect": "Allow", "Action": "events:PutEvents", "Resource": BUS}
    buses = {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "loop"}},
        "Policy": {
            "Type": "AWS::Events::EventBusPolicy",
            "Properties": {"EventBusName": {"Ref": "Bus"}, "StatementId": "environments", "Statement": policy},
        },
    }
    assert deploy(cloud, "toolchain", {"Resources": buses}) == "CREATE_COMPLETE"
    start = caller(cloud, "start-retraining", "codepipeline:StartPipelineExecution", target)
    rule(cloud, "retrain-model", {"Arn": target, "RoleArn": start}, bus="loop", pattern={"source": ["aws.cloudwatch"]})
    cloud.client("ssm", OTHER).put_parameter(Name="/lab/end", Type="String", Value="now")
    sqs = cloud.client("sqs", OTHER)
    lets_in = document({"Service": "events.amazonaws.com"}, "sqs:SendMessage", "*")
    queue = sqs.create_queue(QueueName="moved", Attributes={"Policy": lets_in})["QueueUrl"]

    assert deploy(cloud, "watch", template(image), account=OTHER) == "CREATE_COMPLETE", reasons(cloud, "watch", OTHER)
    cloud.client("sns", OTHER).subscribe(
        TopicArn=f"arn:aws:sns:{REGION}:{OTHER}:moved", Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{OTHER}:moved"
    )

    (started,) = until(lambda: executions(cloud, "retrain-model"))
    assert started["trigger"]["triggerType"] == "CloudWatchEvent"
    sagemaker = cloud.client("sagemaker", OTHER)
    (run,) = sagemaker.list_pipeline_executions(PipelineName="watch")["PipelineExecutionSummaries"]
    until(
        lambda: (
            sagemaker.describe_pipeline_execution(PipelineExecutionArn=run["PipelineExecutionArn"])["PipelineExecutionStatus"]
            == "Succeeded"
        )
    )
    s3 = cloud.client("s3", OTHER)
    prefix = f"monitor/{run['PipelineExecutionArn'].rpartition('/')[2]}"
    assert {o["Key"].removeprefix(f"{prefix}/") for o in s3.list_objects_v2(Bucket="watched", Prefix=prefix)["Contents"]} == {
        "counts/algo-1.json",
        "counts/algo-2.json",
        "from-algo-1",
        "from-algo-2",
    }
    assert json.loads(s3.get_object(Bucket="watched", Key=f"{prefix}/counts/algo-2.json")["Body"].read()) == ["algo-1", "algo-2"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket="watched")["Rules"]
    assert [(r["ID"], r["Filter"]["Prefix"], r.get("Expiration")) for r in rules] == [
        ("monitor", "monitor/", {"Days": 30}),
        ("old", "", None),
    ]
    (notice,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(notice["Body"])["Message"] == f"s3://watched/{prefix}"
    rule(cloud, "objects", {"Arn": f"arn:aws:sqs:{REGION}:{OTHER}:moved"}, OTHER, pattern={"source": ["aws.s3"]})
    s3.put_object(Bucket="watched", Key="labels/1.csv", Body=b"1")
    (event,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(event["Body"])["detail"]["object"]["key"] == "labels/1.csv"

    del (changed := template(image))["Resources"]["Schedule"]
    changed["Resources"]["Rule"]["Properties"]["State"] = "DISABLED"
    changed["Resources"]["Rule"]["Properties"]["Targets"][0]["Id"] = "other"
    body = {"PipelineDefinitionBody": json.dumps({"Version": "2020-12-01", "Steps": []})}
    changed["Resources"]["Pipeline"]["Properties"]["PipelineDefinition"] = body
    assert deploy(cloud, "watch", changed, "UPDATE", account=OTHER) == "UPDATE_COMPLETE", reasons(cloud, "watch", OTHER)
    (forwards,) = cloud.client("events", OTHER).list_rules(NamePrefix="watch-Rule")["Rules"]
    assert forwards["State"] == "DISABLED"
    assert [t["Id"] for t in cloud.client("events", OTHER).list_targets_by_rule(Rule=forwards["Name"])["Targets"]] == ["other"]
    assert sagemaker.describe_pipeline(PipelineName="watch")["PipelineDefinition"] == body["PipelineDefinitionBody"]
    assert cloud.client("scheduler", OTHER).list_schedules()["Schedules"] == []
    cloud.client("cloudformation", OTHER).delete_stack(StackName="watch")
    assert cloud.client("events", OTHER).list_rules(NamePrefix="watch-Rule")["Rules"] == []
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []
