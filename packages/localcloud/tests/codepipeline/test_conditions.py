"""A stage is entered where its entry condition holds; it is skipped or fails elsewhere."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localcloud.codepipeline import conditions, variables
from localcloud.testing.pipelines import Json, Push, actions, approvals, approve, create, definition, ended, token
from localcloud.testing.running import Running
from localcloud.testing.waiting import until


def rule(variable: str, value: str, operator: str = "EQ", **more: str) -> Json:
    kind = {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"}
    return {"name": "Wanted", "ruleTypeId": kind, "configuration": {"Variable": variable, "Value": value, "Operator": operator, **more}}


def entry(*rules: Json, result: str = "SKIP") -> Json:
    return {"conditions": [{"result": result, "rules": list(rules)}]}


def conditional(cloud: Running, name: str, condition: Json) -> None:
    """Two approvals, First and Second, of which the second has a condition."""
    pipeline = approvals(cloud, name, mode="QUEUED")
    pipeline["stages"][1]["beforeEntry"] = condition
    create(cloud, pipeline)


def start(cloud: Running, name: str, cause: str) -> str:
    started = cloud.client("codepipeline").start_pipeline_execution(name=name, variables=[{"name": "cause", "value": cause}])
    return str(started["pipelineExecutionId"])


def state(cloud: Running, name: str, number: int) -> Json:
    described: Json = cloud.client("codepipeline").get_pipeline_state(name=name)["stageStates"][number]
    return described


def test_a_stage_whose_condition_does_not_hold_is_skipped_and_the_execution_goes_on(cloud: Running) -> None:
    conditional(cloud, "skips", entry(rule("#{variables.cause}", "go")))
    execution = start(cloud, "skips", "stay")
    approve(cloud, "skips", "First")

    assert ended(cloud, "skips", execution) == "Succeeded"

    assert list(actions(cloud, "skips", execution)) == ["First"]
    second = state(cloud, "skips", 1)
    assert second["latestExecution"] == {"pipelineExecutionId": execution, "status": "Skipped"}
    assert "latestExecution" not in second["actionStates"][0]
    judged = second["beforeEntryConditionState"]
    assert judged["latestExecution"]["status"] == "Failed"
    (condition,) = judged["conditionStates"]
    assert condition["latestExecution"]["status"] == "Failed"
    (wanted,) = condition["ruleStates"]
    assert (wanted["ruleName"], wanted["latestExecution"]["status"]) == ("Wanted", "Failed")
    assert wanted["latestExecution"]["summary"] == "rule Wanted: #{variables.cause} is 'stay': EQ 'go' does not hold"
    with pytest.raises(ClientError, match="StageNotRetryableException"):
        cloud.client("codepipeline").retry_stage_execution(
            pipelineName="skips", stageName="Second", pipelineExecutionId=execution, retryMode="ALL_ACTIONS"
        )

    going = start(cloud, "skips", "go")
    approve(cloud, "skips", "First")
    assert approve(cloud, "skips", "Second") == going
    assert ended(cloud, "skips", going) == "Succeeded"
    assert state(cloud, "skips", 1)["beforeEntryConditionState"]["latestExecution"] == {"status": "Succeeded"}


@pytest.mark.parametrize(
    ("name", "condition", "judged", "why"),
    [
        ("fails", entry(rule("#{variables.cause}", "go"), result="FAIL"), "Failed", "EQ 'go' does not hold"),
        ("errs", entry(rule("#{Nothing.WORD}", "go")), "Errored", "variable #{Nothing.WORD} has no value"),
    ],
)
def test_a_condition_that_fails_or_cannot_be_judged_fails_its_stage(
    cloud: Running, name: str, condition: Json, judged: str, why: str
) -> None:
    conditional(cloud, name, condition)
    execution = start(cloud, name, "stay")
    approve(cloud, name, "First")

    assert ended(cloud, name, execution) == "Failed"

    second = state(cloud, name, 1)
    assert second["latestExecution"] == {"pipelineExecutionId": execution, "status": "Failed"}
    about = second["beforeEntryConditionState"]["latestExecution"]
    assert about["status"] == judged
    assert why in about["summary"]
    with pytest.raises(ClientError, match="StageNotRetryableException"):
        cloud.client("codepipeline").retry_stage_execution(
            pipelineName=name, stageName="Second", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
        )


def test_what_a_skipped_stage_would_have_set_has_no_value(cloud: Running, role: str, push: Push) -> None:
    pipeline = definition("unset", role, paths="unset/**")
    pipeline["stages"][1]["beforeEntry"] = entry(rule("#{Source.BranchName}", "other"))
    pipeline["stages"][2]["actions"][0]["configuration"] = {"CustomData": "#{Build.WORD}"}
    create(cloud, pipeline)
    push("word.txt", "unset")

    execution = cloud.client("codepipeline").start_pipeline_execution(name="unset")["pipelineExecutionId"]

    assert ended(cloud, "unset", execution) == "Failed"
    failed = actions(cloud, "unset", execution)
    assert list(failed) == ["Source", "Approval"]
    assert failed["Approval"]["output"]["executionResult"]["errorDetails"]["message"] == "variable #{Build.WORD} has no value"


def test_a_condition_is_judged_when_its_turn_has_come(cloud: Running, role: str, push: Push) -> None:
    """It may ask for what the stage before it has set, and waits for its place in the queue as any stage does."""
    pipeline = definition("asks", role, paths="asks/**")
    pipeline["stages"][2]["beforeEntry"] = entry(rule("#{Build.WORD}", "yes-push"))
    create(cloud, pipeline)
    push("word.txt", "yes")
    first = cloud.client("codepipeline").start_pipeline_execution(name="asks")["pipelineExecutionId"]
    waiting = until(lambda: token(cloud, "asks"))
    push("word.txt", "no")

    second = cloud.client("codepipeline").start_pipeline_execution(name="asks")["pipelineExecutionId"]

    until(lambda: "inboundExecution" in state(cloud, "asks", 2))
    assert state(cloud, "asks", 2)["inboundExecution"]["pipelineExecutionId"] == second
    assert token(cloud, "asks") == waiting
    approve(cloud, "asks", "Approval")
    assert [ended(cloud, "asks", execution) for execution in (first, second)] == ["Succeeded", "Succeeded"]
    assert "Approval" not in actions(cloud, "asks", second)
    assert "Last" in actions(cloud, "asks", second)


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
def test_conditions_that_are_not_taken_are_refused(cloud: Running, role: str, change: Json, why: str) -> None:
    odd = definition("odd", role, paths="x/**")
    odd["stages"][1].update(change)

    with pytest.raises(ClientError, match=why):
        cloud.client("codepipeline").create_pipeline(pipeline=odd)
