"""`road deploy`: what must stand on the fork's own accounts before a push can start: the toolchain, the registries and the pipelines."""

from __future__ import annotations

import os

import boto3
from botocore.exceptions import ClientError

import naming
from cli import cdk, configuration, output, target
from cli.progress import Progress
from config import CONFIG

UNKNOWN = "its status could not be read"
WHERE = "in the console: Developer Tools, Settings, Connections"


def deploy(*, json: output.Json = False) -> None:
    """Deploy what a push needs to your own accounts: toolchain, registries and pipelines. Everything else is deployed by pushes."""
    configuration.must_be_real(CONFIG)
    session = target.of_account(CONFIG.toolchain)
    with Progress() as progress, progress.step(f"deploy to {CONFIG.toolchain.id}"):
        cdk.deploy_before_a_push(env={**os.environ, **cdk.QUIET}, log=cdk.log_file("deploy"))
    status = _connection(session)
    name = CONFIG.repository.connection or naming.connection(CONFIG)
    sentence = f"toolchain, registries and pipelines stand in {CONFIG.toolchain.id}"
    if status != "AVAILABLE":
        sentence += f"; a person must authorise the connection {name} ({status}) {WHERE}"
    output.show(sentence, {"account": CONFIG.toolchain.id, "connection": name, "connection_status": status}, json=json)


def _connection(session: boto3.Session) -> str:
    """The status of the connection to the repository; UNKNOWN where these credentials may not ask."""
    try:
        arn = session.client("ssm").get_parameter(Name=naming.toolchain_parameter(CONFIG, "connection"))["Parameter"]["Value"]
        return str(session.client("codeconnections").get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"])
    except ClientError:
        return UNKNOWN
