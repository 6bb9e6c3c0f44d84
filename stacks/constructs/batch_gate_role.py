"""With which role a stage of the toolchain has rows scored in another account: it may put files there, start the pipeline and follow it,
and read what its runs wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct


class BatchGateRole(iam.Role):
    """`trusted` are the ARNs of the roles of account `toolchain` that may take it; they need not exist yet. `pipeline` is the ARN of the
    batch pipeline, `inputs` and `runs` are what the keys of the store's objects are like; `key` (an ARN) encrypts them.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        role_name: str,
        toolchain: str,
        trusted: Sequence[str],
        pipeline: str,
        store: s3.IBucket,
        inputs: str,
        runs: str,
        key: str,
    ) -> None:
        follow = ["sagemaker:DescribePipelineExecution", "sagemaker:ListPipelineExecutionSteps", "sagemaker:StartPipelineExecution"]
        statements = [
            iam.PolicyStatement(actions=follow, resources=[pipeline, f"{pipeline}/execution/*"]),
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[store.arn_for_objects(inputs)]),
            iam.PolicyStatement(actions=["s3:GetObject"], resources=[store.arn_for_objects(runs)]),
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[store.bucket_arn]),  # tells what is missing from what is forbidden
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key]),
        ]
        super().__init__(
            scope,
            name,
            role_name=role_name,
            description="Has held-out rows scored as a batch",
            assumed_by=iam.AccountPrincipal(toolchain).with_conditions({"ArnEquals": {"aws:PrincipalArn": list(trusted)}}),
            inline_policies={"inline": iam.PolicyDocument(statements=statements)},
        )
