"""Feature groups: the newest record of each identifier is online, all of them are offline, and what AWS refuses is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from answers import answer
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy
from hypothesis import given
from hypothesis import strategies as st
from moto.core.exceptions import JsonRESTError

from localcloud.featurestore.online import OnlineStore
from localcloud.featurestore.records import moment, read
from localcloud.testing import ACCOUNT, LAB
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.aws("feature groups: the newest record online, every record offline in Parquet")

DEFINITIONS = [
    {"FeatureName": name, "FeatureType": kind}
    for name, kind in (("customer", "String"), ("written", "String"), ("balance", "Fractional"), ("visits", "Integral"))
]
Json = dict[str, Any]


def record(customer: str, written: str, **features: str) -> list[Json]:
    values = {"customer": customer, "written": written, **features}
    return [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]


def values(answer: Json) -> dict[str, str]:
    return {each["FeatureName"]: each["ValueAsString"] for each in answer.get("Record", [])}


@pytest.fixture
def group(aws: Accounts, name: Name) -> Iterator[str]:
    """A group with both stores."""
    made, sagemaker = name("customers"), aws.client("sagemaker")
    sagemaker.create_feature_group(**request(aws, made))
    created(sagemaker, made)
    yield made
    sagemaker.delete_feature_group(FeatureGroupName=made)


def request(aws: Accounts, group: str, **changes: Any) -> Json:
    return {
        "FeatureGroupName": group,
        "RecordIdentifierFeatureName": "customer",
        "EventTimeFeatureName": "written",
        "FeatureDefinitions": DEFINITIONS,
        "OnlineStoreConfig": {"EnableOnlineStore": True},
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": f"s3://{LAB}/features"}, "DisableGlueTableCreation": True},
        "RoleArn": aws.worker(),
        **changes,
    }


def created(sagemaker: Any, group: str) -> None:
    until(lambda: sagemaker.describe_feature_group(FeatureGroupName=group)["FeatureGroupStatus"] == "Created")


def put(aws: Accounts, group: str, customer: str, written: str, **features: str) -> None:
    aws.client("sagemaker-featurestore-runtime").put_record(FeatureGroupName=group, Record=record(customer, written, **features))


def test_the_newest_event_is_online_in_whatever_order_records_came(aws: Accounts, group: str) -> None:
    runtime = aws.client("sagemaker-featurestore-runtime")
    put(aws, group, "a", "2026-02-02T10:00:00Z", balance="20.5", visits="2")
    put(aws, group, "a", "2026-02-01T10:00:00Z", balance="10", visits="1")
    put(aws, group, "b", "2026-02-01T10:00:00.500Z")

    of_a = values(runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString="a"))
    chosen = values(runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString="a", FeatureNames=["visits"]))
    several = runtime.batch_get_record(
        Identifiers=[{"FeatureGroupName": group, "RecordIdentifiersValueAsString": ["a", "b", "nobody"], "FeatureNames": ["balance"]}]
    )

    assert of_a == {"customer": "a", "written": "2026-02-02T10:00:00Z", "balance": "20.5", "visits": "2"}
    assert chosen == {"visits": "2"}
    assert {each["RecordIdentifierValueAsString"]: values(each) for each in several["Records"]} == {"a": {"balance": "20.5"}, "b": {}}
    assert "Record" not in runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString="nobody")
    assert runtime.list_records(FeatureGroupName=group)["RecordIdentifiers"] == ["a", "b"]


def test_what_is_deleted_is_not_online_and_does_not_come_back_by_an_older_record(aws: Accounts, group: str) -> None:
    runtime = aws.client("sagemaker-featurestore-runtime")
    put(aws, group, "a", "2026-02-02T10:00:00Z", balance="20.5")
    too_early = {"FeatureGroupName": group, "RecordIdentifierValueAsString": "a", "EventTime": "2026-02-01T10:00:00Z"}
    runtime.delete_record(**too_early)
    with pytest.raises(ClientError, match="ValidationError"):
        runtime.delete_record(**too_early, DeletionMode="HardDelete")
    assert values(runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString="a"))["balance"] == "20.5"

    runtime.delete_record(FeatureGroupName=group, RecordIdentifierValueAsString="a", EventTime="2026-02-03T10:00:00Z")
    put(aws, group, "a", "2026-02-02T11:00:00Z", balance="7")
    assert "Record" not in runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString="a")

    put(aws, group, "a", "2026-02-04T10:00:00Z", balance="8")
    assert values(runtime.get_record(FeatureGroupName=group, RecordIdentifierValueAsString="a"))["balance"] == "8"


def test_every_record_is_offline_by_the_hour_of_its_event(aws: Accounts, group: str) -> None:
    runtime, s3 = aws.client("sagemaker-featurestore-runtime"), aws.client("s3")
    store = aws.client("sagemaker").describe_feature_group(FeatureGroupName=group)["OfflineStoreConfig"]["S3StorageConfig"]
    put(aws, group, "a", "2026-02-02T10:59:00Z", balance="20.5", visits="2")
    put(aws, group, "a", "2026-02-02T10:10:00Z", balance="10")
    put(aws, group, "a", "2026-02-02T11:00:00Z")
    runtime.delete_record(FeatureGroupName=group, RecordIdentifierValueAsString="a", EventTime="2026-02-02T12:00:00Z")
    prefix = store["ResolvedOutputS3Uri"].removeprefix(f"s3://{LAB}/")

    def keys() -> list[str]:
        listed = s3.list_objects_v2(Bucket=LAB, Prefix=prefix).get("Contents", [])
        return sorted(each["Key"].removeprefix(f"{prefix}/") for each in listed)

    hours = [f"year=2026/month=02/day=02/hour={hour}" for hour in (10, 11, 12)]
    until(lambda: [key.rpartition("/")[0] for key in keys()] == hours)
    tables = [pq.read_table(io.BytesIO(s3.get_object(Bucket=LAB, Key=f"{prefix}/{key}")["Body"].read())) for key in keys()]
    rows = pa.concat_tables(tables).to_pylist()

    assert f"/{aws.region}/offline-store/{group}-" in store["ResolvedOutputS3Uri"]
    assert keys()[0].rpartition("/")[2].startswith("20260202T105900Z_")
    assert [(row["balance"], row["visits"], row["is_deleted"]) for row in rows] == [
        (20.5, 2, False),
        (10.0, None, False),
        (None, None, False),
        (None, None, True),
    ]
    assert all(row["api_invocation_time"] <= row["write_time"] <= datetime.now(UTC) for row in rows)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"visits": "2.5"}, "not of type Integral"),
        ({"visits": str(2**63)}, "not of type Integral"),
        ({"balance": "much"}, "not of type Fractional"),
        ({"balance": "nan"}, "not of type Fractional"),
        ({"age": "5"}, "FeatureName age is not in the FeatureGroup"),
        ({"customer": ""}, "FeatureName customer is missing"),
        ({"written": "2026-02-01"}, "EventTime '2026-02-01' is not of the form"),
        ({"written": "2026-02-31T10:00:00Z"}, "is no time"),
    ],
)
def test_a_record_that_does_not_fit_its_group_is_refused(aws: Accounts, group: str, features: dict[str, str], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        put(aws, group, **({"customer": "a", "written": "2026-02-01T10:00:00Z"} | features))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"EventTimeFeatureName": "visits"}, "must be String or Fractional"),
        ({"RecordIdentifierFeatureName": "account"}, "RecordIdentifierFeatureName account is not in FeatureDefinitions"),
        ({"FeatureDefinitions": [*DEFINITIONS, {"FeatureName": "write_time", "FeatureType": "String"}]}, "write_time is reserved"),
        ({"FeatureDefinitions": [*DEFINITIONS, DEFINITIONS[0]]}, "customer is there twice"),
        ({"OnlineStoreConfig": {"EnableOnlineStore": False}, "OfflineStoreConfig": None}, "at least one of"),
        ({"RoleArn": None}, "RoleArn is needed"),
        ({"OnlineStoreConfig": {"EnableOnlineStore": True, "StorageType": "InMemory"}}, "no online store of type InMemory"),
        ({"OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://somewhere"}}}, "DisableGlueTableCreation"),
    ],
)
def test_a_group_that_cannot_be_is_refused(aws: Accounts, name: Name, changes: Json, words: str) -> None:
    asked = {key: value for key, value in request(aws, name("refused"), **changes).items() if value is not None}

    with pytest.raises(ClientError, match=words):
        aws.client("sagemaker").create_feature_group(**asked)


def test_features_are_added_and_a_group_goes(aws: Accounts, name: Name) -> None:
    sagemaker, made = aws.client("sagemaker"), name("goes")
    sagemaker.create_feature_group(**request(aws, made))
    created(sagemaker, made)
    put(aws, made, "a", "2026-02-01T10:00:00Z")
    sagemaker.update_feature_group(FeatureGroupName=made, FeatureAdditions=[{"FeatureName": "late", "FeatureType": "Integral"}])
    put(aws, made, "a", "2026-02-02T10:00:00Z", late="3")

    assert [d["FeatureName"] for d in sagemaker.describe_feature_group(FeatureGroupName=made)["FeatureDefinitions"]][-1] == "late"
    assert made in [each["FeatureGroupName"] for each in sagemaker.list_feature_groups(NameContains=made)["FeatureGroupSummaries"]]
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_feature_group(**request(aws, made))
    sagemaker.delete_feature_group(FeatureGroupName=made)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        put(aws, made, "a", "2026-02-03T10:00:00Z")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.booleans()), max_size=30))
def test_online_is_what_was_last_by_event_time(writes: list[tuple[str, int, bool]]) -> None:
    store, newest = OnlineStore(), dict[str, tuple[int, bool]]()
    for identifier, at, deleted in writes:
        if at > newest.get(identifier, (-1, False))[0]:
            newest[identifier] = (at, deleted)
        if deleted:
            store.delete(identifier, at, hard=False)
        else:
            store.put(identifier, at, {"at": str(at)})

    assert {i: store.get(i) for i in newest} == {i: None if deleted else {"at": str(at)} for i, (at, deleted) in newest.items()}


@given(st.text(max_size=40))
def test_no_text_breaks_a_record(text: str) -> None:
    """A value is refused by an AWS error or kept as it is."""
    try:
        kept = read([{"FeatureName": "visits", "ValueAsString": text}], {"visits": "Integral"})
    except JsonRESTError:
        return
    assert int(kept["visits"]) == int(text)


@given(st.text(max_size=40) | st.datetimes().map(lambda when: f"{when:%Y-%m-%dT%H:%M:%SZ}"))
def test_an_event_time_is_a_moment_or_refused(text: str) -> None:
    try:
        at = moment(text, "String")
    except JsonRESTError:
        return
    assert datetime.fromtimestamp(at, UTC).replace(microsecond=0).isoformat()[:19] == text[:19]


def group_in_a_stack(cloud: Accounts, group: str, *added: Json) -> Json:
    properties = {key: value for key, value in request(cloud, group).items() if key != "OnlineStoreConfig"}
    online = {"OnlineStoreConfig": {"EnableOnlineStore": True}}
    definitions = {"FeatureDefinitions": [*DEFINITIONS, *added]}
    return {"Resources": {"Group": {"Type": "AWS::SageMaker::FeatureGroup", "Properties": {**properties, **online, **definitions}}}}


def test_a_stack_makes_a_group_adds_features_and_removes_it(cloud: Accounts, name: Name) -> None:
    made, sagemaker = name("stacked"), cloud.client("sagemaker")
    assert deploy(cloud, made, group_in_a_stack(cloud, made)) == "CREATE_COMPLETE"
    assert sagemaker.describe_feature_group(FeatureGroupName=made)["FeatureGroupStatus"] == "Created"

    late = {"FeatureName": "late", "FeatureType": "Integral"}
    assert deploy(cloud, made, group_in_a_stack(cloud, made, late), "UPDATE") == "UPDATE_COMPLETE"
    assert late in sagemaker.describe_feature_group(FeatureGroupName=made)["FeatureDefinitions"]

    cloud.client("cloudformation").delete_stack(StackName=made)
    until(lambda: not sagemaker.list_feature_groups(NameContains=made)["FeatureGroupSummaries"])


def test_who_may_write_one_group_may_not_read_it_nor_write_another(cloud: Accounts, name: Name) -> None:
    sagemaker, mine, theirs = cloud.client("sagemaker"), name("mine"), name("theirs")
    for group in (mine, theirs):
        sagemaker.create_feature_group(**request(cloud, group))
        created(sagemaker, group)
    on = f"arn:aws:sagemaker:{cloud.region}:{ACCOUNT}:feature-group/{mine}"
    trusts = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    role = cloud.role(
        name("writer"), trusts=trusts, allows=[{"Action": ["sagemaker:PutRecord", "sagemaker:BatchGetRecord"], "Resource": on}]
    )
    runtime = cloud.client("sagemaker-featurestore-runtime", **cloud.assume(role))
    newest = {"Record": record("a", "2026-02-01T10:00:00Z")}
    both = [{"FeatureGroupName": group, "RecordIdentifiersValueAsString": ["a"]} for group in (mine, theirs)]

    runtime.put_record(FeatureGroupName=mine, **newest)
    assert len(runtime.batch_get_record(Identifiers=both[:1])["Records"]) == 1
    assert answer(runtime.get_record, FeatureGroupName=mine, RecordIdentifierValueAsString="a") == "AccessDeniedException"
    assert answer(runtime.put_record, FeatureGroupName=theirs, **newest) == "AccessDeniedException"
    assert answer(runtime.batch_get_record, Identifiers=both) == "AccessDeniedException"


def test_an_offline_store_that_its_role_cannot_write_says_so(cloud: Accounts, name: Name) -> None:
    sagemaker, group = cloud.client("sagemaker"), name("blocked")
    powerless = cloud.role(
        name("powerless"), trusts={"Service": "sagemaker.amazonaws.com"}, allows=[{"Action": "s3:ListBucket", "Resource": "*"}]
    )
    sagemaker.create_feature_group(**request(cloud, group, RoleArn=powerless))
    created(sagemaker, group)
    put(cloud, group, "a", "2026-02-01T10:00:00Z")

    until(lambda: sagemaker.describe_feature_group(FeatureGroupName=group)["OfflineStoreStatus"]["Status"] == "Blocked")
    assert "AccessDenied" in sagemaker.describe_feature_group(FeatureGroupName=group)["OfflineStoreStatus"]["BlockedReason"]
