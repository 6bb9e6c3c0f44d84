"""What people look at once a model serves, and what looks when no person does."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

import naming
from paved_runtime import spec
from paved_runtime.monitoring.metrics import HEADLINES
from paved_runtime.spec import Monitoring
from pipelines.definition import validate
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.api_requests import accepted, plain
from tests.support.layouts import HOME, PRODUCTION, STAGING, Layout, configuration, joined, listed, models, synth

pytestmark = pytest.mark.laptop("templates alone")

MONITORING, UNMONITORED = naming.monitoring_stack(CONFIG, MODEL, PRODUCTION), naming.monitoring_stack(CONFIG, MODEL, STAGING)
SERVING = naming.serving_stack(CONFIG, MODEL, PRODUCTION)
ENDPOINT = naming.endpoint(CONFIG, MODEL, PRODUCTION)
DRIFT, SILENT, UNREAD, GONE = (
    naming.alarm(CONFIG, MODEL, PRODUCTION, kind) for kind in (naming.DRIFT, naming.MONITOR_SILENT, naming.CAPTURE_UNREAD, naming.GONE)
)
KEPT = Monitoring().capture_days
Json = dict[str, Any]


def widgets(layout: Layout, stack: str) -> list[Json]:
    body: Json = json.loads(joined(layout.only(stack, "AWS::CloudWatch::Dashboard")["DashboardBody"]))
    return list(body["widgets"])


def graphs(layout: Layout, stack: str) -> dict[str, Json]:
    return {widget["properties"]["title"]: widget["properties"] for widget in widgets(layout, stack) if widget["type"] == "metric"}


def alarms(layout: Layout) -> dict[str, Json]:
    return {alarm["AlarmName"]: alarm for alarm in layout.all(MONITORING, "AWS::CloudWatch::Alarm").values()}


def definition(layout: Layout) -> Json:
    properties = layout.only(MONITORING, "AWS::SageMaker::Pipeline")
    made: Json = json.loads(joined(properties["PipelineDefinition"]["PipelineDefinitionBody"]))
    return made


def test_the_dashboard_shows_traffic_errors_latency_machines_and_drift(layout: Layout) -> None:
    dashboard = layout.only(MONITORING, "AWS::CloudWatch::Dashboard")
    body = joined(dashboard["DashboardBody"])

    assert dashboard["DashboardName"] == ENDPOINT
    for metric in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency", "CPUUtilization", "MemoryUtilization"):
        assert metric in body
    for metric in ("ScoredRows", "ScoreP50", "PSI", "Drift", "MonitoredRows", "RocAuc", "LabelledRows"):
        assert metric in body


def test_the_page_says_what_the_model_is_for_whose_it_is_and_leads_to_its_pipeline(layout: Layout) -> None:
    model = reference.model()
    (text,) = [widget["properties"]["markdown"] for widget in widgets(layout, MONITORING) if widget["type"] == "text"]

    assert model.purpose.rstrip(".") in text
    assert model.owner in text
    assert f"/pipelines/{naming.delivery_pipeline(CONFIG, MODEL)}/view" in text
    assert CONFIG.repository.id in text


def test_every_axis_begins_at_zero_and_says_its_unit(layout: Layout) -> None:
    for graph in graphs(layout, MONITORING).values():
        for axis in graph["yAxis"].values():
            assert axis["min"] == 0
            assert axis["label"]
            assert axis["showUnits"] is False
        on_the_right = any(isinstance(metric[-1], dict) and metric[-1].get("yAxis") == "right" for metric in graph["metrics"])
        assert on_the_right == ("right" in graph["yAxis"])


def test_graphs_have_lines_where_alarms_and_gates_have_limits(layout: Layout) -> None:
    lines = {
        annotation["label"]: annotation["value"]
        for graph in graphs(layout, MONITORING).values()
        for annotation in graph.get("annotations", {}).get("horizontal", [])
    }
    serving, monitoring = models()[0].serving[PRODUCTION.name].alarms, models()[0].monitoring
    assert monitoring
    assert lines["alarm: failed"] == 100 * serving.server_error_rate
    assert lines["alarm: p99"] == serving.model_latency_p99_ms
    assert lines["alarm: CPU"] == serving.cpu_percent
    assert lines["counts as moved, if it is no chance"] == monitoring.psi
    assert lines["least rows"] == monitoring.minimum_rows


def test_nothing_on_the_page_overlaps(layout: Layout) -> None:
    placed = [(widget["x"], widget["y"], widget["width"], widget["height"]) for widget in widgets(layout, MONITORING)]

    assert all(x + width <= 24 for x, _, width, _ in placed)
    for (x, y, width, height), (other_x, other_y, *_) in pairwise(placed):
        assert other_y >= y + height or other_x >= x + width


def test_the_page_shows_the_alarms_that_keep_their_names_and_they_are_there(layout: Layout) -> None:
    (shown,) = [widget["properties"]["alarms"] for widget in widgets(layout, MONITORING) if widget["type"] == "alarm"]
    standing = [alarm["AlarmName"] for alarm in layout.all(SERVING, "AWS::CloudWatch::Alarm").values()]
    names = {joined(arn).rpartition(":")[2] for arn in shown}

    assert {name for name in names if name.startswith(ENDPOINT)} == {name for name in standing if isinstance(name, str)}
    assert len(names) == 2 + len(alarms(layout))


def test_where_nothing_is_monitored_there_is_a_dashboard_and_the_alarm_that_nothing_answers(layout: Layout) -> None:
    template = layout.templates[UNMONITORED]

    assert sorted(resource["Type"] for resource in template["Resources"].values()) == [
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
    ]
    assert set(template["Parameters"]) == {"BootstrapVersion", "Topic"}
    assert "PSI" not in joined(layout.only(UNMONITORED, "AWS::CloudWatch::Dashboard")["DashboardBody"])


def test_monitoring_does_not_bind_the_two_stacks_together(layout: Layout) -> None:
    assert "ImportValue" not in json.dumps(layout.templates)


def test_what_it_needs_of_the_serving_stack_is_told_there(layout: Layout) -> None:
    declared = layout.templates[MONITORING]["Parameters"]
    asked = {
        parameter["Default"]
        for name, parameter in declared.items()
        if parameter["Type"].startswith("AWS::SSM") and name != "BootstrapVersion"
    }
    known = {parameter["Name"] for parameter in layout.all(SERVING, "AWS::SSM::Parameter").values()}

    assert known == {naming.environment_parameter(CONFIG, MODEL, PRODUCTION, fact) for fact in ("capture-bucket", "key", "topic")}
    assert asked == known


def test_capture_is_kept_by_version_and_expires_and_labels_stay(layout: Layout) -> None:
    capture = layout.only(SERVING, "AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]["DestinationS3Uri"]
    rules = layout.only(SERVING, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    kept = {rule.get("Prefix"): rule.get("ExpirationInDays") for rule in rules}

    assert joined(capture).endswith(f"/{naming.CAPTURE}/ModelVersion")
    assert kept == {None: None, f"{naming.CAPTURE}/": KEPT, f"{naming.MONITORING}/": KEPT}


def test_sagemaker_would_take_the_pipeline(layout: Layout) -> None:
    made = definition(layout)

    assert validate(made) == []
    assert {parameter["Name"]: parameter["DefaultValue"] for parameter in made["Parameters"]} == {
        "ImageUri": "ImageUri",
        "ModelDataUrl": "ModelDataUrl",
        "ModelVersion": "ModelVersion",
        "WindowEnd": "now",
    }
    assert layout.only(MONITORING, "AWS::SageMaker::Pipeline")["PipelineName"] == naming.monitoring_pipeline(CONFIG, MODEL, PRODUCTION)


def test_without_a_version_nothing_is_looked_at(layout: Layout) -> None:
    declared = layout.templates[MONITORING]["Parameters"]

    assert {name: declared[name]["Default"] for name in ("ImageUri", "ModelDataUrl", "ModelVersion")} == {
        "ImageUri": "none",
        "ModelDataUrl": "none",
        "ModelVersion": "none",
    }


def test_it_runs_by_the_clock_once_it_is_known_what_serves(layout: Layout) -> None:
    schedule = layout.only(MONITORING, "AWS::Scheduler::Schedule")

    assert schedule["ScheduleExpression"] == "rate(6 hours)"
    assert schedule["State"] == {"Fn::If": ["Serves", "ENABLED", "DISABLED"]}
    assert layout.templates[MONITORING]["Conditions"]["Serves"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ModelVersion"}, "none"]}]}
    letters = f"arn:aws:sqs:{HOME.region}:{HOME.id}:letters"
    target = {**schedule["Target"], "RoleArn": joined(schedule["Target"]["RoleArn"]), "DeadLetterConfig": {"Arn": letters}}
    accepted("scheduler", "CreateSchedule", {**schedule, "Target": target, "State": "ENABLED"})


def test_the_job_may_write_reports_and_read_what_it_judges(three: Layout) -> None:
    statements = three.statements(MONITORING, naming.monitoring_role(CONFIG, MODEL, PRODUCTION))
    may = {action: [joined(arn) for arn in listed(s["Resource"])] for s in statements for action in listed(s["Action"])}

    assert [arn.rpartition("CaptureBucket")[2] for arn in may["s3:PutObject"]] == [f"/{naming.MONITORING}/*"]
    assert {arn.rpartition("/")[0].rpartition("/")[2] for arn in may["s3:GetObject"]} >= {naming.CAPTURE, naming.LABELS}
    assert may["sns:Publish"] == ["Topic"]
    (metrics,) = [statement for statement in statements if statement["Action"] == "cloudwatch:PutMetricData"]
    namespaces = metrics["Condition"]["StringEquals"]["cloudwatch:namespace"]
    assert naming.metric_namespace(CONFIG, MODEL, PRODUCTION) in namespaces


def test_a_skipped_run_is_neither_drift_nor_its_absence_and_silence_is_an_alarm(layout: Layout) -> None:
    drift, silent = alarms(layout)[DRIFT], alarms(layout)[SILENT]

    assert (drift["MetricName"], drift["Statistic"], drift["Period"], drift["TreatMissingData"]) == ("Drift", "Maximum", 21600, "ignore")
    assert (silent["MetricName"], silent["TreatMissingData"], silent["EvaluationPeriods"]) == ("MonitorRuns", "breaching", 2)
    unread, gone = alarms(layout)[UNREAD], alarms(layout)[GONE]
    assert (unread["MetricName"], unread["Threshold"], unread["TreatMissingData"]) == ("UnreadShare", Monitoring().unread, "ignore")
    assert (gone["MetricName"], gone["EvaluationPeriods"], gone["TreatMissingData"]) == ("CPUUtilization", 15, "breaching")
    for alarm in alarms(layout).values():
        assert alarm["AlarmActions"] == [{"Ref": "Topic"}]
        accepted("cloudwatch", "PutMetricAlarm", alarm)


def test_the_alarm_reaches_the_toolchains_bus_and_nothing_else_does(layout: Layout) -> None:
    rule = layout.only(MONITORING, "AWS::Events::Rule")
    bus = layout.only(naming.toolchain_stack(CONFIG), "AWS::Events::EventBus")
    (target,) = rule["Targets"]
    (alarm,) = rule["EventPattern"]["detail"]["alarmName"]

    assert joined(target["Arn"]) == f"arn:aws:events:{HOME.region}:{HOME.id}:event-bus/{bus['Name']}"
    assert layout.all(MONITORING, "AWS::CloudWatch::Alarm")[alarm["Ref"]]["AlarmName"] == DRIFT
    assert rule["EventPattern"]["detail"]["state"] == {"value": ["ALARM"]}
    accepted("events", "PutTargets", {"Rule": "rule", "Targets": [{**plain(target), "Arn": "arn"}]})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A model that several instances monitor."""
    model = models()[0].model_copy(update={"monitoring": Monitoring(instances=3)})
    return synth(configuration("three"), [model], tmp_path_factory.mktemp("shared"))


def test_every_job_says_whose_it_is(shared: Layout) -> None:
    for step in definition(shared)["Steps"]:
        tags = {tag["Key"]: tag["Value"] for tag in step["Arguments"]["Tags"]}
        assert tags == {"project": CONFIG.project, "model": MODEL, "owner": reference.model().owner, "environment": PRODUCTION.name}


def test_several_instances_hand_their_counts_to_one(shared: Layout) -> None:
    assert [step["Name"] for step in definition(shared)["Steps"]] == ["Count", "Monitor"]
    assert validate(definition(shared)) == []


def test_where_no_drift_may_retrain_the_toolchain_is_not_told(shared: Layout) -> None:
    assert shared.all(MONITORING, "AWS::Events::Rule") == {}


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Models of classes and of numbers."""
    known = [reference.model(name).model_copy(update={"serving": models()[0].serving}) for name in ("risk_grade", "claim_amount")]
    return synth(configuration("three"), known, tmp_path_factory.mktemp("others"))


@pytest.mark.parametrize(
    ("name", "metric", "line", "value"),
    [("risk_grade", "RocAuc", "gate: least mean ROC AUC", 0.6), ("claim_amount", "R2", "gate: least R²", 0.3)],
)
def test_the_dashboard_shows_the_headline_of_the_models_task(others: Layout, name: str, metric: str, line: str, value: float) -> None:
    """The metric is the one that the monitor puts."""
    model = reference.model(name)
    stack = naming.monitoring_stack(CONFIG, name, PRODUCTION)
    shown = graphs(others, stack)
    quality, moved = shown["Quality, once outcomes are known"], shown["How far columns and score have moved"]
    lines = {annotation["label"]: annotation["value"] for annotation in quality["annotations"]["horizontal"]}

    assert quality["metrics"][0][1] == metric == HEADLINES[spec.HEADLINES[model.task]]
    assert lines[line] == value
    assert ("ClassPSI" in json.dumps(moved)) == (model.task == "multiclass")


def test_the_scores_of_a_regression_have_no_ends(others: Layout) -> None:
    (axes,) = [
        graph["yAxis"]["left"]
        for title, graph in graphs(others, naming.monitoring_stack(CONFIG, "claim_amount", PRODUCTION)).items()
        if title.startswith("Scores by version")
    ]
    assert axes == {"label": "score, in the target's unit", "showUnits": False}
