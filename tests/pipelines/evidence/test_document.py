"""One form of bytes; what nobody expected is refused by its name."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.tree import HERE
from pipelines.evidence import document
from pipelines.evidence.document import DocumentError, Verdict
from tests.support import sample

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def leaves(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value that holds no other."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    found = [leaf for key, value in inner for leaf in leaves(value, (*path, key))]
    yield from found or [path]


CONTENT = json.loads(document.canonical(sample.approved()))
LEAVES = list(leaves(CONTENT))


def with_value(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(CONTENT)
    *way, last = path
    place: Any = changed
    for key in way:
        place = place[key]
    place[last] = value
    return changed


def test_a_document_has_one_form_of_bytes() -> None:
    content = document.canonical(sample.approved())

    assert document.canonical(document.load_evidence(content)) == content
    assert content.startswith(b'{\n "approval": {\n  "by": ')
    assert content.endswith(b"}\n")
    assert json.loads(content) == CONTENT


@given(path=st.sampled_from(LEAVES), value=JSON)
def test_another_value_is_refused_by_its_field_or_changes_the_digest(path: tuple[Any, ...], value: Any) -> None:
    changed = with_value(path, value)
    before = document.load_evidence(json.dumps(CONTENT).encode())
    try:
        read = document.parse(document.Evidence, changed, "evidence.json")
    except DocumentError as error:
        said = str(error)
        assert said.startswith("evidence.json: ")
        assert str(path[0]) in said
        assert len(said.splitlines()) == 1
    else:
        assert read == before or document.canonical(read) != document.canonical(before)


@given(content=st.binary(max_size=200))
def test_anything_else_is_no_document(content: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^evidence.json: "):
        document.load_evidence(content)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("data", "sha256"), "ab", "data.sha256: found 'ab': String should match"),
        (("evaluation", "gates", 0, "passed"), "perhaps", "evaluation.gates.0.passed: found 'perhaps': "),
        (("staging", "load", "p99_ms"), float("nan"), "staging.load.p99_ms: found 'nan': Input should be a finite number"),
        (("approval", "status"), "Rejected", "approval.status: found 'Rejected': Input should be 'Approved'"),
        (("version",), 2, "version: found '2': Input should be 1"),
    ],
)
def test_an_error_names_the_field(path: tuple[Any, ...], value: Any, said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        document.parse(document.Evidence, with_value(path, value), "evidence.json")

    assert str(refused.value).startswith(f"evidence.json: {said}")


def test_an_unknown_field_and_a_missing_one_are_refused() -> None:
    extra = with_value(("commit", "id"), sample.COMMIT)
    extra["commit"]["reviewer"] = "eve"
    lacking = copy.deepcopy(CONTENT)
    del lacking["image"]["digest"]

    with pytest.raises(DocumentError, match=r"commit.reviewer: found 'eve': Extra inputs are not permitted"):
        document.parse(document.Evidence, extra, "evidence.json")
    with pytest.raises(DocumentError, match=r"image.digest: Field required"):
        document.parse(document.Evidence, lacking, "evidence.json")


def test_older_evidence_keeps_its_bytes() -> None:
    """It has no task, no version of the runtime, no framework, no intervals, and nothing of the rows that the champion was trained on."""
    older = copy.deepcopy(CONTENT)
    del (
        older["evaluation"]["task"],
        older["evaluation"]["runtime"],
        older["evaluation"]["framework"],
        older["evaluation"]["champion"]["trained_rows"],
    )
    for metric in older["evaluation"]["metrics"].values():
        del metric["low"], metric["high"]
    content = document.canonical(document.parse(document.Evidence, older, "evidence.json"))

    assert json.loads(content) == older


def test_an_error_is_one_line_whatever_the_field_is_called() -> None:
    with pytest.raises(DocumentError, match=r"^evidence.json: a b: found 'c\\nd': Extra inputs are not permitted$"):
        document.parse(document.Evidence, {**CONTENT, "a\nb": "c\nd"}, "evidence.json")


def test_what_was_shown_does_not_depend_on_the_answer() -> None:
    before, after = sample.evidence(), sample.approved()

    assert document.shown_sha256(before) == document.shown_sha256(after) == document.sha256(document.canonical(before))
    assert document.without_approval(after) == before
    assert document.canonical(after) != document.canonical(before)


def test_the_approval_is_one_sentence_that_fits_the_registry() -> None:
    evidence = sample.approved()
    assert evidence.approval
    wordy = evidence.model_copy(update={"approval": evidence.approval.model_copy(update={"reason": "x" * 5000})})

    assert document.approval_sentence(sample.evidence()) == ""
    assert document.approval_sentence(evidence) == (
        f"Approved by {evidence.approval.by} at 2026-11-21T09:12:40Z"
        f" for commit {sample.COMMIT} in execution {evidence.delivery.execution}, evidence sha256 {document.shown_sha256(evidence)}."
        " Reason: Better than version 6 beyond doubt for students, no worse elsewhere."
    )
    assert len(document.approval_sentence(wordy)) == 1024


def test_a_verdict_is_a_line() -> None:
    judged = Verdict(gate="floor", subject="ROC AUC", passed=False, found=0.71, comparison=">=", threshold=0.75, advice="train more")
    told = Verdict(gate="champion", subject="ROC AUC", passed=None, found=None, comparison="", threshold=None, advice="there is none")

    assert judged.line() == "floor: ROC AUC: found 0.71, accepted is >= 0.75: train more"
    assert told.line() == "champion: ROC AUC: found None: there is none"


def test_times_are_utc() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2)))

    assert document.utc(noon) == "2026-11-21T10:00:00Z" == document.utc(noon.astimezone(UTC))


def test_the_schema_is_published() -> None:
    for name, kind in (("evidence", document.Evidence), ("approval", document.ApprovalRecord)):
        command = f"./road exec python -m pipelines.evidence.document {name} > docs/{name}.schema.json"

        assert (HERE / f"docs/{name}.schema.json").read_text() == document.schema(kind), command
