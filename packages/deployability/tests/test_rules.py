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
from deployability.events import can_match
from deployability.findings import findings
from deployability.rule import RULES
from deployability.template import Template

assert cfn_lint
EXAMPLES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "examples.yaml").read_text())
KINDS = ("fails", "passes", "default", "intrinsic", "cross")
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


def test_every_rule_has_examples_of_every_kind() -> None:
    assert sorted(EXAMPLES) == sorted(rule.id for rule in RULES)
    assert {rule: tuple(examples) for rule, examples in EXAMPLES.items()} == dict.fromkeys(EXAMPLES, KINDS)
    assert all(isinstance(EXAMPLES[rule][kind], dict) for rule in EXAMPLES for kind in ("fails", "passes"))
    assert all("breaks" in examples["fails"] and "breaks" not in examples["passes"] for examples in EXAMPLES.values())
    assert len(RULES) == len({rule.id for rule in RULES}) > 35


def test_every_rule_is_documented() -> None:
    table = (Path(__file__).parents[1] / "README.md").read_text()

    assert [line for line in table.splitlines() if line.startswith(("| E", "| W")) and line.count("|") == 4] == [
        f"| {rule.id} | {rule.title} | {rule.absent} |" for rule in sorted(RULES, key=lambda rule: rule.id[1:])
    ]


@pytest.mark.parametrize(("name", "kind"), [(rule, kind) for rule in EXAMPLES for kind in KINDS if isinstance(EXAMPLES[rule][kind], dict)])
def test_an_example(name: str, kind: str) -> None:
    (rule,) = [rule for rule in RULES if rule.id == name]
    example = EXAMPLES[name][kind]

    assert [finding.resource for finding in rule.check(Template(template(example)))] == list(filter(None, [example.get("breaks")]))


@pytest.mark.parametrize(("least", "breaks"), [(0, []), ("0", []), (1, ["Live"])])
def test_where_there_may_be_no_instance_its_number_is_not_kept(least: int | str, breaks: list[str]) -> None:
    (rule,) = [rule for rule in RULES if rule.id == "E9060"]
    content = json.loads(json.dumps(template(EXAMPLES["E9060"]["fails"])))
    content["Resources"]["Scaling"]["Properties"]["MinCapacity"] = least

    assert [finding.resource for finding in rule.check(Template(content))] == breaks


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_finding_as_cfn_lint_tells_it(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]["fails"]

    (finding,) = [one for one in findings(written(template(example), tmp_path)) if one["rule"] == name]

    assert finding["resource"] == example["breaks"]
    assert finding["wrong"]
    assert finding["do"]


def test_a_resource_can_silence_a_rule(tmp_path: Path) -> None:
    resource = {**EXAMPLES["W9180"]["fails"]["Versions"], "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["W9180"]}}}}

    assert findings(written({"Resources": {"Versions": resource}}, tmp_path)) == []


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ({"source": "aws.sagemaker"}, "the value of source is not a list"),
        ({"detailType": ["Object Created"]}, "no event has a key 'detailType'"),
        ({"source": ["aws.codebuild"], "detail-type": ["CodePipeline Stage Execution State Change"]}, "comes from aws.codepipeline"),
        ({"detail-type": ["Sagemaker Model Package State Change"]}, "AWS writes"),
        ({"detail-type": ["CloudWatch Alarm State Change"], "detail": {"state": {"value": ["Alarm"]}}}, "state.value is never 'Alarm'"),
        ({"detail-type": ["ECR Image Action"], "detail": {"scan-status": ["COMPLETE"]}}, "scan-status is of 'ECR Image Scan'"),
        ({"source": ["ours"], "detail-type": ["Anything"], "detail": {"state": ["Failed"]}}, ""),
        ({"$or": [{"source": ["aws.s3"]}], "detail-type": ["AWS API Call via CloudTrail"]}, ""),
        ({"detail-type": ["SageMaker Endpoint State Change"], "detail": {"EndpointStatus": ["IN_SERVICE"]}}, ""),
    ],
)
def test_a_pattern_that_can_never_match(pattern: dict[str, Any], why: str) -> None:
    resource = {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern}}

    wrongs = [finding.wrong for finding in can_match(Template({"Resources": {"Rule": resource}}))]

    assert bool(wrongs) == bool(why)
    assert all(why in wrong for wrong in wrongs)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Description: caf\xe9\nResources: {}\n", "it is not UTF-8: byte 16 is 0xe9"),
        (b"Resources:\n", "its Resources are empty"),
        (b"Resources: [{Type: AWS::SNS::Topic}]\n", "its Resources are no mapping"),
        (b"Resources: {Topic: AWS::SNS::Topic}\n", "its Resources are no mapping"),
        (b"- Resources\n", "it is no mapping"),
        (b"", "it has no Resources"),
        (b'{"Resources": {', "line 2: "),
        (b"Resources:\n  A: {\n", "line 3: "),
    ],
)
def test_what_is_no_template_is_refused_in_a_line(content: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_bytes(content)

    with pytest.raises(ValueError, match=f"^{why}") as refused:
        findings(file)
    assert "\n" not in str(refused.value)
    assert "{" not in str(refused.value)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_rules_bear_any_template(data: st.DataObject) -> None:
    """Whatever stands where a rule looks, it never fails over it."""
    content = json.loads(json.dumps(data.draw(st.sampled_from([template(e["fails"])["Resources"] for e in EXAMPLES.values()]))))
    places = [(r["Properties"], key) for r in content.values() for key in r.get("Properties", {})]
    for place, key in data.draw(st.lists(st.sampled_from(places), max_size=3)) if places else ():
        place[key] = data.draw(JSON)

    for rule in RULES:
        for finding in rule.check(Template({"Resources": content})):
            assert finding.resource in content


def template(example: dict[str, Any]) -> dict[str, Any]:
    """The whole template of an example: resources are those with a capital."""
    resources = {name: resource for name, resource in example.items() if name[0].isupper()}
    return {"Parameters": example.get("parameters", {}), "Outputs": example.get("outputs", {}), "Resources": resources}


def written(content: dict[str, Any], folder: Path) -> Path:
    file = folder / "template.json"
    file.write_text(json.dumps(content))
    return file
