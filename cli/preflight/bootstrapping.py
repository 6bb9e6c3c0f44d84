"""CDK's bootstrap: there, new enough, under the fork's qualifier, and trusting the toolchain's account, without which no stage deploys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

import naming
from cli.preflight.finding import Finding, Visit
from pipelines.deployment.errors import code

LEAST = 8  # with which the lookup role came; "AWS CDK bootstrapping", the history of the template
ROLES = ("deploy", "file-publishing", "lookup")  # that the road takes in an environment's account
SUBJECT = "bootstrap"


def check(visit: Visit) -> Iterator[Finding]:
    """The version of the bootstrap stack, and whom its roles trust."""
    qualifier, command = visit.config.qualifier, f"AWS_PROFILE=… ./road bootstrap {visit.account.id}"
    version = _version(visit)
    if version is None:
        others = ", ".join(_qualifiers(visit)) or "none"
        state = f"there is none with the qualifier {qualifier}; qualifiers there: {others}"
        yield visit.wrong(SUBJECT, state, f"{command}, or set `qualifier` in config.py to that of your firm's bootstrap")
        return
    if version < LEAST:
        yield visit.wrong(SUBJECT, f"version {version}, and {LEAST} is needed", command)
    else:
        yield visit.right(SUBJECT, f"version {version}, qualifier {qualifier}")
    if visit.account.id != visit.config.toolchain.id:
        yield from _trust(visit, command)


def _version(visit: Visit) -> int | None:
    try:
        return int(visit.clients("ssm").get_parameter(Name=f"/cdk-bootstrap/{visit.config.qualifier}/version")["Parameter"]["Value"])
    except ClientError as error:
        if code(error) != "ParameterNotFound":
            raise
        return None


def _qualifiers(visit: Visit) -> list[str]:
    of_bootstrap = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/cdk-bootstrap/"]}]
    pages = visit.clients("ssm").get_paginator("describe_parameters").paginate(ParameterFilters=of_bootstrap)
    return sorted({parameter["Name"].split("/")[2] for page in pages for parameter in page["Parameters"]})


def _trust(visit: Visit, command: str) -> Iterator[Finding]:
    home = visit.config.toolchain.id
    distrustful = [name for name in _roles(visit) if not _trusts(visit.clients("iam").get_role(RoleName=name)["Role"], home)]
    if distrustful:
        yield visit.wrong("trust", f"{', '.join(distrustful)} may not be taken from account {home}", command)
    else:
        yield visit.right("trust", f"account {home} may deploy here")


def _roles(visit: Visit) -> list[str]:
    return [naming.bootstrap_role(visit.config, kind, visit.account) for kind in ROLES]


def _trusts(role: dict[str, Any], account: str) -> bool:
    """Whether a principal of the account may take the role, as its trust policy says."""
    for statement in role["AssumeRolePolicyDocument"]["Statement"]:
        principals = statement.get("Principal", {})
        arns = principals if isinstance(principals, str) else principals.get("AWS", [])
        named = [arns] if isinstance(arns, str) else arns
        if statement["Effect"] == "Allow" and any(arn == account or f":{account}:" in arn for arn in named):
            return True
    return False
