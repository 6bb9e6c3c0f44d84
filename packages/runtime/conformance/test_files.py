"""What a framework writes is data, the same for the same rows, and is read again as it was or not at all."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from conformance.subject import Subject
from paved_runtime import scoring
from paved_runtime.artifact import ArtifactError

CALLS = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"}
BROKEN = {"empty": b"", "an object": b"{}", "a word": b"no model", "zeros": bytes(200), "a zip": b"PK\x05\x06" + bytes(18)}


def is_pickle(content: bytes) -> bool:
    """Whether bytes begin with a pickle that calls something."""
    calls = False
    try:
        for opcode, _, _ in pickletools.genops(content):
            calls |= opcode.name in CALLS
    except Exception:  # whatever a stranger's bytes make of its reader: they are no pickle
        return False
    return calls


def pickles(content: bytes) -> list[int]:
    """Where in a file pickles begin, those in a zip's members included."""
    starts = {0, *(match.start() for match in re.finditer(rb"\x80[\x02-\x05]", content))}
    positions = [start for start in starts if is_pickle(content[start:])]
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            positions += [start for member in archive.namelist() for start in pickles(archive.read(member))]
    return positions


def read(tried: Subject, folder: Path) -> None:
    """Read all that a server reads."""
    scoring.load(tried.framework, folder)
    tried.framework.load(folder)


def test_it_writes_its_files_and_no_other(tried: Subject, saved: Path) -> None:
    assert sorted(file.name for file in saved.iterdir()) == sorted(tried.framework.FILES)


def test_no_file_holds_a_pickle(saved: Path) -> None:
    assert {file.name: pickles(file.read_bytes()) for file in saved.iterdir()} == {file.name: [] for file in saved.iterdir()}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_would_be_seen(protocol: int) -> None:
    pickled = pickle.dumps(Path("x"), protocol)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data", pickled)

    assert pickles(pickled) == [0]
    assert pickles(packed.getvalue()) == [0]
    assert bool(pickles(b"begins otherwise" + pickled)) == (protocol >= 2)


def test_the_same_rows_give_the_same_bytes(tried: Subject, saved: Path, tmp_path: Path) -> None:
    tried.framework.save(tried.framework.train(tried.run), tmp_path)

    for name in tried.framework.FILES:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name


def test_what_is_loaded_says_what_was_saved(tried: Subject, saved: Path) -> None:
    loaded = tried.framework.load(saved)

    np.testing.assert_allclose(
        tried.framework.predict(loaded, tried.run.matrix), tried.trained(tried.run.matrix), rtol=0, atol=tried.tolerance / 10
    )


@pytest.mark.parametrize("damage", [*BROKEN, "half", "the last bytes"])
def test_a_file_that_is_broken_is_refused_in_one_line_that_names_it(tried: Subject, saved: Path, tmp_path: Path, damage: str) -> None:
    for name in tried.framework.FILES:
        folder = tmp_path / name
        shutil.copytree(saved, folder)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes({**BROKEN, "half": whole[: len(whole) // 2], "the last bytes": whole[:-9]}[damage])

        with pytest.raises(ArtifactError, match=rf"^{re.escape(name)} cannot be loaded: .+") as caught:
            read(tried, folder)
        assert "\n" not in str(caught.value)
