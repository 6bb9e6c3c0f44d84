"""The permissions that a request to KMS requires: of the key that it names or decrypts with, and of an alias and both of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.kms.utils import KEY_ID_LEN

from localcloud.iam.conditions import Context
from localcloud.iam.permissions import Permission
from localcloud.kms import keys
from localcloud.kms.grants import OF_GRANTS

OF_ALIASES = ("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias")


def required(response: Any, action: str) -> Iterator[Permission]:
    """What a request must be allowed, as moto's `response` object received it."""
    if action in OF_ALIASES:
        yield from _of_alias(response, action)
    else:
        name = response._get_param("KeyId") or _sealed_with(response)
        key = _key(response, name)
        context = {**of_key(key, response.current_account), **_use(response)}
        if action in OF_GRANTS:
            context["kms:GrantIsForAWSResource"] = ["false"]  # services of AWS make theirs without a request
        yield Permission(action=action, resource=key.arn if key else None, context=context)


def of_key(key: Any, account: str, via: str | None = None) -> Context:
    """What is known of the use of a key (None: there is none) by a caller of `account`, itself or by the service `via`."""
    return {
        "kms:CallerAccount": [account],
        "kms:ResourceAliases": list(key.aliases) if key else [],
        "kms:ViaService": [via] if via else [],
    }


def _use(response: Any) -> Context:
    """What a request says of how the key is used."""
    name = response._get_param("KeyId") or ""
    alias = name if name.startswith("alias/") else f"alias/{name.partition(':alias/')[2]}" if ":alias/" in name else None
    said = {f"kms:{member}": response._get_param(member) for member in ("MessageType", "SigningAlgorithm")}
    return {"kms:RequestAlias": [alias] if alias else [], **{key: [value] if value else [] for key, value in said.items()}}


def _of_alias(response: Any, action: str) -> Iterator[Permission]:
    """Of the alias, by the caller's own policies, and of the key that it names now and of the one that it is to name."""
    alias, account = response._get_param("AliasName"), response.current_account
    yield Permission(action=action, resource=f"arn:{response.partition}:kms:{response.region}:{account}:{alias}")
    for key in (_key(response, alias), _key(response, response._get_param("TargetKeyId"))):
        if key:
            yield Permission(action=action, resource=key.arn, context=of_key(key, account))


def _key(response: Any, name: str | None) -> Any:
    return keys.find(name, response.current_account, response.region) if name else None


def _sealed_with(response: Any) -> str | None:
    """The key that a ciphertext names: Decrypt need not."""
    sealed = response._get_param("CiphertextBlob")
    return sealed[:KEY_ID_LEN].decode(errors="replace") if sealed else None
