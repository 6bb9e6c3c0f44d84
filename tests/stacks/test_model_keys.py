"""Whatever a key of `model.toml` decides is deployed by the push that changes it, and a model's keys reach nothing that is not its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError as RefusedByCloudFormation
from moto.cloudformation.parsing import get_name_type_map
from pydantic import ValidationError

import naming
from config import SharedEndpoint
from localcloud.cloudformation import resources, schemas
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.spec import Integer, ModelSpec
from pipelines.delivery import model_road
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import Layout, synth
from tests.support.model_keys import KEYS, keys

pytestmark = pytest.mark.laptop("templates alone")

Json = dict[str, Any]


@dataclass(frozen=True)
class At:
    """Another value, at a place of the file that is not called like its key."""

    path: str
    value: Any


@dataclass(frozen=True)
class All:
    """Other values of several keys, of which none may change alone."""

    values: dict[str, Any]


SHARED = tuple(SharedEndpoint(name=name, instance_type="ml.m7i.large", maximum_instances=4) for name in ("small", "other"))
SHARING = replace(CONFIG, environments=(replace(CONFIG.environments[0], shared_endpoints=SHARED), *CONFIG.environments[1:]))
AT_TOOLCHAIN = replace(CONFIG, environments=tuple(replace(place, account=CONFIG.toolchain) for place in CONFIG.environments))
ABOUT = {"description": "What is known of a client.", "owner": "features@example.com", "record_identifier": "id", "event_time": "at"}
STORED = {"accounts": {"income": "number", "note": "text"}, "visits": {"active": "text"}}
GROUPS = [FeatureGroup(name=name, features=features, freshness_hours=24, **ABOUT) for name, features in STORED.items()]  # type: ignore[arg-type]
NUMBER = {"type": "number", "minimum": 0, "maximum": 1, "missing": 0}
BOOLEAN = {"type": "boolean", "true": "true", "false": "false", "missing": 0}
DATE = {"type": "date", "minimum": date(2020, 1, 1), "maximum": date(2030, 12, 31), "planned": False, "missing": 0}
TEXT = {"type": "text", "maximum_length": 100, "missing": 0}
NIGHTS = {"start": "20:00", "end": "06:00", "timezone": "Europe/Berlin", "instances": 2, "maximum_instances": 4}
BATCH = {"instance_type": "ml.m5.large", "input": "s3://bank-rows/leads", "output": "s3://bank-rows/scores", "schedule": "rate(1 day)"}
RETRAINING = {"on": ["drift", "schedule"], "schedule": "rate(7 days)"}
SEARCH = {"jobs": 6, "parallel": 2, "ranges": {"eta": {"minimum": 0.01, "maximum": 0.3}, "max_depth": {"values": [4, 6]}}}
BASE = {  # what the reference's model leaves to defaults
    "data.split": "group",
    "data.group": "household",
    "data.time": "decided",
    "data.columns.income": NUMBER,
    "training.search": SEARCH,
    "data.columns.active": BOOLEAN,
    "data.columns.opened": DATE,
    "data.columns.note": TEXT,
    "features": {"accounts": {"key": "client", "columns": ["income"], "maximum_age_hours": 720}},
    "serving.production.concurrency_per_instance": 5,
    "serving.production.off_hours": NIGHTS,
    "serving.production.batch": BATCH,
    "monitoring.of_windows": 3,
    "monitoring.retraining": RETRAINING,
}
ON_GPUS = {
    "instance_type": "ml.g5.xlarge",
    "inference_ami": "al2023-ami-sagemaker-inference-gpu-4-1",
    "instances": 1,
    "deployment": {"policy": "all-at-once"},
}
ON_DEMAND = {"memory_mb": 3072, "maximum_concurrency": 5, "provisioned_concurrency": 1, "setup_seconds": 30}
COPIES = {"endpoint": "small", "memory_mb": 1024, "maximum_copies": 4}
ON_SHARED = {"component": COPIES, "deployment": {"policy": "rolling", "bake_minutes": 5}}
SERVERLESS = {"serverless": ON_DEMAND, "deployment": {"policy": "all-at-once"}}
TASKS: dict[str, dict[str, Any]] = {  # what a model of another task than the reference's has otherwise
    "binary": {},
    "multiclass": {
        "task": "multiclass",
        "data.positive": None,
        "data.negative": None,
        "data.classes": ["no", "later", "yes"],
        "gates.fairness.threshold": None,
        "gates.fairness.selected": ["yes"],
        "gates.behaviour.outcome": "yes",
    },
    "regression": {
        "task": "regression",
        "data.positive": None,
        "data.negative": None,
        "data.target_minimum": 0,
        "data.target_maximum": 1000,
        "data.target_mean": {"minimum": 10, "maximum": 100},
        "gates.roc_auc": None,
        "gates.r2": 0.3,
        "training.search": {**SEARCH, "objective": "r2"},
    },
}
OF = {  # key → the task that has it, where it is not the reference's
    "data.classes": "multiclass",
    "data.class_share.minimum": "multiclass",
    "data.class_share.maximum": "multiclass",
    "gates.fairness.selected": "multiclass",
    "gates.behaviour.outcome": "multiclass",
    "data.target_minimum": "regression",
    "data.target_maximum": "regression",
    "data.target_mean": "regression",
    "data.target_mean.minimum": "regression",
    "data.target_mean.maximum": "regression",
    "gates.r2": "regression",
    "gates.suspicious_r2": "regression",
    "gates.bias": "regression",
    "gates.fairness.error_difference": "regression",
    "gates.slices.r2": "regression",
    "monitoring.r2_loss": "regression",
}
PLACE = CONFIG.environments[-1]
PRODUCTION, MONOTONE, ETA = "serving.production", "gates.behaviour.minimum_function.0", "training.search.ranges.eta"
OTHER: dict[str, Any] = {  # key → another valid value
    "purpose": "Ranks customers by how likely they are to leave, so that somebody calls them first.",
    "owner": "somebody-else@example.com",
    "task": All(TASKS["regression"]),
    "framework": "lightgbm",
    "reasons": "sampled",
    "data.target": "outcome",
    "data.positive": "subscribed",
    "data.negative": "declined",
    "data.classes": ["no", "later", "yes", "never"],
    "data.class_share.minimum": 0.01,
    "data.class_share.maximum": 0.9,
    "data.target_minimum": -1,
    "data.target_maximum": 1001,
    "data.target_mean": None,
    "data.target_mean.minimum": 11,
    "data.target_mean.maximum": 101,
    "data.exclude": ["duration", "campaign_id"],
    "data.minimum_rows": 2000,
    "data.holdout": 0.3,
    "data.split": "time",
    "data.group": "customer",
    "data.time": "asked",
    "data.seed": 7,
    "data.maximum_duplicates": 0.02,
    "data.positive_share.minimum": 0.06,
    "data.positive_share.maximum": 0.3,
    "data.maximum_column_auc": 0.78,
    "data.maximum_pair_auc": 0.85,
    "data.maximum_missing_auc": 0.7,
    "data.maximum_missing_ratio": 20,
    "data.maximum_change": 0.5,
    "data.columns": At("data.columns.region", {"type": "category", "values": ["north", "south"], "missing": 0}),
    "data.columns.integer.missing": At("data.columns.age.missing", 0.1),
    "data.columns.integer.type": At("data.columns.age.type", "number"),
    "data.columns.integer.minimum": At("data.columns.age.minimum", 17),
    "data.columns.integer.maximum": At("data.columns.age.maximum", 121),
    "data.columns.number.missing": At("data.columns.income.missing", 0.1),
    "data.columns.number.type": At("data.columns.income.type", "integer"),
    "data.columns.number.minimum": At("data.columns.income.minimum", -1),
    "data.columns.number.maximum": At("data.columns.income.maximum", 2),
    "data.columns.category.missing": At("data.columns.contact.missing", 0.1),
    "data.columns.category.type": At("data.columns.loan", {**NUMBER, "type": "integer"}),
    "data.columns.category.values": At("data.columns.default.values", ["no", "yes", "unknown"]),
    "data.columns.boolean.missing": At("data.columns.active.missing", 0.1),
    "data.columns.boolean.type": At("data.columns.active", NUMBER),
    "data.columns.boolean.true": At("data.columns.active.true", "yes"),
    "data.columns.boolean.false": At("data.columns.active.false", "no"),
    "data.columns.date.missing": At("data.columns.opened.missing", 0.1),
    "data.columns.date.type": At("data.columns.opened", NUMBER),
    "data.columns.date.minimum": At("data.columns.opened.minimum", date(2019, 1, 1)),
    "data.columns.date.maximum": At("data.columns.opened.maximum", date(2031, 1, 1)),
    "data.columns.date.planned": At("data.columns.opened.planned", True),
    "data.columns.text.missing": At("data.columns.note.missing", 0.1),
    "data.columns.text.type": At("data.columns.note", NUMBER),
    "data.columns.text.maximum_length": At("data.columns.note.maximum_length", 200),
    "features": At("features.visits", {"key": "client", "columns": ["active"]}),
    "features.key": At("features.accounts.key", "person"),
    "features.columns": At("features.accounts.columns", ["income", "note"]),
    "features.maximum_age_hours": At("features.accounts.maximum_age_hours", 24),
    "gates.roc_auc": 0.8,
    "gates.suspicious_roc_auc": 0.9,
    "gates.r2": 0.4,
    "gates.suspicious_r2": 0.9,
    "gates.bias": 0.05,
    "gates.calibration_error": 0.06,
    "gates.reasons_error": 0.1,
    "gates.champion.compare": False,
    "gates.champion.margin": 0.02,
    "gates.champion.slice_margin": 0.04,
    "gates.champion.confidence": 0.9,
    "gates.champion.suspicious_gain": 0.06,
    "gates.slices": None,
    "gates.slices.by": {"contact": []},
    "gates.slices.roc_auc": 0.6,
    "gates.slices.r2": 0.1,
    "gates.slices.minimum_outcomes": 60,
    "gates.fairness": None,
    "gates.fairness.groups": {"marital": []},
    "gates.fairness.threshold": 0.2,
    "gates.fairness.selected": ["yes", "later"],
    "gates.fairness.error_difference": 0.2,
    "gates.fairness.selection_rate_ratio": 0.3,
    "gates.fairness.equal_opportunity_difference": 0.3,
    "gates.fairness.minimum_rows": 300,
    "gates.fairness.minimum_positives": 60,
    "gates.behaviour.outcome": "later",
    "gates.behaviour.monotone": {"campaign": "increasing"},
    "gates.behaviour.invariance": [],
    "gates.behaviour.invariance.name": At("gates.behaviour.invariance.0.name", "another name"),
    "gates.behaviour.invariance.column": At("gates.behaviour.invariance.0.column", "education"),
    "gates.behaviour.invariance.maximum_change": At("gates.behaviour.invariance.0.maximum_change", 0.3),
    "gates.behaviour.invariance.share": At("gates.behaviour.invariance.0.share", 0.9),
    "gates.behaviour.minimum_function": [],
    "gates.behaviour.minimum_function.name": At(f"{MONOTONE}.name", "another name"),
    "gates.behaviour.minimum_function.higher": At(f"{MONOTONE}.higher", {"poutcome": "success"}),
    "gates.behaviour.minimum_function.lower": At(f"{MONOTONE}.lower", {"poutcome": "failure"}),
    "gates.behaviour.minimum_function.share": At(f"{MONOTONE}.share", 0.7),
    "gates.load.requests_per_second": 30,
    "gates.load.seconds": 6,
    "gates.load.p50_ms": 300,
    "gates.load.p95_ms": 600,
    "gates.load.p99_ms": 1100,
    "gates.load.error_rate": 0.01,
    "gates.load.memory_mb": 2000,
    "gates.load.parity": 1e-4,
    "training.steps": "separate",
    "training.instance_type": "ml.m5.xlarge",
    "training.instance_count": 3,
    "training.spot": True,
    "training.volume_gb": 20,
    "training.max_runtime_minutes": 90,
    "training.max_wait_minutes": 300,
    "training.keep_alive_minutes": 10,
    "training.reuse": False,
    "training.hyperparameters": {"rounds": 10, "eta": 0.2, "max_depth": 3},
    "training.search": None,
    "training.search.jobs": 8,
    "training.search.parallel": 3,
    "training.search.strategy": "random",
    "training.search.objective": "log_loss",
    "training.search.validation": 0.3,
    "training.search.seed": 5,
    "training.search.ranges": {"max_depth": {"values": [2, 3]}},
    "training.search.ranges.minimum": At(f"{ETA}.minimum", 0.02),
    "training.search.ranges.maximum": At(f"{ETA}.maximum", 0.4),
    "training.search.ranges.scale": At(f"{ETA}.scale", "log"),
    "training.search.ranges.values": At("training.search.ranges.max_depth.values", [3, 5]),
    "serving": At("serving.staging", {"instance_type": "ml.c5.large", "instances": 1, "deployment": {"policy": "all-at-once"}}),
    "serving.instance_type": At(f"{PRODUCTION}.instance_type", "ml.m5.xlarge"),
    "serving.inference_ami": At("serving.staging", ON_GPUS),
    "serving.instances": At(f"{PRODUCTION}.instances", 3),
    "serving.maximum_instances": At(f"{PRODUCTION}.maximum_instances", 8),
    "serving.invocations_per_instance": At(f"{PRODUCTION}.invocations_per_instance", 2000),
    "serving.concurrency_per_instance": At(f"{PRODUCTION}.concurrency_per_instance", 6),
    "serving.capture_percent": At(f"{PRODUCTION}.capture_percent", 50),
    "serving.deployment.policy": At(f"{PRODUCTION}.deployment.policy", "shadow"),
    "serving.deployment.size_percent": At(f"{PRODUCTION}.deployment.size_percent", 40),
    "serving.deployment.bake_minutes": At(f"{PRODUCTION}.deployment.bake_minutes", 5),
    "serving.deployment.maximum_minutes": At(f"{PRODUCTION}.deployment.maximum_minutes", 100),
    "serving.deployment.minimum_requests": At(f"{PRODUCTION}.deployment.minimum_requests", 50),
    "serving.alarms.server_error_rate": At(f"{PRODUCTION}.alarms.server_error_rate", 0.02),
    "serving.alarms.client_error_rate": At(f"{PRODUCTION}.alarms.client_error_rate", 0.3),
    "serving.alarms.model_latency_p99_ms": At(f"{PRODUCTION}.alarms.model_latency_p99_ms", 400),
    "serving.alarms.overhead_latency_p99_ms": At(f"{PRODUCTION}.alarms.overhead_latency_p99_ms", 400),
    "serving.alarms.cpu_percent": At(f"{PRODUCTION}.alarms.cpu_percent", 80),
    "serving.alarms.memory_percent": At(f"{PRODUCTION}.alarms.memory_percent", 80),
    "serving.alarms.gpu_percent": At(f"{PRODUCTION}.alarms.gpu_percent", 80),
    "serving.alarms.gpu_memory_percent": At(f"{PRODUCTION}.alarms.gpu_memory_percent", 80),
    "serving.alarms.score_shift": At(f"{PRODUCTION}.alarms.score_shift", 0.2),
    "serving.alarms.score_rows": At(f"{PRODUCTION}.alarms.score_rows", 200),
    "serving.asynchronous": At("serving.staging.asynchronous", {}),
    "serving.asynchronous.payload_mb": At("serving.staging.asynchronous", {"payload_mb": 100}),
    "serving.asynchronous.concurrency": At("serving.staging.asynchronous", {"concurrency": 2}),
    "serving.asynchronous.backlog_per_instance": At("serving.staging.asynchronous", {"backlog_per_instance": 5}),
    "serving.asynchronous.scale_to_zero": At("serving.staging.asynchronous", {"scale_to_zero": False}),
    "serving.asynchronous.oldest_request_minutes": At("serving.staging.asynchronous", {"oldest_request_minutes": 5}),
    "serving.asynchronous.notices": At("serving.staging.asynchronous", {"notices": "all"}),
    "serving.asynchronous.result_days": At("serving.staging.asynchronous", {"result_days": 7}),
    "serving.off_hours": At(f"{PRODUCTION}.off_hours", None),
    "serving.off_hours.start": At(f"{PRODUCTION}.off_hours.start", "21:00"),
    "serving.off_hours.end": At(f"{PRODUCTION}.off_hours.end", "05:00"),
    "serving.off_hours.timezone": At(f"{PRODUCTION}.off_hours.timezone", "Europe/Paris"),
    "serving.off_hours.weekends": At(f"{PRODUCTION}.off_hours.weekends", True),
    "serving.off_hours.instances": At(f"{PRODUCTION}.off_hours.instances", 3),
    "serving.off_hours.maximum_instances": At(f"{PRODUCTION}.off_hours.maximum_instances", 5),
    "serving.serverless": At("serving.staging", SERVERLESS),
    "serving.serverless.memory_mb": At("serving.staging", {**SERVERLESS, "serverless": {**ON_DEMAND, "memory_mb": 4096}}),
    "serving.serverless.maximum_concurrency": At("serving.staging", {**SERVERLESS, "serverless": {**ON_DEMAND, "maximum_concurrency": 6}}),
    "serving.serverless.provisioned_concurrency": At(
        "serving.staging", {**SERVERLESS, "serverless": {**ON_DEMAND, "provisioned_concurrency": 2}}
    ),
    "serving.serverless.setup_seconds": At("serving.staging", {**SERVERLESS, "serverless": {**ON_DEMAND, "setup_seconds": 60}}),
    "serving.component": All({"serving.staging": ON_SHARED, "features": {}}),
    **{
        f"serving.component.{key}": All({"serving.staging": {**ON_SHARED, "component": {**COPIES, key: value}}, "features": {}})
        for key, value in {
            "endpoint": "other",
            "cores": 0.5,
            "memory_mb": 2048,
            "accelerators": 1,
            "copies": 3,
            "maximum_copies": 5,
            "concurrency_per_copy": 7,
            "scale_to_zero": True,
        }.items()
    },
    "serving.batch": At(f"{PRODUCTION}.batch.instances", 3),
    "serving.batch.instance_type": At(f"{PRODUCTION}.batch.instance_type", "ml.m5.xlarge"),
    "serving.batch.instances": At(f"{PRODUCTION}.batch.instances", 2),
    "serving.batch.concurrency": At(f"{PRODUCTION}.batch.concurrency", 5),
    "serving.batch.payload_mb": At(f"{PRODUCTION}.batch.payload_mb", 7),
    "serving.batch.volume_gb": At(f"{PRODUCTION}.batch.volume_gb", 20),
    "serving.batch.max_runtime_minutes": At(f"{PRODUCTION}.batch.max_runtime_minutes", 90),
    "serving.batch.schedule": At(f"{PRODUCTION}.batch.schedule", "rate(2 days)"),
    "serving.batch.input": At(f"{PRODUCTION}.batch.input", "s3://bank-rows/others"),
    "serving.batch.output": At(f"{PRODUCTION}.batch.output", "s3://bank-rows/results"),
    "serving.batch.result_days": At(f"{PRODUCTION}.batch.result_days", 30),
    "serving.batch.maximum_failed": At(f"{PRODUCTION}.batch.maximum_failed", 0.02),
    "monitoring": None,
    "monitoring.every_hours": 12,
    "monitoring.window_hours": 48,
    "monitoring.minimum_rows": 600,
    "monitoring.false_alarm_rate": 0.02,
    "monitoring.psi": 0.2,
    "monitoring.missing": 0.06,
    "monitoring.violations": 0.02,
    "monitoring.unread": 0.2,
    "monitoring.minimum_labels": 250,
    "monitoring.roc_auc_loss": 0.06,
    "monitoring.r2_loss": 0.06,
    "monitoring.calibration_error": 0.2,
    "monitoring.label_days": 8,
    "monitoring.drifted_windows": 2,
    "monitoring.of_windows": 4,
    "monitoring.capture_days": 100,
    "monitoring.instance_type": "ml.m5.xlarge",
    "monitoring.instances": 3,
    "monitoring.volume_gb": 20,
    "monitoring.max_runtime_minutes": 90,
    "monitoring.retraining": None,
    "monitoring.retraining.on": ["schedule", "data"],
    "monitoring.retraining.schedule": "rate(14 days)",
    "monitoring.retraining.cooldown_hours": 12,
    "monitoring.retraining.per_week": 3,
}


AT_HOME = {key for key in KEYS if "serverless" in key}  # where the environment is in the toolchain's account
ON_SHARED_ENDPOINTS = {key for key in KEYS if "component" in key}  # where the environment has some
NAMES = {**get_name_type_map(), **{kind.kind: kind.name for kind in resources.TYPES}}  # resource type → the property that names one
CONTAINERS = {key for key in KEYS if any(other.startswith(f"{key}.") for other in KEYS)}


def change(content: Json, path: str, value: Any) -> None:
    """Set a value in what a file holds."""
    *parents, last = path.split(".")
    table: Any = content
    for part in parents:
        table = table[int(part) if isinstance(table, list) else part]
    table[last] = value


def content(task: str = "binary") -> Json:
    """What the file of a model of that task holds before anything is changed."""
    before: Json = json.loads(reference.model().model_dump_json(exclude={"name"}))
    for path, value in (BASE | TASKS[task]).items():
        change(before, path, deepcopy(value))
    return before


def task_of(key: str) -> str:
    """The task of the model whose key is changed."""
    return OF.get(key, "binary")


def spec(content: Json, name: str = MODEL) -> ModelSpec:
    return ModelSpec.model_validate({"name": name, **content})


def changed(*changes: str) -> ModelSpec:
    """The model with another value for each of these keys, which are those of one task."""
    (task,) = {task_of(key) for key in changes}
    after = content(task)
    for key in changes:
        other = OTHER[key]
        values = other.values if isinstance(other, All) else {other.path: other.value} if isinstance(other, At) else {key: other}
        for path, value in values.items():
            change(after, path, deepcopy(value))
    return spec(after)


def differing(before: Layout, after: Layout) -> set[str]:
    assert before.templates.keys() == after.templates.keys()
    return {stack for stack, template in before.templates.items() if after.templates[stack] != template}


def deployed(model: ModelSpec) -> dict[str, str]:
    """Stack → the stage that deploys it, of the road that a push to the model starts."""
    road = model_road(CONFIG, model)
    assert road.paths == ((f"model_code/{model.name}/**",),)
    environments = {environment.name: environment for environment in CONFIG.environments}
    stages: dict[str, str] = {}
    for job in road.jobs:
        for command in job.commands:
            words, flags = command.words, dict(pairwise(command.words))
            if flags.get("--model") != model.name:
                continue
            if "pipelines.steps.update" in words:
                stages |= {naming.registry_stack(CONFIG, model.name): job.name, naming.delivery_stack(CONFIG, model.name): job.name}
            if "pipelines.steps.deploy" in words:
                environment = environments[str(flags["--environment"])]
                stages |= {naming.serving_stack(CONFIG, model.name, environment): job.name}
                stages |= {naming.monitoring_stack(CONFIG, model.name, environment): job.name}
                batched = model.serving[environment.name].batch is not None
                stages |= {naming.batch_stack(CONFIG, model.name, environment): job.name} if batched else {}
    return stages


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Two models, of which one will change."""
    return synth(CONFIG, [spec(content()), spec(content(), "neighbour")], tmp_path_factory.mktemp("base"), groups=GROUPS)


def synthesised(model: ModelSpec, folder: Path) -> Layout:
    return synth(CONFIG, [model, spec(content(), "neighbour")], folder, groups=GROUPS)


def test_every_key_has_another_value() -> None:
    assert sorted(OTHER) == KEYS
    assert len(KEYS) > 100


@pytest.mark.parametrize("key", KEYS)
def test_another_value_is_another_model(key: str) -> None:
    assert changed(key) != spec(content(task_of(key)))


def test_a_key_that_is_new_is_missed() -> None:
    class Wider(Integer):
        unit: str

    assert set(keys(Wider)) - set(keys(Integer)) == {"unit"}


def test_what_is_no_model_is_refused() -> None:
    broken = content()
    change(broken, "serving.production.instances", 0)

    with pytest.raises(ValidationError):
        spec(broken)


def test_a_push_to_a_model_deploys_all_that_is_its_own_and_what_others_need_first() -> None:
    stages = deployed(spec(content()))
    order = [stage.name for stage in model_road(CONFIG, spec(content())).stages]

    assert stages == {
        naming.registry_stack(CONFIG, MODEL): naming.UPDATE,
        naming.delivery_stack(CONFIG, MODEL): naming.UPDATE,
        **{naming.serving_stack(CONFIG, MODEL, environment): naming.stage(environment) for environment in CONFIG.environments},
        **{naming.monitoring_stack(CONFIG, MODEL, environment): naming.stage(environment) for environment in CONFIG.environments},
        naming.batch_stack(CONFIG, MODEL, PLACE): naming.stage(PLACE),
    }
    assert order.index(naming.UPDATE) < order.index(naming.TRAIN) < min(order.index(naming.stage(e)) for e in CONFIG.environments)


@pytest.fixture(scope="module")
def another() -> ModelSpec:
    """The model with another value for all keys of its task at once, but for those of serverless endpoints and of components, which need
    another configuration, and for how long machines are kept: spot instances are not.
    """
    apart = CONTAINERS | OF.keys() | AT_HOME | ON_SHARED_ENDPOINTS | {"task", "training.keep_alive_minutes"}
    keys = [key for key in KEYS if key not in apart]
    return changed(*(key for key in keys if not key.startswith("data.columns.")))


@pytest.fixture(scope="module")
def after(another: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return synthesised(another, tmp_path_factory.mktemp("after"))


def test_all_keys_at_once_reach_the_models_own_stacks_alone(base: Layout, after: Layout, another: ModelSpec) -> None:
    assert differing(base, after) == deployed(another).keys()


def test_each_key_of_a_serverless_endpoint_reaches_its_own_stacks_alone(tmp_path: Path) -> None:
    before = content()
    change(before, "serving.staging", deepcopy(SERVERLESS))
    base = synth(AT_TOOLCHAIN, [spec(before)], tmp_path / "base", groups=GROUPS)
    staging = CONFIG.environments[0]
    own = {naming.serving_stack(CONFIG, MODEL, staging)}
    dashboard = {naming.monitoring_stack(CONFIG, MODEL, staging)}
    for key in sorted(AT_HOME - {"serving.serverless"}):
        after = synth(AT_TOOLCHAIN, [changed(key)], tmp_path / key, groups=GROUPS)
        expected = own | dashboard if key.endswith(("memory_mb", "setup_seconds")) else own
        assert differing(base, after) == expected, key


def test_each_key_of_a_component_reaches_its_own_stacks_alone(tmp_path: Path) -> None:
    before = content()
    change(before, "serving.staging", deepcopy(ON_SHARED))
    change(before, "features", {})
    base = synth(SHARING, [spec(before)], tmp_path / "base", groups=GROUPS)
    staging = SHARING.environments[0]
    own, monitored = {naming.serving_stack(CONFIG, MODEL, staging)}, {naming.monitoring_stack(CONFIG, MODEL, staging)}
    reached = {
        "endpoint": own | monitored | {naming.registry_stack(CONFIG, MODEL)},  # which lets the shared endpoint's role read
        "concurrency_per_copy": own | monitored,
        "copies": own,
        "memory_mb": own,
    }
    for key, expected in reached.items():
        after = synth(SHARING, [changed(f"serving.component.{key}")], tmp_path / key, groups=GROUPS)
        assert differing(base, after) == expected, key


def test_a_training_that_outlasts_an_action_reaches_the_road_that_its_push_takes(base: Layout, tmp_path: Path) -> None:
    longer = content()
    change(longer, "training.max_runtime_minutes", 20 * 60)

    assert differing(base, synthesised(spec(longer), tmp_path)) == {naming.delivery_stack(CONFIG, MODEL)} <= deployed(spec(longer)).keys()


def replaced(before: Layout, after: Layout) -> list[str]:
    """What CloudFormation would refuse to replace: resources with a name of their own and another value of what never changes."""
    refused = []
    for stack, template in before.templates.items():
        for name, resource in template["Resources"].items():
            kind, changed = resource["Type"], after.templates[stack]["Resources"].get(name)
            schema = schemas.of(kind, CONFIG.toolchain.region)
            if not schema or not changed:
                continue
            try:
                schema.replaces(resource.get("Properties", {}), changed.get("Properties", {}), NAMES.get(kind))
            except RefusedByCloudFormation as problem:
                refused.append(f"{stack}: {name}: {problem}")
    return refused


def test_no_key_asks_for_another_resource_of_the_same_name(base: Layout, after: Layout) -> None:
    assert replaced(base, after) == []


def test_a_key_that_would_is_seen(base: Layout) -> None:
    stack = naming.registry_stack(CONFIG, MODEL)
    template = json.loads(json.dumps(base.templates[stack]))
    (group,) = (name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::SageMaker::ModelPackageGroup")
    template["Resources"][group]["Properties"]["ModelPackageGroupDescription"] = OTHER["purpose"]

    (refused,) = replaced(base, replace(base, templates={**base.templates, stack: template}))

    assert "requires replacing" in refused


def test_who_reads_the_registry_follows_from_the_keys_too(base: Layout, tmp_path: Path) -> None:
    model = changed("monitoring")

    assert naming.registry_stack(CONFIG, MODEL) in differing(base, synthesised(model, tmp_path)) <= deployed(model).keys()


@pytest.fixture(scope="module")
def bases(base: Layout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Layout]:
    """The same of each task."""
    others = {task: synthesised(spec(content(task)), tmp_path_factory.mktemp(task)) for task in TASKS if task != "binary"}
    return {"binary": base, **others}


def places(key: str) -> set[str]:
    """Where in the file another value of a key is written."""
    other = OTHER[key]
    return set(other.values) if isinstance(other, All) else {other.path if isinstance(other, At) else key}


def fit(keys: Sequence[str]) -> bool:
    """Whether keys may change at once: no place is within another, whose value would hide it, and the contract allows them together.

    What changes the task changes alone, as it decides what other keys mean.
    """
    if len(keys) > 1 and any(isinstance(OTHER[key], All) for key in keys):
        return False
    ordered = sorted(place.split(".") for key in keys for place in places(key))
    if len({task_of(key) for key in keys}) > 1 or any(after[: len(before)] == before for before, after in pairwise(ordered)):
        return False
    try:
        return bool(changed(*keys))
    except ValidationError:
        return False


def together(keys: Sequence[str]) -> list[list[str]]:
    """The keys in few groups, each of which may change at once."""
    groups: list[list[str]] = []
    for key in keys:
        group = next((group for group in groups if fit([*group, key])), None)
        if group is None:
            groups.append(group := [])
        group.append(key)
    return groups


def guilty(keys: Sequence[str], wrong: Callable[[Sequence[str]], bool]) -> list[str]:
    """The keys for which something is wrong, found by halving those that are wrong together."""
    if not keys or not wrong(keys):
        return []
    if len(keys) == 1:
        return list(keys)
    half = len(keys) // 2
    return guilty(keys[:half], wrong) + guilty(keys[half:], wrong)


def test_keys_that_are_wrong_are_named() -> None:
    keys = list("abcdefg")

    assert guilty(keys, lambda some: not {"b", "g"}.isdisjoint(some)) == ["b", "g"]
    assert guilty(keys, lambda some: "z" in some) == []


def test_every_key_changes_in_one_group() -> None:
    groups = together(KEYS)

    assert sorted(key for group in groups for key in group) == KEYS
    assert all(changed(*group) for group in groups)


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys",
    together([key for key in KEYS if key not in AT_HOME | ON_SHARED_ENDPOINTS]),
    ids=lambda keys: f"{keys[0]} and {len(keys) - 1} more",
)
def test_what_a_key_reaches_is_deployed_by_a_push_to_the_model(bases: dict[str, Layout], tmp_path: Path, keys: list[str]) -> None:
    """Keys change together, as a stack that one of them reaches alone differs then, too."""

    def reaches_others(some: Sequence[str]) -> bool:
        model = changed(*some)
        return not differing(bases[task_of(some[0])], synthesised(model, tmp_path)) <= deployed(model).keys()

    assert guilty(keys, reaches_others) == []
