"""The ledger: one signed entry a deployment, however often the step runs, and believed only where its signature holds."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import naming
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.ledger import entries, entry, newest, record
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, LedgerEntry
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.fakes import Altered, Killed
from tests.support.ledger import ENDPOINT, VERIFIED, ledger_entry, write_entry
from tests.support.world import World, mortal

PRODUCTION = CONFIG.environments[-1].name


def test_an_entry_says_what_serves_and_who_let_it_in() -> None:
    evidence = sample.approved()
    assert evidence.approval

    assert ledger_entry().model_dump() == {
        "version": 1,
        "action": "deployed",
        "model": MODEL,
        "environment": PRODUCTION,
        "time": "2026-11-21T10:00:00Z",
        "execution": "e-1",
        "model_package_arn": evidence.model_package_arn,
        "evidence_sha256": document.shown_sha256(evidence),
        "commit": sample.COMMIT,
        "data_sha256": sample.DATA,
        "image_uri": evidence.image.uri,
        "endpoint": ENDPOINT,
        "endpoint_config": "LiveConfig-1",
        "approved_by": evidence.approval.by,
        "reason": evidence.approval.reason,
        "rolled_back_from": None,
    }


def test_an_environment_without_approval_has_no_approver() -> None:
    made = entry(sample.evidence(), VERIFIED, environment="staging", execution="e", time="2026-11-21T10:00:00Z")

    assert (made.approved_by, made.reason) == ("", "")


@pytest.mark.parametrize(
    ("verified", "refused", "why"),
    [
        ({"endpoint": None}, DeploymentError, "verify looked at None, the evidence is of arn:"),
        ({**VERIFIED, "endpoint_config": None}, DocumentError, "ledger entry: endpoint_config: found 'None'"),
    ],
)
def test_what_verify_did_not_see_is_not_recorded(verified: dict[str, Any], refused: type[Exception], why: str) -> None:
    with pytest.raises(refused, match=why):
        entry(sample.approved(), verified, environment=PRODUCTION, execution="e", time="2026-11-21T10:00:00Z")


def test_an_execution_is_recorded_once(staged: World) -> None:
    registry = staged.registry()
    first = record(registry, ledger_entry()).uri
    again = record(registry, ledger_entry(time="2026-11-21T11:00:00Z")).uri
    other = record(registry, ledger_entry(execution="e-2", time="2026-11-21T12:00:00Z")).uri
    elsewhere = record(registry, ledger_entry(environment="canada")).uri

    assert again == first
    assert list(pack.ledger_objects(staged.s3, staged.artifacts, PRODUCTION)) == [first, other]
    assert [made.time for made in entries(registry, PRODUCTION)] == ["2026-11-21T10:00:00Z", "2026-11-21T12:00:00Z"]
    assert elsewhere.startswith(f"{staged.artifacts}/{naming.LEDGER}/canada/")
    assert all(holds(staged, uri) for uri in (first, other, elsewhere))


def test_an_execution_that_deployed_something_else_later_is_recorded_again(staged: World) -> None:
    record(staged.registry(), ledger_entry())
    retried = entry(
        sample.approved(),
        {**VERIFIED, "endpoint_config": "LiveConfig-2"},
        environment=PRODUCTION,
        execution="e-1",
        time="2026-11-21T11:00:00Z",
    )
    last = record(staged.registry(), retried).uri

    assert list(pack.ledger_objects(staged.s3, staged.artifacts, PRODUCTION))[-1] == last
    assert document.load_entry(staged.read(last)).endpoint_config == "LiveConfig-2"


@pytest.mark.parametrize("writes", [1, 2])
def test_killed_on_the_way_there_is_one_entry_and_it_is_signed(staged: World, writes: int) -> None:
    with pytest.raises(Killed):
        record(staged.registry(s3=mortal(staged.s3, writes=writes)), ledger_entry())
    uri = record(staged.registry(), ledger_entry(time="2026-11-21T11:00:00Z")).uri

    assert list(pack.ledger_objects(staged.s3, staged.artifacts, PRODUCTION)) == [uri]
    assert holds(staged, uri)


def holds(world: World, uri: str) -> bool:
    """Whether an entry has a signature that holds."""
    content = world.read(uri)
    return pack.signed(world.s3, world.releaser, uri, content, pack.signature_of(uri, content))


def test_entries_are_a_chain_upon_those_of_older_releases(staged: World) -> None:
    old = write_entry(staged, "2026-11-20T09:00:00Z")
    uris = [record(staged.registry(), ledger_entry(execution=f"e-{number}")).uri for number in range(3)]
    made = entries(staged.registry(), PRODUCTION)

    assert [entry.number for entry in made] == [None, 2, 3, 4]
    before = [document.sha256(staged.read(uri)) for uri in (old, *uris)]
    assert [entry.previous_sha256 for entry in made] == [None, *before[:-1]]


def test_several_that_write_at_once_all_come_into_one_chain(staged: World) -> None:
    """Each has read the same end of the ledger when it writes."""
    together = threading.Barrier(4)

    class Together(Altered):
        waited = False

        def put_object(self, **arguments: Any) -> Any:
            if not self.waited:
                self.waited = True
                together.wait()
            return staged.s3.put_object(**arguments)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: record(staged.registry(s3=Together(staged.s3)), ledger_entry(execution=f"e-{n}")), range(4)))

    assert {entry.execution for entry in entries(staged.registry(), PRODUCTION)} == {f"e-{n}" for n in range(4)}


@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_entry_that_somebody_overwrites_or_deletes_is_noticed(staged: World, position: int) -> None:
    """Even with the key: what was there before is bound by what came after, and of the last one S3 keeps every version."""
    uris = [record(staged.registry(), ledger_entry(execution=f"e-{number}")).uri for number in range(3)]
    uri, content = uris[position], staged.read(uris[position])
    changed = content.replace(b'"e-', b'"x-', 1)
    assert changed != content
    with (
        staged.holding(uri, changed),
        staged.holding(pack.signature_of(uri, changed), staged.releaser.sign(changed).encode(), new=True),
        pytest.raises(DeploymentError, match="no version is trusted"),
    ):
        entries(staged.registry(), PRODUCTION)
    with staged.holding(uri, None), pytest.raises(DeploymentError, match="it was deleted: no version is trusted"):
        entries(staged.registry(), PRODUCTION)

    assert len(entries(staged.registry(), PRODUCTION)) == 3


def newest_of(world: World) -> LedgerEntry | None:
    return newest(world.registry(), PRODUCTION)


def test_the_newest_entry_is_that_of_its_environment(staged: World) -> None:
    for time, commit in (("2026-11-20T09:00:00Z", "a" * 40), ("2026-11-21T08:00:00Z", "b" * 40), ("2026-11-20T23:59:59Z", "f" * 40)):
        write_entry(staged, time, commit=commit)
    write_entry(staged, "2026-12-01T00:00:00Z", environment="canada")
    last = newest_of(staged)

    assert last is not None
    assert last.commit == "b" * 40


def test_before_the_first_deployment_there_is_none(staged: World) -> None:
    assert newest_of(staged) is None


def test_an_entry_of_another_key_is_not_trusted(staged: World) -> None:
    write_entry(staged, "2026-11-20T09:00:00Z")
    for number, key in enumerate((staged.stranger, staged.signer), start=1):
        write_entry(staged, f"2026-11-2{number}T09:00:00Z", signer=key)

        with pytest.raises(DeploymentError, match=r"found no signature that .* made for it: no version is trusted"):
            newest_of(staged)


def test_an_entry_that_was_edited_is_not_trusted(staged: World) -> None:
    uri = write_entry(staged, "2026-11-21T09:00:00Z")
    edited = json.dumps({**json.loads(staged.read(uri)), "reason": "weaker"}).encode()
    with staged.holding(uri, edited), pytest.raises(DeploymentError, match="no version is trusted"):
        newest_of(staged)
    with staged.holding(f"{uri}.sig", None), pytest.raises(DeploymentError, match="no version is trusted"):
        newest_of(staged)

    assert newest_of(staged)


def test_an_entry_with_unknown_facts_is_not_trusted(staged: World) -> None:
    uri = write_entry(staged, "2026-11-21T09:00:00Z")
    content = json.dumps({**json.loads(staged.read(uri)), "color": "red"}).encode()
    signature = staged.releaser.sign(content).encode()

    with staged.holding(uri, content), staged.holding(f"{uri}.sig", signature), pytest.raises(DeploymentError, match="color: found 'red'"):
        newest_of(staged)


def test_an_entry_moved_from_another_environment_is_not_trusted(staged: World) -> None:
    uri = write_entry(staged, "2026-11-21T09:00:00Z", environment="staging")
    for name in (uri, f"{uri}.sig"):
        pack.write(staged.s3, name.replace("/staging/", f"/{PRODUCTION}/"), staged.read(name))

    with pytest.raises(DeploymentError, match=f"found an entry of {MODEL} in staging"):
        newest_of(staged)
