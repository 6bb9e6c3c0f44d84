"""What the deployability rules find in one CloudFormation template, for whoever asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

import deployability.findings as rules
from cli.problem import Problem


def findings(file: Path) -> list[dict[str, Any]]:
    """Each finding's rule, title, resource, line, what is wrong and what to do, in the template's order.

    Raises:
        Problem: there is no such file, or it is no CloudFormation template.
    """
    if not file.is_file():
        raise Problem(f"template {file}", "there is no such file", "name a CloudFormation template", code=2)
    try:
        return rules.findings(file)
    except ValueError as error:
        raise Problem(f"template {file}", str(error), "name a CloudFormation template, in YAML or JSON", code=2) from error


def table(findings: list[dict[str, Any]]) -> Table:
    """The findings for a person."""
    view = Table(*("line", "rule", "resource", "what is wrong", "what to do"), expand=False)
    for finding in findings:
        view.add_row(str(finding["line"]), finding["rule"], finding["resource"], finding["wrong"], finding["do"])
    return view
