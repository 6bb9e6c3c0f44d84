"""A model that looks up what two feature groups have of a customer, and their online store in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
from botocore.exceptions import ClientError, ConnectTimeoutError  # type: ignore[import-untyped]
from container import MODEL

from paved_runtime import spec
from paved_runtime.invocations import Invocations
from paved_runtime.lookups import Lookups
from paved_runtime.online_store import Group, OnlineStore
from paved_runtime.spec import Boolean, Category, Column, Data, Integer, Lookup, ModelSpec, Number, Text
from paved_runtime.table import Matrix, Table

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TODAY, LONG_AGO = "2026-11-30T10:00:00Z", "2026-01-01T00:00:00.500Z"
COLUMNS: dict[str, Column] = {
    "age": Integer(type="integer", minimum=0, maximum=120),
    "balance": Number(type="number", minimum=-1e6, maximum=1e6, missing=1.0),
    "segment": Category(type="category", values=("gold", "silver"), missing=1.0),
    "visits": Integer(type="integer", minimum=0, maximum=1000),
    "insured": Boolean(type="boolean", true="yes", false="no", missing=0.5),
    "note": Text(type="text", maximum_length=20, missing=0.5),
}
DATA = Data(target="y", positive="yes", negative="no", minimum_rows=1, holdout=0.2, columns=COLUMNS, exclude=("comment",))
LOOKUPS = {
    "accounts": Lookup(key="customer", columns=("balance", "segment"), maximum_age_hours=720),
    "activity": Lookup(key="customer", columns=("visits", "insured", "note")),
}
GROUPS = {
    "accounts": Group("scores-accounts", "customer_id", "as_of"),
    "activity": Group("scores-activity", "customer_id", "happened"),
}
SPEC: ModelSpec = spec.load(MODEL).model_copy(update={"data": DATA, "features": LOOKUPS})
WHOLE = {"age": 40, "balance": 12.5, "segment": "gold", "visits": 3, "insured": True, "note": "hello"}
ACCOUNTS = {"as_of": TODAY, "balance": "12.5", "segment": "gold"}
ACTIVITY = {"happened": LONG_AGO, "visits": "3", "insured": "yes", "note": "hello"}


@dataclass
class Runtime:
    """SageMaker's Feature Store Runtime: group and identifier → record. `deferred` answers put off all but one identifier of each group."""

    records: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)  # identifier → code
    failures: list[Exception] = field(default_factory=list)
    deferred: int = 0
    asked: list[Sequence[Mapping[str, Any]]] = field(default_factory=list)

    def put(self, identifier: str, accounts: Mapping[str, str] = ACCOUNTS, activity: Mapping[str, str] = ACTIVITY) -> None:
        self.records |= {("scores-accounts", identifier): accounts, ("scores-activity", identifier): activity}

    def batch_get_record(self, *, Identifiers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.asked.append(Identifiers)
        if self.failures:
            raise self.failures.pop()
        answer: dict[str, list[Any]] = {"Records": [], "Errors": [], "UnprocessedIdentifiers": []}
        for wanted in Identifiers:
            keys = wanted["RecordIdentifiersValueAsString"]
            now, later = (keys[:1], keys[1:]) if self.deferred else (keys, [])
            for key in now:
                self._answer(answer, wanted, key)
            if later:
                answer["UnprocessedIdentifiers"].append({**wanted, "RecordIdentifiersValueAsString": later})
        self.deferred = max(0, self.deferred - 1)
        return answer

    def _answer(self, answer: dict[str, list[Any]], wanted: Mapping[str, Any], key: str) -> None:
        name = wanted["FeatureGroupName"]
        about = {"FeatureGroupName": name, "RecordIdentifierValueAsString": key}
        if code := self.errors.get(key):
            answer["Errors"].append({**about, "ErrorCode": code, "ErrorMessage": "no"})
        elif record := self.records.get((name, key)):
            values = [{"FeatureName": n, "ValueAsString": v} for n, v in record.items() if n in wanted["FeatureNames"]]
            answer["Records"].append({**about, "Record": values})


THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "BatchGetRecord")
UNREACHABLE = ConnectTimeoutError(endpoint_url="https://featurestore-runtime")


def lookups(runtime: Runtime | None) -> Lookups:
    """The model's, answered by a store at NOW."""
    return Lookups(LOOKUPS, DATA, OnlineStore(runtime, GROUPS) if runtime else None, clock=lambda: NOW)


def _features(table: Table) -> Matrix:
    return np.nan_to_num(table.values).astype(np.float32)


def _score(matrix: Matrix) -> Matrix:
    return np.asarray(matrix[:, 0] / 200 + np.tanh(matrix[:, 1:].sum(axis=1)) / 5 + 0.2, dtype=np.float32)


def invocations(runtime: Runtime | None) -> Invocations:
    """The model as it answers, without reasons."""
    module: Any = SimpleNamespace(NAMES=tuple(DATA.columns), features=_features)
    return Invocations(SPEC, _score, None, module, {}, "0" * 64, OnlineStore(runtime, GROUPS) if runtime else None)
