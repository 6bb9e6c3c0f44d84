"""What people look at once a model serves, and what looks when no person does."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from app import build
from model_code.spec import Monitoring, Retraining
from pipelines.definition import validate
from pipelines.delivery import retraining_road
from stacks import names
from tests.stacks.conftest import CONTEXT, Layout, configuration, models, read
from tests.stacks.shapes import accepted, plain

WATCH, STAGING = "PavedRoad-lead-scoring-Watch-production", "PavedRoad-lead-scoring-Watch-staging"
SERVING, TOOLCHAIN = "PavedRoad-lead-scoring-Serving-production", "PavedRoad-Toolchain"
ENDPOINT = "paved-road-lead-scoring-production"
KEPT = Monitoring().capture_days
Json = dict[str, Any]


def joined(value: Any) -> str:
    """A template's text, with the names of what CloudFormation fills in."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(map(joined, parts))
    return str(value.get("Ref") or f"arn:aws:iam::333333333333:role/{value['Fn::GetAtt'][0]}")


def widgets(layout: Layout, stack: str) -> list[Json]:
    found: list[Json] = json.loads(joined(layout.only(stack, "AWS::CloudWatch::Dashboard")["DashboardBody"]))["widgets"]
    return found


def graphs(layout: Layout, stack: str) -> dict[str, Json]:
    return {one["properties"]["title"]: one["properties"] for one in widgets(layout, stack) if one["type"] == "metric"}


def alarms(layout: Layout) -> dict[str, Json]:
    return {alarm["AlarmName"]: alarm for alarm in layout.all(WATCH, "AWS::CloudWatch::Alarm").values()}


def definition(layout: Layout) -> Json:
    found: Json = json.loads(joined(layout.only(WATCH, "AWS::SageMaker::Pipeline")["PipelineDefinition"]["PipelineDefinitionBody"]))
    return found


def role(layout: Layout, stack: str, name: str) -> list[Json]:
    (found,) = [one for one in layout.all(stack, "AWS::IAM::Role").values() if one.get("RoleName") == name]
    statements: list[Json] = found["Policies"][0]["PolicyDocument"]["Statement"]
    return statements


def test_the_dashboard_shows_traffic_errors_latency_machines_and_drift(layout: Layout) -> None:
    dashboard = layout.only(WATCH, "AWS::CloudWatch::Dashboard")
    body = joined(dashboard["DashboardBody"])

    assert dashboard["DashboardName"] == ENDPOINT
    for metric in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency", "CPUUtilization", "MemoryUtilization"):
        assert metric in body
    for metric in ("ScoredRows", "ScoreP50", "PSI", "Drift", "MonitoredRows", "RocAuc", "LabelledRows"):
        assert metric in body


def test_every_axis_begins_at_zero_and_says_its_unit(layout: Layout) -> None:
    for graph in graphs(layout, WATCH).values():
        for axis in graph["yAxis"].values():
            assert axis["min"] == 0
            assert axis["label"]
            assert axis["showUnits"] is False
        on_the_right = any(isinstance(metric[-1], dict) and metric[-1].get("yAxis") == "right" for metric in graph["metrics"])
        assert on_the_right == ("right" in graph["yAxis"])


def test_graphs_have_lines_where_alarms_and_gates_have_limits(layout: Layout) -> None:
    lines = {
        annotation["label"]: annotation["value"]
        for graph in graphs(layout, WATCH).values()
        for annotation in graph.get("annotations", {}).get("horizontal", [])
    }
    serving, monitoring = models()[0].serving["production"].alarms, models()[0].monitoring
    assert monitoring
    assert lines["alarm: failed"] == 100 * serving.server_error_rate
    assert lines["alarm: p99"] == serving.model_latency_p99_ms
    assert lines["alarm: CPU"] == serving.cpu_percent
    assert lines["counts as moved, if it is no chance"] == monitoring.psi
    assert lines["least rows"] == monitoring.minimum_rows


def test_nothing_on_the_page_overlaps(layout: Layout) -> None:
    placed = [(one["x"], one["y"], one["width"], one["height"]) for one in widgets(layout, WATCH)]

    assert all(x + width <= 24 for x, _, width, _ in placed)
    for (x, y, width, height), (other_x, other_y, *_) in pairwise(placed):
        assert other_y >= y + height or other_x >= x + width


def test_the_page_shows_the_alarms_that_keep_their_names_and_they_are_there(layout: Layout) -> None:
    (shown,) = [one["properties"]["alarms"] for one in widgets(layout, WATCH) if one["type"] == "alarm"]
    there = {one["AlarmName"] for one in layout.all(SERVING, "AWS::CloudWatch::Alarm").values() if isinstance(one["AlarmName"], str)}
    found = {joined(arn).rpartition(":")[2] for arn in shown}

    assert {name for name in found if name.startswith(ENDPOINT)} == there
    assert len(found) == 4


def test_where_nothing_is_monitored_there_is_a_dashboard_and_nothing_else(layout: Layout) -> None:
    template = layout.templates[STAGING]

    assert [one["Type"] for one in template["Resources"].values()] == ["AWS::CloudWatch::Dashboard"]
    assert set(template["Parameters"]) == {"BootstrapVersion"}
    assert "PSI" not in joined(layout.only(STAGING, "AWS::CloudWatch::Dashboard")["DashboardBody"])


def test_watching_does_not_bind_the_two_stacks_together(layout: Layout) -> None:
    assert "ImportValue" not in json.dumps(layout.templates)


def test_what_it_needs_of_the_serving_stack_is_told_there(layout: Layout) -> None:
    asked = {one["Default"] for one in layout.templates[WATCH]["Parameters"].values() if one["Type"].startswith("AWS::SSM")}
    told = {one["Name"] for one in layout.all(SERVING, "AWS::SSM::Parameter").values()}

    assert told == {f"/paved-road/lead_scoring/production/{fact}" for fact in ("capture-bucket", "key", "topic")}
    assert asked - {"/cdk-bootstrap/hnb659fds/version"} == told


def test_capture_is_kept_by_version_and_expires_and_labels_stay(layout: Layout) -> None:
    capture = layout.only(SERVING, "AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]["DestinationS3Uri"]
    rules = layout.only(SERVING, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]

    assert joined(capture).endswith("/capture/ModelVersion")
    assert {rule.get("Prefix"): rule.get("ExpirationInDays") for rule in rules} == {None: None, "capture/": KEPT, "monitor/": KEPT}


def test_sagemaker_would_take_the_pipeline(layout: Layout) -> None:
    made = definition(layout)

    assert validate(made) == []
    assert {one["Name"]: one["DefaultValue"] for one in made["Parameters"]} == {
        "ImageUri": "ImageUri",
        "ModelDataUrl": "ModelDataUrl",
        "ModelVersion": "ModelVersion",
        "WindowEnd": "now",
    }
    assert layout.only(WATCH, "AWS::SageMaker::Pipeline")["PipelineName"] == f"{ENDPOINT}-monitoring"


def test_it_runs_by_the_clock_once_it_is_known_what_serves(layout: Layout) -> None:
    schedule = layout.only(WATCH, "AWS::Scheduler::Schedule")

    assert schedule["ScheduleExpression"] == "rate(6 hours)"
    assert schedule["State"] == {"Fn::If": ["Serves", "ENABLED", "DISABLED"]}
    target = {**schedule["Target"], "RoleArn": joined(schedule["Target"]["RoleArn"])}
    accepted("scheduler", "CreateSchedule", {**schedule, "Target": target, "State": "ENABLED"})


def test_the_job_may_write_reports_and_read_what_it_judges(three: Layout) -> None:
    statements = role(three, WATCH, f"{ENDPOINT}-monitor")
    may = {action: joined_all(one["Resource"]) for one in statements for action in listed(one["Action"])}

    assert [text.rpartition("CaptureBucket")[2] for text in may["s3:PutObject"]] == ["/monitor/*"]
    assert {text.rpartition("/")[0].rpartition("/")[2] for text in may["s3:GetObject"]} >= {"capture", "labels"}
    assert may["sns:Publish"] == ["Topic"]
    (metrics,) = [one for one in statements if one["Action"] == "cloudwatch:PutMetricData"]
    assert f"PavedRoad/{ENDPOINT}" in metrics["Condition"]["StringEquals"]["cloudwatch:namespace"]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def joined_all(value: Any) -> list[str]:
    return [joined(one) for one in listed(value)]


def test_a_skipped_run_is_neither_drift_nor_its_absence_and_silence_is_an_alarm(layout: Layout) -> None:
    found = alarms(layout)
    drift, silent = found[f"{ENDPOINT}-Drift"], found[f"{ENDPOINT}-MonitorSilent"]

    assert (drift["MetricName"], drift["Statistic"], drift["Period"], drift["TreatMissingData"]) == ("Drift", "Maximum", 21600, "ignore")
    assert (silent["MetricName"], silent["TreatMissingData"], silent["EvaluationPeriods"]) == ("MonitorRuns", "breaching", 2)
    assert all(alarm["AlarmActions"] == [{"Ref": "Topic"}] for alarm in found.values())
    for alarm in found.values():
        accepted("cloudwatch", "PutMetricAlarm", alarm)


def test_the_alarm_reaches_the_toolchains_bus_and_nothing_else_does(layout: Layout) -> None:
    rule, bus = layout.only(WATCH, "AWS::Events::Rule"), layout.only(TOOLCHAIN, "AWS::Events::EventBus")
    (target,) = rule["Targets"]

    assert joined(target["Arn"]) == f"arn:aws:events:eu-west-1:111111111111:event-bus/{bus['Name']}"
    assert rule["EventPattern"]["detail"] == {"alarmName": [f"{ENDPOINT}-Drift"], "state": {"value": ["ALARM"]}}
    accepted("events", "PutTargets", {"Rule": "r", "Targets": [{**plain(target), "Arn": "arn"}]})
    policies = layout.all(TOOLCHAIN, "AWS::Events::EventBusPolicy")
    others = {account.id for account in layout.config.accounts} - {layout.config.toolchain.id}
    named = {account for policy in policies.values() for account in others if account in json.dumps(policy["Statement"]["Principal"])}
    assert named == others
    for policy in policies.values():
        conditions = {"events:source": "aws.cloudwatch", "events:detail-type": "CloudWatch Alarm State Change"}
        assert policy["Statement"]["Condition"] == {"StringEquals": conditions}


def rules(layout: Layout, pipeline: str) -> list[Json]:
    """The rules of the toolchain that start a pipeline."""
    (logical_id,) = [name for name, one in layout.all(TOOLCHAIN, "AWS::CodePipeline::Pipeline").items() if one["Name"] == pipeline]
    found = layout.all(TOOLCHAIN, "AWS::Events::Rule").values()
    return [one for one in found if joined(one["Targets"][0]["Arn"]).endswith(f":{logical_id}")]


def test_what_wakes_the_judge(three: Layout) -> None:
    found = rules(three, "paved-road-lead-scoring-retraining")

    assert [one.get("ScheduleExpression") for one in found] == [None, "rate(24 hours)"]
    drift = found[0]
    assert drift["EventPattern"]["account"] == ["333333333333"]
    assert drift["EventPattern"]["detail"]["alarmName"] == [f"{ENDPOINT}-Drift"]


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A model that is retrained for every cause there is."""
    retraining = Retraining(on=("drift", "schedule", "data"), schedule="cron(0 3 ? * SUN *)", cooldown_hours=1)
    lead = models()[0].model_copy(update={"monitoring": Monitoring(retraining=retraining, instances=3)})
    folder: Path = tmp_path_factory.mktemp("eager")
    app = App(outdir=str(folder), context=CONTEXT)
    build(app, configuration("three"), [lead])
    return read(app, configuration("three"), folder)


def test_every_cause_has_a_rule(eager: Layout) -> None:
    found = rules(eager, "paved-road-lead-scoring-retraining")
    (data,) = [one for one in found if one.get("EventPattern", {}).get("source") == ["aws.s3"]]
    (weekly,) = [one for one in found if one.get("Name")]

    assert len(found) == 4
    assert data["EventPattern"]["detail"] == {"bucket": {"name": ["paved-road-lead-scoring-data-111111111111"]}}
    assert (weekly["Name"], weekly["ScheduleExpression"]) == ("paved-road-lead-scoring-schedule", "cron(0 3 ? * SUN *)")
    assert "rate(1 hour)" in [one.get("ScheduleExpression") for one in found]
    for rule in found:
        accepted("events", "PutRule", {"Name": "r", "ScheduleExpression": rule.get("ScheduleExpression", "rate(1 hour)")})


def test_the_data_bucket_announces_what_is_put_there(three: Layout) -> None:
    buckets = three.all("PavedRoad-lead-scoring-Workshop", "AWS::S3::Bucket").values()
    announcing = [one["BucketName"] for one in buckets if "EventBridgeConfiguration" in one.get("NotificationConfiguration", {})]

    assert announcing == ["paved-road-lead-scoring-data-111111111111"]


def test_several_instances_hand_their_counts_to_one(eager: Layout) -> None:
    assert [step["Name"] for step in definition(eager)["Steps"]] == ["Count", "Monitor"]
    assert validate(definition(eager)) == []


def test_the_judges_give_way_to_later_ones_and_nobody_pushes_to_them(layout: Layout) -> None:
    (judged,) = [
        one for one in layout.all(TOOLCHAIN, "AWS::CodePipeline::Pipeline").values() if one["Name"] == "paved-road-lead-scoring-retraining"
    ]

    assert (judged["ExecutionMode"], [stage["Name"] for stage in judged["Stages"]]) == ("SUPERSEDED", ["Source", "Judge"])
    assert "Triggers" not in judged


def test_a_judge_may_start_the_models_road_and_write_records_and_no_more(three: Layout) -> None:
    may: dict[str, list[str]] = {}
    for one in role(three, TOOLCHAIN, "paved-road-lead-scoring-judge"):
        for action in listed(one["Action"]):
            may.setdefault(action, []).extend(joined_all(one["Resource"]))

    assert [arn.rpartition(":")[2] for arn in may["codepipeline:StartPipelineExecution"]] == ["paved-road-lead-scoring"]
    assert [arn for arn in may["s3:PutObject"] if "lead-scoring-artifacts" in arn] == [
        "arn:aws:s3:::paved-road-lead-scoring-artifacts-111111111111/retraining/*"
    ]
    assert [arn.rpartition("/")[2] for arn in may["sts:AssumeRole"]] == [f"{ENDPOINT}-verifier"]
    assert not {action for action in may if action.startswith(("cloudformation", "iam", "sagemaker:Create", "sagemaker:Update"))}


def test_the_judge_is_told_of_the_alarm_and_the_rule_that_there_are() -> None:
    config, (lead, _) = configuration("three"), models()
    (job,) = retraining_road(config, lead).jobs
    (command,) = [one for one in job.commands if "retrain" in one]

    assert f"--alarm {names.drift_alarm(config, lead, config.environments[-1])} " in command
    assert "--scheduled-by paved-road-lead-scoring-schedule " in command
    assert f"--role {names.verifier_role(config, lead, config.environments[-1])}" in command
