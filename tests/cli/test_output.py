"""Where words go."""

from __future__ import annotations

import logging

import pytest

from cli import output


def test_what_a_library_logs_is_told_while_it_works_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    library, before = logging.getLogger("pipelines.deployment.stack"), list(logging.getLogger("pipelines").handlers)
    library.info("before")
    with output.told("pipelines"):
        library.info("%s: its end is waited for", "Serving is UPDATE_IN_PROGRESS")
        library.debug("nobody's business")
    library.info("after")

    assert capsys.readouterr() == ("", "Serving is UPDATE_IN_PROGRESS: its end is waited for\n")
    assert logging.getLogger("pipelines").handlers == before
