"""The history of what served, told by signed entries; and what is told when one of them is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

import naming
from cli.commands import audit
from cli.commands.audit import Served
from cli.problem import Problem
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.signature import Signer
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.fake_production import Production
from tests.support.fakes import Altered, clients, refusal
from tests.support.ledger import wipe, write_old
from tests.support.world import World

STAGING, PRODUCTION = CONFIG.environments
REASON = "Better than version 6 beyond doubt for students, no worse elsewhere; agreed with the committee on retail credit."


def entry(version: int, time: str, **changes: Any) -> LedgerEntry:
    """A deployment of a version to production."""
    execution = f"{version:08d}-09c3-4b53-9d0b-2f5c0c1d6a11"
    known = {
        "version": 1,
        "action": "deployed",
        "model": MODEL,
        "environment": PRODUCTION.name,
        "time": time,
        "execution": execution,
        "model_package_arn": f"{sample.ARN}/{version}",
        "evidence_sha256": "e1" * 32,
        "commit": sample.COMMIT,
        "data_sha256": sample.DATA,
        "image_uri": sample.content()["image"]["uri"],
        "endpoint": naming.endpoint(CONFIG, MODEL, PRODUCTION),
        "endpoint_config": "LiveConfig-3f2a9c",
        "approved_by": f"arn:aws:sts::{PRODUCTION.account.id}:assumed-role/risk-officer/ruth",
        "reason": REASON,
    }
    return document.parse(LedgerEntry, {**known, **changes}, "ledger entry")


@dataclass
class Ledger:
    """The ledger of the model's registry."""

    registry: Registry

    @property
    def s3(self) -> Any:
        return self.registry.s3

    def history(self, environment: str = PRODUCTION.name) -> list[Served]:
        return audit.history(self.registry, environment)

    def write(self, new: LedgerEntry) -> str:
        return write_old(self.s3, self.registry.release_signer, self.registry.artifacts, new)


@pytest.fixture
def ledger(approved: World) -> Iterator[Ledger]:
    """A ledger that nobody has written to."""
    yield Ledger(approved.registry())
    wipe(approved.s3, approved.artifacts, f"{naming.LEDGER}/")


def drawn(served: list[Served]) -> list[str]:
    console = Console(width=1000)
    with console.capture() as captured:
        console.print(audit.view(served))
    return captured.get().splitlines()


def test_the_newest_comes_first_and_each_served_until_the_next(ledger: Ledger) -> None:
    for version, time in ((9, "2026-11-19T08:00:00Z"), (10, "2026-11-20T09:30:00Z"), (9, "2026-11-21T10:15:59Z")):
        ledger.write(entry(version, time))

    periods = [served.as_dict() for served in ledger.history()]

    assert [(p["model_package_version"], p["served_from"], p["served_to"]) for p in periods] == [
        ("9", "2026-11-21T10:15:59Z", None),
        ("10", "2026-11-20T09:30:00Z", "2026-11-21T10:15:59Z"),
        ("9", "2026-11-19T08:00:00Z", "2026-11-20T09:30:00Z"),
    ]
    assert all(period["signature_valid"] for period in periods)
    assert json.loads(json.dumps(periods))[0] | entry(9, "2026-11-21T10:15:59Z").model_dump() == periods[0]


def test_the_table_tells_all_of_it_in_100_columns(ledger: Ledger) -> None:
    for version in (999, 1000):
        ledger.write(entry(version, f"2026-11-20T09:3{version % 7}:00Z", approved_by="arn:aws:iam::123456789012:user/" + "x" * 300))
    ledger.write(entry(7, "2026-11-21T10:15:59Z"))

    lines = drawn(ledger.history())
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


def test_a_rollback_says_so_and_from_which_version(ledger: Ledger) -> None:
    ledger.write(entry(10, "2026-11-20T09:30:00Z"))
    ledger.write(entry(9, "2026-11-21T10:15:59Z", action="rolled back", rolled_back_from=f"{sample.ARN}/10", reason="too many calls"))

    back, _ = ledger.history()
    lines = drawn([back])

    assert (back.as_dict()["action"], back.as_dict()["rolled_back_from"]) == ("rolled back", f"{sample.ARN}/10")
    assert [line[21:32].strip() for line in lines[2:5]] == ["9", "rolled back", "from 10"]
    assert "too many calls" in " ".join(lines)
    assert max(map(len, lines)) <= 100


def test_no_version_that_answered_is_missed_whatever_became_of_its_stage(ledger: Ledger) -> None:
    first = (("deploying", 1), ("deployed", 1), ("deploying", 2), ("taken back", 2), ("deploying", 3), ("unproven", 3))
    steps = (*first, ("rolled back", 1), ("deploying", 4), ("mixed", 4))
    for minute, (action, version) in enumerate(steps):
        left = {"rolled_back_from": f"{sample.ARN}/3"} if action == "rolled back" else {}
        ledger.write(entry(version, f"2026-11-20T09:{minute:02d}:00Z", action=action, execution=f"e-{minute}", **left))

    periods = [served.as_dict() for served in reversed(ledger.history())]
    answers = ["".join(arn.rpartition("/")[2] for arn in period["answers"]) for period in periods]
    text = "".join("".join(line[21:32] for line in drawn(ledger.history())).split())

    assert [period["action"] for period in periods] == [action for action, _ in steps]
    assert answers == ["1", "1", "12", "1", "13", "3", "1", "14", "14"]
    assert "deployinganswers:1,3" in text


@pytest.mark.parametrize(
    ("serves", "said"),
    [
        (7, ""),
        (8, r"serves .*/8, the ledger says .*/7"),
        (0, "is not there, the ledger says .*/7"),
    ],
)
def test_the_endpoint_is_asked_whether_it_serves_what_the_ledger_says(approved: World, serves: int, said: str) -> None:
    group = approved.arn.rpartition("/")[0]
    endpoint = Production.serving(approved.arn if serves == 7 else f"{group}/{serves}")
    gone = Altered(endpoint, describe_endpoint=lambda **_: (_ for _ in ()).throw(refusal("ValidationException", "Could not find endpoint")))
    there = clients({"sagemaker": endpoint if serves else gone})
    place = Place(registry=approved.registry(), environment=PRODUCTION, deployer=there, verifier=there)

    told = audit.differences(place, [approved.arn])
    assert bool(told) is bool(said)
    assert re.search(said.replace("/7", f"/{approved.arn.rpartition('/')[2]}"), "".join(told))


def test_an_endpoint_that_is_mixed_is_never_what_the_ledger_says(approved: World) -> None:
    endpoint = Production.serving(approved.arn)
    endpoint.endpoint_status = "UpdateRollbackFailed"
    there = clients({"sagemaker": endpoint})
    (line,) = audit.differences(Place(registry=approved.registry(), environment=PRODUCTION, deployer=there, verifier=there), [approved.arn])

    assert "is mixed (UpdateRollbackFailed): " in line
    assert f"the ledger says {approved.arn}: ./road rollback {MODEL} --environment {PRODUCTION.name} --to VERSION" in line


def test_environments_have_ledgers_of_their_own(ledger: Ledger) -> None:
    with pytest.raises(Problem, match=rf"ledger of {MODEL}: nothing was deployed to {PRODUCTION.name} yet: \./road status {MODEL}"):
        ledger.history()
    ledger.write(entry(7, "2026-11-21T10:15:59Z", environment=STAGING.name, approved_by="", reason=""))

    (served,) = ledger.history(STAGING.name)

    assert served.doubt == ""
    assert "no approval asked for" in " ".join(drawn([served]))
    with pytest.raises(Problem, match=f"nothing was deployed to {PRODUCTION.name} yet"):
        ledger.history()


def forged(ledger: Ledger, uri: str) -> str:
    pack.write(ledger.s3, uri, document.canonical(entry(7, "2026-11-21T10:15:59Z", reason="all fine")))
    return "found no signature that .* made for it"


def unsigned(ledger: Ledger, uri: str) -> str:
    bucket, _, key = f"{uri}.sig".removeprefix("s3://").partition("/")
    ledger.s3.delete_object(Bucket=bucket, Key=key)
    return "found no signature that .* made for it"


def signed_by_a_stranger(ledger: Ledger, uri: str) -> str:
    key = ledger.registry.release_signer.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    stranger = Signer(kms=ledger.registry.release_signer.kms, key=key)
    pack.write(ledger.s3, f"{uri}.sig", stranger.sign(pack.read(ledger.s3, uri) or b"").encode())
    return "found no signature that .* made for it"


def no_entry(ledger: Ledger, uri: str) -> str:
    pack.write_signed(ledger.s3, ledger.registry.release_signer, uri, b'{"version": 1, "action": "dreamt"}')
    return "ledger entry: .*action"


def from_elsewhere(ledger: Ledger, uri: str) -> str:
    pack.write_signed(
        ledger.s3, ledger.registry.release_signer, uri, document.canonical(entry(7, "2026-11-21T10:15:59Z", environment=STAGING.name))
    )
    return f"an entry of {MODEL} in {STAGING.name}"


@pytest.mark.parametrize("harm", [forged, unsigned, signed_by_a_stranger, no_entry, from_elsewhere])
def test_an_entry_that_cannot_be_believed_is_told_as_such(ledger: Ledger, harm: Any) -> None:
    ledger.write(entry(6, "2026-11-20T10:15:59Z"))
    why = harm(ledger, ledger.write(entry(7, "2026-11-21T10:15:59Z")))

    doubtful, sound = ledger.history()

    assert sound.doubt == ""
    assert sound.until == "2026-11-21T10:15:59Z"
    assert re.search(why, doubtful.doubt)
    assert doubtful.as_dict()["signature_valid"] is False
    assert "NOT VALID" in " ".join(drawn([doubtful]))
    assert "NOT VALID" not in " ".join(drawn([sound]))


def test_characters_that_deceive_a_terminal_are_spelt_out(ledger: Ledger) -> None:
    ledger.write(entry(7, "2026-11-21T10:15:59Z", reason="fine\x1b[1A\u202e"))
    assert "fine⟨U+001B⟩[1A⟨U+202E⟩" in "".join("".join(line[55:88] for line in drawn(ledger.history())).split())
