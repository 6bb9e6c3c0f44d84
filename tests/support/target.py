"""What a command sees of an AWS, in memory: its clients by their service's name, and the parts that evidence lies in."""

from __future__ import annotations

import io
from typing import Any

from botocore.exceptions import ClientError

from paved_runtime.spec import ModelSpec
from pipelines.deployment.registry import Registry
from tests import reference
from tests.reference import CONFIG
from tests.support.facts import FACTS
from tests.support.fakes import Anything, clients

JO = f"arn:aws:iam::{CONFIG.toolchain.id}:user/jo"


class FakeTarget(Anything):  # type: ignore[misc]
    """One AWS, the same in every account; it is its own session."""

    pace = 0.0
    cloud = None

    def __init__(self, **services: Any) -> None:
        self.services = {name.replace("_", "-"): client for name, client in services.items()}

    def session(self, *_: object) -> FakeTarget:
        return self

    inside = acting = session

    def client(self, service: str) -> Any:
        return self.services[service]

    def registry(self, model: ModelSpec | None = None) -> Registry:
        """The registry of a model, of the reference's without one."""
        return Registry(config=CONFIG, model=model or reference.model(), facts=FACTS, clients=clients(self.services))

    def caller(self) -> str:
        return JO


class S3(Anything):  # type: ignore[misc]
    """Objects by their URI."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        self.objects = objects or {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - botocore's own words
        try:
            return {"Body": io.BytesIO(self.objects[f"s3://{Bucket}/{Key}"])}
        except KeyError as error:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject") from error


class Kms(Anything):  # type: ignore[misc]
    """A key whose signature of a digest is the digest, reversed."""

    def sign(self, *, Message: bytes, **_: Any) -> dict[str, bytes]:  # noqa: N803
        return {"Signature": Message[::-1]}

    def verify(self, *, Message: bytes, Signature: bytes, **_: Any) -> dict[str, bool]:  # noqa: N803
        if Signature != Message[::-1]:
            raise ClientError({"Error": {"Code": "KMSInvalidSignatureException"}}, "Verify")
        return {"SignatureValid": True}
