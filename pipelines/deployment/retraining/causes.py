"""What there is to train again for. Whatever woke the controller, it looks for itself: an event that is lost, late or there five hundred
times decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import naming
from pipelines.deployment import package
from pipelines.deployment.alarms import IN_ALARM
from pipelines.deployment.cloudwatch import CloudWatchClient
from pipelines.deployment.place import Place
from pipelines.deployment.retraining.policy import Cause, Started
from pipelines.deployment.retraining.roads import LOOKED_BACK, Roads
from pipelines.evidence import document

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


def causes(place: Place, kinds: Sequence[str], roads: Roads, started: Sequence[Started], now: datetime) -> list[Cause]:
    """Those of these kinds that are there: the alarm is in ALARM, no version was trained on the data set, the clock has struck."""
    registry, config, model = place.registry, place.config, place.model.name
    data_set = registry.facts.data
    looks = {
        "drift": lambda: drift(place.cloudwatch, naming.alarm(config, model, place.environment, naming.DRIFT)),
        "data": lambda: data(registry.sagemaker, naming.model_package_group(config, model), data_set.sha256) if data_set else None,
        "schedule": lambda: schedule(roads, naming.retraining_schedule(config, model), started, now),
    }
    return [cause for kind in kinds if (cause := looks[kind]())]


def drift(cloudwatch: CloudWatchClient, alarm: str) -> Cause | None:
    """The alarm, while it is in ALARM."""
    descriptions = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    if not descriptions or descriptions[0]["StateValue"] != IN_ALARM:
        return None
    since = document.utc(descriptions[0].get("StateTransitionedTimestamp") or descriptions[0]["StateUpdatedTimestamp"])
    return Cause(kind="drift", which=since, text=f"drift: alarm {alarm} is in ALARM since {since}")


def data(sagemaker: SageMakerClient, group: str, sha256: str) -> Cause | None:
    """The data set, when the newest version was trained on another."""
    newest = sagemaker.list_model_packages(ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=1)
    for version in newest["ModelPackageSummaryList"]:
        if package.read(sagemaker, version["ModelPackageArn"]).metadata.get("data_sha256") == sha256:
            return None
    return Cause(kind="data", which=sha256, text=f"data: {sha256}")


def schedule(roads: Roads, rule: str, started: Sequence[Started], now: datetime) -> Cause | None:
    """The clock, when it has struck since the last retraining began."""
    tick = roads.tick(rule, since=started[-1].began if started else now - LOOKED_BACK)
    return Cause(kind="schedule", which=tick, text="schedule") if tick else None
