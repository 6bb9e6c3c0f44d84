"""What the rules find in one CloudFormation template, whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cfnlint.config import ConfigMixIn  # type: ignore[import-untyped]
from cfnlint.decode import decode  # type: ignore[import-untyped]
from cfnlint.helpers import create_rules  # type: ignore[import-untyped]
from cfnlint.rules import RulesCollection  # type: ignore[import-untyped]
from cfnlint.runner import run_template_by_data  # type: ignore[import-untyped]

from deployability import cfn_lint


def findings(file: Path) -> list[dict[str, Any]]:
    """Each finding's rule, title, resource, line, what is wrong and what to do, in the template's order.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no CloudFormation template; what is wrong with it, in a line.
    """
    template = _template(file)
    rules = RulesCollection()
    rules.extend(create_rules(cfn_lint))
    matches = run_template_by_data(template, ConfigMixIn(["--regions", "us-east-1"]), rules)
    return [_fact(match) for match in sorted(matches, key=lambda match: (match.linenumber, match.rule.id))]


def _template(file: Path) -> Any:
    try:
        file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}") from error
    template, errors = decode(str(file))
    if errors:
        raise ValueError(f"line {errors[0].linenumber}: {errors[0].message}")
    if not isinstance(template, dict):
        raise ValueError("it is no mapping")  # noqa: TRY004 - a file is wrong, no argument
    if "Resources" not in template:
        raise ValueError("it has no Resources")
    resources = template["Resources"]
    if not resources:
        raise ValueError("its Resources are empty")
    if not isinstance(resources, dict) or not all(isinstance(one, dict) for one in resources.values()):
        raise ValueError("its Resources are no mapping of names to resources")
    return template


def _fact(match: Any) -> dict[str, Any]:
    finding = match.finding
    return {
        "rule": match.rule.id,
        "title": match.rule.shortdesc,
        "resource": finding.resource,
        "line": match.linenumber,
        "wrong": finding.wrong,
        "do": finding.do,
    }
