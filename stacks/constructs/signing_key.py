"""A KMS key that signs: its private half never leaves KMS, and anybody who has the public half can check a signature.

Who may sign is said twice: by the policies of roles, and by the key's own, which refuses everybody else whatever their policies allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct


class SigningKey(kms.Key):
    """ECDSA over the curve P-256. Kept when its stack goes: what it signed must stay checkable.

    KMS rotates no asymmetric key. Policies know it by `alias` (`alias/…`), so that a role gets this key and no other.
    """

    def __init__(self, scope: Construct, name: str, *, description: str, alias: str) -> None:
        super().__init__(
            scope,
            name,
            alias=alias,
            description=description,
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def signs_for_nobody_but(self, roles: Sequence[str]) -> None:
        """Refuse to sign for all but `roles` (ARNs), which need not exist yet."""
        self._refuse({"ArnNotLike": roles})

    def signs_for_none_of(self, roles: Sequence[str], *, but: Sequence[str]) -> None:
        """Refuse to sign for `roles` (patterns of ARNs), except those in `but`. Others sign if their own policies allow it."""
        self._refuse({"ArnLike": roles, "ArnNotLike": but})

    def _refuse(self, who: Mapping[str, Sequence[str]]) -> None:
        conditions = {operator: {"aws:PrincipalArn": list(roles)} for operator, roles in who.items()}
        refusal = iam.PolicyStatement(
            effect=iam.Effect.DENY, principals=[iam.AnyPrincipal()], actions=["kms:Sign"], resources=["*"], conditions=conditions
        )
        self.add_to_resource_policy(refusal)
