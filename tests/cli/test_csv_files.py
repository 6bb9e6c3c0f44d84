"""CSV files as people have them: read, or refused in one line that says what was found and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import csv_files
from cli.problem import Problem

HEADERLESS = "it has no header: its first line is empty: write the columns' names into the first line"
COMMAS = "store it as CSV with commas"
PIECES = st.sampled_from([b"a", b"1", b",", b"\n", b"\r\n", b"\r", b'"', b";", b" ", b"\x00", b"\xef\xbb\xbf", b"\xff", "ü".encode()])


def read(file: Path) -> tuple[list[str], list[list[str]]]:
    with csv_files.rows(file) as (header, rows):
        return header, list(rows)


def refusal(file: Path) -> str:
    with pytest.raises(Problem) as raised:
        read(file)
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(f"data file {file}: ")


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,\n,x\n",
        b"\xef\xbb\xbfa,b\r\n1,\r\n,x\r\n",
        b'a,"b"\n"1",""\n,"x"',
        b"a,b\r1,\r,x\r",
        b"a,b\n1,\n,x\n\n\r\n",
    ],
    ids=["plain", "spreadsheet's", "quoted", "old line ends", "blank lines at the end"],
)
def test_spellings_of_one_table_are_read_as_the_same(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    assert read(tmp_path / "data.csv") == (["a", "b"], [["1", ""], ["", "x"]])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", HEADERLESS),
        (b"\na,b\n", HEADERLESS),
        (b" ,\n", HEADERLESS),
        (b"a;b;c\n1;2;3\n", f"found a header separated by semicolons: 'a;b;c': {COMMAS}"),
        (b"a\tb\n", rf"found a header separated by tabs: 'a\tb': {COMMAS}"),
        (b'"a";"b"\n"1";"2"\n', f'found a header separated by semicolons: \'"a";"b"\': {COMMAS}'),
        (b"a|b\n", f"found a header separated by bars: 'a|b': {COMMAS}"),
        (b"a,,b\n", "a column has no name; the header is 'a,,b': give every column a name"),
        (b"a, b\n", "column ' b' begins or ends with a space; the header is 'a, b': take the spaces out"),
        (b"a,b,a,a\n", "3 columns are called 'a': give each column a name of its own"),
        ("größe,y\n".encode("latin-1"), "it is not UTF-8: found byte 0xf6: store it as CSV in UTF-8"),
        ("a,y\n".encode("utf-16-le"), r"it is UTF-16 or no text; the header is 'a\x00,\x00y\x00': store it as CSV in UTF-8"),
        ("a,y\n".encode("utf-16"), "it is not UTF-8: found byte 0xff: store it as CSV in UTF-8"),
        (b'a,b\n"1,2\n', "it is not CSV: unexpected end of data: store it as CSV in UTF-8, with commas"),
        (
            b"a,b\n" + 200_000 * b"x" + b",1\n",
            "it is not CSV: field larger than field limit (131072): store it as CSV in UTF-8, with commas",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_was_found(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    assert refusal(tmp_path / "data.csv") == expected


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.csv") == "there is no such file: name a CSV file with a header"
    assert refusal(tmp_path) == "there is no such file: name a CSV file with a header"
    assert refusal(tmp_path / ("x" * 300)) == "File name too long: name a CSV file that can be read"


def test_a_long_header_is_shown_by_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(",".join(f"column {number}" for number in range(5000)) + ",\n")
    assert len(refusal(tmp_path / "data.csv")) < 200


@given(content=st.lists(PIECES, max_size=40).map(b"".join) | st.binary(max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(content)
    try:
        header, rows = read(file)
    except Problem as problem:
        line = str(problem)
    else:
        line = f"{len(rows)} rows"
        assert len(set(header)) == len(header) > 0
        assert all(name == name.strip() != "" for name in header)
    assert "\n" not in line
