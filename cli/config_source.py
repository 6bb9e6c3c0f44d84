"""config.py as text. Its classes are the template's; the statement that makes `CONFIG` is the team's."""

from __future__ import annotations

import ast
import re

STATEMENT = re.compile(r"^CONFIG = Config\(\n.*?^\)\n", re.MULTILINE | re.DOTALL)


def with_statement(source: str, other: str) -> str:
    """`source` with the statement of `other`; `source` as it is where either has none."""
    statement = STATEMENT.search(other)
    return STATEMENT.sub(lambda _: statement[0], source) if statement else source


def settings(source: str) -> dict[str, str]:
    """Every key that the classes declare, as `Class.key`, with its default; empty where it must be set."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return {
        f"{kind.name}.{field.target.id}": ast.unparse(field.value) if field.value else ""
        for kind in classes
        for field in kind.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
