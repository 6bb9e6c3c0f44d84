"""What of a serving stack's endpoint configurations and models anything still needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paved_runtime.spec import Batch
from pipelines import tags
from pipelines.deployment import retained
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.place import Place
from pipelines.deployment.retained import Retained
from pipelines.serving_stack import BatchOutputs
from tests.reference import CONFIG, model
from tests.support.fake_production import ENDPOINT, ENVIRONMENT, STACK
from tests.support.fakes import Altered, Fake, clients, refusal
from tests.support.ledger import write_entry
from tests.support.scene import Scene

NOW = datetime(2026, 11, 30, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=100)
OWN = tags.of(CONFIG, model(), ENVIRONMENT)
Json = dict[str, Any]


@dataclass
class Account:
    """An environment's account: `configurations` maps each to the models that it names, `serving` each endpoint to its configuration."""

    configurations: dict[str, list[str]]
    serving: dict[str, str]
    in_stack: list[str]
    status: str = "UPDATE_COMPLETE"
    endpoint_status: str = "InService"
    pending: str = ""
    transforming: str = ""
    on_shared_endpoint: str = ""
    deleted: list[str] = field(default_factory=list)

    @property
    def sagemaker(self) -> Fake:
        """Its SageMaker."""
        return Fake(
            list_endpoints=lambda: {"Endpoints": [{"EndpointName": name} for name in self.serving]},
            describe_endpoint=self._endpoint,
            describe_endpoint_config=self._configuration,
            list_transform_jobs=lambda **_: {"TransformJobSummaries": [{"TransformJobName": "job"}] if self.transforming else []},
            describe_transform_job=lambda **_: {"ModelName": self.transforming},
            list_inference_components=lambda **_: {
                "InferenceComponents": [{"InferenceComponentName": "other"}] if self.on_shared_endpoint else []
            },
            describe_inference_component=lambda **_: {
                "InferenceComponentName": "other",
                "Specification": {"ModelName": self.on_shared_endpoint},
            },
            delete_model=lambda ModelName: self._delete(ModelName),  # noqa: N803  # boto3's name
            delete_endpoint_config=lambda EndpointConfigName: self._delete(EndpointConfigName),  # noqa: N803
        )

    def _endpoint(self, EndpointName: str) -> Json:  # noqa: N803
        pending = {"PendingDeploymentSummary": {"EndpointConfigName": self.pending}} if self.pending else {}
        status = self.endpoint_status if EndpointName == ENDPOINT else "InService"
        return {"EndpointName": EndpointName, "EndpointStatus": status, "EndpointConfigName": self.serving[EndpointName], **pending}

    def _configuration(self, EndpointConfigName: str) -> Json:  # noqa: N803
        live, *shadows = ({"ModelName": name} for name in self.configurations[EndpointConfigName])
        return {"ProductionVariants": [live], "ShadowProductionVariants": shadows}

    def _delete(self, name: str) -> None:
        if name in self.deleted:
            raise refusal("ValidationException", f'Could not find "{name}".')
        self.deleted.append(name)

    @property
    def things(self) -> list[Retained]:
        """Everything in it, made long ago."""
        models = sorted({name for names in self.configurations.values() for name in names})
        return [
            *(Retained(kind="endpoint configuration", name=name, made=LONG_AGO, tags=OWN) for name in self.configurations),
            *(Retained(kind="model", name=name, made=LONG_AGO, tags=OWN) for name in models),
        ]


@pytest.fixture
def account() -> Account:
    """Four versions have served; the newest does, and its stack has it."""
    return Account(
        configurations={f"config-{number}": [f"model-{number}"] for number in range(1, 5)},
        serving={ENDPOINT: "config-4"},
        in_stack=["config-4", "model-4"],
    )


def place(scene: Scene, account: Account) -> Place:
    """Production, with what the account has."""
    production = scene.production

    def resources(**_: str) -> Json:
        kinds = {True: "AWS::SageMaker::Model", False: "AWS::SageMaker::EndpointConfig"}
        listed = [(kinds[name.startswith("model")], f"arn:aws:sagemaker:r:a:kind/{name}") for name in account.in_stack]
        return {"StackResourceSummaries": [{"ResourceType": kind, "PhysicalResourceId": arn} for kind, arn in listed]}

    def stack(**names: str) -> Json:
        production.status = account.status
        return production.describe_stacks(**names)

    there = {"cloudformation": Fake(describe_stacks=stack, list_stack_resources=resources), "sagemaker": account.sagemaker}
    return replace(scene.place(), deployer=clients(there), verifier=clients(there))


def going(scene: Scene, account: Account, *, keep: int = 1, things: list[Retained] | None = None) -> list[str]:
    """The names of what nothing needs."""
    known = account.things if things is None else things
    return [thing.name for thing in retained.look(place(scene, account), known, keep=keep, before=NOW) if not thing.needed]


@pytest.fixture
def served(scene: Scene) -> Scene:
    """The bad version serves, and the ledger has the good one, which served with `config-1`."""
    scene.deploy()
    return scene


def test_what_serves_stays_and_so_does_what_brings_a_good_version_back(served: Scene, account: Account) -> None:
    assert going(served, account) == ["config-2", "config-3", "model-2", "model-3"]
    assert going(served, account, keep=0) == ["config-1", "config-2", "config-3", "model-1", "model-2", "model-3"]


def test_what_stays_says_why(served: Scene, account: Account) -> None:
    why = {thing.name: thing.needed for thing in retained.look(place(served, account), account.things, keep=1, before=NOW)}

    version = served.good.arn.rpartition("/")[2]
    assert why["config-1"] == f"version {version} serves again with it, should the endpoint be gone"
    assert (why["config-4"], why["model-4"]) == (f"endpoint {ENDPOINT} serves with it", f"{STACK} has it")
    assert why["model-1"] == "endpoint configuration config-1 names it"


def test_what_anybodys_endpoint_serves_or_is_about_to_serve_stays(served: Scene, account: Account) -> None:
    account.serving["a-strangers"], account.pending = "config-2", "config-3"
    assert going(served, account) == []


def test_what_the_stack_has_stays_though_the_endpoint_serves_another(served: Scene, account: Account) -> None:
    """SageMaker took the fourth back: CloudFormation's next update begins with it, and may return to it."""
    account.serving[ENDPOINT] = "config-3"
    assert going(served, account) == ["config-2", "model-2"]


def test_models_in_the_shadow_and_in_a_transform_job_stay(served: Scene, account: Account) -> None:
    account.configurations["config-4"] = ["model-4", "model-3"]
    account.transforming = "model-2"
    assert going(served, account) == ["config-2", "config-3"]


def test_models_of_batches_under_way_stay_and_so_does_that_of_their_stack(served: Scene, account: Account) -> None:
    there = place(served, account)
    cloudformation: Any = there.cloudformation
    outputs = BatchOutputs(batch_bucket="batches", batch_pipeline="batch", model_name="model-3").values()
    described = {"StackStatus": "UPDATE_COMPLETE", "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]}
    scored_by = {"arn/one": ("Executing", "model-2"), "arn/two": ("Succeeded", "model-1")}

    def stack(*, StackName: str) -> Json:  # noqa: N803
        return {"Stacks": [described]} if "-Batch-" in StackName else cloudformation.describe_stacks(StackName=StackName)

    def resources(*, StackName: str) -> Json:  # noqa: N803
        has = {"ResourceType": "AWS::SageMaker::Model", "PhysicalResourceId": "model-3"}
        if "-Batch-" in StackName:
            return {"StackResourceSummaries": [has]}
        return next(iter(cloudformation.get_paginator("list_stack_resources").paginate(StackName=StackName)))

    sagemaker = Altered(
        there.sagemaker,
        get_paginator=lambda name: (
            Fake(
                list_pipeline_executions=lambda **_: {
                    "PipelineExecutionSummaries": [
                        {"PipelineExecutionArn": arn, "PipelineExecutionStatus": status} for arn, (status, _) in scored_by.items()
                    ]
                },
                list_pipeline_parameters_for_execution=lambda PipelineExecutionArn: {  # noqa: N803
                    "PipelineParameters": [{"Name": "ModelName", "Value": scored_by[PipelineExecutionArn][1]}]
                },
            ).get_paginator(name)
            if "pipeline" in name
            else there.sagemaker.get_paginator(name)
        ),
    )
    services = clients({"cloudformation": Fake(describe_stacks=stack, list_stack_resources=resources), "sagemaker": sagemaker})
    table = there.serving.model_copy(update={"batch": Batch(instance_type="ml.m5.large")})
    scored = there.model.model_copy(update={"serving": {**there.model.serving, there.environment.name: table}})
    batched = replace(there, registry=replace(there.registry, model=scored), deployer=services, verifier=services)
    needed = {thing.name: thing.needed for thing in retained.look(batched, account.things, keep=1, before=NOW) if thing.kind == "model"}

    assert needed["model-2"] == "batch one scores with it"
    assert needed["model-3"].endswith("has it")
    assert "batch" not in needed["model-1"]


@pytest.mark.parametrize(
    ("status", "endpoint_status"),
    [
        ("UPDATE_IN_PROGRESS", "InService"),
        ("UPDATE_ROLLBACK_FAILED", "InService"),
        ("UPDATE_COMPLETE", "Updating"),
        ("UPDATE_COMPLETE", "UpdateRollbackFailed"),
    ],
)
def test_nothing_goes_while_anything_may_return_to_it(served: Scene, account: Account, status: str, endpoint_status: str) -> None:
    account.status, account.endpoint_status = status, endpoint_status
    assert going(served, account) == []


@pytest.mark.parametrize("other", [{"project": "theirs"}, {"model": "theirs"}, {"environment": "staging"}, None])
def test_what_the_stack_has_not_made_is_not_even_looked_at(served: Scene, account: Account, other: dict[str, str] | None) -> None:
    things = [replace(thing, tags=OWN | other if other else {}) for thing in account.things]
    assert retained.look(place(served, account), things, keep=1, before=NOW) == []


def test_what_was_made_lately_stays_with_the_model_that_it_names(served: Scene, account: Account) -> None:
    things = [replace(thing, made=NOW) if thing.name == "config-3" else thing for thing in account.things]
    assert going(served, account, things=things) == ["config-2", "model-2"]


def test_of_a_stack_that_is_gone_nothing_is_needed_but_what_serves(served: Scene, account: Account) -> None:
    account.status = "ROLLBACK_COMPLETE"
    assert going(served, account) == ["config-1", "config-2", "config-3", "model-1", "model-2", "model-3"]


def test_a_ledger_that_cannot_be_trusted_stops_it(served: Scene, account: Account) -> None:
    write_entry(served.good, "2026-11-22T10:00:00Z", signer=served.good.stranger)
    with pytest.raises(DeploymentError, match="no version is trusted"):
        going(served, account)


def test_tags_of_a_firm_that_hide_whose_a_thing_is_are_named(served: Scene, account: Account) -> None:
    there = place(served, account)
    hidden = replace(CONFIG, tags={"environment": "prod"})
    there = replace(there, registry=replace(there.registry, config=hidden))
    with pytest.raises(DeploymentError, match=r"tags of config\.py: environment is the road's own"):
        retained.look(there, account.things, keep=1, before=NOW)


def test_what_goes_is_deleted_once(account: Account) -> None:
    chosen = [account.things[0], account.things[-1]]
    assert [retained.remove(account.sagemaker, thing) for thing in chosen] == [True, True]
    assert account.deleted == ["config-1", "model-4"]
    assert [retained.remove(account.sagemaker, thing) for thing in chosen] == [False, False]


def test_everything_of_an_account_is_read_with_its_tags() -> None:
    def listed(ResourceArn: str) -> Json:  # noqa: N803
        if ResourceArn == "gone":
            raise refusal("ValidationException", "Could not find model gone.")
        return {"Tags": [{"Key": "of", "Value": ResourceArn}]}

    sagemaker = Fake(
        list_endpoint_configs=lambda **_: {"EndpointConfigs": [{"EndpointConfigName": "c", "EndpointConfigArn": "1", "CreationTime": NOW}]},
        list_models=lambda **_: {"Models": [{"ModelName": name, "ModelArn": name, "CreationTime": NOW} for name in ("m", "gone")]},
        list_tags=listed,
    )
    assert [(thing.kind, thing.name, thing.tags) for thing in retained.everything(sagemaker)] == [
        ("endpoint configuration", "c", {"of": "1"}),
        ("model", "m", {"of": "m"}),
        ("model", "gone", {}),
    ]
