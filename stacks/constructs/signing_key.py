"""A KMS key that signs: its private half never leaves KMS, and anybody who has the public half can check a signature."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
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
            removal_policy=RemovalPolicy.RETAIN,
        )
