"""A configuration and models that do not fit together are refused at synth, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

import naming
from config import Account, Config, Environment
from paved_runtime.spec import ModelSpec, Monitoring, OffHours
from stacks.layout import check
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import HOME, PRODUCTION, STAGING, STEADY, models, serving, trained_for

pytestmark = pytest.mark.laptop("templates alone")

FILE = f"model_code/{MODEL}/model.toml"


def refusal(config: Config, specs: Sequence[ModelSpec]) -> str:
    with pytest.raises(ValueError, match=r"config\.py|model_code/") as refused:
        check(config, specs)
    return str(refused.value)


def refusal_of_config(**changes: Any) -> str:
    return refusal(replace(CONFIG, **changes), models())


def refusal_of_model(**changes: Any) -> str:
    lead, steady = models()
    return refusal(CONFIG, [lead.model_copy(update=changes), steady])


def named(name: str) -> ModelSpec:
    return reference.model().model_copy(update={"name": name})


def test_what_fits_is_not_refused() -> None:
    check(CONFIG, models())


def test_a_fork_without_a_model_is_not_refused() -> None:
    check(CONFIG, [])


def test_an_environment_the_model_does_not_know() -> None:
    canada = Environment(name="canada", account=Account(id="4" * 12, region=HOME.region), approved_only=True)

    lines = refusal_of_config(environments=(*CONFIG.environments, canada)).splitlines()

    assert f"{FILE}: serving: found production, staging; accepted is one table for each of canada, production, staging" in lines


def test_another_region_than_the_images() -> None:
    elsewhere = replace(PRODUCTION, account=replace(PRODUCTION.account, region="us-east-1"))

    assert refusal_of_config(environments=(STAGING, elsewhere)) == (
        f"config.py: environment 'production': found region 'us-east-1'; accepted is that of the images: {HOME.region!r}"
    )


@pytest.mark.parametrize("name", ["build", "Build", "staging", "Staging", "onboarding"])
def test_a_name_that_is_taken(name: str) -> None:
    assert f"environment {name!r}: the name is taken" in refusal_of_config(environments=(STAGING, replace(PRODUCTION, name=name)))


@pytest.mark.parametrize("name", sorted(naming.RESERVED))
def test_a_model_whose_name_is_taken(name: str) -> None:
    assert f"model_code/{name}: the name is taken; accepted is none of approval, build, " in refusal(CONFIG, [named(name)])


@pytest.mark.parametrize("name", ["pre production", "pre_production", "-production", "", "dev--test"])
def test_an_environments_name_that_aws_does_not_take(name: str) -> None:
    assert f"config.py: environment {name!r}: accepted are letters and digits in words joined by hyphens" in refusal_of_config(
        environments=(STAGING, replace(PRODUCTION, name=name))
    )


@pytest.mark.parametrize("project", ["Acme", "acme_risk", "3m", "acme-", ""])
def test_a_projects_name_that_aws_does_not_take(project: str) -> None:
    assert refusal_of_config(project=project) == (
        f"config.py: project: found {project!r}; accepted are lower-case letters and digits in words joined by hyphens"
    )


def test_a_models_name_that_aws_does_not_take() -> None:
    assert refusal(CONFIG, [named("churn_")]) == (
        "model_code/churn_: the name ends in an underscore; accepted is a letter or a digit there"
    )


def test_project_and_model_that_together_are_too_long() -> None:
    name = "probability_of_default_in_retail"

    assert refusal(CONFIG, [named(name)]) == (
        f"model_code/{name}: found the bucket {naming.artifacts_bucket(CONFIG, name)!r} of 65 characters;"
        " accepted are 63: make the name of the project, the model or the environment 2 shorter"
    )
    check(CONFIG, [named(name[2:])])


def test_a_project_that_is_too_long_for_any_model() -> None:
    assert refusal(replace(CONFIG, project="a" * 33), []) == (
        f"config.py: project: found the connection '{'a' * 33}' of 33 characters;"
        " accepted are 32: make the name of the project, the model or the environment 1 shorter"
    )


def test_two_models_whose_pipelines_would_be_called_the_same() -> None:
    assert refusal(CONFIG, [named("churn"), named("churn_retraining")]) == (
        f"model_code/churn_retraining: found the delivery pipeline {naming.retraining_pipeline(CONFIG, 'churn')!r},"
        " which is that of model_code/churn, too; accepted is another name"
    )


def test_two_models_whose_endpoints_would_be_called_the_same() -> None:
    eu = replace(PRODUCTION, name="eu-production")
    canary = serving("canary", instances=2)
    tables = {"staging": serving("all-at-once", instances=1), "production": canary, "eu-production": canary}
    churn, churn_eu = (named(name).model_copy(update={"serving": tables}) for name in ("churn", "churn_eu"))

    assert refusal(replace(CONFIG, environments=(*CONFIG.environments, eu)), [churn, churn_eu]) == (
        f"model_code/churn_eu: found the endpoint {naming.endpoint(CONFIG, 'churn', eu)!r}, which is that of model_code/churn, too;"
        " accepted is another name"
    )


def test_evidence_cannot_be_made_behind_the_approval_that_needs_it() -> None:
    assert refusal_of_config(environments=(replace(STAGING, approved_only=True), PRODUCTION)) == (
        "config.py: environment 'staging': found approved_only=True in the first environment;"
        " accepted is False: the evidence that an approval needs is made there"
    )


def test_a_shadow_where_nothing_is_approved() -> None:
    tables = {**models()[0].serving, "staging": serving("shadow", instances=2)}

    assert refusal_of_model(serving=tables) == (
        f"{FILE}: serving.staging.deployment.policy: found 'shadow' where nothing is approved;"
        " accepted are the others: a shadow is made of a registered version, and SageMaker makes models of approved ones only"
    )


def test_a_time_zone_that_is_none() -> None:
    night = OffHours(start="20:00", end="06:00", timezone="Europe/Nowhere", instances=2, maximum_instances=2)
    tables = {**models()[0].serving, "production": serving("canary", instances=2, maximum_instances=6, off_hours=night)}

    assert refusal_of_model(serving=tables) == (
        f"{FILE}: serving.production.off_hours.timezone: found 'Europe/Nowhere';"
        " accepted is a zone of the IANA database such as 'Europe/Berlin'"
    )


def test_a_deployment_that_no_stage_can_wait_for() -> None:
    slow = serving("canary", instances=2, deployment={"maximum_minutes": 211})
    tables = {**models()[0].serving, "production": slow}

    assert refusal_of_model(serving=tables) == (
        f"{FILE}: serving.production.deployment: found up to 211 minutes for a canary deployment, 482 for its stage; accepted are 480,"
        " after which CodePipeline ends a stage: lower bake_minutes or maximum_minutes, or raise size_percent"
    )
    shorter = serving("canary", instances=2, deployment={"maximum_minutes": 210})
    check(CONFIG, [models()[0].model_copy(update={"serving": {**tables, "production": shorter}})])


def test_a_training_that_no_stage_can_wait_for() -> None:
    lead = trained_for(7 * 24 * 60, steps="separate")

    assert refusal(CONFIG, [lead]) == (
        f"{FILE}: training.max_runtime_minutes: found 10080, with which a run may take 40846 minutes (4 jobs in a row, and retries);"
        " accepted are 5493: Train has 50 actions that wait 450 minutes each"
    )
    check(CONFIG, [trained_for(5493, steps="separate"), trained_for(7 * 24 * 60).model_copy(update={"name": STEADY})])


def test_monitoring_of_what_nobody_captures() -> None:
    tables = models()[0].serving
    unseen = tables["production"].model_copy(update={"capture_percent": 0})

    assert refusal_of_model(serving={**tables, "production": unseen}, monitoring=Monitoring()) == (
        f"{FILE}: serving.production.capture_percent: found 0; accepted is more: monitoring looks at what was captured"
    )


HOST = "arn:aws-us-gov:codestar-connections:us-gov-west-1:100000000001:host/server/0123abcd"
OF_HOST = "accepted is the ARN of the GitHubEnterpriseServer's host in CodeConnections"
OF_URL = "accepted is where the GitLabSelfManaged answers: https://git.example.com"


@pytest.mark.parametrize(
    ("repository", "pull_requests", "problem"),
    [
        (
            {"provider": "Gitea"},
            False,
            "provider: found 'Gitea'; accepted are Bitbucket, GitHub, GitHubEnterpriseServer, GitLab, GitLabSelfManaged",
        ),
        (
            {"host": HOST},
            False,
            f"host: found {HOST!r} with GitHub; accepted is one with GitHubEnterpriseServer, GitLabSelfManaged",
        ),
        ({"provider": "GitHubEnterpriseServer"}, False, f"host: found ''; {OF_HOST}"),
        ({"provider": "GitHubEnterpriseServer", "host": HOST.replace(":host/", ":connection/")}, False, OF_HOST),
        ({"connection": "main"}, False, "connection: found 'main'; accepted is the ARN of a connection of the toolchain's account"),
        (
            {"connection": "arn:aws:codeconnections:eu-central-1:200000000002:connection/0123"},
            False,
            "accepted is the ARN of a connection of the toolchain's account, 100000000001",
        ),
        ({"provider": "GitLabSelfManaged", "host": HOST}, True, f"url: found ''; {OF_URL}"),
        ({"provider": "GitLabSelfManaged", "host": HOST, "url": "git.acme.test/"}, False, f"url: found 'git.acme.test/'; {OF_URL}"),
    ],
)
def test_a_repository_that_codeconnections_does_not_reach(repository: dict[str, str], pull_requests: bool, problem: str) -> None:
    assert problem in refusal_of_config(repository=replace(CONFIG.repository, **repository), pull_requests=pull_requests)


def test_a_server_of_ones_own_needs_no_url_where_nobody_asks_for_it() -> None:
    check(replace(CONFIG, repository=replace(CONFIG.repository, provider="GitLabSelfManaged", host=HOST)), [])


def test_every_problem_has_a_line_of_its_own() -> None:
    lines = refusal(replace(CONFIG, project="Acme"), [named("build"), named(STEADY + "_")]).splitlines()

    assert [line.split(":")[0] for line in lines] == ["model_code/build", "model_code/credit_risk_", "config.py"]
