"""The records of retraining controllers, in S3."""

from __future__ import annotations

from pipelines.deployment.retraining.records import Records
from pipelines.evidence import document
from tests.reference import CONFIG
from tests.support.moto_server import Clients
from tests.support.retraining import HOUR, NOW, began


def test_s3_itself_writes_a_number_once(client: Clients) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": CONFIG.toolchain.region})
    records = Records(s3, "bucket")

    assert records.started() == []
    assert records.claim(began(1, hours_ago=1)) is True
    assert records.claim(began(1, hours_ago=0)) is False
    assert [retraining.time for retraining in records.started()] == [document.utc(NOW - HOUR)]
    records.suppress(NOW, "j", {"reason": "r"})
    assert records.suppressed("j", since=NOW - HOUR) == {"time": document.utc(NOW), "controller": "j", "reason": "r"}
    assert records.suppressed("other", since=NOW - HOUR) is None
