"""Whether a fork's configuration and its models fit together: said at synth, in words, not by an account an hour later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import available_timezones

import naming
from config import Config, Environment, Repository, SharedEndpoint
from deployability.instances import gpus, processors
from naming import RESERVED
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.spec import ModelSpec, Serving
from pipelines.delivery import deploying_minutes
from pipelines.waiting import ACTIONS, LONGEST_ACTION, LONGEST_WAIT, jobs, longest_job, longest_run, waits
from stacks import budget_check, build_environment, features_check, network_check

PROJECT = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")  # begins stacks' names, which begin with a letter, and buckets', which are lower-case
ENVIRONMENT = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
POLICY = re.compile(r"([!-.0-9;-~]+/)*[\w+=,.@-]{1,128}", re.ASCII)  # IAM's pattern of a policy's name, after one of its path
MOST_POLICIES = 10
TAG_KEY, TAG_VALUE = re.compile(r"[\w .:/=+@-]{1,128}"), re.compile(r"[\w .:/=+@-]{0,256}")  # what every service takes
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
RETENTION = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)  # days that Logs takes
MOST_TAGS = 40  # of 50
LONGEST = {  # characters that AWS gives a name
    "budget": 100,
    "bucket": 63,
    "connection": 32,
    "delivery pipeline": 100,
    "endpoint": 63,
    "feature group": 64,
    "model package group": 63,
    "queue": 80,
    "role": 64,
    "rule": 64,
    "schedule": 64,
    "stack": 128,
}
SOURCES = {  # a provider, as CodeBuild names a source that is there, and where repositories lie that are on no server of one's own
    "Bitbucket": ("BITBUCKET", "https://bitbucket.org"),
    "GitHub": ("GITHUB", "https://github.com"),
    "GitHubEnterpriseServer": ("GITHUB_ENTERPRISE", ""),
    "GitLab": ("GITLAB", "https://gitlab.com"),
    "GitLabSelfManaged": ("GITLAB_SELF_MANAGED", ""),
}
SELF_MANAGED = tuple(provider for provider, (_, url) in SOURCES.items() if not url)
HOST = re.compile(r"arn:aws[\w-]*:(codeconnections|codestar-connections):[\w-]+:\d{12}:host/\S+", re.ASCII)
CONNECTION = re.compile(r"arn:aws[\w-]*:(codeconnections|codestar-connections):[\w-]+:\d{12}:connection/\S+", re.ASCII)
URL = re.compile(r"https://[\w.-]+(:\d+)?(/[\w.-]+)*", re.ASCII)
INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
UNSEEN = {"component": "nobody says whether SageMaker captures requests"}  # shapes of which nothing is captured, and why
Name = tuple[str, str]  # its kind, one of LONGEST, and the name


def chosen(models: Sequence[ModelSpec], name: str | None) -> list[ModelSpec]:
    """The model of that name; every one without a name.

    Raises:
        ValueError: there is no such model; one line.
    """
    if name is None:
        return [*models]
    if named := [model for model in models if model.name == name]:
        return named
    raise ValueError(f"context model={name}: there is no such model: name one of {', '.join(model.name for model in models) or 'none'}")


def check(config: Config, models: Sequence[ModelSpec], groups: Sequence[FeatureGroup] = ()) -> None:
    """Raise when something does not fit.

    Raises:
        ValueError: one line a problem: where it is, what was found, what is accepted.
    """
    problems = [
        *_environments(config),
        *_shared(config),
        *_repository(config),
        *_connection(config),
        *network_check.problems(config),
        *budget_check.problems(config),
        *build_environment.problems(config),
        *_policies(config),
        *_tags(config),
        *_logs(config),
        *(problem for model in models for problem in _model(config, model)),
        *features_check.problems(models, groups),
        *_names(config, models, groups),
    ]
    if problems:
        raise ValueError("\n".join(problems))


def monitored(config: Config, model: ModelSpec, environment: Environment) -> bool:
    """Whether what the endpoint is asked and answers is monitored: in the last environment, where `model.toml` says how."""
    return model.monitoring is not None and environment == config.environments[-1]


def batched(model: ModelSpec, environment: Environment) -> bool:
    """Whether files of rows are scored there, too."""
    table = model.serving.get(environment.name)
    return table is not None and table.batch is not None


def shares(model: ModelSpec, environment: Environment, shared: SharedEndpoint) -> bool:
    """Whether the model has copies on that endpoint of an environment."""
    table = model.serving.get(environment.name)
    return table is not None and table.component is not None and table.component.endpoint == shared.name


def retrains(config: Config, model: ModelSpec, environment: Environment) -> bool:
    """Whether what moves there may start the road again."""
    return monitored(config, model, environment) and model.monitoring is not None and model.monitoring.retraining is not None


def _environments(config: Config) -> Iterator[str]:
    first = config.environments[0]
    if first.approved_only:
        yield (
            f"config.py: environment {first.name!r}: found approved_only=True in the first environment;"
            " accepted is False: the evidence that an approval needs is made there"
        )
    seen: set[str] = set()
    for environment in config.environments:
        name, region = environment.name, environment.account.region
        if not ENVIRONMENT.fullmatch(name):
            yield f"config.py: environment {name!r}: accepted are letters and digits in words joined by hyphens"
        if name.lower() in seen | RESERVED:
            yield f"config.py: environment {name!r}: the name is taken; accepted is a name of its own, none of {_listed(RESERVED)}"
        seen.add(name.lower())
        if region != config.toolchain.region:
            yield f"config.py: environment {name!r}: found region {region!r}; accepted is that of the images: {config.toolchain.region!r}"


def source(repository: Repository) -> tuple[str, str]:
    """How CodeBuild names the kind of source that a repository is, and its URL there."""
    kind, url = SOURCES[repository.provider]
    return kind, f"{repository.url or url}/{repository.id}.git"


def _repository(config: Config) -> Iterator[str]:
    repository = config.repository
    if repository.provider not in SOURCES:
        yield f"config.py: provider: found {repository.provider!r}; accepted are {_listed(SOURCES)}"
    elif repository.provider not in SELF_MANAGED:
        for key, value in (("host", repository.host), ("url", repository.url)):
            if value:
                yield f"config.py: {key}: found {value!r} with {repository.provider}; accepted is one with {_listed(SELF_MANAGED)}"
    else:
        if not HOST.fullmatch(repository.host) and not repository.connection:
            yield f"config.py: host: found {repository.host!r}; accepted is the ARN of the {repository.provider}'s host in CodeConnections"
        if not URL.fullmatch(repository.url) and (repository.url or config.pull_requests):
            yield f"config.py: url: found {repository.url!r}; accepted is where the {repository.provider} answers: https://git.example.com"


def _connection(config: Config) -> Iterator[str]:
    arn, account = config.repository.connection, config.toolchain.id
    if arn and not (CONNECTION.fullmatch(arn) and f":{account}:" in arn):
        yield f"config.py: connection: found {arn!r}; accepted is the ARN of a connection of the toolchain's account, {account}"


def _policies(config: Config) -> Iterator[str]:
    boundary = (("permissions_boundary", config.permissions_boundary),) if config.permissions_boundary is not None else ()
    for setting, name in (*boundary, *(("execution_policies", name) for name in config.execution_policies)):
        if not POLICY.fullmatch(name):
            yield f"config.py: {setting}: found {name!r}; accepted is a managed policy's name, such as 'Boundary' or 'bank/Boundary'"
    if (count := len(config.execution_policies)) > MOST_POLICIES:
        yield f"config.py: execution_policies: found {count}; accepted are {MOST_POLICIES}, as many as a role takes"


def _tags(config: Config) -> Iterator[str]:
    for key, value in config.tags.items():
        if not (TAG_KEY.fullmatch(key) and TAG_VALUE.fullmatch(value)) or key.lower().startswith("aws:"):
            words = "letters, digits, spaces and _ . : / = + - @, up to 128 and 256 of them; keys that begin with aws: are AWS's"
            yield f"config.py: tags: found {key!r}: {value!r}; accepted are {words}"
    if len(config.tags) > MOST_TAGS:
        yield f"config.py: tags: found {len(config.tags)}; accepted are {MOST_TAGS}, beside the road's own"


def _logs(config: Config) -> Iterator[str]:
    for bucket in map(config.access_logs_of, config.accounts):
        if bucket is not None and not BUCKET.fullmatch(bucket):
            yield f"config.py: access_logs: found {bucket!r}; accepted is a bucket's name, which may have {{account}} and {{region}}"
    if config.job_log_days is not None and config.job_log_days not in RETENTION:
        yield f"config.py: job_log_days: found {config.job_log_days}; accepted are CloudWatch's: {', '.join(map(str, RETENTION))}"


def _model(config: Config, model: ModelSpec) -> Iterator[str]:
    if model.name in RESERVED:
        yield f"model_code/{model.name}: the name is taken; accepted is none of {_listed(RESERVED)}"
    if model.name.endswith("_"):
        yield f"model_code/{model.name}: the name ends in an underscore; accepted is a letter or a digit there"
    accepted = {environment.name for environment in config.environments}
    if model.serving.keys() != accepted:
        found = _listed(model.serving)
        yield f"model_code/{model.name}/model.toml: serving: found {found}; accepted is one table for each of {_listed(accepted)}"
    watched = model.serving.get(config.environments[-1].name)
    shape = watched.style if watched else "real-time"
    why = UNSEEN.get(shape, "SageMaker captures no requests")
    if model.monitoring and watched and shape != "real-time" and not watched.batch:
        yield (
            f"model_code/{model.name}/model.toml: monitoring: found it with serving.{config.environments[-1].name}.{shape}, of which"
            f" {why}; accepted is it with batch, whose rows are what is looked at, or no table monitoring"
        )
    elif model.monitoring and watched and not watched.capture_percent:
        yield (
            f"model_code/{model.name}/model.toml: serving.{config.environments[-1].name}.capture_percent: found 0; accepted is more:"
            " monitoring looks at what was captured"
        )
    if waits(model) > ACTIONS:
        key, minutes = f"model_code/{model.name}/model.toml: training.max_runtime_minutes", model.training.max_runtime_minutes
        yield (
            f"{key}: found {minutes}, with which a run may take {longest_run(model)} minutes ({_jobs(model)}, and retries); accepted are"
            f" {longest_job(model)}: Train has {ACTIONS} actions that wait {LONGEST_WAIT} minutes each"
        )
    for environment in config.environments:
        if serving := model.serving.get(environment.name):
            for problem in (
                *_serving(serving, environment, first=environment == config.environments[0]),
                *_serverless(config, serving, environment),
                *_component(serving, environment),
            ):
                yield f"model_code/{model.name}/model.toml: serving.{environment.name}.{problem}"


def _jobs(model: ModelSpec) -> str:
    return f"{number} jobs in a row" if (number := jobs(model)) > 1 else "one job"


def _serving(serving: Serving, environment: Environment, *, first: bool) -> Iterator[str]:
    if serving.deployment.policy == "shadow" and not environment.approved_only:
        yield (
            "deployment.policy: found 'shadow' where nothing is approved; accepted are the others:"
            " a shadow is made of a registered version, and SageMaker makes models of approved ones only"
        )
    if (longest := deploying_minutes(serving, first=first)) > LONGEST_ACTION:
        yield (
            f"deployment: found up to {serving.deployment_minutes} minutes for a {serving.deployment.policy} deployment, {longest} for its"
            f" stage; accepted are {LONGEST_ACTION}, after which CodePipeline ends a stage: lower bake_minutes or maximum_minutes, or raise"
            " size_percent"
        )
    zones = available_timezones()
    if serving.off_hours and zones and serving.off_hours.timezone not in zones:
        yield f"off_hours.timezone: found {serving.off_hours.timezone!r}; accepted is a zone of the IANA database such as 'Europe/Berlin'"


def _serverless(config: Config, serving: Serving, environment: Environment) -> Iterator[str]:
    """What SageMaker does not have for serverless endpoints (SageMaker guide, "Deploy models with Amazon SageMaker Serverless Inference").

    CreateEndpointConfig refuses an image of another account, and a version's package names the one that was evaluated.
    """
    if not serving.serverless:
        return
    if environment.account.id != config.toolchain.id:
        yield (
            f"serverless: found it in account {environment.account.id}, and images lie in the toolchain's, {config.toolchain.id};"
            " accepted is it where both are one account: SageMaker takes a serverless endpoint's image from its own account only"
        )
    if environment.account.network:
        yield (
            f"serverless: found it in account {environment.account.id}, which has a network in config.py; accepted is it where there is"
            " none: SageMaker puts no serverless endpoint into a VPC"
        )


def _component(serving: Serving, environment: Environment) -> Iterator[str]:
    """Whether there is such an endpoint, and an instance of it has room for a copy."""
    if not (table := serving.component):
        return
    shared = {each.name: each for each in environment.shared_endpoints}.get(table.endpoint)
    if shared is None:
        known = _listed(each.name for each in environment.shared_endpoints) or "none"
        where = f"the shared_endpoints of {environment.name!r} in config.py"
        yield f"component.endpoint: found {table.endpoint!r}; accepted is one of {where}: {known}"
        return
    kind = shared.instance_type
    for key, wanted, most in (("cores", table.cores, processors(kind)), ("accelerators", table.accelerators, gpus(kind))):
        if wanted > most:
            yield f"component.{key}: found {wanted:g}; accepted are up to {most}, as many as {kind} has, on which {shared.name!r} runs"


def _shared(config: Config) -> Iterator[str]:
    for environment in config.environments:
        names = [each.name for each in environment.shared_endpoints]
        for shared in environment.shared_endpoints:
            where = f"config.py: environment {environment.name!r}: shared endpoint {shared.name!r}"
            if not ENVIRONMENT.fullmatch(shared.name) or names.count(shared.name) > 1:
                yield f"{where}: accepted are letters and digits in words joined by hyphens, each name once"
            if not 0 <= shared.minimum_instances <= shared.maximum_instances or not shared.maximum_instances:
                found = f"{shared.minimum_instances} to {shared.maximum_instances} instances"
                yield f"{where}: found {found}; accepted is maximum_instances of 1 or more, and minimum_instances between 0 and that"
            if not INSTANCE_TYPE.fullmatch(shared.instance_type):
                yield f"{where}: found instance_type {shared.instance_type!r}; accepted is SageMaker's name of one, such as 'ml.m7i.large'"


def _names(config: Config, models: Sequence[ModelSpec], groups: Sequence[FeatureGroup]) -> Iterator[str]:
    """What AWS would say of the names that follow from these: of the longest one, and of one that is somebody else's."""
    if not PROJECT.fullmatch(config.project):
        yield f"config.py: project: found {config.project!r}; accepted are lower-case letters and digits in words joined by hyphens"
    named = {"config.py: project": _names_of_project(config)}
    for model in models:
        batches = [each for place in config.environments if batched(model, place) for each in _names_of_batches(config, model.name, place)]
        named[f"model_code/{model.name}"] = [*_names_of_model(config, model.name), *batches]
    if groups:
        named["feature_groups"] = _names_of_features(config)
        named |= {f"feature_groups/{group.name}": [("feature group", naming.feature_group(config, group.name))] for group in groups}
    owners: dict[Name, str] = {}
    for owner, names in named.items():
        kind, name = max(names, key=lambda each: len(each[1]) - LONGEST[each[0]])
        if (excess := len(name) - LONGEST[kind]) > 0:
            found = f"found the {kind} {name!r} of {len(name)} characters; accepted are {LONGEST[kind]}"
            yield f"{owner}: {found}: make the name of the project, the model or the environment {excess} shorter"
        if taken := next((each for each in names if owners.setdefault(each, owner) != owner), None):
            yield f"{owner}: found the {taken[0]} {taken[1]!r}, which is that of {owners[taken]}, too; accepted is another name"


def _names_of_project(config: Config) -> list[Name]:
    platform, stages = naming.PLATFORM, (naming.CHECK, naming.UPDATE, naming.ONBOARD)
    return [
        *(("budget", naming.budget(config, account)) for account in config.accounts if account.budget),
        ("connection", naming.connection(config)),
        ("queue", naming.dead_letters(config, naming.TOOLCHAIN)),
        ("stack", naming.toolchain_stack(config)),
        ("stack", naming.delivery_stack(config, platform)),
        ("delivery pipeline", naming.delivery_pipeline(config, platform)),
        ("delivery pipeline", naming.onboarding_pipeline(config)),
        *(("role", naming.stage_project(config, platform, stage)) for stage in stages),
        *(("role", naming.deploy_role(config, platform, environment)) for environment in config.environments),
        *(name for environment in config.environments for name in _names_of_shared(config, environment)),
    ]


def _names_of_shared(config: Config, environment: Environment) -> list[Name]:
    if not environment.shared_endpoints:
        return []
    names = [each.name for each in environment.shared_endpoints]
    return [
        ("stack", naming.shared_stack(config, environment)),
        *(("endpoint", naming.shared_endpoint(config, environment, name)) for name in names),
        *(("role", naming.shared_role(config, environment, name)) for name in names),
    ]


def _names_of_model(config: Config, model: str) -> list[Name]:
    return [
        ("bucket", naming.artifacts_bucket(config, model)),
        ("bucket", naming.data_bucket(config, model)),
        ("delivery pipeline", naming.delivery_pipeline(config, model)),
        ("delivery pipeline", naming.retraining_pipeline(config, model)),
        ("model package group", naming.model_package_group(config, model)),
        ("queue", naming.dead_letters(config, model)),
        ("role", naming.training_role(config, model)),
        ("role", naming.controller_role(config, model)),
        *(("role", naming.stage_project(config, model, stage)) for stage in (naming.BUILD, naming.UPDATE, naming.TRAIN)),
        ("rule", naming.retraining_schedule(config, model)),
        ("stack", naming.delivery_stack(config, model)),
        ("stack", naming.registry_stack(config, model)),
        *(name for environment in config.environments for name in _names_of_place(config, model, environment)),
    ]


def _names_of_batches(config: Config, model: str, environment: Environment) -> list[Name]:
    return [
        ("queue", naming.batch_dead_letters(config, model, environment)),
        ("role", naming.batch_gate_role(config, model, environment)),
        ("role", naming.batch_role(config, model, environment)),
        ("schedule", naming.batch_pipeline(config, model, environment)),
        ("stack", naming.batch_stack(config, model, environment)),
    ]


def _names_of_features(config: Config) -> list[Name]:
    return [
        *(("bucket", naming.features_bucket(config, account)) for account in config.accounts),
        *(("stack", naming.features_stack(config, account)) for account in config.accounts),
        ("role", naming.features_role(config)),
    ]


def _names_of_place(config: Config, model: str, environment: Environment) -> list[Name]:
    roles = (naming.deploy_role, naming.execution_role, naming.monitoring_role, naming.verifier_role)
    return [
        ("endpoint", naming.endpoint(config, model, environment)),
        ("queue", naming.dead_letters(config, model, environment)),
        ("schedule", naming.monitoring_pipeline(config, model, environment)),
        ("stack", naming.monitoring_stack(config, model, environment)),
        ("stack", naming.serving_stack(config, model, environment)),
        *(("role", role(config, model, environment)) for role in roles),
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
