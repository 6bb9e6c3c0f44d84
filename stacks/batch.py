"""A model's batches in one environment: what scores whole files of rows, by a person's command or by the clock, and where that is kept.

Which version scores are parameters, with the values of the version that the environment serves: it comes here once its endpoint has it for
good. A batch under way keeps the version that it began with, so the models of versions before stay until nothing needs them. What the
serving stack made is found through SSM parameters, as the monitoring stack finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from aws_cdk import ArnFormat, CfnOutput, CfnParameter, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from constructs import Construct

import naming
from config import Config, Environment
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.spec import Batch as Table
from paved_runtime.spec import ModelSpec
from pipelines import batch, tags
from pipelines.serving_stack import PACKAGE, BatchOutputs, BatchParameters
from stacks import facts, features_check, permissions
from stacks.constructs.batch_gate_role import BatchGateRole
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.endpoint import outlives_replacement
from stacks.constructs.event_rule import EventNotice, unsuccessful_pattern
from stacks.constructs.job_pipeline import JobPipeline
from stacks.constructs.model_role import ModelRole
from stacks.constructs.store import Store
from stacks.features import for_reading
from stacks.network import vpc_config
from stacks.permissions import allow

KINDS = ("processing", "transform")  # of jobs
JOB_LOGS = [f"/aws/sagemaker/{kind.title()}Jobs" for kind in KINDS]


class Batch(Stack):
    """One model's, in the environment's account. Raises KeyError where its `model.toml` has no such table."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        config: Config,
        model: ModelSpec,
        environment: Environment,
        groups: Sequence[FeatureGroup],
    ) -> None:
        place = CdkEnvironment(account=environment.account.id, region=environment.account.region)
        super().__init__(scope, name, env=place, tags=tags.of(config, model, environment))
        table = model.serving[environment.name].batch
        if table is None:
            raise KeyError(f"serving.{environment.name}.batch")
        self.config, self.model, self.place, self.table, self.groups = config, model, environment, table, groups
        self.endpoint_name = naming.endpoint(config, model.name, environment)
        self.pipeline_name = naming.batch_pipeline(config, model.name, environment)
        self.vpc = vpc_config(self, config, environment.account)
        self.version = self._version()
        self.store = self._store(table)
        role = self._role(table)
        scoring = self._scoring(role)
        letters = self._dead_letters()
        pipeline = JobPipeline(
            self,
            "Batches",
            pipeline_name=self.pipeline_name,
            description=f"Scores files of rows with the version that {self.endpoint_name} serves",
            definition=tags.with_jobs(self._definition(role, scoring), tags.of(config, model, environment)),
            job_role=role.role_arn,
            key=self._key.key_arn,
            schedule=table.schedule,
            dead_letters=letters,
            kinds=KINDS,
        )
        self._tell_owners(letters)
        if environment == config.environments[0]:
            self._client(pipeline)
        outputs = BatchOutputs(
            batch_bucket=self.store.bucket_name, batch_pipeline=self.pipeline_name, model_name=scoring.attr_model_name
        ).values()
        apart = Construct(self, "Outputs")
        for output, value in outputs.items():
            CfnOutput(apart, output, value=value).override_logical_id(output)

    def _version(self) -> BatchParameters:
        """Declare the parameters; references to their values. Of packages, only those of this model are accepted."""
        group = naming.model_package_group(self.config, self.model.name)
        own = rf"arn:[\w-]+:sagemaker:[\w-]+:{self.config.toolchain.id}:model-package/{group}/\d+"
        return BatchParameters.read(
            {
                name: CfnParameter(
                    self,
                    name,
                    description=field.metadata["description"],
                    allowed_pattern=field.metadata["pattern"].replace(PACKAGE, own),
                ).value_as_string
                for name, field in BatchParameters.declared().items()
            }
        )

    def _store(self, table: Table) -> Store:
        logs = self.config.access_logs_of(self.place.account)
        folders = [naming.BATCH_ROWS, naming.BATCH_RUNS]
        return Store(self, "Store", key=self._key, expire_days=table.result_days, folders=folders, logs=logs)

    def _scoring(self, role: ModelRole) -> sagemaker.CfnModel:
        """The version as batch transform jobs have it: made as the endpoint's, of the approved package where approval is asked for."""
        version, expected = self.version, {"environment": {"MODEL_SHA256": self.version.model_sha256}}
        parts = {"image": version.image_uri, "modelDataUrl": version.model_data_url}
        made_of = {"modelPackageName": version.model_package_arn} if self.place.approved_only else parts
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            primary_container={**made_of, **expected},
            enable_network_isolation=True,
            vpc_config=self.vpc.sagemaker if self.vpc else None,
        )
        outlives_replacement(model)
        return model

    def _definition(self, role: ModelRole, scoring: sagemaker.CfnModel) -> dict[str, Any]:
        place = batch.Place(
            model=self.model.name,
            endpoint=self.endpoint_name,
            variant=naming.VARIANT,
            role=role.role_arn,
            key=self._key.key_arn,
            runs=f"s3://{self.store.bucket_name}/{naming.BATCH_RUNS}",
            capture=f"s3://{self._capture}/{naming.CAPTURE}",
            region=self.region,
            subnets=self.vpc.subnets if self.vpc else (),
            security_groups=self.vpc.security_groups if self.vpc else (),
            features={group: f"{naming.offline_store(self.config, self.place.account, group)}/" for group in self.model.features},
            told=features_check.lookups(self.config, self.model, self.groups),
        )
        return batch.definition(self.table, place, self.version, scoring.attr_model_name)

    def _role(self, table: Table) -> ModelRole:
        """Of the jobs, and of the model: SageMaker reads a transform job's rows and writes its answers as that."""
        logs = [
            self.format_arn(service="logs", resource="log-group", resource_name=f"{group}*", arn_format=ArnFormat.COLON_RESOURCE_NAME)
            for group in JOB_LOGS
        ]
        captured = self.format_arn(service="s3", region="", account="", resource=self._capture)
        runs = self.store.arn_for_objects(f"{naming.BATCH_RUNS}/*")
        return ModelRole(
            self,
            "Jobs",
            role_name=naming.batch_role(self.config, self.model.name, self.place),
            description=f"What the jobs that score files of rows beside {self.endpoint_name} may do",
            registered=permissions.registered(self, self.config, self.model.name),
            key=self._key.key_arn,
            statements=[
                allow("s3:GetObject", on=[self.store.arn_for_objects(f"{naming.BATCH_ROWS}/*"), runs]),
                allow("s3:ListBucket", on=[self.store.bucket_arn]),
                allow("s3:PutObject", on=[runs, f"{captured}/{naming.CAPTURE}/*"]),
                allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=logs),
                # metrics have no resource to name
                allow("cloudwatch:PutMetricData", on=["*"], conditions={"StringEquals": {"cloudwatch:namespace": JOB_LOGS}}),
                *for_reading(self, self.config, self.place.account, self.model.features),
                *self._elsewhere(table),
                *(self.vpc.for_jobs(self) if self.vpc else []),
            ],
        )

    def _elsewhere(self, table: Table) -> Iterator[iam.PolicyStatement]:
        """The folders of `model.toml`, and the keys of this account that their buckets may have: a key's own policy says the rest."""
        for uri, action in ((table.input, "s3:GetObject"), (table.output, "s3:PutObject")):
            if uri:
                bucket, _, folder = uri.removeprefix("s3://").partition("/")
                arn = self.format_arn(service="s3", region="", account="", resource=bucket)
                yield allow(action, on=[f"{arn}/{folder.rstrip('/')}/*"])
                yield allow("s3:ListBucket", on=[arn])
        if table.input or table.output:
            keys = self.format_arn(service="kms", resource="key", resource_name="*")
            yield allow("kms:Decrypt", "kms:GenerateDataKey", on=[keys], conditions=permissions.through_s3(self.place.account))

    def _dead_letters(self) -> DeadLetters:
        return DeadLetters(
            self,
            "DeadLetters",
            queue_name=naming.batch_dead_letters(self.config, self.model.name, self.place),
            about=f"{self.endpoint_name}: starts of batches, and notices of those that failed",
            key=self._key,
            topic=self._notices,
        )

    def _tell_owners(self, letters: DeadLetters) -> None:
        arn = self.format_arn(service="sagemaker", resource="pipeline", resource_name=self.pipeline_name.lower())  # as SageMaker writes it
        EventNotice(
            self,
            "Failures",
            description=f"Tells the owners of every batch of {self.endpoint_name} that failed",
            topic=self._notices.topic_arn,
            pattern=unsuccessful_pattern(arn),
            values={"execution": "$.detail.pipelineExecutionArn"},
            message=f"A batch beside {self.endpoint_name} failed: <execution>: what to do: docs/serving-shapes.md, Batch",
            dead_letters=letters,
        )

    def _client(self, pipeline: JobPipeline) -> None:
        deployer = naming.deploy_role(self.config, self.model.name, self.place)
        BatchGateRole(
            self,
            "Client",
            role_name=naming.batch_gate_role(self.config, self.model.name, self.place),
            toolchain=self.config.toolchain.id,
            trusted=[permissions.role_arn(self, self.config.toolchain, deployer)],
            pipeline=pipeline.arn,
            store=self.store,
            inputs=f"{naming.BATCH_ROWS}/*",
            runs=f"{naming.BATCH_RUNS}/*",
            key=self._key.key_arn,
        )

    @cached_property
    def _key(self) -> kms.IKey:
        return kms.Key.from_key_arn(self, "ServingKey", self._fact("key"))

    @cached_property
    def _notices(self) -> sns.ITopic:
        return sns.Topic.from_topic_arn(self, "Notices", self._fact("topic"))

    @cached_property
    def _capture(self) -> str:
        return self._fact("capture-bucket")

    def _fact(self, fact: str) -> str:
        return facts.find(self, fact, naming.environment_parameter(self.config, self.model.name, self.place, fact))
