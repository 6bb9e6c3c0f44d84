"""Roles as they are seen: a change of one, or of a policy that it has, is in force everywhere only after a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from localcloud.core.cloud import PARTITION
from localcloud.core.late_reads import Kind

_get_role = IamResponse.get_role


@dataclass(frozen=True)
class Role:
    """A role's documents, as text. `boundary` is the permissions boundary's."""

    trust: str
    policies: tuple[str, ...]
    boundary: str | None


def install() -> None:
    """Answer GetRole."""
    IamResponse.get_role = get_role  # type: ignore[method-assign]


def of(arn: str) -> Role | None:
    """A role as it is seen; None where it is not. Raises moto's error where there is none."""
    account = arn.split(":")[4]
    role = iam_backends[account][PARTITION].get_role_by_arn(arn)
    stale = ROLES.stale(account, "")
    return stale[arn] if arn in stale else _read(account, role)


def exists(arn: str) -> bool:
    """Whether there is such a role, seen or not."""
    return any(role.arn == arn for role in list(iam_backends[arn.split(":")[4]][PARTITION].roles.values()))


def require(arn: str) -> Role:
    """A role as it is seen. Raises moto's error where there is none, or it is not seen yet."""
    if role := of(arn):
        return role
    raise NotFoundException(f"Role {arn} not found")


def get_role(self: Any) -> Any:
    role = self.backend.get_role(self._get_param("RoleName"))
    if ROLES.stale(self.current_account, "").get(role.arn, role) is None:
        raise NotFoundException(f"The role with name {role.name} cannot be found.")
    return _get_role(self)


def _now(account: str, _region: str) -> dict[str, Role]:
    return {role.arn: _read(account, role) for role in list(iam_backends[account][PARTITION].roles.values())}


def _read(account: str, role: Any) -> Role:
    boundary = role.permissions_boundary_arn
    return Role(
        trust=role.assume_role_policy_document,
        policies=(*role.policies.values(), *map(_document, role.managed_policies.values())),
        boundary=_document(iam_backends[account][PARTITION].managed_policies[boundary]) if boundary else None,
    )


def _document(policy: Any) -> str:
    text: str = next(version.document for version in policy.versions if version.is_default)
    return text


ROLES = Kind(
    "iam",
    'IAM user guide, "Troubleshoot IAM": "Changes that I make are not always immediately visible"',
    _now,
    regional=False,
)
