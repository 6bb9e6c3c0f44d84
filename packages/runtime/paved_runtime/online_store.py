"""The online store of feature groups, as a server asks it: of each identifier the newest record, in one call for all groups.

BatchGetRecord takes up to 100 identifiers a group ("BatchGetRecord", Amazon SageMaker Feature Store Runtime). What it has put off comes
back as UnprocessedIdentifiers, and is asked for again. A request never hangs on it: timeouts are short, and tries are few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import msgspec

from paved_runtime.feature_groups import VARIABLE, told
from paved_runtime.media_types import RequestError

IDENTIFIERS = 100  # of a group in one call
TRIES = 3  # of what is put off
AT_ONCE = 16  # calls of a process
CONNECT, READ = 1.0, 1.0  # seconds that one try of a call may take
AGAIN = "try again, or send the columns in the request"
Record = Mapping[str, str]  # feature → its value as text; one without a value is not there
Records = dict[str, dict[str, Record]]  # group → identifier → record; an identifier without one is not there


class Group(msgspec.Struct, frozen=True):
    """A feature group where this container runs: its name in SageMaker, and the features that have identifier and event time.

    `offline_store` is the URI of its files, for a job that says where features came from.
    """

    feature_group_name: str
    identifier: str
    event_time: str
    online: bool = True
    offline_store: str = ""


class Runtime(Protocol):
    """A client of SageMaker's Feature Store Runtime."""

    def batch_get_record(self, *, Identifiers: Sequence[Mapping[str, Any]]) -> dict[str, Any]: ...  # noqa: N803 - boto3's name


def groups(environ: Mapping[str, str], wanted: Sequence[str]) -> dict[str, Group]:
    """What FEATURES, and the variables that go on where it ends, say of the groups that a model looks up; nothing where it is not set.

    Raises:
        ValueError: it is not JSON of that form, or lacks a group.
    """
    if not (text := told(environ)):
        return {}
    try:
        known = msgspec.json.decode(text, type=dict[str, Group])
    except msgspec.MsgspecError as error:
        raise ValueError(f"{VARIABLE}: expected the model's feature groups in JSON: {error}") from error
    if absent := [name for name in wanted if name not in known]:
        raise ValueError(f"{VARIABLE} lacks the feature group {absent[0]}, which model.toml looks up: deploy the model again")
    return {name: known[name] for name in wanted}


class OnlineStore:
    """Answers with records. It may be asked by several threads at a time."""

    def __init__(self, runtime: Runtime, groups: Mapping[str, Group]) -> None:
        self._runtime, self.groups = runtime, groups
        self._names = {group.feature_group_name: name for name, group in groups.items()}

    @classmethod
    def of(cls, environ: Mapping[str, str], wanted: Sequence[str]) -> Self | None:
        """The store of an environment; None where FEATURES is not set, or nothing is looked up.

        Raises:
            ValueError: as `groups` says; a group has no online store; or no region is set.
        """
        known = groups(environ, wanted) if wanted else {}
        if not known:
            return None
        if offline := [name for name, group in known.items() if not group.online]:
            raise ValueError(f"feature group {offline[0]} has no online store to look features up in: set online in its group.toml")
        return cls(_client(environ), known)

    def records(self, identifiers: Mapping[str, Sequence[str]], features: Mapping[str, Sequence[str]]) -> Records:
        """The newest records of some identifiers, each once, by group, with the event time and these features of a group.

        Raises:
            RequestError: 503 where the store does not answer with all of them.
        """
        records: Records = {group: {} for group in identifiers}
        for start in range(0, max(map(len, identifiers.values()), default=0), IDENTIFIERS):
            parts = {group: keys[start : start + IDENTIFIERS] for group, keys in identifiers.items()}
            self._add(records, [self._wanted(group, keys, features[group]) for group, keys in parts.items() if keys])
        return records

    def _wanted(self, group: str, keys: Sequence[str], features: Sequence[str]) -> dict[str, Any]:
        about = self.groups[group]
        names = [about.event_time, *features]
        return {"FeatureGroupName": about.feature_group_name, "RecordIdentifiersValueAsString": list(keys), "FeatureNames": names}

    def _add(self, records: Records, wanted: Sequence[Mapping[str, Any]]) -> None:
        for _ in range(TRIES):
            answer = self._asked(wanted)
            for error in answer["Errors"]:
                name = self._names[error["FeatureGroupName"]]
                raise RequestError(503, f"feature group {name}: {error['ErrorCode']}: {AGAIN}")
            for each in answer["Records"]:
                texts = {value["FeatureName"]: value["ValueAsString"] for value in each["Record"] if "ValueAsString" in value}
                records[self._names[each["FeatureGroupName"]]][each["RecordIdentifierValueAsString"]] = texts
            if not (wanted := answer["UnprocessedIdentifiers"]):
                return
        raise RequestError(503, f"feature group {self._names[wanted[0]['FeatureGroupName']]}: the store put the question off: {AGAIN}")

    def _asked(self, wanted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # only who looks up has to have it

        try:
            return self._runtime.batch_get_record(Identifiers=wanted)
        except ClientError as error:
            why = error.response["Error"]["Code"]
        except BotoCoreError as error:
            why = type(error).__name__
        names = ", ".join(self._names[each["FeatureGroupName"]] for each in wanted)
        raise RequestError(503, f"feature group {names}: {why}: {AGAIN}")


def _client(environ: Mapping[str, str]) -> Runtime:
    import boto3  # type: ignore[import-untyped]  # a model that looks nothing up needs none, and its memory
    from botocore.config import Config  # type: ignore[import-untyped]

    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise ValueError("neither AWS_REGION nor AWS_DEFAULT_REGION is set: features cannot be looked up")
    retries = {"mode": "standard", "total_max_attempts": 2}
    config = Config(connect_timeout=CONNECT, read_timeout=READ, retries=retries, max_pool_connections=AT_ONCE)
    runtime: Runtime = boto3.client("sagemaker-featurestore-runtime", region_name=region, config=config)
    return runtime
