"""What a stack tells others of itself, and how they find it: SSM parameters, so that either can be replaced alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_ssm as ssm


def tell(stack: Stack, facts: Mapping[str, str], path: Callable[[str], str]) -> None:
    """Write facts, each to its `path`."""
    for fact, value in facts.items():
        ssm.StringParameter(stack, f"Fact-{fact}", parameter_name=path(fact), string_value=value)


def find(stack: Stack, fact: str, path: str) -> str:
    """A fact, resolved when the stack is deployed: nothing is looked up at synth."""
    name = "".join(part.capitalize() for part in fact.split("-"))
    return CfnParameter(stack, name, type="AWS::SSM::Parameter::Value<String>", default=path).value_as_string
