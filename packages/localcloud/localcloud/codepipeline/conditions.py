"""Entry conditions: a stage is entered where all rules of its condition hold; elsewhere it is skipped, or fails."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.codepipeline.variables import NoValue
from localcloud.core.errors import invalid

RESULTS = ("SKIP", "FAIL")
KEYS = {"Variable", "Value", "Operator"}
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "EQ": lambda variable, value: variable == value,
    "NE": lambda variable, value: variable != value,
    "CONTAINS": lambda variable, value: value in variable,
    "MATCHES": lambda variable, value: re.fullmatch(value, variable) is not None,
}


@dataclass(frozen=True, kw_only=True)
class RuleRun:
    """How one rule was judged. `status` is Succeeded or Failed; `error` is why it could not be judged at all."""

    name: str
    status: str
    summary: str
    error: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, kw_only=True)
class ConditionRun:
    """How a condition was judged: Succeeded, Failed, or Errored where a rule could not be judged. `result` is what follows from Failed."""

    rules: tuple[RuleRun, ...]
    result: str
    ended: float = field(default_factory=time.time)

    @property
    def status(self) -> str:
        if any(rule.error for rule in self.rules):
            return "Errored"
        return "Failed" if any(rule.status == "Failed" for rule in self.rules) else "Succeeded"

    @property
    def summary(self) -> str:
        """What did not hold; empty where all did."""
        return "; ".join(rule.error or rule.summary for rule in self.rules if rule.status == "Failed")


def check(stage: Mapping[str, Any]) -> None:
    """Raise an AWS error for an entry condition that CodePipeline does not take, or localcloud does not judge."""
    for condition in stage.get("beforeEntry", {}).get("conditions", []):
        where = f"stage {stage['name']}, entry condition"
        if condition.get("result") not in RESULTS:
            raise invalid(f"{where}: its result is {condition.get('result')}: it may be FAIL or SKIP")
        if not condition.get("rules"):
            raise invalid(f"{where}: it has no rules: it needs one to five")
        for rule in condition["rules"]:
            _check_rule(rule, f"{where}, rule {rule['name']}")


def judge(stage: Mapping[str, Any], resolve: Callable[[str], str]) -> ConditionRun | None:
    """Judge a stage's entry condition, if it has one; `resolve` puts values in the place of variables."""
    if "beforeEntry" not in stage:
        return None
    (condition,) = stage["beforeEntry"]["conditions"]
    return ConditionRun(rules=tuple(_judge_rule(rule, resolve) for rule in condition["rules"]), result=condition["result"])


def _check_rule(rule: Mapping[str, Any], where: str) -> None:
    kind, configuration = rule["ruleTypeId"], rule.get("configuration", {})
    if kind["provider"] != "VariableCheck" or kind.get("version", "1") != "1":
        raise invalid(f"{where}: localcloud does not run {kind['provider']} {kind.get('version', '1')}: it runs VariableCheck 1")
    if set(configuration) != KEYS:
        raise invalid(f"{where}: its configuration has {', '.join(sorted(configuration)) or 'nothing'}: it takes {', '.join(sorted(KEYS))}")
    if configuration["Operator"] not in OPERATORS:
        raise invalid(f"{where}: Operator is {configuration['Operator']}: it may be {', '.join(OPERATORS)}")
    if configuration["Operator"] == "MATCHES":
        try:
            re.compile(configuration["Value"])
        except re.error as problem:
            raise invalid(f"{where}: localcloud cannot read the regular expression {configuration['Value']}: {problem}") from None


def _judge_rule(rule: Mapping[str, Any], resolve: Callable[[str], str]) -> RuleRun:
    name, configuration = rule["name"], rule["configuration"]
    operator = configuration["Operator"]
    try:
        variable, value = resolve(configuration["Variable"]), resolve(configuration["Value"])
        holds = OPERATORS[operator](variable, value)
    except (NoValue, re.error) as problem:
        return RuleRun(name=name, status="Failed", summary="", error=f"rule {name}: {problem}")
    summary = f"rule {name}: {configuration['Variable']} is {variable!r}: {operator} {value!r} {'holds' if holds else 'does not hold'}"
    return RuleRun(name=name, status="Succeeded" if holds else "Failed", summary=summary)
