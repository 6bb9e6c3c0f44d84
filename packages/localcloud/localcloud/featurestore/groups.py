"""Feature groups: what SageMaker lets one be, and what it keeps of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.models import sagemaker_backends

from localcloud.core import clock
from localcloud.core.cloud import cloud
from localcloud.core.errors import error, invalid
from localcloud.featurestore.offline import OfflineStore
from localcloud.featurestore.online import OnlineStore
from localcloud.sagemaker.records import answer, backend
from localcloud.sagemaker.roles import assumable

CREATING = 15.0  # of AWS's seconds
ADDED = ("is_deleted", "write_time", "api_invocation_time")  # columns that the offline store adds: no feature may be called so
MOST = 100  # groups that one answer lists
Request = dict[str, Any]


@dataclass
class FeatureGroup:
    """One group, made by `request`; `tags` are where moto looks for them. `ready` is set once it takes records."""

    account: str
    region: str
    request: Request
    online: OnlineStore | None
    offline: OfflineStore | None
    kinds: dict[str, str]
    tags: list[dict[str, str]]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))
    ready: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return str(self.request["FeatureGroupName"])

    @property
    def arn(self) -> str:
        return _arn(self.account, self.region, self.name)

    @property
    def status(self) -> str:
        return "Created" if self.ready.is_set() else "Creating"

    def describe(self) -> dict[str, Any]:
        """As DescribeFeatureGroup answers."""
        known = {name: self.request[name] for name in DESCRIBED if name in self.request}
        about: dict[str, Any] = {
            **known,
            "FeatureGroupArn": self.arn,
            "FeatureDefinitions": [{"FeatureName": name, "FeatureType": kind} for name, kind in self.kinds.items()],
            "CreationTime": self.created,
            "LastModifiedTime": self.changed,
            "FeatureGroupStatus": self.status,
            "ThroughputConfig": {"ThroughputMode": "OnDemand"},
            "LastUpdateStatus": {"Status": "Successful"},
        }
        if self.offline:
            store = known["OfflineStoreConfig"]
            storage = {**store["S3StorageConfig"], "ResolvedOutputS3Uri": self.offline.uri}
            why = {"BlockedReason": self.offline.blocked} if self.offline.blocked else {}
            about["OfflineStoreConfig"] = {**store, "S3StorageConfig": storage}
            about["OfflineStoreStatus"] = {"Status": "Blocked" if why else "Active", **why}
        return about


DESCRIBED = (
    *("FeatureGroupName", "RecordIdentifierFeatureName", "EventTimeFeatureName", "OnlineStoreConfig", "OfflineStoreConfig", "RoleArn"),
    "Description",
)


def install() -> None:
    """Answer the calls that make and tell of feature groups."""
    answer((create_feature_group, describe_feature_group, update_feature_group, delete_feature_group, list_feature_groups))


def find(account: str, region: str, name: str) -> FeatureGroup | None:
    """A group by its name, or by its ARN; None where there is none."""
    groups: dict[str, FeatureGroup] = backend(account, region).feature_groups
    return groups.get(name if name.startswith("arn:") else _arn(account, region, name))


def shutdown() -> None:
    """Write whatever is gathered for an offline store."""
    for group in [group for regions in sagemaker_backends.values() for its in regions.values() for group in _groups(its)]:
        if group.offline:
            group.offline.write()


def _groups(backend: Any) -> list[FeatureGroup]:
    return list(backend.feature_groups.values())


def create_feature_group(self: Any) -> ActionResult:
    request: Request = self._get_params()
    for words in _problems(request):
        raise invalid(words)
    account, region = self.current_account, self.region
    groups = self.sagemaker_backend.feature_groups
    if (arn := _arn(account, region, request["FeatureGroupName"])) in groups:
        raise error("ResourceInUse", f"Resource Already Exists: FeatureGroup with name {request['FeatureGroupName']} already exists.")
    kinds = {each["FeatureName"]: each["FeatureType"] for each in request["FeatureDefinitions"]}
    group = FeatureGroup(
        account=account,
        region=region,
        request=request,
        online=OnlineStore() if (request.get("OnlineStoreConfig") or {}).get("EnableOnlineStore") else None,
        offline=_offline(account, region, request, kinds) if request.get("OfflineStoreConfig") else None,
        kinds=kinds,
        tags=request.get("Tags") or [],
    )
    groups[arn] = group
    clock.at(("feature group", arn), time.time() + CREATING / cloud().speed, group.ready.set)
    return ActionResult({"FeatureGroupArn": arn})


def describe_feature_group(self: Any) -> ActionResult:
    return ActionResult(_existing(self).describe())


def update_feature_group(self: Any) -> ActionResult:
    """Features may be added, and nothing else changes: what was written before has none of them."""
    group, request = _existing(self), self._get_params()
    if refused := [name for name in ("OnlineStoreConfig", "ThroughputConfig") if request.get(name)]:
        raise invalid(f"localcloud cannot honour {', '.join(refused)} of UpdateFeatureGroup")
    added = request.get("FeatureAdditions") or []
    for words in _of_definitions(added, known=group.kinds):
        raise invalid(words)
    group.kinds |= {each["FeatureName"]: each["FeatureType"] for each in added}
    group.changed = datetime.now(UTC)
    return ActionResult({"FeatureGroupArn": group.arn})


def delete_feature_group(self: Any) -> ActionResult:
    """The online store goes; what the offline store has in S3 stays."""
    group = _existing(self)
    if group.offline:
        group.offline.write()
    del self.sagemaker_backend.feature_groups[group.arn]
    return ActionResult({})


def list_feature_groups(self: Any) -> ActionResult:
    request = self._get_params()
    if refused := [name for name in ("CreationTimeAfter", "CreationTimeBefore", "OfflineStoreStatusEquals") if request.get(name)]:
        raise invalid(f"localcloud cannot honour {', '.join(refused)} of ListFeatureGroups")
    groups = sorted(self.sagemaker_backend.feature_groups.values(), key=lambda group: group.name)
    status = request.get("FeatureGroupStatusEquals")
    shown = [g for g in groups if request.get("NameContains", "") in g.name and status in (None, g.status)]
    start, most = int(request.get("NextToken") or 0), request.get("MaxResults") or MOST
    more = {"NextToken": str(start + most)} if start + most < len(shown) else {}
    return ActionResult({"FeatureGroupSummaries": [_summary(group) for group in shown[start : start + most]], **more})


def _summary(group: FeatureGroup) -> dict[str, Any]:
    about = group.describe()
    names = ("FeatureGroupName", "FeatureGroupArn", "CreationTime", "FeatureGroupStatus", "OfflineStoreStatus")
    return {name: about[name] for name in names if name in about}


def _existing(self: Any) -> FeatureGroup:
    name = self._get_param("FeatureGroupName")
    group = find(self.current_account, self.region, name)
    if group is None:
        raise error("ResourceNotFound", f"FeatureGroup with name {name} does not exist.")
    return group


def _arn(account: str, region: str, name: str) -> str:
    return f"arn:aws:sagemaker:{region}:{account}:feature-group/{name.lower()}"


def _offline(account: str, region: str, request: Request, kinds: dict[str, str]) -> OfflineStore:
    storage = request["OfflineStoreConfig"]["S3StorageConfig"]
    folder = f"{request['FeatureGroupName']}-{int(time.time())}"
    return OfflineStore(
        uri=f"{storage['S3Uri'].rstrip('/')}/{account}/sagemaker/{region}/offline-store/{folder}/data",
        role=assumable(request.get("RoleArn")),
        region=region,
        key=storage.get("KmsKeyId"),
        kinds=kinds,
    )


def _problems(request: Request) -> Iterator[str]:
    """Why no group can be made of the request, in AWS's words or in localcloud's own."""
    online, offline = request.get("OnlineStoreConfig") or {}, request.get("OfflineStoreConfig") or {}
    if not online.get("EnableOnlineStore") and not offline:
        yield "You must provide at least one of OnlineStoreConfig or OfflineStoreConfig"
    if offline and not request.get("RoleArn"):
        yield "RoleArn is needed for an offline store"
    yield from _unknown(request, online, offline)
    yield from _of_definitions(request["FeatureDefinitions"], known={})
    kinds = {each["FeatureName"]: each["FeatureType"] for each in request["FeatureDefinitions"]}
    for member in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
        if request[member] not in kinds:
            yield f"{member} {request[member]} is not in FeatureDefinitions"
    if (kind := kinds.get(request["EventTimeFeatureName"])) and kind not in ("String", "Fractional"):
        yield f"the type of EventTimeFeatureName must be String or Fractional, not {kind}"


def _of_definitions(definitions: list[dict[str, Any]], known: dict[str, str]) -> Iterator[str]:
    names = [each["FeatureName"] for each in definitions]
    for name in names:
        if name.lower() in ADDED:
            yield f"FeatureName {name} is reserved: none of {', '.join(ADDED)} can be one"
        if name in known or names.count(name) > 1:
            yield f"FeatureName {name} is there twice"
    for each in definitions:
        if each.get("CollectionType"):
            yield f"localcloud knows no collections, such as {each['FeatureName']}"


def _unknown(request: Request, online: Request, offline: Request) -> Iterator[str]:
    if online.get("TtlDuration"):
        yield "localcloud cannot honour TtlDuration of an online store"
    if online.get("StorageType", "Standard") != "Standard":
        yield f"localcloud has no online store of type {online['StorageType']}: it knows Standard"
    if offline and offline.get("TableFormat", "Glue") != "Glue":
        yield f"localcloud has no offline store in {offline['TableFormat']}: it knows Glue's layout"
    if offline and not offline.get("DisableGlueTableCreation"):
        yield "localcloud has no Glue: OfflineStoreConfig must have DisableGlueTableCreation"
    if (request.get("ThroughputConfig") or {}).get("ThroughputMode", "OnDemand") != "OnDemand":
        yield "localcloud does not meter records: ThroughputMode must be OnDemand"
