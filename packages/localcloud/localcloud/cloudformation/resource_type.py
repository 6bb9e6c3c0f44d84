"""What a CloudFormation resource type is: API calls that CloudFormation itself would make, in the form that moto's parser knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.cloudformation import parsing
from moto.cloudformation.models import cloudformation_backends
from moto.core.common_models import CloudFormationModel

from localcloud.core import late_reads
from localcloud.core.cloud import cloud
from localcloud.core.errors import error
from localcloud.core.validation import request

Properties = dict[str, Any]
Put = Callable[["Resource", "Resource | None"], str]


@dataclass
class Resource:
    """One physical resource of a stack, which is known by its id."""

    account: str
    region: str
    name: str
    properties: Properties
    id: str = ""
    stack: str = ""

    def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        """Call an AWS API in the stack's account, as CloudFormation's execution role (an administrator) would.

        What a late read may have refused is tried again.
        """
        api: Callable[..., dict[str, Any]] = getattr(client(service, self.account, self.region), xform_name(operation))
        try:
            return api(**members)
        except ClientError:
            if not late_reads.settle():
                raise
            return api(**members)

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


@dataclass(frozen=True)
class ResourceType:
    """How one resource type is made. `put` creates, or changes what its schema lets change, and returns the physical id.

    `tagged`: it gets the tags of its stack beside its own, as CloudFormation gives them to what takes some ("Resource tags").
    """

    kind: str
    put: Put
    delete: Callable[[Resource], Any]
    name: str = ""
    tagged: bool = False
    attributes: Mapping[str, Callable[[Resource], Any]] = field(default_factory=dict)


@cache
def client(service: str, account: str, region: str) -> Any:
    """A client with the account's administrator keys."""
    keys = cloud().administrator(account)
    make: Any = boto3.client
    return make(
        service,
        region_name=region,
        endpoint_url=cloud().url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )


def put_by(service: str, operation: str, name: str) -> Put:
    """A `put` that hands the properties to one API call, under the resource's name."""

    def put(r: Resource, old: Resource | None) -> str:
        r.call(service, operation, **request(service, operation, {**r.properties, name: r.name}))
        return r.name

    return put


def delete_by(service: str, operation: str, name: str) -> Callable[[Resource], Any]:
    """A `delete` that is one API call, by the resource's physical id."""
    return lambda r: r.call(service, operation, **{name: r.id})


def goes_with_its_owner(r: Resource) -> None:
    """A `delete` that does nothing: what the resource belongs to takes it along."""


class Adapter(CloudFormationModel):
    """moto's form of a resource type; `install` makes one subclass a type."""

    of: ClassVar[ResourceType]

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    @property
    def physical_resource_id(self) -> str:
        return self.resource.id

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, attribute: str) -> Any:
        if attribute not in self.of.attributes:
            raise error("ValidationError", f"localcloud knows no attribute {attribute} of {self.of.kind}")
        return self.of.attributes[attribute](self.resource)

    def delete(self, account_id: str, region_name: str) -> None:
        self.of.delete(self.resource)

    @staticmethod
    def cloudformation_type() -> str:
        return "localcloud::Adapter"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.of.attributes

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        *,
        StackId: str = "",  # noqa: N803  # as moto passes it
        **_: Any,
    ) -> Adapter:
        return cls._put(resource_name, cloudformation_json, account_id, region_name, None, StackId)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Adapter:
        old = original_resource.resource
        return cls._put(old.name, cloudformation_json, account_id, region_name, old, old.stack)

    @classmethod
    def _put(cls, name: str, cloudformation_json: Any, account: str, region: str, old: Resource | None, stack: str) -> Adapter:
        properties = dict(cloudformation_json["Properties"])
        if cls.of.tagged:
            properties |= _tags(properties, cloudformation_backends[account][region].get_stack(stack).tags or {})
        resource = Resource(account, region, name if cls.of.name in properties else _short(name), properties, stack=stack)
        resource.id = cls.of.put(resource, old)
        return cls(resource)


def _tags(properties: Properties, of_the_stack: Mapping[str, str]) -> Properties:
    """The tags of a resource: those of its stack, and its own, which come first where both name the same key."""
    own = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    tags = [{"Key": key, "Value": value} for key, value in {**of_the_stack, **own}.items()]
    return {"Tags": tags} if tags else {}


def _short(name: str) -> str:
    """At most 63 characters, as CloudFormation shortens the names it makes up."""
    return name if len(name) <= 63 else f"{name[:50]}-{name[-12:]}"


def install(types: Iterable[ResourceType]) -> None:
    """Make resource types known to moto's template parser."""
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()
    parsing.get_model_map().update({kind.kind: type(kind.kind.replace("::", ""), (Adapter,), {"of": kind}) for kind in types})
    parsing.get_name_type_map().update({kind.kind: kind.name for kind in types})
    parsing.resource_name_property_from_type = parsing.get_name_type_map().get  # type: ignore[assignment]


def complete(owner: Any, *, created: Callable[..., Any] | None = None, updated: Callable[..., Any] | None = None) -> None:
    """Have a type that moto makes or updates incompletely, by its class `owner`, made and updated by these."""
    if created:
        owner.create_from_cloudformation_json = staticmethod(created)
    if updated:
        owner.update_from_cloudformation_json = staticmethod(updated)
