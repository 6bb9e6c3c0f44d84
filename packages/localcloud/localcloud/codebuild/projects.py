"""The projects that builds are made of, with the webhooks of those that a repository's host would start."""

from __future__ import annotations

from typing import Any

from localcloud.codebuild import buildspec, compute
from localcloud.core.errors import error, invalid, missing
from localcloud.core.validation import check
from localcloud.ec2 import networks

CHANGES = {"PUSH", "PULL_REQUEST_CREATED", "PULL_REQUEST_UPDATED", "PULL_REQUEST_CLOSED", "PULL_REQUEST_MERGED"}
GITLAB = CHANGES | {"PULL_REQUEST_REOPENED", "RELEASED", "WORKFLOW_JOB_QUEUED"}
HOSTED = {  # sources whose builds a host's webhook starts, which nothing here does → the events that CodeBuild's guide has of them
    "BITBUCKET": CHANGES,
    "GITHUB": GITLAB | {"PRERELEASED"},
    "GITHUB_ENTERPRISE": GITLAB | {"PRERELEASED"},
    "GITLAB": GITLAB,
    "GITLAB_SELF_MANAGED": GITLAB,
}
_projects: dict[tuple[str, str, str], dict[str, Any]] = {}


def put(account: str, region: str, project: dict[str, Any], *, webhook: dict[str, Any] | None = None) -> str:
    """Create or replace a project (CreateProject's request) and its webhook (CreateWebhook's); returns the project's ARN.

    Raises an AWS error for what cannot be honoured.
    """
    compute.check(project)
    if project["source"]["type"] in HOSTED:
        _check_hosted(project)
    else:
        buildspec.read(project)
    if webhook is not None:
        _check_webhook(project, webhook)
    _check_vpc(account, region, project)
    arn = f"arn:aws:codebuild:{region}:{account}:project/{project['name']}"
    _projects[account, region, project["name"]] = {**project, "arn": arn, **({"webhook": webhook} if webhook else {})}
    return arn


def delete(account: str, region: str, name: str) -> None:
    """Forget a project."""
    _projects.pop((account, region, name), None)


def find(account: str, region: str, name: str) -> dict[str, Any]:
    """The project of that name. Raises an AWS error."""
    if (account, region, name) not in _projects:
        raise missing(f"Project cannot be found: arn:aws:codebuild:{region}:{account}:project/{name}")
    return _projects[account, region, name]


def named(account: str, region: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """Those of the projects that exist, by name."""
    return {n: project for (a, r, n), project in _projects.items() if (a, r) == (account, region) and n in names}


def _check_hosted(project: dict[str, Any]) -> None:
    source = project["source"]
    check("codebuild", "ProjectSource", source)
    auth = source.get("auth", {})
    for missed, what in (
        (not source.get("location"), "its location, the repository's URL"),
        (auth.get("type") != "CODECONNECTIONS" or not auth.get("resource"), "auth CODECONNECTIONS with a connection as its resource"),
        (project["artifacts"]["type"] != "NO_ARTIFACTS", "artifacts NO_ARTIFACTS"),
    ):
        if missed:
            raise invalid(f"project {project['name']}: localcloud takes a source {source['type']} only with {what}")


def _check_vpc(account: str, region: str, project: dict[str, Any]) -> None:
    """Where it names a VPC, that has these subnets and groups, and the project's role may attach builds to them."""
    named = project.get("vpcConfig")
    if not named:
        return
    check("codebuild", "VpcConfig", named)
    try:
        vpc = networks.one_vpc(account, region, subnets=named["subnets"], groups=named["securityGroupIds"])
    except networks.Unknown as problem:
        raise error("InvalidInputException", f"project {project['name']}: {problem}") from problem
    if vpc != named["vpcId"]:
        raise error("InvalidInputException", f"project {project['name']}: its subnets are in {vpc}, not in {named['vpcId']}")
    lacking = networks.lacking(project["serviceRole"], region, named["subnets"], named["securityGroupIds"], service="codebuild")
    if lacking:
        raise error("InvalidInputException", f"Not authorized to perform {lacking.partition(':')[2]}: {project['serviceRole']}")


def _check_webhook(project: dict[str, Any], webhook: dict[str, Any]) -> None:
    where, kind = f"project {project['name']}, webhook", project["source"]["type"]
    if kind not in HOSTED:
        raise invalid(f"{where}: a source {kind} has none")
    check("codebuild", "FilterGroups", webhook.get("filterGroups", []))
    for group in webhook.get("filterGroups", []):
        events = [event.strip() for f in group if f["type"] == "EVENT" for event in f["pattern"].split(",")]
        if not events:
            raise invalid(f"{where}: a filter group has no filter of type EVENT")
        if unknown := sorted({*events} - HOSTED[kind]):
            raise invalid(f"{where}: {', '.join(unknown)} is no event of a source {kind}")
