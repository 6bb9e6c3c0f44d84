"""What there is to train again for."""

from __future__ import annotations

from dataclasses import replace

import naming
from pipelines.deployment.facts import DataSet
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.deployment.retraining.causes import causes, data, drift, schedule
from pipelines.deployment.retraining.policy import Cause
from pipelines.deployment.retraining.roads import Roads
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS
from tests.support.fakes import Fake, clients
from tests.support.retraining import DELIVERY, HOUR, NOW, RETRAINING, CodePipeline, began

PRODUCTION = CONFIG.environments[-1]
ALARM, GROUP = naming.alarm(CONFIG, MODEL, PRODUCTION, naming.DRIFT), naming.model_package_group(CONFIG, MODEL)


def test_the_alarm_is_a_cause_while_it_is_in_alarm() -> None:
    def alarm(state: str) -> Fake:
        times = {"StateTransitionedTimestamp": NOW, "StateUpdatedTimestamp": NOW + HOUR}
        return Fake(describe_alarms=lambda **_: {"MetricAlarms": [{"StateValue": state, **times}]})

    loud = drift(alarm("ALARM"), ALARM)
    assert loud == Cause(kind="drift", which="2026-11-21T12:00:00Z", text=f"drift: alarm {ALARM} is in ALARM since 2026-11-21T12:00:00Z")
    assert drift(alarm("OK"), ALARM) is None
    assert drift(Fake(describe_alarms=lambda **_: {"MetricAlarms": []}), ALARM) is None


def test_a_data_set_is_a_cause_until_a_version_was_trained_on_it() -> None:
    container = {"Image": "i", "ModelDataUrl": "s3://b/k"}
    registered = {"InferenceSpecification": {"Containers": [container]}, "ModelApprovalStatus": "Rejected"}
    registry = Fake(
        list_model_packages=lambda **_: {"ModelPackageSummaryList": [{"ModelPackageArn": "arn"}]},
        describe_model_package=lambda **_: {**registered, "CustomerMetadataProperties": {"data_sha256": "old"}},
    )

    assert data(registry, GROUP, "old") is None
    assert data(registry, GROUP, "new") == Cause(kind="data", which="new", text="data: new")


def test_the_clock_is_a_cause_when_its_rule_woke_a_controller_since_the_last_retraining() -> None:
    codepipeline = CodePipeline()
    codepipeline.ticks = [
        {"pipelineExecutionId": f"t{number}", "startTime": NOW - (10 - number) * HOUR, "trigger": {"triggerDetail": f"arn:rule/{rule}"}}
        for number, rule in enumerate(["weekly", "weekly", "again"])
    ]
    roads = Roads(codepipeline, delivery=DELIVERY, retraining=RETRAINING)

    assert schedule(roads, "weekly", [], NOW) == Cause(kind="schedule", which="t1", text="schedule")
    assert schedule(roads, "weekly", [began(1, hours_ago=9.5)], NOW) is not None
    assert schedule(roads, "weekly", [began(1, hours_ago=8.5)], NOW) is None


def looked(data_set: DataSet | None, kinds: tuple[str, ...]) -> list[str]:
    """The kinds of causes that are there: the alarm is in ALARM, and no version was ever trained."""
    alarm = {"StateValue": "ALARM", "StateUpdatedTimestamp": NOW}
    registry = Registry(
        config=CONFIG,
        model=reference.model(),
        facts=replace(FACTS, data=data_set),
        clients=clients({"sagemaker": Fake(list_model_packages=lambda **_: {"ModelPackageSummaryList": []})}),
    )
    there = clients({"cloudwatch": Fake(describe_alarms=lambda **_: {"MetricAlarms": [alarm]})})
    place = Place(registry=registry, environment=PRODUCTION, deployer=there, verifier=there)
    roads = Roads(CodePipeline(), delivery=DELIVERY, retraining=RETRAINING)
    return [cause.kind for cause in causes(place, kinds, roads, [], NOW)]


def test_only_what_the_model_asks_for_is_looked_at() -> None:
    data_set = DataSet(uri="s3://b/data.csv", sha256="new", rows=3)

    assert looked(data_set, ("drift", "data", "schedule")) == ["drift", "data"]
    assert looked(data_set, ("data",)) == ["data"]
    assert looked(None, ("data", "drift")) == ["drift"]
