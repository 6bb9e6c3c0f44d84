"""How a check is told."""

from __future__ import annotations

import pytest

from cli.commands import check


def test_what_a_check_printed_is_told_only_when_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert check._timed("good", lambda: (0, "noise")).ok
    assert not check._timed("bad", lambda: (1, "the reason")).ok
    good, bad, reason = capsys.readouterr().err.splitlines()
    assert good.startswith("ok     good ")
    assert bad.startswith("FAILED bad ")
    assert reason == "the reason"
