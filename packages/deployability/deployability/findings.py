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
        ValueError: it is no CloudFormation template.
    """
    template, errors = decode(str(file))
    if errors or not isinstance(template, dict) or "Resources" not in template:
        raise ValueError(errors[0].message if errors else "it has no Resources")
    rules = RulesCollection()
    rules.extend(create_rules(cfn_lint))
    matches = run_template_by_data(template, ConfigMixIn(["--regions", "us-east-1"]), rules)
    return [_fact(match) for match in sorted(matches, key=lambda match: (match.linenumber, match.rule.id))]


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
