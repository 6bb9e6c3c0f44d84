"""The rules of composite alarms: which alarms must be in which states."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from moto.cloudwatch.exceptions import ValidationError


class Rule:
    """The AlarmRule of a composite alarm. `names` are the alarms it is made of. Raises an AWS error when it cannot be read."""

    def __init__(self, text: str) -> None:
        self._conditions: list[tuple[str, str]] = []  # (state, alarm)

        def variable(match: re.Match[str]) -> str:
            self._conditions.append((match[1], match[3].rpartition(":alarm:")[2]))
            return f"a{len(self._conditions) - 1}"

        written = re.sub(r"\b(ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(['\"]?)(.+?)\2\s*\)", variable, text)
        for word in ("AND", "OR", "NOT"):
            written = re.sub(rf"\b{word}\b", word.lower(), written)
        try:
            self._tree = ast.parse(written.replace("\n", " ").strip(), mode="eval").body
            self.holds(lambda _: None)
        except (SyntaxError, ValueError) as problem:
            raise ValidationError(f"AlarmRule cannot be read: {text}") from problem

    @property
    def names(self) -> set[str]:
        return {name for _, name in self._conditions}

    def holds(self, state_of: Callable[[str], str | None]) -> bool:
        """Whether the rule holds, where `state_of` tells the state of an alarm by its name."""

        def true(node: ast.expr) -> bool:
            match node:
                case ast.Name(id="TRUE" | "FALSE" as word):
                    return word == "TRUE"
                case ast.Name(id=name) if re.fullmatch(r"a\d+", name):
                    wanted, alarm = self._conditions[int(name[1:])]
                    return state_of(alarm) == wanted
                case ast.UnaryOp(op=ast.Not(), operand=inner):
                    return not true(inner)
                case ast.BoolOp(op=op, values=operands):
                    truths = [true(operand) for operand in operands]
                    return all(truths) if isinstance(op, ast.And) else any(truths)
            raise ValueError(node)

        return true(self._tree)
