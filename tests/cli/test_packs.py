"""The pack of a version: read, brought here, compared with what it binds; and every way in which there is none, or a wrong one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import naming
from cli import output, packs
from cli.packs import Pack
from cli.problem import Problem
from paved_runtime.page import interval
from paved_runtime.spec import Data
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack, wording
from tests.reference import CONFIG
from tests.support import sample, task_samples
from tests.support.world import World


@dataclass
class Candidate:
    """A candidate, and the registry in which a command finds it."""

    world: World

    @property
    def registry(self) -> Registry:
        """That of a model whose names lead to this candidate."""
        registry, group = self.world.registry(), pack.group_and_version(self.world.arn)[0]
        model = registry.model.model_copy(update={"name": group.removeprefix(f"{CONFIG.project}-").replace("-", "_")})
        assert naming.model_package_group(CONFIG, model.name) == group
        return replace(registry, model=model)

    def read(self, version: int | None = None) -> Pack:
        return packs.read(self.registry, version)

    def wrong(self) -> set[str]:
        """What the pack binds and does not match."""
        return {comparison.what for comparison in packs.check(self.registry, self.read()) if not comparison.matches}


@pytest.fixture(scope="module")
def candidate(approved: World) -> Candidate:
    """An approved candidate. Shared: put back what you change."""
    return Candidate(approved)


def drawn(known: Pack) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(output.table(packs.summary(known.evidence)))
    return captured.get()


def test_the_newest_pack_is_brought_here_whole(candidate: Candidate, tmp_path: Path) -> None:
    (tmp_path / "evidence.html").write_text("of another version")
    (tmp_path / "note.txt").write_text("mine")

    known, folder = packs.bring(candidate.registry, out=tmp_path)

    assert {file.name for file in folder.iterdir()} == {*pack.FILES, *pack.DECISION, "note.txt"}
    assert (folder / pack.EVIDENCE).read_bytes() == document.canonical(document.without_approval(known.evidence))
    assert (folder / pack.APPROVAL).read_bytes() == document.canonical(candidate.world.approval)
    assert "Approved for production" in (folder / pack.PAGE).read_text()
    assert known.version == "1"
    assert known == candidate.read(1)


def test_a_person_reads_who_what_and_how_good(candidate: Candidate) -> None:
    text = drawn(candidate.read())

    for fact in (
        candidate.world.arn,
        sample.COMMIT,
        "dana@example.com",
        "40 passed, 0 failed, 5 reported",
        "0.809 (0.794\N{EN DASH}0.825)",
        "better on every slice",
    ):
        assert fact in text
    assert "version 6; ROC AUC +0.0081, from -0.0021 to +0.0181" in text


def test_what_a_person_is_asked_is_told_before_they_answer() -> None:
    content = sample.content()["evaluation"]
    question = sample.verdict("plausibility", "ROC AUC", 0.93, "<=", 0.87, passed=None, advice="ask when duration is filled")
    told = packs.summary(sample.evidence(evaluation={**content, "gates": [*content["gates"], question]}))

    assert told["gates"] == "40 passed, 0 failed, 5 reported, not judged"
    assert told["for you to decide 1"] == "plausibility: ROC AUC: found 0.93, accepted is <= 0.87: ask when duration is filled"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (task_samples.grades(), {"classes": "low, medium, high, severe"}),
        (task_samples.amounts(), {"target": "a number from 0 to 50,000"}),
    ],
    ids=["classes", "amounts"],
)
def test_a_model_of_another_task_is_told_in_its_words(data: Data, told: dict[str, str]) -> None:
    evidence, words = task_samples.evidence(data), wording.of(data.task)
    lines = packs.summary(evidence)
    headline = evidence.evaluation.headline

    assert headline is not None
    assert told.items() <= lines.items()
    assert lines[words.title] == interval(headline.value, headline.low, headline.high)
    assert set(words.metrics.values()) <= lines.keys()
    assert lines["champion"].startswith(f"version 6; {words.title} +0.0081, from -0.0021 to +0.0181")


@pytest.mark.parametrize(
    ("champion", "told"),
    [
        ({"trained_rows": 212}, "from -0.0021 to +0.0181, without 212 rows that it was trained on "),
        ({"trained_rows": None, "why": "it does not know its rows"}, "from -0.0021 to +0.0181; it does not know its rows "),
        ({"trained_rows": 0, "why": "left out", "compared": False}, "from -0.0021 to +0.0181; not judged: left out "),
    ],
)
def test_what_is_to_be_known_of_the_comparison_is_told(champion: dict[str, Any], told: str) -> None:
    evaluation = sample.content()["evaluation"]
    evaluation["champion"] |= champion

    assert told in drawn(Pack(folder="", files={}, evidence=sample.evidence(evaluation=evaluation)))


def test_a_failed_verdict_is_told_with_its_number() -> None:
    evaluation = sample.content()["evaluation"]
    evaluation["gates"][1] |= {"passed": False, "found": 0.61, "advice": "train a better one"}
    changed = Pack(folder="", files={}, evidence=sample.evidence(evaluation=evaluation))

    assert "floor: ROC AUC: found 0.61, accepted is >= 0.75: train a better one" in drawn(changed)


def test_characters_that_deceive_a_terminal_are_spelt_out() -> None:
    commit = {**sample.content()["commit"], "author": "eve\x1b[2K\u202e"}
    assert "eve⟨U+001B⟩[2K⟨U+202E⟩" in drawn(Pack(folder="", files={}, evidence=sample.evidence(commit=commit)))


def test_everything_matches_when_nobody_has_touched_it(candidate: Candidate) -> None:
    compared = {comparison.what for comparison in packs.check(candidate.registry, candidate.read())}

    assert candidate.wrong() == set()
    assert compared >= {
        "signature",
        "attestation",
        "commit",
        "data",
        "image",
        "pipeline definition",
        "bill of materials",
        "model artifact",
        "report",
        "approval",
    }


def test_before_the_decision_there_is_no_approval_to_compare(staged: World) -> None:
    staged.prove()
    candidate = Candidate(staged)

    assert candidate.wrong() == set()
    assert "approval" not in {comparison.what for comparison in packs.check(candidate.registry, candidate.read())}


def test_what_was_changed_is_named(candidate: Candidate) -> None:
    world = candidate.world
    better = document.canonical(world.evidence.model_copy(update={"purpose": "something else"}))
    report = pack.beside(world.uri, pack.REPORT)

    with world.holding(world.uri, better):
        assert candidate.wrong() >= {"signature"}
    with world.holding(report, b'{"version": 1}'):
        assert candidate.wrong() == {"report"}
    with world.holding(report, None):
        assert candidate.wrong() == {"report"}
    with world.holding(world.evidence.artifact.uri, b"another model"):
        assert "model artifact" in candidate.wrong()
    assert candidate.wrong() == set()


def test_a_page_is_opened_only_when_it_follows_from_signed_evidence(candidate: Candidate) -> None:
    known = candidate.read()

    def genuine(name: str, content: bytes, **changes: Any) -> bool:
        changed = Pack(folder="", files={**known.files, name: content}, evidence=known.evidence.model_copy(update=changes))
        return packs.page_is_genuine(candidate.registry, changed)

    assert genuine(pack.PAGE, known.files[pack.PAGE])
    assert not genuine(pack.PAGE, known.files[pack.PAGE].replace(b"0.8093", b"0.9999"))
    assert not genuine(pack.EVIDENCE, known.files[pack.EVIDENCE].replace(b"0.809346", b"0.999999"))
    assert not genuine(pack.SIGNATURE, b"")
    assert not genuine(pack.APPROVAL, known.files[pack.APPROVAL].replace(b"user/ada", b"user/eve"))
    assert not genuine(pack.PAGE, known.files[pack.PAGE], report=known.evidence.artifact)


def test_evidence_that_is_no_evidence_is_refused_by_the_fields_name(candidate: Candidate) -> None:
    with candidate.world.holding(candidate.world.uri, b'{"version": 1, "surprise": true}'), pytest.raises(Problem, match="surprise"):
        candidate.read()


def test_another_versions_evidence_in_its_place_is_refused(candidate: Candidate) -> None:
    world = candidate.world
    stranger = document.canonical(world.evidence.model_copy(update={"model_package_arn": f"{sample.ARN}/1"}))
    with world.holding(world.uri, stranger), pytest.raises(Problem, match=f"it holds the evidence of {sample.ARN}/1"):
        candidate.read()


def test_versions_are_counted_not_spelt(candidate: Candidate) -> None:
    home = candidate.world.uri.rpartition("/")[0].rpartition("/")[0]
    for version in (9, 10):
        pack.write(candidate.world.s3, f"{home}/{version}/{pack.EVIDENCE}", b"{}")

    with pytest.raises(Problem, match=f"{home}/10: evidence.json: "):
        candidate.read()
    with pytest.raises(Problem, match="version 3: there is none: there is evidence of version 1, 9, 10: name one: --version N"):
        candidate.read(3)
    bucket, _, prefix = home.removeprefix("s3://").partition("/")
    for version in (9, 10):
        candidate.world.s3.delete_object(Bucket=bucket, Key=f"{prefix}/{version}/{pack.EVIDENCE}")


def test_where_there_is_no_pack_it_is_said_when_there_will_be(staged: World) -> None:
    candidate = Candidate(staged)
    with pytest.raises(Problem, match=f"evidence of {candidate.registry.model.name}: there is none yet: a version gets it in the first"):
        candidate.read()
