"""Every name that several rooms agree on, a function a name.

CloudFormation cannot refer across accounts, a policy may name a role before that role exists, and a step finds what a stack has made:
so these names follow from `config.py`, a model and an environment alone. `model` is a model's name, `PLATFORM`, or `EVERY` where a
policy names a kind for all models. Everything else that AWS holds gets a generated name.
"""

from __future__ import annotations

import hashlib
import re

from config import Account, Config, Environment, Repository

PLATFORM = "platform"  # the road of the infrastructure under every model
EVERY = "*"
TOOLCHAIN, NETWORK, FEATURES = "toolchain", "network", "features"

SOURCE, BUILD, TRAIN, CHECK, UPDATE = "Source", "Build", "Train", "Check", "Update"  # stages of a delivery pipeline
CONTROL, ONBOARD = "Control", "Onboard"  # the stages of a retraining controller, and of what gives a new model its road
RESERVED = frozenset(
    {"approval", "build", "check", "control", "onboard", "onboarding", "retraining", "source", "train", "update"}
    | {FEATURES, NETWORK, PLATFORM, TOOLCHAIN}
)

VARIANT, SHADOW = "live", "shadow"  # an endpoint's variants: scaling and alarms hold on to the first's name

# Folders of a model's artifacts bucket.
RUNS = "runs"  # what training writes
MODELS = "models"  # copies of what it has registered, where it does not write
CHECKPOINTS = "checkpoints"  # of training that may be interrupted
MODEL_ARCHIVE = "model.tar.gz"  # the part of a version that endpoints and monitors read; the reports beside it hold rows of the data set
TRAINING_SHA256 = "training_sha256"  # in the registry: the digest of all that a version's training depended on
EVIDENCE, LEDGER, IMAGES, RETRAINING = "evidence", "ledger", "images", "retraining"
# Folders of an endpoint's capture bucket.
CAPTURE, LABELS, MONITORING = "capture", "labels", "monitoring"
# Folders of the bucket of an endpoint's queue.
REQUESTS, ANSWERS, FAILURES = "requests", "answers", "failures"

# Folders of the bucket of batches.
BATCH_ROWS, BATCH_RUNS = "input", "runs"  # what is uploaded to be scored; of each run, all that it wrote
BATCH_RESULTS, BATCH_MANIFEST = "results", "manifest.json"  # of a run what people read, and there, of which rows by which version it is

# Folders of the bucket of features.
OFFLINE_STORE, INGESTIONS = "offline", "ingestions"

# What the alarms of an endpoint are about. Those of deployments take a bad version back.
DRIFT, MONITOR_SILENT, CAPTURE_UNREAD = "Drift", "MonitorSilent", "CaptureUnread"
GONE = "Gone"
SERVER_ERRORS, MODEL_LATENCY = "ServerErrors", "ModelLatency"
OLDEST_REQUEST, LOST_REQUESTS = "OldestRequest", "LostRequests"

CONSOLES = {"cn-": "console.amazonaws.cn", "eusc-": "console.amazonaws-eusc.eu", "us-gov-": "console.amazonaws-us-gov.com"}
# An image in a private ECR registry: whose, where, and its repository (https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html).
PRIVATE_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)/(?P<name>[^:@]+)"
)

UNFIT = re.compile(r"[^\w .:/=+@-]", re.ASCII)
LONGEST_METADATA = 256


def slug(model: str) -> str:
    """A model's name as AWS resource names allow it: `lead-scoring`."""
    return model.replace("_", "-")


def metadata_value(text: str) -> str:
    """A text as a value of SageMaker's CustomerMetadataProperties: at most 256 characters, of those that its pattern allows."""
    return UNFIT.sub(" ", text)[:LONGEST_METADATA]


def title(config: Config) -> str:
    """The project as CloudFormation and CloudWatch show it: `AcmeModels`."""
    return config.project.title().replace("-", "")


def console(region: str) -> str:
    """Where a region's AWS Management Console begins, in whichever partition the region is ("Regional endpoints" in the AWS General
    Reference, and the same page of the other partitions).
    """
    host = next((host for begins, host in CONSOLES.items() if region.startswith(begins)), "console.aws.amazon.com")
    return f"https://{region}.{host}"


# Stacks


def toolchain_stack(config: Config) -> str:
    """What all pipelines share."""
    return f"{title(config)}-Toolchain"


def network_stack(config: Config, account: Account) -> str:
    """The VPC of an account."""
    return f"{title(config)}-Network-{_place(config, account)}"


def budget_stack(config: Config, account: Account) -> str:
    """What the project may cost in an account."""
    return f"{title(config)}-Budget-{_place(config, account)}"


def features_stack(config: Config, account: Account) -> str:
    """The feature groups of an account."""
    return f"{title(config)}-Features-{_place(config, account)}"


def shared_stack(config: Config, environment: Environment) -> str:
    """The endpoints of an environment that models share."""
    return f"{title(config)}-Shared-{environment.name}"


def budget(config: Config, account: Account) -> str:
    """The budget of an account. CloudFormation replaces one whose subscribers change, so other owners make another name."""
    return f"{config.project}-{_place(config, account)}-{_digest(' '.join(config.owners))}"


def delivery_stack(config: Config, model: str) -> str:
    """A model's delivery pipeline, or the platform's."""
    return f"{title(config)}-{slug(model)}-Delivery"


def registry_stack(config: Config, model: str) -> str:
    """What a model needs before it serves."""
    return f"{title(config)}-{slug(model)}-Registry"


def serving_stack(config: Config, model: str, environment: Environment) -> str:
    """A model's endpoint in an environment."""
    return f"{title(config)}-{slug(model)}-Serving-{environment.name}"


def monitoring_stack(config: Config, model: str, environment: Environment) -> str:
    """What watches a model in an environment."""
    return f"{title(config)}-{slug(model)}-Monitoring-{environment.name}"


def batch_stack(config: Config, model: str, environment: Environment) -> str:
    """What scores files of rows with a model in an environment."""
    return f"{title(config)}-{slug(model)}-Batch-{environment.name}"


# Pipelines and their stages, in the toolchain's account


def delivery_pipeline(config: Config, model: str) -> str:
    """The CodePipeline from push to production."""
    return _name(config, model)


def onboarding_pipeline(config: Config) -> str:
    """The CodePipeline that gives a new model its road."""
    return f"{config.project}-onboarding"


def retraining_pipeline(config: Config, model: str) -> str:
    """The CodePipeline in which the retraining controller runs."""
    return _name(config, model, "retraining")


def retraining_schedule(config: Config, model: str) -> str:
    """The EventBridge rule that stands for the cause `schedule`."""
    return _name(config, model, "retraining-schedule")


def event_bus(config: Config) -> str:
    """The bus on which the environments' accounts tell of alarms."""
    return config.project


def dead_letters(config: Config, model: str, environment: Environment | None = None) -> str:
    """The SQS queue of what no target took, and its alarm: of a model's retraining, of its monitor somewhere, or of `TOOLCHAIN`."""
    return _name(config, model, *([environment.name] if environment else []), "dead-letters")


def connection(config: Config) -> str:
    """The CodeConnections connection to the repository. Another provider or host needs another one: a connection never changes its own."""
    at = config.repository
    return config.project if at.provider == Repository.provider else f"{config.project}-{_digest(at.provider + at.host)}"


def stage(environment: Environment) -> str:
    """The stage that deploys to an environment; with `.VARIABLE`, what it exported."""
    return environment.name.title()


def approval(config: Config, environment: Environment) -> str:
    """The stage in which a person decides whether a version goes to an environment: the first is just `Approval`."""
    first = next(known for known in config.environments if known.approved_only)
    return "Approval" if environment == first else f"Approval-{environment.name}"


def stage_project(config: Config, model: str, stage_name: str, environment: Environment | None = None) -> str:
    """The CodeBuild project of a stage, which its role is named after."""
    return deploy_role(config, model, environment) if environment else _name(config, model, stage_name.lower())


def pull_request_project(config: Config) -> str:
    """The CodeBuild project that checks pull requests, which its role is named after."""
    return f"{config.project}-pull-requests"


def deploy_role(config: Config, model: str, environment: Environment) -> str:
    """The role of the stage that deploys to an environment."""
    return _name(config, model, "deploy", environment.name)


def controller_role(config: Config, model: str) -> str:
    """The role of the retraining controller."""
    return _name(config, model, CONTROL.lower())


# What the registry stack holds, in the toolchain's account


def image_repository(config: Config, model: str) -> str:
    """The ECR repository of a model's images."""
    return f"{config.project}/{slug(model)}"


def model_package_group(config: Config, model: str) -> str:
    """The group of a model's versions in the registry."""
    return _name(config, model)


def artifacts_bucket(config: Config, model: str) -> str:
    """The bucket that training writes to and endpoints of every account read from. S3 names are global, hence the account."""
    return _name(config, model, "artifacts", config.toolchain.id)


def data_bucket(config: Config, model: str) -> str:
    """The bucket of a model's data sets."""
    return _name(config, model, "data", config.toolchain.id)


def evidence_key(config: Config, model: str) -> str:
    """The alias of the key that signs what was measured of a model: what a policy can name before the key exists."""
    return f"alias/{_name(config, model, 'evidence')}"


def release_key(config: Config, model: str) -> str:
    """The alias of the key that signs what was decided about a model's versions, and what served."""
    return f"alias/{_name(config, model, 'release')}"


def training_pipeline(config: Config, model: str) -> str:
    """The SageMaker Pipeline that trains."""
    return _name(config, model, "training")


def training_role(config: Config, model: str) -> str:
    """The role of the training pipeline and its jobs."""
    return _name(config, model, "training")


def model_card(config: Config, model: str, version: str) -> str:
    """The SageMaker model card of a version."""
    return _name(config, model, version)


def toolchain_parameter(config: Config, fact: str) -> str:
    """The SSM parameter of one thing that all pipelines share."""
    return f"/{config.project}/{TOOLCHAIN}/{fact}"


def network_parameter(config: Config, fact: str) -> str:
    """The SSM parameter of one fact about an account's managed network, in that account."""
    return f"/{config.project}/{NETWORK}/{fact}"


def parameter(config: Config, model: str, fact: str = "") -> str:
    """The SSM parameter of one fact about a model, in the toolchain's account; the path of all of them without a fact."""
    return f"/{config.project}/{model}/{fact}"


# What the serving and monitoring stacks hold, in an environment's account


def endpoint(config: Config, model: str, environment: Environment) -> str:
    """The SageMaker endpoint."""
    return _name(config, model, environment.name)


def shared_endpoint(config: Config, environment: Environment, name: str) -> str:
    """An endpoint that models share. A model's component on it is called as its own endpoint would be (`endpoint`)."""
    return f"{config.project}-{environment.name}-{name}"


def shared_role(config: Config, environment: Environment, name: str) -> str:
    """The role of an endpoint that models share."""
    return f"{shared_endpoint(config, environment, name)}-execution"


def alarm(config: Config, model: str, environment: Environment, kind: str) -> str:
    """A CloudWatch alarm of an endpoint, such as `DRIFT`."""
    return f"{endpoint(config, model, environment)}-{kind}"


def metric_namespace(config: Config, model: str, environment: Environment) -> str:
    """The CloudWatch namespace of what an endpoint's containers and its monitor tell."""
    return f"{title(config)}/{endpoint(config, model, environment)}"


def execution_role(config: Config, model: str, environment: Environment) -> str:
    """The role of an endpoint."""
    return _name(config, model, environment.name, "execution")


def monitoring_pipeline(config: Config, model: str, environment: Environment) -> str:
    """The SageMaker Pipeline that looks for drift."""
    return _name(config, model, environment.name, "monitoring")


def monitoring_role(config: Config, model: str, environment: Environment) -> str:
    """The role of the monitoring pipeline and its jobs."""
    return _name(config, model, environment.name, "monitoring")


def batch_pipeline(config: Config, model: str, environment: Environment) -> str:
    """The SageMaker Pipeline that scores files of rows."""
    return _name(config, model, environment.name, "batch")


def batch_role(config: Config, model: str, environment: Environment) -> str:
    """The role of the jobs that score files of rows."""
    return _name(config, model, environment.name, "batch")


def batch_gate_role(config: Config, model: str, environment: Environment) -> str:
    """The role with which a stage has held-out rows scored."""
    return _name(config, model, environment.name, "batch-gate")


def batch_dead_letters(config: Config, model: str, environment: Environment) -> str:
    """The SQS queue of the batches' starts and notices that no target took, and its alarm."""
    return _name(config, model, environment.name, "batch-dead-letters")


def verifier_role(config: Config, model: str, environment: Environment) -> str:
    """The role with which a stage reads back and asks an endpoint."""
    return _name(config, model, environment.name, "verifier")


def environment_parameter(config: Config, model: str, environment: Environment, fact: str) -> str:
    """The SSM parameter of one fact about a model in an environment, in that environment's account."""
    return parameter(config, model, f"{environment.name}/{fact}")


# What the features stack holds, in the toolchain's account and in each environment's


def feature_group(config: Config, group: str) -> str:
    """A group of the feature store."""
    return _name(config, group)


def features_bucket(config: Config, account: Account) -> str:
    """The bucket of an account's offline store and, in the toolchain's, of the manifests of ingestions."""
    return f"{config.project}-features-{account.id}-{account.region}"


def offline_store(config: Config, account: Account, group: str) -> str:
    """Below which S3 URI an account's records of a group are kept: SageMaker's own folders come below it."""
    return f"s3://{features_bucket(config, account)}/{OFFLINE_STORE}/{group}"


def ingestion_manifest(config: Config, account: Account, group: str, ingestion: str) -> str:
    """The S3 URI of what says of what an ingestion has made its records of a group."""
    return f"s3://{features_bucket(config, account)}/{INGESTIONS}/{group}/{ingestion}.json"


def features_parameter(config: Config, fact: str) -> str:
    """The SSM parameter of one fact about an account's features, in that account."""
    return f"/{config.project}/{FEATURES}/{fact}"


def features_role(config: Config) -> str:
    """The role with which who has credentials of the toolchain's account puts and reads an environment's features."""
    return f"{config.project}-features"


# CDK's bootstrap


def bootstrap_role(config: Config, kind: str, account: Account) -> str:
    """A role that CDK's bootstrap made: `deploy` updates stacks, `file-publishing` stores assets, `lookup` looks at everything."""
    return f"cdk-{config.qualifier}-{kind}-role-{account.id}-{account.region}"


def _name(config: Config, model: str, *suffix: str) -> str:
    return "-".join([config.project, slug(model), *suffix])


def _place(config: Config, account: Account) -> str:
    """What an account is called: after the toolchain, or after the first environment there."""
    places = [(TOOLCHAIN, config.toolchain), *((environment.name, environment.account) for environment in config.environments)]
    return next(place for place, its in places if its == account)


def _digest(text: str) -> str:
    """Four characters that stand for a text in a name."""
    return hashlib.sha256(text.encode()).hexdigest()[:4]
