"""Policy documents as AWS takes them: of elements that it knows, about principals that exist, and no larger than their kind may be.

By "IAM JSON policy elements" and "IAM and AWS STS quotas" in IAM's user guide, whose words these are, and the guides of S3 and KMS. That
an account exists is not looked at: a localcloud makes accounts as they are asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from moto.iam.exceptions import LimitExceededException, MalformedPolicyDocument
from moto.iam.models import IAMBackend, iam_backends

from localcloud.core.cloud import PARTITION
from localcloud.iam.conditions import listed

Json = Any
TOP, VERSIONS = {"Version", "Id", "Statement"}, ("2008-10-17", "2012-10-17")
ELEMENTS = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
TRUST, INLINE, MANAGED = 2048, 10_240, 6144  # characters, white space apart; all inline policies of a role together
SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?|[a-z0-9.-]+\.internal")
ACCOUNT, OF_IAM, SESSION = r"\d{12}", r"arn:aws[a-z-]*:iam::(\d{12}):(root|(?:role|user)/.+)", r"arn:aws[a-z-]*:sts::\d{12}:.+"
UNIQUE_ID = r"A(ROA|IDA)[A-Z0-9]{12,}"

_create_role, _update_trust = IAMBackend.create_role, IAMBackend.update_assume_role_policy
_put_inline, _create_policy, _create_version = IAMBackend.put_role_policy, IAMBackend.create_policy, IAMBackend.create_policy_version


def install() -> None:
    """Look at documents before IAM keeps them."""
    for answer in (create_policy, create_policy_version, create_role, put_role_policy, update_assume_role_policy):
        setattr(IAMBackend, answer.__name__, answer)


def create_role(self: Any, role_name: str, assume_role_policy_document: Any, *rest: Any, **more: Any) -> Any:
    require_trust(assume_role_policy_document)
    return _create_role(self, role_name, assume_role_policy_document, *rest, **more)


def update_assume_role_policy(self: Any, role_name: str, policy_document: str) -> None:
    require_trust(policy_document)
    _update_trust(self, role_name, policy_document)


def put_role_policy(self: Any, role_name: str, policy_name: str, policy_json: str) -> None:
    require_inline(role_name, {**self.get_role(role_name).policies, policy_name: policy_json})
    _put_inline(self, role_name, policy_name, policy_json)


def create_policy(self: Any, description: str, path: str, policy_document: str, *rest: Any, **more: Any) -> Any:
    _require_managed(policy_document)
    return _create_policy(self, description, path, policy_document, *rest, **more)


def create_policy_version(self: Any, policy_arn: str, policy_document: str, *rest: Any, **more: Any) -> Any:
    _require_managed(policy_document)
    return _create_version(self, policy_arn, policy_document, *rest, **more)


def require_trust(document: Json) -> None:
    """Raise IAM's error where a role cannot have this trust policy."""
    _require(malformed_on_resource(document))
    if any({"Resource", "NotResource"} & set(statement) for statement in statements(document)):
        raise MalformedPolicyDocument("Has prohibited field Resource")
    if size(document) > TRUST:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {TRUST}")


def require_inline(role: str, documents: dict[str, Json]) -> None:
    """Raise IAM's error where a role cannot have these inline policies."""
    for document in documents.values():
        _require(malformed_of_identity(document))
    if sum(map(size, documents.values())) > INLINE:
        raise LimitExceededException(f"Maximum policy size of {INLINE} bytes exceeded for role {role}")


def _require_managed(document: Json) -> None:
    _require(malformed_of_identity(document))
    if size(document) > MANAGED:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {MANAGED}")


def _require(words: str | None) -> None:
    if words:
        raise MalformedPolicyDocument(words)


def size(document: Json) -> int:
    """The characters of a document that count: white space does not."""
    return len(re.sub(r"\s", "", document if isinstance(document, str) else json.dumps(document)))


def malformed_of_identity(document: Json) -> str | None:
    """What is wrong with a policy of a role or user, or None."""
    if words := _misread(document):
        return words
    for statement in statements(document):
        if {"Principal", "NotPrincipal"} & set(statement):
            return "Policy document should not specify a principal."
        if not {"Resource", "NotResource"} & set(statement):
            return "Policy statement must contain resources."
    return None


def malformed_on_resource(document: Json) -> str | None:
    """What is wrong with a policy on a resource, or None."""
    if words := misread_on_resource(document):
        return words
    unknown = unknown_principal(document)
    return 'Invalid principal in policy: "{}":"{}"'.format(*unknown) if unknown else None


def misread_on_resource(document: Json) -> str | None:
    """What is wrong with a policy on a resource, whomever it names, or None."""
    if words := _misread(document):
        return words
    if any(not {"Principal", "NotPrincipal"} & set(statement) for statement in statements(document)):
        return "Missing required field Principal"
    return None


def unknown_principal(document: Json) -> tuple[str, str] | None:
    """The first principal of a policy that does not exist, as its kind and its name, or None."""
    return next((each for each in principals(document) if not _exists(*each)), None)


def _misread(document: Json) -> str | None:
    try:
        parsed = _parsed(document)
    except ValueError:
        return "Syntax errors in policy."
    if not isinstance(parsed, dict) or set(parsed) - TOP or "Statement" not in parsed or parsed.get("Version", VERSIONS[0]) not in VERSIONS:
        return "Syntax errors in policy."
    if any(not isinstance(s, dict) or set(s) - ELEMENTS or s.get("Effect") not in ("Allow", "Deny") for s in statements(parsed)):
        return "Syntax errors in policy."
    if any(len({"Action", "NotAction"} & set(s)) != 1 for s in statements(parsed)):
        return "Policy statement must contain actions."
    sids = [s["Sid"] for s in statements(parsed) if s.get("Sid")]
    return "Statement IDs (SID) in a single policy must be unique." if len(sids) != len(set(sids)) else None


def _parsed(document: Json) -> Json:
    return json.loads(document) if isinstance(document, (str, bytes)) else document


def statements(document: Json) -> list[dict[str, Any]]:
    """The statements of a document, text or parsed."""
    said = _parsed(document)["Statement"]
    return said if isinstance(said, list) else [said]


def principals(document: Json) -> Iterator[tuple[str, str]]:
    """Whom the statements of a document name, as kinds and names."""
    for statement in statements(document):
        named: Any = statement.get("Principal", statement.get("NotPrincipal"))
        for kind, names in {"AWS": named}.items() if isinstance(named, str) else named.items():
            yield from ((kind, name) for name in listed(names))


def _exists(kind: str, name: str) -> bool:
    if kind == "Service":
        return SERVICE.fullmatch(name) is not None
    if kind != "AWS":
        return kind in ("Federated", "CanonicalUser")
    if name == "*" or re.fullmatch(f"{ACCOUNT}|{SESSION}|{UNIQUE_ID}", name):
        return True
    named = re.fullmatch(OF_IAM, name)
    return named is not None and (named[2] == "root" or _is_there(named[1], name))


def _is_there(account: str, arn: str) -> bool:
    iam = iam_backends[account][PARTITION]
    return arn in {role.arn for role in iam.roles.values()} or arn in {user.arn for user in iam.users.values()}
