"""Key policies that nobody could change any more, which KMS refuses where it is not told to let them be."""

from __future__ import annotations

import json
from typing import Any

from moto.kms.responses import KmsResponse

from localcloud.core.errors import error
from localcloud.iam import callers, documents, policies

LARGEST = 32 * 1024  # bytes
_create, _put = KmsResponse.create_key, KmsResponse.put_key_policy


def install() -> None:
    """Look at policies before CreateKey and PutKeyPolicy."""
    KmsResponse.create_key = create_key  # type: ignore[method-assign]
    KmsResponse.put_key_policy = put_key_policy  # type: ignore[method-assign]


def refuse_lockout(policy: Any, caller: str) -> None:
    """Raise KMS's error where the policy, text or parsed, would not let `caller` put another one in its place."""
    if not policies.lets_in(policy, caller=caller, action="kms:PutKeyPolicy"):
        raise error("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")


def require_taken(policy: Any) -> None:
    """Raise KMS's error for a policy that it does not take: "Key policies" and "Resource quotas" in its developer guide."""
    if words := documents.malformed_on_resource(policy):
        raise error("MalformedPolicyDocumentException", words)
    if len(policy if isinstance(policy, str) else json.dumps(policy, separators=(",", ":"))) > LARGEST:
        raise error("LimitExceededException", f"The key policy is larger than {LARGEST} bytes")


def create_key(self: Any) -> str:
    if policy := self._get_param("Policy"):
        _look(self, policy)
    return _create(self)


def put_key_policy(self: Any) -> str:
    _look(self, self._get_param("Policy"))
    return _put(self)


def _look(response: Any, policy: str) -> None:
    require_taken(policy)
    if not response._get_param("BypassPolicyLockoutSafetyCheck"):
        refuse_lockout(policy, callers.of(response))
