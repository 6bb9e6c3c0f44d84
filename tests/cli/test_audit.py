"""The history of what served, told by signed entries; and what is told when one of them is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from cli import audit
from cli.audit import Served
from cli.problem import Problem
from config import CONFIG
from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.signature import Signer
from tests.pipelines.evidence import sample
from tests.pipelines.evidence.world import World

MODEL = "lead_scoring"
REASON = "Better than version 6 beyond doubt for students, no worse elsewhere; agreed with the committee on retail credit."


def entry(version: int, time: str, **changes: Any) -> LedgerEntry:
    """A deployment of a version to production."""
    execution = f"{version:08d}-09c3-4b53-9d0b-2f5c0c1d6a11"
    known = {
        "version": 1,
        "action": "deployed",
        "model": MODEL,
        "environment": "production",
        "time": time,
        "execution": execution,
        "model_package_arn": f"{sample.ARN}/{version}",
        "evidence_sha256": "e1" * 32,
        "commit": sample.COMMIT,
        "data_sha256": sample.DATA,
        "image_uri": sample.content()["image"]["uri"],
        "endpoint": "paved-road-lead-scoring-production",
        "endpoint_config": "LiveConfig-3f2a9c",
        "approved_by": "arn:aws:sts::111111111111:assumed-role/risk-officer/ruth",
        "reason": REASON,
    }
    return document.parse(LedgerEntry, {**known, **changes}, "ledger entry")


@dataclass
class Ssm:
    """The workshop's facts."""

    facts: dict[str, str]
    exceptions: Any = field(default_factory=lambda: type("Exceptions", (), {"ParameterNotFound": KeyError}))

    def get_parameter(self, *, Name: str) -> dict[str, Any]:  # noqa: N803 - botocore's own word
        return {"Parameter": {"Value": self.facts[Name]}}


@dataclass
class Aws:
    """An account with a ledger."""

    s3: Any
    ssm: Ssm
    signer: Signer
    artifacts: str

    @property
    def kms(self) -> Any:
        return self.signer.kms

    def client(self, service: str) -> Any:
        return getattr(self, service)

    def history(self, environment: str = "production") -> list[Served]:
        return audit.history(self, MODEL, environment)  # type: ignore[arg-type]

    def write(self, new: LedgerEntry) -> str:
        uri = pack.ledger_entry(self.artifacts, new)
        pack.write_signed(self.s3, self.signer, uri, document.canonical(new))
        return uri


@pytest.fixture
def aws(approved: World) -> Iterator[Aws]:
    """A ledger that nobody has written to."""
    facts = {"artifacts-bucket": approved.artifacts.removeprefix("s3://"), "evidence-key": approved.signer.key}
    ssm = Ssm({CONFIG.parameter(MODEL, key): value for key, value in facts.items()})
    yield Aws(s3=approved.s3, ssm=ssm, signer=approved.signer, artifacts=approved.artifacts)
    bucket = approved.artifacts.removeprefix("s3://")
    for item in approved.s3.list_objects_v2(Bucket=bucket, Prefix="ledger/").get("Contents", []):
        approved.s3.delete_object(Bucket=bucket, Key=item["Key"])


def drawn(found: list[Served]) -> list[str]:
    console = Console(width=1000)
    with console.capture() as captured:
        console.print(audit.view(found))
    return captured.get().splitlines()


def test_the_newest_comes_first_and_each_served_until_the_next(aws: Aws) -> None:
    for version, time in ((9, "2026-11-19T08:00:00Z"), (10, "2026-11-20T09:30:00Z"), (9, "2026-11-21T10:15:59Z")):
        aws.write(entry(version, time))

    told = [served.as_dict() for served in aws.history()]

    assert [(t["model_package_version"], t["served_from"], t["served_to"]) for t in told] == [
        ("9", "2026-11-21T10:15:59Z", None),
        ("10", "2026-11-20T09:30:00Z", "2026-11-21T10:15:59Z"),
        ("9", "2026-11-19T08:00:00Z", "2026-11-20T09:30:00Z"),
    ]
    assert all(t["signature_valid"] for t in told)
    assert json.loads(json.dumps(told))[0] | entry(9, "2026-11-21T10:15:59Z").model_dump() == told[0]


def test_the_table_tells_all_of_it_in_100_columns(aws: Aws) -> None:
    for version in (999, 1000):
        aws.write(entry(version, f"2026-11-20T09:3{version % 7}:00Z", approved_by="arn:aws:iam::111111111111:user/" + "x" * 300))
    aws.write(entry(7, "2026-11-21T10:15:59Z"))

    lines = drawn(aws.history())
    text = " ".join(" ".join(line.split()) for line in lines)

    assert max(map(len, lines)) <= 100
    assert lines[0].split() == ["served", "version", "made", "of", "approved", "signature"]
    for fact in (
        "2026-11-21 10:15",
        "to now",
        sample.COMMIT[:12],
        sample.DATA[:12],
        sample.IMAGE[:12],
        "execution 00000007",
        "deployed",
        "valid",
    ):
        assert fact in text
    assert "".join(REASON.split()) in "".join("".join(line[55:88] for line in lines).split())


def test_a_rollback_says_so_and_from_which_version(aws: Aws) -> None:
    aws.write(entry(10, "2026-11-20T09:30:00Z"))
    aws.write(entry(9, "2026-11-21T10:15:59Z", action="rolled back", rolled_back_from=f"{sample.ARN}/10", reason="too many calls"))

    back, _ = aws.history()
    lines = drawn([back])

    assert (back.as_dict()["action"], back.as_dict()["rolled_back_from"]) == ("rolled back", f"{sample.ARN}/10")
    assert [line[21:32].strip() for line in lines[2:5]] == ["9", "rolled back", "from 10"]
    assert "too many calls" in " ".join(lines)
    assert max(map(len, lines)) <= 100


def test_environments_have_ledgers_of_their_own(aws: Aws) -> None:
    with pytest.raises(Problem, match=r"ledger of lead_scoring: nothing was deployed to production yet: \./road status lead_scoring"):
        aws.history()
    aws.write(entry(7, "2026-11-21T10:15:59Z", environment="staging", approved_by="", reason=""))

    (served,) = aws.history("staging")

    assert served.doubt == ""
    assert "no approval asked for" in " ".join(drawn([served]))
    with pytest.raises(Problem, match="nothing was deployed to production yet"):
        aws.history()


def forged(aws: Aws, uri: str) -> str:
    pack.write(aws.s3, uri, document.canonical(entry(7, "2026-11-21T10:15:59Z", reason="all fine")))
    return "the signature does not hold"


def unsigned(aws: Aws, uri: str) -> str:
    bucket, _, key = f"{uri}.sig".removeprefix("s3://").partition("/")
    aws.s3.delete_object(Bucket=bucket, Key=key)
    return "no signature"


def signed_by_a_stranger(aws: Aws, uri: str) -> str:
    key = aws.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    pack.write(aws.s3, f"{uri}.sig", Signer(kms=aws.kms, key=key).sign(pack.read(aws.s3, uri) or b"").encode())
    return "the signature does not hold"


def no_entry(aws: Aws, uri: str) -> str:
    pack.write_signed(aws.s3, aws.signer, uri, b'{"version": 1, "action": "dreamt"}')
    return "ledger entry: .*action"


def from_elsewhere(aws: Aws, uri: str) -> str:
    pack.write_signed(aws.s3, aws.signer, uri, document.canonical(entry(7, "2026-11-21T10:15:59Z", environment="staging")))
    return "an entry of lead_scoring in staging"


@pytest.mark.parametrize("harm", [forged, unsigned, signed_by_a_stranger, no_entry, from_elsewhere])
def test_an_entry_that_cannot_be_believed_is_told_as_such(aws: Aws, harm: Any) -> None:
    aws.write(entry(6, "2026-11-20T10:15:59Z"))
    why = harm(aws, aws.write(entry(7, "2026-11-21T10:15:59Z")))

    doubtful, sound = aws.history()

    assert sound.doubt == ""
    assert sound.until == "2026-11-21T10:15:59Z"
    assert re.search(why, doubtful.doubt)
    assert doubtful.as_dict()["signature_valid"] is False
    assert "NOT VALID" in " ".join(drawn([doubtful]))
    assert "NOT VALID" not in " ".join(drawn([sound]))


def test_characters_that_deceive_a_terminal_are_spelt_out(aws: Aws) -> None:
    aws.write(entry(7, "2026-11-21T10:15:59Z", reason="fine\x1b[1A\u202e"))
    assert "fine⟨U+001B⟩[1A⟨U+202E⟩" in "".join("".join(line[55:88] for line in drawn(aws.history())).split())
