"""Metric filters of CloudWatch Logs: log lines that become metrics, for containers that can call nobody.

Known are patterns of terms (`ERROR -debug "no such"`, `?A ?B`) and JSON patterns of comparisons joined by && and ||
(`{ $.event = "scores" && $.rows > 0 }`, `{ $.x = * }`); everything else is refused by its name when the filter is put.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse

from localcloud import metrics

Matcher = Callable[[str], dict[str, Any] | None]  # a log line → its JSON object ({} for plain text), None: no match
TOKEN = re.compile(r'\s*(&&|\|\||[()]|!=|<=|>=|[=<>]|\$(?:\.[\w-]+|\[\d+\])+|"(?:[^"\\]|\\.)*"|[^\s()&|=<>!"]+)')
PATH = re.compile(r"\$((?:\.[\w-]+|\[\d+\])+)")
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")
KNOWN = {"metricName", "metricNamespace", "metricValue", "dimensions", "unit"}
_moto_put_log_events = LogsBackend.put_log_events
_moto_put, _moto_delete = LogsBackend.put_metric_filter, LogsBackend.delete_metric_filter
_moto_put_response = LogsResponse.put_metric_filter
_filters: dict[tuple[str, str, str], dict[str, Filter]] = {}


@dataclass(frozen=True)
class Filter:
    """One metric filter. `value` and the values of `dimensions` are literals or paths like `$.rows`."""

    matches: Matcher
    namespace: str
    name: str
    value: str
    dimensions: dict[str, str]
    unit: str

    def apply(self, account: str, region: str, line: str, at: float) -> None:
        """Record what a log line of the time `at` (seconds) says, if it matches and has all that is asked of it."""
        found = self.matches(line)
        if found is None:
            return
        told = {name: _at(found, path) for name, path in self.dimensions.items()}
        value = _at(found, self.value) if self.value.startswith("$") else self.value
        if any(v is None for v in told.values()) or not NUMBER.fullmatch(str(value)):
            return
        dimensions = frozenset((name, str(v)) for name, v in told.items())
        metrics.record(metrics.Metric(account, region, self.namespace, self.name, dimensions), float(str(value)), at=at, unit=self.unit)


def install() -> None:
    """Let every line that is logged pass the filters of its group."""
    LogsBackend.put_log_events = _put_log_events  # type: ignore[method-assign]
    LogsBackend.put_metric_filter = _put  # type: ignore[method-assign]
    LogsBackend.delete_metric_filter = _delete  # type: ignore[method-assign]
    LogsResponse.put_metric_filter = _put_metric_filter  # type: ignore[method-assign]


def matcher(pattern: str) -> Matcher:
    """What a filter pattern matches. Raises an AWS error for a pattern that localcloud does not know."""
    text = pattern.strip()
    if text.startswith("{") and text.endswith("}"):
        return _json(text)
    return _terms(text)


def _refused(what: str) -> InvalidParameterException:
    return InvalidParameterException(f"Invalid metric filter: {what}")


def _terms(text: str) -> Matcher:
    found = re.findall(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))', text)
    if odd := [plain for _, _, plain in found if plain and not re.fullmatch(r"\w+", plain)]:
        raise _refused(f"localcloud does not know {odd[0]} in {text}: put a term of other characters than letters and digits in quotes")
    by_sign = {sign: [_plain(quoted) or plain for s, quoted, plain in found if s == sign] for sign in ("", "-", "?")}

    def matches(line: str) -> dict[str, Any] | None:
        wanted = all(t in line for t in by_sign[""]) and not any(t in line for t in by_sign["-"])
        return {} if wanted and (not by_sign["?"] or any(t in line for t in by_sign["?"])) else None

    return matches


def _json(text: str) -> Matcher:
    tokens, end = [], 0
    inner = text[1:-1].strip()
    while end < len(inner):
        if not (token := TOKEN.match(inner, end)):
            raise _refused(f"localcloud cannot read {inner[end:]} in {text}")
        tokens.append(token[1])
        end = token.end()
    test, rest = _either(tokens, text)
    if rest:
        raise _refused(f"localcloud does not know {rest[0]} in {text}")

    def matches(line: str) -> dict[str, Any] | None:
        try:
            event = json.loads(line)
        except ValueError:
            return None
        return event if isinstance(event, dict) and test(event) else None

    return matches


Test = Callable[[Any], bool]


def _either(tokens: list[str], text: str) -> tuple[Test, list[str]]:
    first, rest = _both(tokens, text)
    if rest[:1] != ["||"]:
        return first, rest
    second, rest = _either(rest[1:], text)
    return lambda event: first(event) or second(event), rest


def _both(tokens: list[str], text: str) -> tuple[Test, list[str]]:
    if tokens[:1] == ["("]:
        first, rest = _either(tokens[1:], text)
        if rest[:1] != [")"]:
            raise _refused(f"a bracket is not closed in {text}")
        rest = rest[1:]
    else:
        first, rest = _comparison(tokens[:3], text), tokens[3:]
    if rest[:1] != ["&&"]:
        return first, rest
    second, rest = _both(rest[1:], text)
    return lambda event: first(event) and second(event), rest


def _comparison(tokens: list[str], text: str) -> Test:
    if len(tokens) < 3 or not PATH.fullmatch(tokens[0]) or tokens[1] not in ("=", "!=", "<", ">", "<=", ">="):
        raise _refused(
            f"localcloud does not know {' '.join(tokens) or 'an empty condition'} in {text}: it knows comparisons like $.a.b > 3"
        )
    path, sign, wanted = tokens
    if NUMBER.fullmatch(wanted):
        number = float(wanted)
        return lambda event: _is_number(v := _at(event, path)) and _holds(sign, float(v), number)
    if sign not in ("=", "!="):
        raise _refused(f"{sign} needs a number, found {wanted} in {text}")
    if wanted.startswith('"'):
        wanted = _plain(wanted[1:-1])
    elif not re.fullmatch(r"[\w*.-]+", wanted):
        raise _refused(f"localcloud does not know {wanted} in {text}")
    if wanted == "*":
        return lambda event: (_at(event, path) is not None) == (sign == "=")
    return lambda event: isinstance(v := _at(event, path), str) and fnmatchcase(v, re.sub(r"([\[?])", r"[\1]", wanted)) == (sign == "=")


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _holds(sign: str, found: float, wanted: float) -> bool:
    return {
        "=": found == wanted,
        "!=": found != wanted,
        "<": found < wanted,
        ">": found > wanted,
        "<=": found <= wanted,
        ">=": found >= wanted,
    }[sign]


def _at(event: Any, path: str) -> Any:
    """What lies at a path like `$.a.b[0]`, or None."""
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        if name and isinstance(event, dict):
            event = event.get(name)
        elif index and isinstance(event, list) and int(index) < len(event):
            event = event[int(index)]
        else:
            return None
    return event


def _problems(request: dict[str, Any]) -> Iterator[str]:
    for member in set(request) - {"filterName", "filterPattern", "logGroupName", "metricTransformations"}:
        yield f"localcloud does not do {member}"
    plain = not request["filterPattern"].strip().startswith("{")
    for made in request["metricTransformations"]:
        for member in set(made) - KNOWN:
            yield f"localcloud does not do {member} of a metric transformation"
        paths = [*made.get("dimensions", {}).values(), *([made["metricValue"]] if made["metricValue"].startswith("$") else [])]
        if not made["metricValue"].startswith("$") and not NUMBER.fullmatch(made["metricValue"]):
            yield f"metricValue {made['metricValue']} is neither a number nor a path like $.rows"
        for path in paths:
            if plain or not PATH.fullmatch(path):
                yield f"localcloud does not know {path}: a value is taken by a path like $.rows from lines that a JSON pattern matched"
        if len(made.get("dimensions", {})) > 3:
            yield "a metric filter has at most 3 dimensions"


def _put_metric_filter(self: Any) -> str:
    if problem := next(_problems(request := json.loads(self.body)), None):
        raise _refused(problem)
    if request["logGroupName"] not in self.logs_backend.groups:
        raise ResourceNotFoundException
    return _moto_put_response(self)


def _put(self: Any, filter_name: str, filter_pattern: str, log_group_name: str, metric_transformations: Any) -> None:
    (made,) = metric_transformations
    new = Filter(
        matcher(filter_pattern),
        made["metricNamespace"],
        made["metricName"],
        made["metricValue"],
        made.get("dimensions", {}),
        made.get("unit", "None"),
    )
    _delete(self, filter_name, log_group_name)
    _filters.setdefault((self.account_id, self.region_name, log_group_name), {})[filter_name] = new
    _moto_put(self, filter_name, filter_pattern, log_group_name, metric_transformations)


def _delete(self: Any, filter_name: str | None = None, log_group_name: str | None = None) -> None:
    _filters.get((self.account_id, self.region_name, log_group_name or ""), {}).pop(filter_name or "", None)
    _moto_delete(self, filter_name, log_group_name)


def _put_log_events(self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]) -> Any:
    answer = _moto_put_log_events(self, log_group_name, log_stream_name, log_events)
    for known in list(_filters.get((self.account_id, self.region_name, log_group_name), {}).values()):
        for event in log_events:
            known.apply(self.account_id, self.region_name, event["message"], event["timestamp"] / 1000)
    return answer
