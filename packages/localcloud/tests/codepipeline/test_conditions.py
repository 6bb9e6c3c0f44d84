"""A stage is entered where its entry condition holds; it is skipped or fails elsewhere."""

from __future__ import annotations

import pytest
from answers import answer
from botocore.exceptions import ClientError

from localcloud.codepipeline import conditions, variables
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.pipelines import Json, actions, approvals, approve, create, definition, ended, token, upload
from localcloud.testing.waiting import until

aws = pytest.mark.aws("a stage is skipped, or fails, by its entry condition")


def rule(variable: str, value: str, operator: str = "EQ", **more: str) -> Json:
    kind = {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"}
    return {"name": "Wanted", "ruleTypeId": kind, "configuration": {"Variable": variable, "Value": value, "Operator": operator, **more}}


def entry(*rules: Json, result: str = "SKIP") -> Json:
    return {"conditions": [{"result": result, "rules": list(rules)}]}


def conditional(cloud: Accounts, name: str, condition: Json) -> None:
    """Two approvals, First and Second, of which the second has a condition."""
    pipeline = approvals(cloud, name, mode="QUEUED")
    pipeline["stages"][2]["beforeEntry"] = condition
    create(cloud, pipeline)


def start(cloud: Accounts, name: str, cause: str) -> str:
    started = cloud.client("codepipeline").start_pipeline_execution(name=name, variables=[{"name": "cause", "value": cause}])
    return str(started["pipelineExecutionId"])


def state(cloud: Accounts, name: str, stage: str) -> Json:
    stages: list[Json] = cloud.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
    return next(state for state in stages if state["stageName"] == stage)


def retried(cloud: Accounts, name: str, stage: str, execution: str, mode: str) -> str:
    """What becomes of a retry."""
    where = {"pipelineName": name, "stageName": stage, "pipelineExecutionId": execution, "retryMode": mode}
    return answer(cloud.client("codepipeline").retry_stage_execution, **where)


@aws
def test_a_stage_whose_condition_does_not_hold_is_skipped_and_the_execution_goes_on(cloud: Accounts, name: Name) -> None:
    called = name("p")
    conditional(cloud, called, entry(rule("#{variables.cause}", "go")))
    execution = start(cloud, called, "stay")
    approve(cloud, called, "First")

    assert ended(cloud, called, execution) == "Succeeded"

    assert list(actions(cloud, called, execution)) == ["Source", "First"]
    second = state(cloud, called, "Second")
    latest = second["latestExecution"]
    assert (latest["pipelineExecutionId"], latest["status"]) == (execution, "Skipped")
    assert "latestExecution" not in second["actionStates"][0]
    judged = second["beforeEntryConditionState"]
    assert judged["latestExecution"]["status"] == "Failed"
    (condition,) = judged["conditionStates"]
    assert condition["latestExecution"]["status"] == "Failed"
    (wanted,) = condition["ruleStates"]
    assert (wanted["ruleName"], wanted["latestExecution"]["status"]) == ("Wanted", "Failed")
    assert retried(cloud, called, "Second", execution, "ALL_ACTIONS") == "StageNotRetryableException"

    going = start(cloud, called, "go")
    approve(cloud, called, "First")
    assert approve(cloud, called, "Second") == going
    assert ended(cloud, called, going) == "Succeeded"
    assert state(cloud, called, "Second")["beforeEntryConditionState"]["latestExecution"]["status"] == "Succeeded"


@aws
def test_a_condition_that_fails_fails_its_stage(cloud: Accounts, name: Name) -> None:
    called = name("p")
    conditional(cloud, called, entry(rule("#{variables.cause}", "go"), result="FAIL"))
    execution = start(cloud, called, "stay")
    approve(cloud, called, "First")

    assert ended(cloud, called, execution) == "Failed"

    second = state(cloud, called, "Second")
    assert (second["latestExecution"]["pipelineExecutionId"], second["latestExecution"]["status"]) == (execution, "Failed")
    assert second["beforeEntryConditionState"]["latestExecution"]["status"] == "Failed"


@pytest.mark.laptop("what AWS makes of a variable without a value, and of a retry, is not documented; the wording is localcloud's")
@pytest.mark.parametrize(
    ("condition", "judged", "why"),
    [
        (
            entry(rule("#{variables.cause}", "go"), result="FAIL"),
            "Failed",
            "rule Wanted: #{variables.cause} is 'stay': EQ 'go' does not hold",
        ),
        (entry(rule("#{Nothing.WORD}", "go")), "Errored", "variable #{Nothing.WORD} has no value"),
    ],
)
def test_why_a_stage_was_not_entered(cloud: Accounts, name: Name, condition: Json, judged: str, why: str) -> None:
    called = name("p")
    conditional(cloud, called, condition)
    execution = start(cloud, called, "stay")
    approve(cloud, called, "First")

    assert ended(cloud, called, execution) == "Failed"

    about = state(cloud, called, "Second")["beforeEntryConditionState"]["latestExecution"]
    assert (about["status"], why in about["summary"]) == (judged, True)
    assert retried(cloud, called, "Second", execution, "FAILED_ACTIONS") == "StageNotRetryableException"


@aws
def test_what_a_skipped_stage_would_have_set_has_no_value(cloud: Accounts, role: str, name: Name) -> None:
    called = name("p")
    pipeline = definition(called, role)
    pipeline["stages"][1]["beforeEntry"] = entry(rule("#{variables.cause}", "other"))
    pipeline["stages"][2]["actions"][0]["configuration"] = {"CustomData": "#{Build.WORD}"}
    upload(cloud, called, "unset")
    create(cloud, pipeline)

    execution = start(cloud, called, "this")

    assert ended(cloud, called, execution) == "Failed"
    failed = actions(cloud, called, execution)
    assert list(failed) == ["Source", "Approval"]
    assert "Build.WORD" in failed["Approval"]["output"]["executionResult"]["errorDetails"]["message"]


@aws
def test_a_condition_is_judged_when_its_turn_has_come(cloud: Accounts, role: str, name: Name) -> None:
    """It may ask for what the stage before it has set, and waits for its place in the queue as any stage does."""
    called = name("p")
    pipeline = definition(called, role)
    pipeline["stages"][2]["beforeEntry"] = entry(rule("#{Build.WORD}", "yes-it"))
    upload(cloud, called, "yes")
    create(cloud, pipeline)
    first = start(cloud, called, "it")
    waiting = until(lambda: token(cloud, called))
    upload(cloud, called, "no")

    second = start(cloud, called, "it")

    until(lambda: "inboundExecution" in state(cloud, called, "Approval"))
    assert state(cloud, called, "Approval")["inboundExecution"]["pipelineExecutionId"] == second
    assert token(cloud, called) == waiting
    approve(cloud, called, "Approval")
    assert [ended(cloud, called, execution) for execution in (first, second)] == ["Succeeded", "Succeeded"]
    assert "Approval" not in actions(cloud, called, second)
    assert "Last" in actions(cloud, called, second)


@pytest.mark.laptop("rules are judged by a function")
@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ([rule("#{a.b}", "yes")], "Succeeded"),
        ([rule("#{a.b}", "Yes")], "Failed"),
        ([rule("#{a.b}", "no", "NE")], "Succeeded"),
        ([rule("#{a.b}", "yes", "NE")], "Failed"),
        ([rule("#{a.b}", "e", "CONTAINS")], "Succeeded"),
        ([rule("#{a.b}", "o", "CONTAINS")], "Failed"),
        ([rule("#{a.b}", "y.*", "MATCHES")], "Succeeded"),
        ([rule("#{a.b}", "y", "MATCHES")], "Failed"),
        ([rule("#{a.b}-#{a.c}", "yes-no")], "Succeeded"),
        ([rule("#{a.b}", "#{a.b}")], "Succeeded"),
        ([rule("#{a.b}", "yes"), rule("#{a.c}", "yes")], "Failed"),
        ([rule("#{a.b}", "yes"), rule("#{a.d}", "yes")], "Errored"),
    ],
)
def test_a_condition_holds_where_all_its_rules_do(rules: list[Json], status: str) -> None:
    run = conditions.judge({"beforeEntry": entry(*rules)}, lambda text: variables.resolve(text, {"a": {"b": "yes", "c": "no"}}))

    assert run
    assert run.status == status


RULE = rule("#{variables.cause}", "go")


@pytest.mark.laptop("what localcloud does not do is among it, and the wording is localcloud's")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"beforeEntry": entry(RULE, result="ROLLBACK")}, "its result is ROLLBACK: it may be FAIL or SKIP"),
        ({"beforeEntry": {"conditions": [{"rules": [RULE]}]}}, "its result is None"),
        ({"beforeEntry": {"conditions": [{"result": "SKIP"}]}}, "it has no rules"),
        ({"beforeEntry": {"conditions": entry(RULE)["conditions"] * 2}}, "between 1 and 1"),
        ({"beforeEntry": entry(*[RULE] * 6)}, "between 1 and 5"),
        (
            {"beforeEntry": entry(RULE | {"ruleTypeId": {"category": "Rule", "provider": "DeploymentWindow"}})},
            "does not run DeploymentWindow 1",
        ),
        ({"beforeEntry": entry(RULE | {"configuration": {"Variable": "x"}})}, "its configuration has Variable"),
        ({"beforeEntry": entry(rule("x", "y", "GT"))}, "Operator is GT: it may be EQ, NE, CONTAINS, MATCHES"),
        ({"beforeEntry": entry(rule("x", "(", "MATCHES"))}, "cannot read the regular expression"),
        ({"onSuccess": entry(RULE, result="FAIL")}, "does not honour onSuccess"),
        ({"onFailure": {"result": "ROLLBACK"}}, "does not honour onFailure"),
    ],
)
def test_conditions_that_are_not_taken_are_refused(cloud: Accounts, role: str, change: Json, why: str) -> None:
    odd = definition("odd", role, paths="x/**")
    odd["stages"][1].update(change)

    with pytest.raises(ClientError, match=why):
        cloud.client("codepipeline").create_pipeline(pipeline=odd)
