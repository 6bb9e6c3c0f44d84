"""What each stage of a road may do: one function a stage, each a list of policy statements.

A stage reaches another account in two ways only: the roles of CDK's bootstrap, which deploy, and the verifier role,
which reads back. Both are taken with `sts:AssumeRole`, never given here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

import naming
from config import Account, Config, Environment
from paved_runtime.spec import ModelSpec
from stacks import layout
from stacks.constructs.image_repository import PULL
from stacks.constructs.model_role import Registered


def allow(*actions: str, on: Sequence[str], conditions: dict[str, Any] | None = None) -> iam.PolicyStatement:
    """Allow `actions` on the ARNs `on`."""
    return iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=conditions)


def artifacts(store: s3.IBucket, key: kms.IKey) -> list[iam.PolicyStatement]:
    """Hand artifacts from stage to stage: what the guides of CodePipeline and CodeBuild give their service roles of S3."""
    return [
        allow("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", on=[store.arn_for_objects("*")]),
        allow("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket", on=[store.bucket_arn]),
        allow("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", on=[key.key_arn]),
    ]


def role_arn(stack: Stack, account: Account, name: str) -> str:
    """The ARN of a role that may live in another account."""
    return stack.format_arn(service="iam", region="", account=account.id, resource="role", resource_name=name)


def registered(stack: Stack, config: Config, model: str) -> Registered:
    """Where a model's versions lie, as another account names it."""
    home = config.toolchain
    return Registered(
        images=stack.format_arn(
            service="ecr", account=home.id, resource="repository", resource_name=naming.image_repository(config, model)
        ),
        bucket=_bucket(stack, naming.artifacts_bucket(config, model)),
        archives=list(served_archives()),
        key=stack.format_arn(service="kms", account=home.id, resource="key", resource_name="*"),
        storage=f"s3.{home.region}.{Aws.URL_SUFFIX}",
    )


def through_storage(config: Config) -> dict[str, Any]:
    """That a key of the toolchain's account is used through S3 there."""
    return {"StringEquals": {"kms:ViaService": f"s3.{config.toolchain.region}.{Aws.URL_SUFFIX}"}}


def of_copies(stack: Stack, config: Config, model: str) -> list[iam.PolicyStatement]:
    """What a model's copies on a shared endpoint are made of. The endpoint's role has the rest, keys and logs, once for all models."""
    where = registered(stack, config, model)
    archives = [f"{where.bucket}/{key}" for key in where.archives]
    return [allow(*PULL, on=[where.images]), allow("s3:GetObject", on=archives), allow("s3:ListBucket", on=[where.bucket])]


def served_archives() -> tuple[str, str]:
    """The keys of the objects in a model's artifacts bucket that endpoints and monitors read: those of 0.1.0 lie where training wrote."""
    return f"{naming.MODELS}/*/{naming.MODEL_ARCHIVE}", f"{naming.RUNS}/*/{naming.MODEL_ARCHIVE}"


def readers(config: Config, model: ModelSpec) -> dict[str, list[str]]:
    """Account id → names of the roles there that read the model, for every account but the toolchain's. Empty when there is one account.

    Environments that share an account come together, so no policy ever names a principal twice.
    """
    roles: dict[str, list[str]] = {}
    for environment in config.environments:
        if environment.account.id != config.toolchain.id:
            monitoring = layout.monitored(config, model, environment)
            names = [naming.execution_role(config, model.name, environment)]
            names += [naming.monitoring_role(config, model.name, environment)] if monitoring else []
            names += [naming.batch_role(config, model.name, environment)] if layout.batched(model, environment) else []
            shared = [each for each in environment.shared_endpoints if layout.shares(model, environment, each)]
            names += [naming.shared_role(config, environment, each.name) for each in shared]
            roles.setdefault(environment.account.id, []).extend(names)
    return roles


def facts(stack: Stack, config: Config, model: str) -> list[iam.PolicyStatement]:
    """Read the parameters that the model's registry wrote."""
    path = naming.parameter(config, model).strip("/")
    on = [stack.format_arn(service="ssm", resource="parameter", resource_name=name) for name in (path, f"{path}/*")]
    return [allow("ssm:GetParametersByPath", on=on)]


def build(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Compare the model's own stacks, push the image of one commit to its repository, see its scan, and store its bill of materials."""
    repository = stack.format_arn(service="ecr", resource="repository", resource_name=naming.image_repository(config, model.name))
    own = [naming.registry_stack(config, model.name), naming.delivery_stack(config, model.name)]
    own += [naming.features_stack(config, config.toolchain)] if model.features else []
    return [
        *facts(stack, config, model.name),
        allow("cloudformation:DescribeStacks", "cloudformation:GetTemplate", on=_stacks(stack, own)),
        allow("ecr:GetAuthorizationToken", on=["*"]),  # has no resource to name
        allow(
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImageScanFindings",
            "ecr:DescribeImages",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
            on=[repository],
        ),
        *_pull_base(stack, config),
        # Asked for where Inspector scans: https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced-iam.html
        *([allow("inspector2:ListCoverage", "inspector2:ListFindings", on=["*"])] if config.images.refused_from else []),
        *_write(stack, config, model.name, f"{naming.IMAGES}/*/sbom.json"),
    ]


def _pull_base(stack: Stack, config: Config) -> list[iam.PolicyStatement]:
    """Pull what images are built on, where that is in a private ECR registry; a pull-through cache fetches at the first pull
    (https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html).
    """
    mirror = naming.PRIVATE_ECR.match(config.images.base)
    if not mirror:
        return []
    on = stack.format_arn(
        service="ecr", region=mirror["region"], account=mirror["account"], resource="repository", resource_name=mirror["name"]
    )
    pull = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetDownloadUrlForLayer")
    return [allow(*pull, on=[on])]


def train(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Write and run the model's training pipeline, as the training role; see what serves, which is the champion; read what a run left, and
    pin it; or register once more what was trained before.
    """
    pipeline = naming.training_pipeline(config, model.name)
    role = role_arn(stack, config.toolchain, naming.training_role(config, model.name))
    arn = stack.format_arn(service="sagemaker", resource="pipeline", resource_name=pipeline)
    last = config.environments[-1]
    verifier = role_arn(stack, last.account, naming.verifier_role(config, model.name, last))
    undecided = {"Null": {"sagemaker:ModelApprovalStatus": "true"}}  # an update that says nothing of the approval
    return [
        *facts(stack, config, model.name),
        allow(
            "sagemaker:CreatePipeline",
            "sagemaker:DescribePipeline",
            "sagemaker:DescribePipelineExecution",
            "sagemaker:ListPipelineExecutions",
            "sagemaker:ListPipelineExecutionSteps",
            "sagemaker:StartPipelineExecution",
            "sagemaker:UpdatePipeline",
            on=[arn, f"{arn}/execution/*"],
        ),
        allow("iam:PassRole", on=[role], conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}),
        *_read(stack, config, model.name, *(f"{kept}/*" for kept in (naming.LEDGER, naming.EVIDENCE, naming.RUNS, naming.MODELS))),
        allow("s3:GetObject", on=[f"{_bucket(stack, naming.artifacts_bucket(config, model.name))}/{naming.IMAGES}/*/sbom.json"]),
        allow("s3:GetObjectVersion", on=[f"{_bucket(stack, naming.artifacts_bucket(config, model.name))}/{naming.RUNS}/*"]),
        *_write(stack, config, model.name, f"{naming.MODELS}/*"),
        allow("sagemaker:UpdateModelPackage", on=[_packages(stack, config, model.name)], conditions=undecided),
        *_register_again(stack, config, model.name),
        _use(stack, _signing_keys(config, model.name), "kms:DescribeKey", "kms:GetPublicKey", "kms:Verify"),
        allow("sts:AssumeRole", on=[verifier]),
        *_describe_groups(stack, config, model),
    ]


def _describe_groups(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Find the offline stores that a model is trained on."""
    groups = [
        stack.format_arn(service="sagemaker", resource="feature-group", resource_name=naming.feature_group(config, group))
        for group in model.features
    ]
    return [allow("sagemaker:DescribeFeatureGroup", on=groups)] if groups else []


def _register_again(stack: Stack, config: Config, model: str) -> list[iam.PolicyStatement]:
    """See a model's versions, and register one that nobody has decided about."""
    group = stack.format_arn(service="sagemaker", resource="model-package-group", resource_name=naming.model_package_group(config, model))
    pending = {"StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}}
    on = [group, _packages(stack, config, model)]
    return [
        allow("sagemaker:ListModelPackages", on=on),
        allow("sagemaker:CreateModelPackage", on=on, conditions=pending),
    ]


def deploy(stack: Stack, config: Config, model: ModelSpec, environment: Environment) -> list[iam.PolicyStatement]:
    """Deploy one model package to one environment and ask its endpoint; beside that, what its place on the road asks for.

    The first environment makes the evidence, and signs it with the key of what is measured. Where approval is asked for, it is written
    down, there and in the registry. Those environments, and the last one, keep a ledger; they sign with the key of what is decided. Why a
    version was taken back is kept beside its evidence, and the registry rejects it.
    """
    approved, name = environment.approved_only, model.name
    first, last = environment == config.environments[0], environment == config.environments[-1]
    statements = [*_place(stack, config, name, environment), *facts(stack, config, name)]
    if first or last or approved:
        statements += _check(stack, config, name)
    if first and layout.batched(model, environment):
        client = role_arn(stack, environment.account, naming.batch_gate_role(config, name, environment))
        statements.append(allow("sts:AssumeRole", on=[client]))
    if first:
        statements.append(_use(stack, [naming.evidence_key(config, name)], "kms:Sign"))
        statements += _trials(stack, config, model) if model.training.search else []
        statements += _ingestions(stack, config, model) if model.features else []
    if last or approved:
        statements.append(_use(stack, [naming.release_key(config, name)], "kms:Sign"))
    if first or approved:
        statements += _pack(stack, config, name)
    if approved:
        statements.append(allow("sagemaker:UpdateModelPackage", on=[_packages(stack, config, name)]))
    elif first or last:
        rejects = {"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}
        statements.append(allow("sagemaker:UpdateModelPackage", on=[_packages(stack, config, name)], conditions=rejects))
    if last and not (first or approved):
        statements += _write(stack, config, name, f"{naming.EVIDENCE}/*")
    if last or approved:
        statements += _write(stack, config, name, f"{naming.LEDGER}/{environment.name}/*")
        locked = f"{_bucket(stack, naming.artifacts_bucket(config, name))}/{naming.LEDGER}/{environment.name}/*"
        statements.append(allow("s3:PutObjectRetention", on=[locked]))
    return statements


def measuring_roles(stack: Stack, config: Config, model: ModelSpec) -> list[str]:
    """The ARNs of who signs what was measured of a model: the stage that makes the evidence, and nobody else."""
    return [role_arn(stack, config.toolchain, naming.deploy_role(config, model.name, config.environments[0]))]


def releasing_roles(stack: Stack, config: Config, model: ModelSpec) -> list[str]:
    """The ARNs of the stages that sign what was decided about a model's versions, and what served."""
    last = config.environments[-1]
    names = [naming.deploy_role(config, model.name, each) for each in config.environments if each.approved_only or each == last]
    return [role_arn(stack, config.toolchain, name) for name in names]


def roads_roles(stack: Stack, config: Config, model: ModelSpec) -> list[str]:
    """The ARNs, as patterns, of every role that roads, jobs and endpoints have in the toolchain's account, of every model: no person's.
    Those of batches are named where `model` has some.
    """
    every, home = naming.EVERY, config.toolchain
    stages = (naming.BUILD, naming.UPDATE, naming.TRAIN, naming.CHECK, naming.ONBOARD)
    serving = (naming.execution_role, naming.monitoring_role, naming.verifier_role)
    scored = [each for each in config.environments if layout.batched(model, each)]
    names = [
        *(naming.stage_project(config, every, stage) for stage in stages),
        *(naming.deploy_role(config, every, environment) for environment in config.environments),
        *(naming.controller_role(config, every), naming.training_role(config, every), naming.pull_request_project(config)),
        *(role(config, every, each) for each in config.environments if each.account == home for role in serving),
        *(role(config, every, each) for each in scored if each.account == home for role in (naming.batch_gate_role, naming.batch_role)),
    ]
    return [role_arn(stack, home, name) for name in names]


def control(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Know what asks for retraining and what was done about it, write that down, and start the model's road: nothing else of it."""
    environment, name = config.environments[-1], model.name
    verifier = role_arn(stack, environment.account, naming.verifier_role(config, name, environment))
    road = stack.format_arn(service="codepipeline", resource=naming.delivery_pipeline(config, name))
    controller = stack.format_arn(service="codepipeline", resource=naming.retraining_pipeline(config, name))
    group = stack.format_arn(service="sagemaker", resource="model-package-group", resource_name=naming.model_package_group(config, name))
    return [
        *facts(stack, config, name),
        allow("sts:AssumeRole", on=[verifier]),
        allow("codepipeline:StartPipelineExecution", on=[road]),
        allow("codepipeline:GetPipelineExecution", "codepipeline:ListPipelineExecutions", on=[road, controller]),
        allow("sagemaker:ListModelPackages", on=[group, _packages(stack, config, name)]),
        *_read(stack, config, name, f"{naming.RETRAINING}/*"),
        *_write(stack, config, name, f"{naming.RETRAINING}/*"),
    ]


def onboard(stack: Stack, config: Config) -> list[iam.PolicyStatement]:
    """See which models have a road, and deploy one."""
    roads = [naming.delivery_stack(config, naming.EVERY)]
    return [*cdk(stack, config, config.toolchain), allow("cloudformation:DescribeStacks", on=_stacks(stack, roads))]


def redeploy(stack: Stack, config: Config, environment: Environment) -> list[iam.PolicyStatement]:
    """Deploy the stacks of every model in one environment and ask their endpoints; where approval is asked for, check evidence first."""
    every = naming.EVERY
    checks = _check(stack, config, every) if environment.approved_only else []
    return [*_place(stack, config, every, environment), *facts(stack, config, every), *checks]


def cdk(stack: Stack, config: Config, account: Account) -> list[iam.PolicyStatement]:
    """Take the roles that CDK's bootstrap made in an account."""
    roles = [naming.bootstrap_role(config, kind, account) for kind in ("deploy", "file-publishing")]
    return [allow("sts:AssumeRole", on=[role_arn(stack, account, role) for role in roles])]


def through_s3(account: Account) -> dict[str, Any]:
    """A condition: the key is used by S3 on the caller's behalf. The key's own policy says for which callers."""
    return _through("s3", account)


def _through(service: str, account: Account) -> dict[str, Any]:
    return {"StringEquals": {"kms:ViaService": f"{service}.{account.region}.{Aws.URL_SUFFIX}"}}


def _place(stack: Stack, config: Config, model: str, environment: Environment) -> list[iam.PolicyStatement]:
    """Deploy to an environment, ask the endpoint there, and compare it with the version it is made of."""
    verifier = role_arn(stack, environment.account, naming.verifier_role(config, model, environment))
    return [*cdk(stack, config, environment.account), allow("sts:AssumeRole", on=[verifier]), *_read(stack, config, model, "*")]


def _read(stack: Stack, config: Config, model: str, *objects: str) -> list[iam.PolicyStatement]:
    """Versions, and objects of the artifacts bucket. Listing is what tells an object that is missing from one that is forbidden."""
    bucket = _bucket(stack, naming.artifacts_bucket(config, model))
    return [
        allow("sagemaker:DescribeModelPackage", on=[_packages(stack, config, model)]),
        allow("s3:ListBucket", "s3:ListBucketVersions", on=[bucket]),
        allow("s3:GetObject", on=[f"{bucket}/{key}" for key in objects]),
        allow("kms:Decrypt", on=[_keys(stack)], conditions=through_s3(config.toolchain)),
    ]


def _write(stack: Stack, config: Config, model: str, objects: str) -> list[iam.PolicyStatement]:
    """Objects of the artifacts bucket."""
    return [
        allow("s3:PutObject", on=[f"{_bucket(stack, naming.artifacts_bucket(config, model))}/{objects}"]),
        allow("kms:GenerateDataKey", on=[_keys(stack)], conditions=through_s3(config.toolchain)),
    ]


def _check(stack: Stack, config: Config, model: str) -> list[iam.PolicyStatement]:
    """Hold evidence and approval against what they bind: data set, image, pipeline definition, signatures."""
    runs = f"{naming.training_pipeline(config, model)}/execution/*"
    repository = stack.format_arn(service="ecr", resource="repository", resource_name=naming.image_repository(config, model))
    definitions = stack.format_arn(service="sagemaker", resource="pipeline", resource_name=runs)
    return [
        allow("s3:GetObject", on=[f"{_bucket(stack, naming.data_bucket(config, model))}/*"]),
        allow("ecr:DescribeImages", on=[repository]),
        allow("sagemaker:DescribePipelineDefinitionForExecution", on=[definitions]),
        _use(stack, _signing_keys(config, model), "kms:DescribeKey", "kms:GetPublicKey", "kms:Verify"),
    ]


def _trials(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """See what a search has tried: the steps of a training run name it."""
    runs = f"{naming.training_pipeline(config, model.name)}/execution/*"
    jobs = stack.format_arn(service="sagemaker", resource="hyper-parameter-tuning-job", resource_name="*")
    return [
        allow("sagemaker:ListPipelineExecutionSteps", on=[stack.format_arn(service="sagemaker", resource="pipeline", resource_name=runs)]),
        allow("sagemaker:DescribeHyperParameterTuningJob", "sagemaker:ListTrainingJobsForHyperParameterTuningJob", on=[jobs]),
    ]


def _ingestions(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """See of what the records were made that a model is trained on. What decrypts the model's own objects decrypts these."""
    bucket = _bucket(stack, naming.features_bucket(config, config.toolchain))
    manifests = [f"{bucket}/{naming.INGESTIONS}/{group}/*" for group in model.features]
    return [allow("s3:GetObject", on=manifests), allow("s3:ListBucket", on=[bucket])]


def _pack(stack: Stack, config: Config, model: str) -> list[iam.PolicyStatement]:
    """Write evidence: what the road's history says, in a pack and on a model card, which the registry's key encrypts."""
    card_key = _through("sagemaker", config.toolchain)
    road = stack.format_arn(service="codepipeline", resource=naming.delivery_pipeline(config, model))
    cards = stack.format_arn(service="sagemaker", resource="model-card", resource_name=naming.model_card(config, model, "*"))
    grant = {**card_key, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        allow("codepipeline:ListActionExecutions", on=[road]),
        *_write(stack, config, model, f"{naming.EVIDENCE}/*"),
        allow(
            "sagemaker:CreateModelCard",
            "sagemaker:DescribeModelCard",
            "sagemaker:UpdateModelCard",
            on=[cards],
        ),
        allow("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", on=[_keys(stack)], conditions=card_key),
        allow("kms:CreateGrant", on=[_keys(stack)], conditions=grant),
    ]


def _use(stack: Stack, aliases: Sequence[str], *actions: str) -> iam.PolicyStatement:
    """Use of keys known by their aliases: their ARNs are made up when they are."""
    return allow(*actions, on=[_keys(stack)], conditions={"ForAnyValue:StringLike": {"kms:ResourceAliases": list(aliases)}})


def _signing_keys(config: Config, model: str) -> list[str]:
    """The aliases of a model's keys."""
    return [naming.evidence_key(config, model), naming.release_key(config, model)]


def _keys(stack: Stack) -> str:
    return stack.format_arn(service="kms", resource="key", resource_name="*")


def _bucket(stack: Stack, name: str) -> str:
    return stack.format_arn(service="s3", region="", account="", resource=name)


def _packages(stack: Stack, config: Config, model: str) -> str:
    return stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{naming.model_package_group(config, model)}/*")


def _stacks(stack: Stack, names: Sequence[str]) -> list[str]:
    """Stacks of this account; their ARNs end in an id."""
    return [stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{name}/*") for name in names]
