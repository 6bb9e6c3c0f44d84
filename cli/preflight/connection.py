"""The connection to the repository: until a person has authorised it, no push starts anything."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

import naming
from cli.preflight.finding import Finding, Visit
from pipelines.deployment.errors import code

SUBJECT = "connection"
WHERE = "a person authorises it in the console: Developer Tools, Settings, Connections"


def check(visit: Visit) -> Iterator[Finding]:
    """Whether the toolchain's connection stands and was authorised."""
    if not visit.of_toolchain:
        return
    existing = visit.config.repository.connection
    name, arn = existing or naming.connection(visit.config), existing or _arn(visit)
    if arn is None:
        yield visit.unknown(SUBJECT, f"{name} does not stand yet", f"./road deploy makes it; then {WHERE}")
        return
    status = visit.clients("codeconnections").get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"]
    if status == "AVAILABLE":
        yield visit.right(SUBJECT, f"{name} to {visit.config.repository.id} is available")
    else:
        yield visit.wrong(SUBJECT, f"{name} is {status}: no push starts anything", WHERE)


def _arn(visit: Visit) -> str | None:
    try:
        name = naming.toolchain_parameter(visit.config, "connection")
        return str(visit.clients("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if code(error) != "ParameterNotFound":
            raise
        return None
