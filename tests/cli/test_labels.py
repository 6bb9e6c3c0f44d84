"""Which files of labels are refused, and how they are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import labels
from cli.problem import Problem
from tests import reference

MODEL = reference.model()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "it has no header"),
        ("id,label\na,yes\n", "expected the header inference_id,label, found 'id,label'"),
        ("inference_id;label\na;yes\n", "found a header separated by semicolons"),
        ("inference_id,label\n", "there are no labels in it"),
        ("inference_id,label\na\n", f"row 1: expected an inference id and a label of {MODEL.name}, found 'a'"),
        ("inference_id,label\n,yes\n", "row 1: expected an inference id and a label"),
        ("inference_id,label\na,\n", "row 1, column 'label': expected 'yes' or 'no', found '': leave out the rows"),
        ("inference_id,label\na,yes\na,no\n", "row 2: inference id 'a' has another label in row 1"),
        ("inference_id,label\na,no\nb,maybe\n", "row 2, column 'label': expected 'yes' or 'no', found 'maybe': correct the cell"),
        ("inference_id,label\na,Yes\nb,Yes\n", "row 1, column 'label': expected 'yes' or 'no', found 'Yes': spelt 'yes' it would be"),
        ("inference_id,label\na,yes\nb,no \n", "row 2, column 'label': expected 'yes' or 'no', found 'no ': spelt 'no' it would be"),
        ('inference_id,label\n"a,yes\n', "it is not CSV: unexpected end of data"),
    ],
)
def test_labels_that_cannot_be_are_refused(content: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(content)
    with pytest.raises(Problem) as raised:
        labels.check(file, MODEL)
    assert why in str(raised.value)


def test_the_same_label_twice_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("inference_id,label\na,yes\na,yes\nb,no\n")

    checked = labels.check(file, MODEL)
    assert (checked.rows, checked.outcomes, checked.mean) == (2, {"yes": 1, "no": 1}, None)
    assert checked.summary == "2 labels, 1 of them 'yes', 1 of them 'no'"


@pytest.mark.parametrize(
    ("name", "labels_", "summary"),
    [
        ("risk_grade", ("severe", "low", "low"), "3 labels, 2 of them 'low', 0 of them 'medium', 0 of them 'high', 1 of them 'severe'"),
        ("claim_amount", ("0", "1e3", "50000"), "3 labels, 17000 on average"),
    ],
)
def test_labels_of_every_task_are_taken(name: str, labels_: tuple[str, ...], summary: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("inference_id,label\n" + "".join(f"{row},{label}\n" for row, label in enumerate(labels_)))

    assert labels.check(file, reference.model(name)).summary == summary


@pytest.mark.parametrize(
    ("name", "label", "why"),
    [
        ("risk_grade", "Low", "expected 'low', 'medium', 'high' or 'severe', found 'Low': spelt 'low' it would be"),
        ("claim_amount", "50001", "expected a number from 0 to 50000, found '50001': correct the cell"),
        ("claim_amount", "nan", "expected a number from 0 to 50000, found 'nan'"),
        ("claim_amount", "", "expected a number from 0 to 50000, found '': leave out the rows"),
    ],
)
def test_labels_that_no_model_of_the_task_has_are_refused(name: str, label: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"inference_id,label\na,{label}\n")
    with pytest.raises(Problem) as raised:
        labels.check(file, reference.model(name))
    assert f"row 1, column 'label': {why}" in str(raised.value)
