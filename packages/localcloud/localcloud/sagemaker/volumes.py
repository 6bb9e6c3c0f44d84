"""Volumes that a customer's key encrypts, of jobs and of endpoints: their role must be able to make the grant by which SageMaker uses it.

By "Amazon SageMaker AI API permissions" and "Protect data at rest using encryption" in its developer guide, CreateEndpointConfig and
DeleteEndpoint in its API reference. At which moment SageMaker finds out is not documented: here a job fails before it does anything, and
an endpoint when its new fleet is prepared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localcloud.core.errors import error
from localcloud.iam import authorization
from localcloud.iam.kms_permissions import of_key
from localcloud.iam.permissions import Permission
from localcloud.kms import grants, keys
from localcloud.sagemaker.roles import SERVICE

NEEDED = ("kms:DescribeKey", "kms:CreateGrant")


@contextmanager
def encrypted(name: str | None, *, role: str, region: str) -> Iterator[None]:
    """While a volume under the key `name` (None: under AWS's own) is there. Raises an AWS error where the role cannot bring that about."""
    if name is None:
        yield
        return
    account = role.split(":")[4]
    key = keys.find(name, account, region)
    if key is None:
        raise error("NotFoundException", f"Key '{name}' does not exist")
    context = {**of_key(key, account, via=f"sagemaker.{region}.amazonaws.com"), "kms:GrantIsForAWSResource": ["true"]}
    for action in NEEDED:
        if why := authorization.refusal_of_role(role, Permission(action=action, resource=key.arn, context=context)):
            raise error("AccessDeniedException", f"User: {role} is not authorized to perform: {action} on resource: {key.arn} {why}")
    with grants.of_volume(key, SERVICE):
        yield
