"""The picture of a challenger beside its champion, whatever the model's task."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import pictures
from cli.candidate import Candidate
from pipelines.evidence.document import Evidence
from tests.support import sample, task_samples


def proof(evidence: Evidence) -> Candidate:
    """What a person sees of a candidate with this evidence."""
    texts = dict.fromkeys(
        ("execution", "said", "registry_status", "evidence_uri", "evidence_sha256", "doubt", "history", "model_package_arn"), ""
    )
    return Candidate(model=evidence.model, commit=evidence.commit.id, evidence=evidence, metrics={}, **texts)


@pytest.mark.parametrize(
    "evidence",
    [sample.evidence(), task_samples.evidence(task_samples.grades()), task_samples.evidence(task_samples.amounts())],
    ids=["two outcomes", "classes", "amounts"],
)
def test_a_challenger_is_drawn_by_the_headline_of_its_task(tmp_path: Path, evidence: Evidence) -> None:
    file = pictures._challenger(tmp_path / "challenger.png", proof(evidence))

    assert file.read_bytes()[:4] == b"\x89PNG"
    assert file.stat().st_size > 5_000
