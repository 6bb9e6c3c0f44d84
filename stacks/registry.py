"""What a model needs before it serves: where its images, data sets, trained artifacts and versions live, and the role that trains it.

Everything in it is evidence, so the stack is protected against deletion and its contents stay even when it is deleted on
purpose. To make it again after that, import or delete what stayed: repository, registry group and buckets have fixed names.
"""

from __future__ import annotations

from aws_cdk import Environment, Fn, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

import naming
from config import Config
from paved_runtime.spec import ModelSpec
from pipelines import tags
from stacks import facts, permissions
from stacks.constructs.image_repository import ImageRepository
from stacks.constructs.key import Key
from stacks.constructs.model_registry import ModelRegistry
from stacks.constructs.signing_key import SigningKey
from stacks.constructs.store import Store, announces
from stacks.constructs.training_role import TrainingRole
from stacks.features import for_reading
from stacks.network import SECURITY_GROUPS, SUBNETS, vpc_config

CHECKPOINT_DAYS = 30  # longer than any training may take to be resumed


class Registry(Stack):
    """One model's, in the toolchain account. Tells the road where things are through SSM parameters."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec) -> None:
        super().__init__(
            scope,
            name,
            env=Environment(account=config.toolchain.id, region=config.toolchain.region),
            tags=tags.of(config, model),
            termination_protection=True,
        )
        readers = permissions.readers(config, model)
        group = naming.model_package_group(config, model.name)
        key = Key(self, "Key", description=f"Data sets and trained artifacts of {model.name}")
        evidence_key, release_key = self._signing_keys(config, model)
        logs = config.access_logs_of(config.toolchain)
        data = Store(self, "Data", key=key, bucket_name=naming.data_bucket(config, model.name), logs=logs)
        announces(data)
        artifacts = Store(
            self,
            "ArtifactStore",
            key=key,
            bucket_name=naming.artifacts_bucket(config, model.name),
            expire_days=CHECKPOINT_DAYS if model.training.spot else None,
            folders=[naming.CHECKPOINTS] if model.training.spot else [],
            lockable=True,
            logs=logs,
        )
        images = ImageRepository(self, "Images", repository_name=naming.image_repository(config, model.name), readers=list(readers))
        ModelRegistry(self, "Registry", group_name=group, description=f"Versions of {model.name}", readers=list(readers))
        vpc = vpc_config(self, config, config.toolchain)
        role = TrainingRole(
            self,
            "Training",
            role_name=naming.training_role(config, model.name),
            data=data,
            artifacts=artifacts,
            runs=[f"{naming.RUNS}/*", *([f"{naming.CHECKPOINTS}/*"] if model.training.spot else [])],
            models=f"{naming.MODELS}/*",
            images=images,
            key=key,
            group_name=group,
            vpc=vpc,
            searches=model.training.search is not None,
            features=for_reading(self, config, config.toolchain, model.features),
        )
        for account, roles in readers.items():
            reader = self._roles_of(account, roles)
            artifacts.readable_by(reader, *permissions.served_archives())
            key.decryptable_by(reader)
        stored = {
            "data-bucket": data.bucket_name,
            "artifacts-bucket": artifacts.bucket_name,
            "training-role": role.role_arn,
            "image-repository": images.repository_uri,
            "key": key.key_arn,
            "evidence-key": evidence_key.key_arn,
            "release-key": release_key.key_arn,
        }
        if vpc:
            stored |= {SUBNETS: Fn.join(",", list(vpc.subnets)), SECURITY_GROUPS: Fn.join(",", list(vpc.security_groups))}
        facts.tell(self, stored, lambda fact: naming.parameter(config, model.name, fact))

    def _signing_keys(self, config: Config, model: ModelSpec) -> tuple[SigningKey, SigningKey]:
        """The key of what is measured, which one stage has; and that of what is decided, which other stages and people have."""
        name = model.name
        evidence = SigningKey(self, "EvidenceKey", description=f"Signs the evidence of {name}", alias=naming.evidence_key(config, name))
        release = SigningKey(
            self, "ReleaseKey", description=f"Signs approvals and ledger of {name}", alias=naming.release_key(config, name)
        )
        evidence.signs_for_nobody_but(permissions.measuring_roles(self, config, model))
        release.signs_for_none_of(permissions.roads_roles(self, config, model), but=permissions.releasing_roles(self, config, model))
        return evidence, release

    def _roles_of(self, account: str, roles: list[str]) -> iam.IPrincipal:
        """The account, narrowed to roles that need not exist yet."""
        arns = [self.format_arn(service="iam", region="", account=account, resource="role", resource_name=role) for role in roles]
        return iam.AccountPrincipal(account).with_conditions({"ArnEquals": {"aws:PrincipalArn": arns}})
