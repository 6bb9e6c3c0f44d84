"""CloudWatch's metric math, as far as alarms use it; what it does not know it refuses by name.

An expression is read by Python's own parser, whose operators have the same precedence, and computed over lists of equal length,
one value a period. A missing value (None) makes what is computed from it missing; functions of a list skip it, as CloudWatch does.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence

from moto.cloudwatch.exceptions import ValidationError

Values = list[float | None]
BINARY: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.And: lambda a, b: bool(a) and bool(b),
    ast.Or: lambda a, b: bool(a) or bool(b),
}
OF_LIST: dict[str, Callable[[Sequence[float]], float]] = {"MAX": max, "MIN": min, "SUM": sum, "AVG": lambda v: sum(v) / len(v)}
WORDS = ((r"\bAND\b|&&", " and "), (r"\bOR\b|\|\|", " or "))


class Expression:
    """One expression; `names` are the ids it uses. Raises an AWS error for what is not metric math, or not known here."""

    def __init__(self, text: str) -> None:
        self.text, self.names = text, set[str]()
        written = text
        for word, python in WORDS:
            written = re.sub(word, python, written)
        try:
            self._tree = ast.parse(written.strip(), mode="eval").body
        except SyntaxError as problem:
            raise self._refused(f"it cannot be read ({problem.msg})") from problem
        self._check(self._tree)

    def __call__(self, held: Mapping[str, Values], count: int) -> Values:
        """The value of each of `count` periods, from the lists of `held`."""
        return self._value(self._tree, held, count)

    def _refused(self, why: str) -> ValidationError:
        return ValidationError(f"Error in expression '{self.text}': {why}")

    def _check(self, node: ast.AST) -> None:
        """Walk the tree as `_value` will, so that what cannot be computed is refused when it is put."""
        match node:
            case ast.Constant(value=int() | float()):
                pass
            case ast.Name(id=name) if re.fullmatch("[a-z]\\w*", name):
                self.names.add(name)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                self._check(inner)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, ast.Div) or type(op) in BINARY:
                self._each(left, right)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in BINARY:
                self._each(left, right)
            case ast.BoolOp(values=several):
                self._each(*several)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                self._check_call(name, args)
            case _:
                raise self._refused(f"localcloud does not know {ast.unparse(node)}")

    def _each(self, *nodes: ast.AST) -> None:
        for node in nodes:
            self._check(node)

    def _check_call(self, name: str, args: list[ast.expr]) -> None:
        match name, args:
            case "ABS", [operand]:
                self._check(operand)
            case "IF", [_, _] | [_, _, _]:
                self._each(*args)
            case "FILL", [operand, ast.Name(id="REPEAT")]:
                self._check(operand)
            case "FILL", [_, ast.Name(id="LINEAR")]:
                raise self._refused("localcloud does not know FILL with LINEAR")
            case "FILL", [_, _]:
                self._each(*args)
            case _, [ast.List(elts=several)] if name in OF_LIST and several:
                self._each(*several)
            case _ if name in ("ABS", "IF", "FILL", *OF_LIST):
                raise self._refused(f"localcloud knows ABS(x), IF(x, y[, z]), FILL(x, y), and {', '.join(OF_LIST)} of a list [x, y]")
            case _:
                raise self._refused(f"localcloud does not know the function {name}")

    def _value(self, node: ast.AST, held: Mapping[str, Values], count: int) -> Values:
        def of(inner: ast.AST) -> Values:
            return self._value(inner, held, count)

        match node:
            case ast.Constant(value=int() | float() as number):
                return [float(number)] * count
            case ast.Name(id=name):
                return held[name]
            case ast.UnaryOp(operand=inner):
                return [None if v is None else -v for v in of(inner)]
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return [None if a is None or not b else a / b for a, b in zip(of(left), of(right), strict=True)]
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                return _both(BINARY[type(op)], of(left), of(right))
            case ast.BoolOp(op=op, values=[first, *rest]):
                result = _both(BINARY[type(op)], of(first), [1.0 if isinstance(op, ast.And) else 0.0] * count)
                for inner in rest:
                    result = _both(BINARY[type(op)], result, of(inner))
                return result
            case ast.Call(func=ast.Name(id=name), args=args):
                return self._called(name, args, of)
        raise self._refused("it cannot be computed")

    def _called(self, name: str, args: list[ast.expr], of: Callable[[ast.AST], Values]) -> Values:
        if name == "ABS":
            return [None if v is None else abs(v) for v in of(args[0])]
        if name == "IF":
            cases = zip(of(args[0]), of(args[1]), of(args[2]) if len(args) == 3 else [None] * len(of(args[0])), strict=True)
            return [None if c is None else (yes if c else no) for c, yes, no in cases]
        if name == "FILL":
            values = of(args[0])
            repeated = isinstance(args[1], ast.Name) and args[1].id == "REPEAT"
            return _repeat(values) if repeated else [b if a is None else a for a, b in zip(values, of(args[1]), strict=True)]
        assert isinstance(args[0], ast.List)
        there = [[v for v in row if v is not None] for row in zip(*(of(element) for element in args[0].elts), strict=True)]
        return [float(OF_LIST[name](row)) if row else None for row in there]


def _both(operation: Callable[[float, float], float], left: Values, right: Values) -> Values:
    return [None if a is None or b is None else float(operation(a, b)) for a, b in zip(left, right, strict=True)]


def _repeat(values: Values) -> Values:
    last: float | None = None
    filled = []
    for value in values:
        last = last if value is None else value
        filled.append(last)
    return filled
