"""A model's workshop: where its images, data sets, trained artifacts and versions live, and the role that trains it.

Everything in it is evidence, so the stack is protected against deletion and its contents stay even when it is deleted on
purpose. To make it again after that, import or delete what stayed: repository, registry group and buckets have fixed names.
"""

from __future__ import annotations

from aws_cdk import Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from config import Config
from model_code.spec import ModelSpec
from stacks import names
from stacks.constructs.image_repository import ImageRepository
from stacks.constructs.key import Key
from stacks.constructs.model_registry import ModelRegistry
from stacks.constructs.signing_key import SigningKey
from stacks.constructs.store import Store, announces
from stacks.constructs.training_role import TrainingRole


class Workshop(Stack):
    """One model's, in the toolchain account. Tells the road where things are through SSM parameters under `/<project>/<model>/`."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec) -> None:
        super().__init__(
            scope,
            name,
            env=Environment(account=config.toolchain.id, region=config.toolchain.region),
            termination_protection=True,
        )
        strangers = names.strangers(config, model)
        key = Key(self, "Key", description=f"Data sets and trained artifacts of {model.name}")
        evidence_key = SigningKey(
            self, "EvidenceKey", description=f"Signs the evidence of {model.name}", alias=names.evidence_key(config, model)
        )
        data = Store(self, "Data", key=key, bucket_name=names.data_bucket(config, model))
        announces(data)
        artifacts = Store(self, "ArtifactStore", key=key, bucket_name=names.artifacts_bucket(config, model))
        images = ImageRepository(self, "Images", repository_name=names.image_repository(config, model), readers=list(strangers))
        ModelRegistry(self, "Registry", group_name=config.name(model.name), description=model.purpose, readers=list(strangers))
        role = TrainingRole(
            self,
            "Training",
            role_name=names.training_role(config, model),
            data=data,
            artifacts=artifacts,
            runs=names.RUNS,
            images=images,
            key=key,
            group_name=config.name(model.name),
        )
        for account, roles in strangers.items():
            reader = self._roles_of(account, roles)
            artifacts.readable_by(reader, names.SERVED)
            key.decryptable_by(reader)
        facts = {
            "data-bucket": data.bucket_name,
            "artifacts-bucket": artifacts.bucket_name,
            "training-role": role.role_arn,
            "image-repository": images.repository_uri,
            "key": key.key_arn,
            "evidence-key": evidence_key.key_arn,
        }
        for fact, value in facts.items():
            ssm.StringParameter(self, f"Fact-{fact}", parameter_name=config.parameter(model.name, fact), string_value=value)

    def _roles_of(self, account: str, roles: list[str]) -> iam.IPrincipal:
        """The account, narrowed to roles that need not exist yet."""
        arns = [self.format_arn(service="iam", region="", account=account, resource="role", resource_name=role) for role in roles]
        return iam.AccountPrincipal(account).with_conditions({"ArnEquals": {"aws:PrincipalArn": arns}})
