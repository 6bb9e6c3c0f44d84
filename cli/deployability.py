"""What the deployability rules find in one CloudFormation template, whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cfnlint.config import ConfigMixIn  # type: ignore[import-untyped]
from cfnlint.decode import decode  # type: ignore[import-untyped]
from cfnlint.helpers import create_rules  # type: ignore[import-untyped]
from cfnlint.rules import RulesCollection  # type: ignore[import-untyped]
from cfnlint.runner import run_template_by_data  # type: ignore[import-untyped]
from rich.table import Table

from cli.problem import Problem
from rules import cfn_lint


def findings(file: Path) -> list[dict[str, Any]]:
    """Each finding's rule, resource, line, what is wrong and what to do, in the template's order.

    Raises:
        Problem: there is no such file, or it is no CloudFormation template.
    """
    if not file.is_file():
        raise Problem(f"template {file}", "there is no such file", "name a CloudFormation template", code=2)
    template, errors = decode(str(file))
    if errors or not isinstance(template, dict) or "Resources" not in template:
        why = errors[0].message if errors else "it has no Resources"
        raise Problem(f"template {file}", why, "name a CloudFormation template, in YAML or JSON", code=2)
    rules = RulesCollection()
    rules.extend(create_rules(cfn_lint))
    matches = run_template_by_data(template, ConfigMixIn(["--regions", "us-east-1"]), rules)
    return [_fact(match) for match in sorted(matches, key=lambda match: (match.linenumber, match.rule.id))]


def table(found: list[dict[str, Any]]) -> Table:
    """The findings for a person."""
    view = Table(*("line", "rule", "resource", "what is wrong", "what to do"), expand=False)
    for one in found:
        view.add_row(str(one["line"]), one["rule"], one["resource"], one["wrong"], one["do"])
    return view


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
