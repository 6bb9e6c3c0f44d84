"""With which role a stage of the toolchain looks into another account: it may read back an endpoint, its alarms and metrics, and ask it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct


class VerifierRole(iam.Role):
    """`trusted` are the ARNs of the roles of account `toolchain` that may take it; they need not exist yet.

    `shared` is the endpoint on which an inference component called `endpoint_name` is; empty where it is an endpoint itself. `queued`: what
    it must be allowed to ask an endpoint whose requests wait; none where they do not. `features`: what it must be allowed to look at
    features.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        role_name: str,
        toolchain: str,
        trusted: Sequence[str],
        endpoint_name: str,
        shared: str,
        queued: Sequence[iam.PolicyStatement],
        features: Sequence[iam.PolicyStatement],
    ) -> None:
        stack = Stack.of(scope)

        def sagemaker(kind: str, resource_name: str) -> str:
            return stack.format_arn(service="sagemaker", resource=kind, resource_name=resource_name)

        read = iam.PolicyStatement(
            actions=["sagemaker:DescribeEndpoint", f"sagemaker:InvokeEndpoint{'Async' if queued else ''}"],
            resources=[sagemaker("endpoint", endpoint_name)],
        )
        if shared:
            read = iam.PolicyStatement(
                actions=["sagemaker:DescribeInferenceComponent", "sagemaker:InvokeEndpoint"],
                resources=[sagemaker("inference-component", endpoint_name), sagemaker("endpoint", shared)],
            )
        follow = iam.PolicyStatement(  # the configuration and model behind it have generated names
            actions=["sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel"],
            resources=[sagemaker("endpoint-config", "*"), sagemaker("model", "*")],
        )
        outputs = iam.PolicyStatement(
            actions=["cloudformation:DescribeStacks"],
            resources=[stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{stack.stack_name}/*")],
        )
        alarm = stack.format_arn(service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME)
        watch = [
            iam.PolicyStatement(actions=["cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarms"], resources=[alarm]),
            iam.PolicyStatement(  # metrics have no resource to name
                actions=["cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics"], resources=["*"]
            ),
        ]
        super().__init__(
            scope,
            name,
            role_name=role_name,
            description=f"Reads back and asks the endpoint {endpoint_name}",
            assumed_by=iam.AccountPrincipal(toolchain).with_conditions({"ArnEquals": {"aws:PrincipalArn": list(trusted)}}),
            inline_policies={"inline": iam.PolicyDocument(statements=[read, follow, outputs, *watch, *queued, *features])},
        )
