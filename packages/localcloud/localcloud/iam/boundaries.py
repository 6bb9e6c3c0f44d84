"""Permissions boundaries of roles: a boundary must be a policy of the account. What it lets through is judged with every request."""

from __future__ import annotations

from typing import Any

from moto.iam.exceptions import IAMException
from moto.iam.models import IAMBackend


class Absent(IAMException):
    """IAM's answer to a boundary that is no policy of the account."""

    code = "NoSuchEntity"


def install() -> None:
    """Have roles refuse a boundary that is not there."""
    create, put = IAMBackend.create_role, IAMBackend.put_role_permissions_boundary

    def create_role(
        self: Any, role_name: str, assume_role_policy_document: str, path: str, permissions_boundary: str | None, *rest: Any, **more: Any
    ) -> Any:
        _must_exist(self, permissions_boundary)
        return create(self, role_name, assume_role_policy_document, path, permissions_boundary, *rest, **more)

    def put_role_permissions_boundary(self: Any, role_name: str, permissions_boundary: str) -> None:
        _must_exist(self, permissions_boundary)
        put(self, role_name, permissions_boundary)

    IAMBackend.create_role = create_role  # type: ignore[method-assign]
    IAMBackend.put_role_permissions_boundary = put_role_permissions_boundary  # type: ignore[method-assign]


def set_by_template(backend: Any, role: Any, arn: str | None) -> None:
    """Give a role the boundary that its template says, or none."""
    _must_exist(backend, arn)
    role.permissions_boundary_arn = arn


def _must_exist(backend: Any, arn: str | None) -> None:
    if arn and arn not in backend.managed_policies:
        raise Absent(f"Scope ARN: {arn} does not exist or is not attachable.")
