"""The calls that write and read records. moto has no such service: its server is told of the paths, which SageMaker's key signs."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, BaseResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sagemakerruntime import urls

from localcloud.core.errors import error
from localcloud.featurestore import groups
from localcloud.featurestore.groups import FeatureGroup
from localcloud.featurestore.online import OnlineStore
from localcloud.featurestore.records import Record, moment, read, refused

ONLINE, OFFLINE = "OnlineStore", "OfflineStore"
PATHS = ("/FeatureGroup/", "/BatchGetRecord", "/BatchWriteRecord")
PAGE = 100  # identifiers that one answer lists
_host_of = DomainDispatcherApplication.infer_service_region_host


class FeatureStoreResponse(BaseResponse):
    """Answers as the service does."""

    def __init__(self) -> None:
        super().__init__(service_name="sagemaker-featurestore-runtime")
        self.automated_parameter_parsing = True

    def put_record(self) -> ActionResult:
        group = self._group(self._get_param("FeatureGroupName"))
        if self._get_param("TtlDuration"):
            raise refused("localcloud cannot honour TtlDuration of PutRecord")
        record = read(self._get_param("Record"), group.kinds)
        identifier, at = _key(group, record)
        stores = _stores(group, self._get_param("TargetStores"))
        if group.online and ONLINE in stores:
            group.online.put(identifier, at, record)
        if group.offline and OFFLINE in stores:
            group.offline.put(record, at)
        return ActionResult({})

    def get_record(self) -> ActionResult:
        group = self._group(self._get_param("FeatureGroupName"))
        if self._get_param("ExpirationTimeResponse") == "Enabled":
            raise refused("localcloud cannot honour ExpirationTimeResponse of GetRecord")
        names = self._get_param("FeatureNames")
        record = _online(group).get(self._get_param("RecordIdentifierValueAsString"))
        return ActionResult({"Record": _shown(group, record, names)} if record else {})

    def batch_get_record(self) -> ActionResult:
        records, errors = [], []
        for wanted in self._get_param("Identifiers"):
            name = wanted["FeatureGroupName"]
            group = groups.find(self.current_account, self.region, name)
            for identifier in wanted["RecordIdentifiersValueAsString"]:
                about = {"FeatureGroupName": name, "RecordIdentifierValueAsString": identifier}
                if group is None or group.online is None:
                    errors.append({**about, "ErrorCode": "ResourceNotFound", "ErrorMessage": f"no online store of {name}"})
                elif record := group.online.get(identifier):
                    records.append({**about, "Record": _shown(group, record, wanted.get("FeatureNames"))})
        return ActionResult({"Records": records, "Errors": errors, "UnprocessedIdentifiers": []})

    def delete_record(self) -> ActionResult:
        group, text = self._group(self._get_param("FeatureGroupName")), self._get_param("EventTime")
        identifier, hard = self._get_param("RecordIdentifierValueAsString"), self._get_param("DeletionMode") == "HardDelete"
        at = moment(text, group.kinds[group.request["EventTimeFeatureName"]])
        stores = _stores(group, self._get_param("TargetStores"))
        if ONLINE in stores:
            _online(group).delete(identifier, at, hard=hard)
        if group.offline and OFFLINE in stores:
            marker = {group.request["RecordIdentifierFeatureName"]: identifier, group.request["EventTimeFeatureName"]: text}
            group.offline.put(marker, at, deleted=True)
        return ActionResult({})

    def list_records(self) -> ActionResult:
        identifiers = _online(self._group(self._get_param("FeatureGroupName"))).identifiers()
        start, most = int(self._get_param("NextToken") or 0), self._get_param("MaxResults") or PAGE
        more = {"NextToken": str(start + most)} if start + most < len(identifiers) else {}
        return ActionResult({"RecordIdentifiers": identifiers[start : start + most], **more})

    def batch_write_record(self) -> ActionResult:
        raise refused("localcloud does not do BatchWriteRecord")

    def update_record(self) -> ActionResult:
        raise refused("localcloud does not do UpdateRecord")

    def _group(self, name: str) -> FeatureGroup:
        group = groups.find(self.current_account, self.region, name)
        if group is None:
            raise error("ResourceNotFound", f"FeatureGroup with name {name} does not exist.")
        if not group.ready.is_set():
            raise refused(f"FeatureGroup {name} is {group.status}")
        return group


def install() -> None:
    """Have the server hand the service's paths to these answers."""
    urls.url_paths.update(
        {
            "{0}/FeatureGroup/(?P<name>[^/]+)$": FeatureStoreResponse.dispatch,
            "{0}/FeatureGroup/(?P<name>[^/]+)/ListRecords$": FeatureStoreResponse.dispatch,
            "{0}/FeatureGroup/(?P<name>[^/]+)/Record$": FeatureStoreResponse.dispatch,
            "{0}/BatchGetRecord$": FeatureStoreResponse.dispatch,
            "{0}/BatchWriteRecord$": FeatureStoreResponse.dispatch,
        }
    )
    DomainDispatcherApplication.infer_service_region_host = _host  # type: ignore[method-assign]


def _host(self: Any, environ: dict[str, Any], path: str) -> str | None:
    """The host whose backend has a request's path. moto takes all that SageMaker's key signs for SageMaker's own."""
    host = _host_of(self, environ, path)
    if host and host.startswith("api.sagemaker.") and environ.get("PATH_INFO", "").startswith(PATHS):
        return host.replace("api.", "runtime.", 1)
    return host


def _key(group: FeatureGroup, record: Record) -> tuple[str, float]:
    """The record's identifier, and its event time in seconds since 1970."""
    identifier, time = (group.request[f"{member}FeatureName"] for member in ("RecordIdentifier", "EventTime"))
    for name in (identifier, time):
        if not record.get(name):
            raise refused(f"FeatureName {name} is missing: a Record has an identifier and an event time")
    return record[identifier], moment(record[time], group.kinds[time])


def _stores(group: FeatureGroup, wanted: list[str] | None) -> set[str]:
    there = {name for name, store in ((ONLINE, group.online), (OFFLINE, group.offline)) if store}
    if lacking := sorted(set(wanted or ()) - there):
        raise refused(f"TargetStores {', '.join(lacking)}: FeatureGroup {group.name} has {', '.join(sorted(there))} only")
    return set(wanted or there)


def _online(group: FeatureGroup) -> OnlineStore:
    if group.online is None:
        raise refused(f"FeatureGroup {group.name} has no online store")
    return group.online


def _shown(group: FeatureGroup, record: Record, names: list[str] | None) -> list[dict[str, str]]:
    """The features of a record that have a value, in the group's order; of `names`, where some are asked for."""
    if unknown := sorted(set(names or ()) - group.kinds.keys()):
        raise refused(f"FeatureNames {', '.join(unknown)}: FeatureGroup {group.name} has {', '.join(group.kinds)}")
    wanted = [name for name in group.kinds if name in record and (not names or name in names)]
    return [{"FeatureName": name, "ValueAsString": record[name]} for name in wanted]
