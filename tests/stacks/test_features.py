"""Feature groups in every account, models that ask them, and models that are trained on them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

import naming
from cli.deployability import findings
from config import Environment
from localcloud.testing.running import Running
from localcloud.testing.waiting import until
from paved_runtime.feature_groups import told
from paved_runtime.spec import Asynchronous, Batch, Component, Deployment, Lookup, ModelSpec, Serverless, Serving
from pipelines.deployment import feature_parity, feature_store
from pipelines.deployment.consistency import unproven
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document
from stacks import features_check
from stacks.features import Features
from stacks.layout import check
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support import feature_groups
from tests.support.feature_groups import GROUP
from tests.support.layouts import CONTEXT, HOME, PRODUCTION, STAGING, Layout, configuration, read, synth
from tests.support.networks import MANAGED, with_networks
from tests.support.production import create

pytestmark = pytest.mark.laptop("templates alone, and groups of a localcloud")

STACK = naming.features_stack(CONFIG, HOME)
KIND = "AWS::SageMaker::FeatureGroup"
NAME = naming.feature_group(CONFIG, GROUP)
TOLD = {"feature_group_name": NAME, "identifier": "customer_id", "event_time": "as_of", "online": True}


def looking_up(*columns: str) -> ModelSpec:
    """The reference's model, which looks columns up."""
    return reference.model().model_copy(update={"features": {GROUP: Lookup(key="customer_id", columns=columns or ("visits_7d",))}})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Three accounts, a group, and a model that asks it."""
    return synth(CONFIG, [looking_up()], tmp_path_factory.mktemp("features"), groups=[feature_groups.group()])


@pytest.mark.parametrize("layout", ["three", "two", "two-staging-at-home", "one"])
def test_every_account_has_the_groups_once(layout: str, tmp_path: Path) -> None:
    config = configuration(layout)
    its = synth(config, [], tmp_path, groups=[feature_groups.group()])

    assert sorted(its.account_of[stack] for stack, _ in its.every(KIND)) == sorted(account.id for account in config.accounts)


def test_without_groups_there_is_no_stack_of_them(tmp_path: Path) -> None:
    assert synth(CONFIG, [reference.model()], tmp_path).every(KIND) == []


def test_a_group_is_what_its_declaration_says(made: Layout) -> None:
    declared, properties = feature_groups.group(), made.only(STACK, KIND)

    assert properties["FeatureGroupName"] == NAME
    assert (properties["RecordIdentifierFeatureName"], properties["EventTimeFeatureName"]) == ("customer_id", "as_of")
    assert {each["FeatureName"]: each["FeatureType"] for each in properties["FeatureDefinitions"]} == declared.definitions
    assert properties["OnlineStoreConfig"] == {"EnableOnlineStore": True}
    assert properties["OfflineStoreConfig"]["DisableGlueTableCreation"] is True
    (bucket,) = made.all(STACK, "AWS::S3::Bucket").values()
    assert bucket["BucketName"] == naming.features_bucket(CONFIG, HOME)


def test_what_is_not_online_has_no_online_store(tmp_path: Path) -> None:
    offline = feature_groups.group().model_copy(update={"online": False})

    assert "OnlineStoreConfig" not in synth(CONFIG, [], tmp_path, groups=[offline]).only(STACK, KIND)


def test_cfn_lint_and_the_rules_find_nothing(made: Layout) -> None:
    stacks = [naming.features_stack(CONFIG, account) for account in CONFIG.accounts]
    stacks += [naming.registry_stack(CONFIG, MODEL), naming.serving_stack(CONFIG, MODEL, PRODUCTION)]

    assert {stack: findings(made.folder / f"{stack}.template.json") for stack in stacks} == {stack: [] for stack in stacks}


def test_people_reach_the_groups_of_other_accounts_by_a_role(made: Layout) -> None:
    away = naming.features_stack(CONFIG, PRODUCTION.account)
    role = made.role(away, naming.features_role(CONFIG))

    assert HOME.id in json.dumps(role["AssumeRolePolicyDocument"])
    assert naming.features_role(CONFIG) not in [role.get("RoleName") for role in made.all(STACK, "AWS::IAM::Role").values()]


def test_an_endpoint_that_looks_up_may_ask_its_groups_and_knows_them(made: Layout) -> None:
    stack = naming.serving_stack(CONFIG, MODEL, PRODUCTION)
    model = made.only(stack, "AWS::SageMaker::Model")
    environment = model["PrimaryContainer"]["Environment"]

    assert model["EnableNetworkIsolation"] is False
    assert json.loads(told(environment)) == {GROUP: TOLD}
    assert environment["AWS_REGION"] == HOME.region
    asked = [
        s for s in made.statements(stack, naming.execution_role(CONFIG, MODEL, PRODUCTION)) if "sagemaker:BatchGetRecord" in s["Action"]
    ]
    assert [json.dumps(each["Resource"]).count(f":feature-group/{NAME}") for each in asked] == [1]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The model behind a queue in staging, and in containers on demand in production, which only one account has."""
    deployment = Deployment(policy="all-at-once")
    serving = {
        STAGING.name: Serving(instance_type="ml.m5.large", instances=1, asynchronous=Asynchronous(), deployment=deployment),
        PRODUCTION.name: Serving(serverless=Serverless(memory_mb=2048, maximum_concurrency=4), deployment=deployment),
    }
    model = looking_up().model_copy(update={"monitoring": None, "serving": serving})
    return synth(configuration("one"), [model], tmp_path_factory.mktemp("shapes"), groups=[feature_groups.group()])


@pytest.mark.parametrize(("place", "isolated"), [(STAGING, False), (PRODUCTION, None)], ids=["asynchronous", "serverless"])
def test_endpoints_of_other_shapes_may_ask_too(shapes: Layout, place: Environment, isolated: bool | None) -> None:
    """Of a serverless model isolation is not declared at all."""
    stack = naming.serving_stack(CONFIG, MODEL, place)
    model = shapes.only(stack, "AWS::SageMaker::Model")

    assert model.get("EnableNetworkIsolation") is isolated
    assert json.loads(told(model["PrimaryContainer"]["Environment"])) == {GROUP: TOLD}
    assert model["PrimaryContainer"]["Environment"]["AWS_REGION"] == HOME.region
    asked = [s for s in shapes.statements(stack, naming.execution_role(CONFIG, MODEL, place)) if "sagemaker:BatchGetRecord" in s["Action"]]
    assert [json.dumps(each["Resource"]).count(f":feature-group/{NAME}") for each in asked] == [1]


def test_one_that_looks_nothing_up_stays_isolated(three: Layout) -> None:
    stack = naming.serving_stack(CONFIG, MODEL, PRODUCTION)

    assert three.only(stack, "AWS::SageMaker::Model")["EnableNetworkIsolation"] is True
    assert "BatchGetRecord" not in json.dumps(three.templates[stack])


def test_training_reads_the_groups_that_it_looks_up_and_no_other(made: Layout) -> None:
    stack = naming.registry_stack(CONFIG, MODEL)
    statements = json.dumps(made.statements(stack, naming.training_role(CONFIG, MODEL)))
    dependencies = json.loads((made.folder / "manifest.json").read_text())["artifacts"][stack]["dependencies"]

    assert f"{naming.features_bucket(CONFIG, HOME)}/{naming.OFFLINE_STORE}/{GROUP}/*" in statements
    assert {"Ref": "FeaturesKey"} in [s["Resource"] for s in made.statements(stack, naming.training_role(CONFIG, MODEL))]
    assert made.templates[stack]["Parameters"]["FeaturesKey"]["Default"] == naming.features_parameter(CONFIG, "key")
    assert STACK in dependencies


def test_a_managed_network_reaches_the_online_store_where_there_are_groups(tmp_path: Path) -> None:
    config = with_networks("three", MANAGED, MANAGED)
    stack = naming.network_stack(config, config.environments[-1].account)

    def services(folder: str, **rest: Any) -> str:
        return json.dumps(
            [each["ServiceName"] for each in synth(config, [], tmp_path / folder, **rest).all(stack, "AWS::EC2::VPCEndpoint").values()]
        )

    assert "sagemaker.featurestore-runtime" in services("with", groups=[feature_groups.group()])
    assert "sagemaker.featurestore-runtime" not in services("without")


def test_what_is_not_there_to_be_looked_up_is_refused() -> None:
    group = feature_groups.group()
    where = f"model_code/{MODEL}/model.toml: features.{GROUP}"

    check(CONFIG, [looking_up()], [group])
    for model, groups, why in (
        (looking_up(), [], f"{where}: there is no feature_groups/{GROUP}; accepted are none, as no group is declared"),
        (looking_up("age"), [group], f"{where}.columns: found age; accepted are those of the group: balance_mean_30d, segment, visits_7d"),
        (
            looking_up(),
            [group.model_copy(update={"online": False})],
            f"{where}: found a group with online = false; accepted is one that endpoints can ask: online = true",
        ),
    ):
        with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole message is looked at
            check(CONFIG, [model], groups)
        assert str(refused.value) == why


def test_copies_on_a_shared_endpoint_look_nothing_up() -> None:
    model = looking_up()
    shared = model.serving[STAGING.name].model_copy(update={"component": Component(endpoint="small", memory_mb=1024)})
    (why,) = features_check.problems([model.model_copy(update={"serving": {STAGING.name: shared}})], [feature_groups.group()])

    assert why.startswith(f"model_code/{MODEL}/model.toml: serving.{STAGING.name}.component: found beside [features]")


@pytest.fixture(scope="module")
def batched(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A model that looks up, and whose files are scored in production."""
    model = looking_up()
    table = model.serving[PRODUCTION.name].model_copy(update={"batch": Batch(instance_type="ml.m5.large")})
    serving = {**model.serving, PRODUCTION.name: table}
    groups = [feature_groups.group()]
    return synth(CONFIG, [model.model_copy(update={"serving": serving})], tmp_path_factory.mktemp("batched"), groups=groups)


def test_a_batch_reads_the_groups_of_its_own_account(batched: Layout) -> None:
    stack = naming.batch_stack(CONFIG, MODEL, PRODUCTION)
    body = json.dumps(batched.only(stack, "AWS::SageMaker::Pipeline")["PipelineDefinition"]).replace("\\", "")
    statements = json.dumps(batched.statements(stack, naming.batch_role(CONFIG, MODEL, PRODUCTION)))

    assert f'"S3Uri": "{naming.offline_store(CONFIG, PRODUCTION.account, GROUP)}/"' in body
    assert f'"LocalPath": "/opt/ml/processing/input/features_{GROUP}"' in body
    assert '"FEATURES": ' in body
    assert NAME in body
    assert f"{naming.features_bucket(CONFIG, PRODUCTION.account)}/{naming.OFFLINE_STORE}/{GROUP}/*" in statements


def test_a_name_that_is_too_long_is_refused() -> None:
    config = replace(CONFIG, project="a-project-of-a-bank-with-a-long-name")
    group = feature_groups.group().model_copy(update={"name": "a" * 32})

    with pytest.raises(ValueError, match=r"feature_groups/a{32}: found the feature group .* accepted are 64"):
        check(config, [], [group])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An account that CDK has bootstrapped."""
    with Running(tmp_path_factory.mktemp("cloud") / "cloud", accounts=[HOME.id], region=HOME.region) as running:
        name = f"/cdk-bootstrap/{CONFIG.qualifier}/version"
        running.client("ssm", HOME.id).put_parameter(Name=name, Value="27", Type="String")
        yield running


def test_a_group_that_is_deployed_takes_records_and_the_road_finds_them(cloud: Running, tmp_path: Path) -> None:
    """SageMaker writes them as the group's role; how old the newest is, the names of the files say."""
    app = App(outdir=str(tmp_path), context=CONTEXT)
    Features(app, STACK, config=CONFIG, account=HOME, groups=[feature_groups.group()])
    read(app, CONFIG, tmp_path)
    create(cloud, HOME.id, tmp_path, STACK)
    sagemaker, s3, runtime = (cloud.client(each, HOME.id) for each in ("sagemaker", "s3", "sagemaker-featurestore-runtime"))
    store = feature_store.stores(sagemaker, CONFIG, [GROUP])[GROUP]
    folder = f"{naming.OFFLINE_STORE}/{GROUP}/{HOME.id}/sagemaker/{HOME.region}/offline-store/{NAME}-"

    assert store["offline_store"].startswith(f"s3://{naming.features_bucket(CONFIG, HOME)}/{folder}")
    assert store == {**TOLD, "offline_store": store["offline_store"]}
    assert feature_store.newest_event(s3, store["offline_store"]) is None
    stores, lookups = {GROUP: store}, looking_up("visits_7d", "balance_mean_30d").features
    (nothing,) = feature_parity.parity(runtime, s3, stores, lookups)
    assert (nothing.passed, nothing.found) == (False, "no record")
    put(runtime, "7", "2026-01-02T10:00:00Z", visits_7d="2", balance_mean_30d="0.1")
    put(runtime, "7", "2025-12-31T23:30:00Z", visits_7d="3")
    newest = datetime(2026, 1, 2, 10, tzinfo=UTC)
    until(lambda: feature_store.newest_event(s3, store["offline_store"]) == newest)

    assert sagemaker.describe_feature_group(FeatureGroupName=NAME)["OfflineStoreStatus"] == {"Status": "Active"}
    for hours, passed in ((47, True), (49, False)):
        (verdict,) = feature_store.freshness([feature_groups.group()], stores, s3, newest + timedelta(hours=hours))
        assert (verdict.gate, verdict.found, verdict.threshold, verdict.passed) == ("feature freshness", hours, 48, passed)
    (same,) = feature_parity.parity(runtime, s3, stores, lookups)
    assert (same.gate, same.passed, same.found) == ("feature parity", True, 0)
    put(runtime, "7", "2026-01-02T11:00:00Z", visits_7d="4")  # not offline yet
    (ahead,) = feature_parity.parity(runtime, s3, stores, lookups)
    assert (ahead.passed, ahead.subject[:4]) == (True, "of 0")


def test_what_is_not_the_same_online_and_offline_is_named(cloud: Running) -> None:
    sagemaker, s3, runtime = (cloud.client(each, HOME.id) for each in ("sagemaker", "s3", "sagemaker-featurestore-runtime"))
    stores = feature_store.stores(sagemaker, CONFIG, [GROUP])
    put(runtime, "8", "2026-02-01T00:00:00Z", visits_7d="1")
    put(runtime, "9", "2026-02-01T00:10:00Z", ["OfflineStore"], visits_7d="3")
    put(runtime, "10", "2026-02-01T00:20:00Z", ["OnlineStore"], visits_7d="4")
    put(runtime, "10", "2026-02-01T00:20:00Z", ["OfflineStore"], visits_7d="5")
    put(runtime, "8", "2026-02-01T00:30:00Z", ["OfflineStore"], visits_7d="2")  # the last: with it, all have come
    newest = datetime(2026, 2, 1, 0, 30, tzinfo=UTC)
    until(lambda: feature_store.newest_event(s3, stores[GROUP]["offline_store"]) == newest)

    (verdict,) = feature_parity.parity(runtime, s3, stores, looking_up().features)
    assert (verdict.passed, verdict.found, verdict.subject[:4]) == (False, 3, "of 3")
    assert verdict.advice.startswith("'8' has its newest event at 2026-02-01T00:00:00+00:00 online, at 2026-02-01T00:30:00+00:00 offline")
    runtime.delete_record(
        FeatureGroupName=NAME, RecordIdentifierValueAsString="8", EventTime="2026-02-01T00:40:00Z", TargetStores=["OfflineStore"]
    )
    until(lambda: feature_store.newest_event(s3, stores[GROUP]["offline_store"]) == newest + timedelta(minutes=10))

    (verdict,) = feature_parity.parity(runtime, s3, stores, looking_up().features)
    assert verdict.advice.startswith("'8' is there online alone")


def put(runtime: Any, customer: str, at: str, stores: Sequence[str] = ("OnlineStore", "OfflineStore"), **features: str) -> None:
    """A record of the group, in one store or both."""
    record = {"customer_id": customer, "as_of": at, **features}
    pairs = [{"FeatureName": name, "ValueAsString": value} for name, value in record.items()]
    runtime.put_record(FeatureGroupName=NAME, Record=pairs, TargetStores=list(stores))


def test_a_group_that_is_not_deployed_is_one_line(cloud: Running) -> None:
    with pytest.raises(DeploymentError, match=r"feature group acme-risk-absent: it is not deployed: push it"):
        feature_store.stores(cloud.client("sagemaker", HOME.id), CONFIG, ["absent"])


def test_the_first_environments_verifier_reads_the_groups_that_are_looked_up_and_the_last_ones_none(made: Layout) -> None:
    first, last = (
        json.dumps(made.statements(naming.serving_stack(CONFIG, MODEL, place), naming.verifier_role(CONFIG, MODEL, place)))
        for place in (STAGING, PRODUCTION)
    )

    assert f"{naming.features_bucket(CONFIG, STAGING.account)}/{naming.OFFLINE_STORE}/{GROUP}/*" in first
    assert "sagemaker:BatchGetRecord" in first
    assert "PutRecord" not in first
    assert "offline-store" not in last


def test_who_makes_evidence_reads_what_ingestions_have_left_of_these_groups(made: Layout, three: Layout) -> None:
    stack = naming.delivery_stack(CONFIG, MODEL)
    first, last = (json.dumps(made.statements(stack, naming.deploy_role(CONFIG, MODEL, place))) for place in (STAGING, PRODUCTION))
    bucket = naming.features_bucket(CONFIG, HOME)

    assert f"{bucket}/{naming.INGESTIONS}/{GROUP}/*" in first
    assert f"{bucket}/{naming.OFFLINE_STORE}" not in first
    assert bucket not in last
    assert bucket not in json.dumps(three.templates[stack])


def test_evidence_of_a_model_that_looks_up_must_say_that_its_features_were_fresh_and_the_same() -> None:
    evaluation, staging = document.Evaluation.model_construct(gates=[], gates_failed=0), document.Staging.model_construct(gates=[])

    for gate in (feature_store.FRESHNESS, feature_store.PARITY):
        assert any(line.startswith(gate) for line in unproven(looking_up(), evaluation, staging))
        assert not any(line.startswith(gate) for line in unproven(reference.model(), evaluation, staging))
