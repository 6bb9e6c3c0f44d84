"""The rules as cfn-lint takes them: `cfn-lint --append-rules deployability.cfn_lint -- TEMPLATE`."""

from __future__ import annotations

from cfnlint.rules import CloudFormationLintRule, RuleMatch  # type: ignore[import-untyped]
from cfnlint.template import Template as Linted  # type: ignore[import-untyped]

from deployability import access, availability, dead_letters, delivery, endpoints, events, images, lifecycle, logs  # noqa: F401 - registers
from deployability.rule import RULES, Rule
from deployability.template import Template


def _class(rule: Rule) -> type[CloudFormationLintRule]:
    def match(_: CloudFormationLintRule, linted: Linted) -> list[RuleMatch]:
        found = list(rule.check(Template(linted.template)))
        return [RuleMatch(one.path, f"{one.resource}: {one.wrong}: {one.do}", finding=one) for one in found]

    facts = {"id": rule.id, "shortdesc": rule.title, "description": rule.title, "tags": ["deployability"], "match": match}
    return type(rule.id, (CloudFormationLintRule,), {**facts, "__module__": __name__})


globals().update({rule.id: _class(rule) for rule in RULES})
