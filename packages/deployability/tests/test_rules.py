"""Each rule sees its hazard and only that, on any template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployability import cfn_lint
from deployability.findings import findings
from deployability.rule import RULES
from deployability.template import Template

assert cfn_lint
EXAMPLES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "examples.yaml").read_text())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["Ref", "Allow", "CANARY", "1.5", "${A}", "#{"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Ref", "Fn::If", "Fn::Sub", "Fn::GetAtt", "Statement", "Principal", "Action", "Type"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


def test_every_rule_has_examples() -> None:
    assert sorted(EXAMPLES) == sorted(rule.id for rule in RULES)
    assert len(RULES) == len({rule.id for rule in RULES}) > 20


def test_every_rule_is_documented() -> None:
    table = (Path(__file__).parents[1] / "README.md").read_text()

    assert [line for line in table.splitlines() if line.startswith(("| E", "| W"))] == [
        f"| {rule.id} | {rule.title} |" for rule in sorted(RULES, key=lambda rule: rule.id[1:])
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_failing_example(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]

    (found,) = findings(_written(example["failing"], tmp_path))

    assert (found["rule"], found["resource"]) == (name, example["breaks"])
    assert found["wrong"]
    assert found["do"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_passing_example(name: str, tmp_path: Path) -> None:
    assert findings(_written(EXAMPLES[name]["passing"], tmp_path)) == []


def test_a_resource_can_silence_a_rule(tmp_path: Path) -> None:
    resource = {**EXAMPLES["W9180"]["failing"]["Versions"], "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["W9180"]}}}}

    assert findings(_written({"Versions": resource}, tmp_path)) == []


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_rules_bear_any_template(data: st.DataObject) -> None:
    """Whatever stands where a rule looks, it never fails over it."""
    content = json.loads(json.dumps(data.draw(st.sampled_from([e["failing"] for e in EXAMPLES.values()]))))
    places = [(r["Properties"], key) for r in content.values() for key in r["Properties"]]
    for place, key in data.draw(st.lists(st.sampled_from(places), max_size=3)) if places else ():
        place[key] = data.draw(JSON)

    for rule in RULES:
        for finding in rule.check(Template({"Resources": content})):
            assert finding.resource in content


def _written(resources: dict[str, Any], folder: Path) -> Path:
    file = folder / "template.json"
    file.write_text(json.dumps({"Resources": resources}))
    return file
