"""Pipelines that CloudFormation creates start by themselves; another definition cancels what is under way, and may start them again."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from cloudformation_stacks import Template, deploy, reasons

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.pipelines import Json, actions, approvals, build, clone, definition, history, prepare, project, token
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

DEPLOYS = """
import boto3, sys, time
cloudformation = boto3.client("cloudformation")
template = open("template.json").read()
try:
    cloudformation.update_stack(StackName="itself", TemplateBody=template)
except Exception as problem:
    sys.exit("No updates" not in str(problem))
while cloudformation.describe_stacks(StackName="itself")["Stacks"][0]["StackStatus"] != "UPDATE_COMPLETE":
    time.sleep(0.1)
print("the stack is updated")
"""


def template(pipeline: Json, **properties: Any) -> Template:
    """A stack of one pipeline, whose properties have CloudFormation's capitals."""

    def capital(value: Any) -> Any:
        if isinstance(value, list):
            return [capital(inner) for inner in value]
        if isinstance(value, dict):
            return {name[0].upper() + name[1:]: inner if name == "configuration" else capital(inner) for name, inner in value.items()}
        return value

    return {"Resources": {"Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": {**capital(pipeline), **properties}}}}


def statuses(cloud: Accounts, name: str) -> list[tuple[str, str]]:
    """What started each execution and how far it is, newest first."""
    return [(e["trigger"]["triggerType"], e["status"]) for e in history(cloud, name)]


@pytest.mark.aws("another definition of a pipeline cancels its executions under way")
def test_a_changed_definition_cancels_and_starts_again_where_the_template_says_so(cloud: Accounts, name: Name) -> None:
    pipeline = approvals(cloud, name("p"), mode="QUEUED")
    changed = {**pipeline, "variables": [{"name": "cause", "defaultValue": "another"}]}

    assert deploy(cloud, name("s"), template(pipeline)) == "CREATE_COMPLETE", reasons(cloud, name("s"))
    assert statuses(cloud, name("p")) == [("CreatePipeline", "InProgress")]

    tags = [{"Key": "team", "Value": "x"}]
    assert deploy(cloud, name("s"), template(pipeline, Tags=tags, RestartExecutionOnUpdate=True), "UPDATE") == "UPDATE_COMPLETE"
    assert statuses(cloud, name("p")) == [("CreatePipeline", "InProgress")]

    assert deploy(cloud, name("s"), template(changed, RestartExecutionOnUpdate=True), "UPDATE") == "UPDATE_COMPLETE"
    assert statuses(cloud, name("p")) == [("StartPipelineExecution", "InProgress"), ("CreatePipeline", "Cancelled")]

    assert deploy(cloud, name("s"), template(pipeline, RestartExecutionOnUpdate=False), "UPDATE") == "UPDATE_COMPLETE"
    assert statuses(cloud, name("p")) == [("StartPipelineExecution", "Cancelled"), ("CreatePipeline", "Cancelled")]
    assert cloud.client("codepipeline").get_pipeline(name=name("p"))["pipeline"]["version"] == 3


@pytest.mark.laptop("AWS has PARALLEL mode")
def test_a_pipeline_that_is_not_taken_fails_its_stack(cloud: Accounts, name: Name) -> None:
    odd = {**approvals(cloud, name("p")), "executionMode": "PARALLEL"}

    assert deploy(cloud, name("s"), template(odd)) == "ROLLBACK_COMPLETE"

    assert "QUEUED and SUPERSEDED mode only" in reasons(cloud, name("s"))


@pytest.mark.laptop("a push is needed, and so a connection that somebody has authorised")
@pytest.mark.slow
def test_a_build_that_deploys_its_own_pipeline_sees_it_done(tmp_path_factory: Any) -> None:
    """The build goes on while its execution is cancelled, and the new definition takes the same commit from its start."""
    with Running(tmp_path_factory.mktemp("itself") / "cloud") as cloud:
        role = prepare(cloud)
        project(cloud, "deploys", ["$LOCALCLOUD_PYTHON deploy.py"], allows=[{"Action": "cloudformation:*", "Resource": "*"}])
        old = definition("itself", role, paths="none/**")
        old["stages"][1]["actions"] = [build("Update", "deploys")]
        del old["stages"][3]
        new = json.loads(json.dumps(old).replace("commit #{Source.CommitId}", "asked by the new definition"))
        folder = tmp_path_factory.mktemp("clone")
        push = clone(cloud, folder)
        (folder / "template.json").write_text(json.dumps(template(new, RestartExecutionOnUpdate=True)))
        push("deploy.py", textwrap.dedent(DEPLOYS))

        assert deploy(cloud, "itself", template(old, RestartExecutionOnUpdate=True)) == "CREATE_COMPLETE", reasons(cloud, "itself")

        until(lambda: token(cloud, "itself"))
        assert statuses(cloud, "itself") == [("StartPipelineExecution", "InProgress"), ("CreatePipeline", "Cancelled")]
        second, first = (e["pipelineExecutionId"] for e in history(cloud, "itself"))
        until(lambda: actions(cloud, "itself", first)["Update"]["status"] == "Succeeded")
        assert "the stack is updated" in cloud.lines("/aws/codebuild/deploys")
        assert list(actions(cloud, "itself", first)) == ["Source", "Update"]
        asked = actions(cloud, "itself", second)
        assert asked["Approval"]["input"]["resolvedConfiguration"] == {"CustomData": "asked by the new definition"}
        commits = [actions(cloud, "itself", e)["Source"]["output"]["outputVariables"]["CommitId"] for e in (first, second)]
        assert commits[0] == commits[1]
