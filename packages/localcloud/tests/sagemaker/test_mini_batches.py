"""Files as requests and answers as files: nothing is lost, nothing is doubled, nothing is larger than a request may be."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.sagemaker.data_processing import DataProcessing
from localcloud.sagemaker.json_paths import parsed
from localcloud.sagemaker.mini_batches import Rules, TooLarge

pytestmark = pytest.mark.laptop("functions of localcloud; what jobs make of them is tested with them")
LINE = st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"-"))


def rules(*, single: bool = False, most: int = 40, processing: DataProcessing | None = None) -> Rules:
    return Rules(by_line=True, single=single, most=most, ends_lines=True, processing=processing)


@given(st.lists(LINE), st.booleans(), st.booleans(), st.integers(13, 60))
def test_every_line_is_in_one_request_and_no_request_is_too_large(lines: list[bytes], ends: bool, single: bool, most: int) -> None:
    file = b"\n".join(lines) + (b"\n" if ends and lines else b"")
    expected = file.removesuffix(b"\n").split(b"\n") if file else []
    batches = list(rules(single=single, most=most).batches(io.BytesIO(file)))

    assert [record for batch in batches for record in batch.records] == expected
    assert all(len(batch.payload) <= most for batch in batches)
    if single:
        assert [batch.payload for batch in batches] == expected
    else:
        assert b"".join(batch.payload for batch in batches) == b"".join(line + b"\n" for line in expected)
        sizes = [len(batch.payload) for batch in batches]
        firsts = [len(batch.records[0]) + 1 for batch in batches]
        assert all(size + first > most for size, first in zip(sizes, firsts[1:], strict=False))  # as many as fit


@pytest.mark.parametrize(("single", "most"), [(True, 4), (False, 5)])
def test_a_record_that_is_larger_is_refused_after_those_before_it(single: bool, most: int) -> None:
    batches = rules(single=single, most=most).batches(io.BytesIO(b"1\n12345\n"))
    assert next(batches).records == [b"1"]
    with pytest.raises(TooLarge, match="Too much data for max payload size"):
        next(batches)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.text(max_size=5)), min_size=1), st.booleans())
def test_each_answer_is_joined_to_its_record(rows: list[dict[str, str]], single: bool) -> None:
    processing = DataProcessing(csv=False, lines=True, sends=parsed("$"), keeps=parsed("$"), joins=True)
    by, file = rules(single=single, most=200, processing=processing), "".join(json.dumps(row) + "\n" for row in rows).encode()
    out = b"".join(
        by.assembled(batch, b"\n".join(b"%d" % len(record) for record in batch.records)) for batch in by.batches(io.BytesIO(file))
    )

    joined = [json.loads(line) for line in out.decode().split("\n")[:-1]]
    assert joined == [{**row, "SageMakerOutput": len(json.dumps(row))} for row in rows]


def test_what_is_no_object_is_put_beside_its_answer() -> None:
    processing = DataProcessing(csv=False, lines=False, sends=parsed("$[1:]"), keeps=parsed("$"), joins=True)
    whole = Rules(by_line=False, single=False, most=40, ends_lines=False, processing=processing)
    (batch,) = whole.batches(io.BytesIO(b"[1,\n2, 3]"))

    assert batch.payload == b"[2,3]"
    assert json.loads(whole.assembled(batch, b'{"score": 1}')) == {"SageMakerInput": [1, 2, 3], "SageMakerOutput": {"score": 1}}


def test_the_rows_of_a_csv_that_goes_as_a_whole_are_filtered_each() -> None:
    processing = DataProcessing(csv=True, lines=True, sends=parsed("$[1:]"), keeps=parsed("$[0,-1]"), joins=True)
    whole = Rules(by_line=False, single=False, most=40, ends_lines=False, processing=processing)
    (batch,) = whole.batches(io.BytesIO(b"a,1\nb,2\n"))

    assert batch.payload == b"1\n2"
    assert whole.assembled(batch, b"0.1\n0.2\n") == b"a,0.1\nb,0.2"
    assert list(whole.batches(io.BytesIO(b""))) == []
