"""How a check is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands import check
from cli.problem import Problem


def test_what_a_check_printed_is_told_only_when_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert check._timed("good", lambda: (0, "noise")).ok
    assert not check._timed("bad", lambda: (1, "the reason")).ok
    good, bad, reason = capsys.readouterr().err.splitlines()
    assert good.startswith("ok     good ")
    assert bad.startswith("FAILED bad ")
    assert reason == "the reason"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Description: caf\xe9\nResources: {}\n", "it is not UTF-8: byte 16 is 0xe9"),
        (b"Resources:\n", "its Resources are empty"),
    ],
)
def test_a_file_that_is_no_template_ends_in_a_line_and_in_2(content: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_bytes(content)

    with pytest.raises(Problem) as refused:
        check._one_template(file, json=False)

    assert refused.value.code == 2
    assert str(refused.value) == f"template {file}: {why}: name a CloudFormation template, in YAML or JSON"


def test_models_with_the_same_packages_are_typed_together() -> None:
    trees, network = Path("trees/bin/python"), Path("network/bin/python")

    assert check._by_environment({"churn": trees, "text": network, "fraud": trees}) == {trees: ["churn", "fraud"], network: ["text"]}
