"""The queue of an endpoint whose requests wait, as its callers find it."""

from __future__ import annotations

import naming
from cli.problem import Problem
from cli.target import Target
from config import CONFIG, Environment
from paved_runtime.spec import ModelSpec
from pipelines.deployment.queue import Queue


def of(aws: Target, model: ModelSpec, place: Environment) -> Queue | None:
    """The queue of a model's endpoint; None where callers wait for their answers.

    Raises:
        Problem: it is not deployed there.
    """
    if model.serving[place.name].asynchronous is None:
        return None
    session, name = aws.session(place.account), naming.environment_parameter(CONFIG, model.name, place, "queue-bucket")
    ssm = session.client("ssm")
    try:
        bucket = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound as error:
        raise Problem(f"{model.name} in {place.name}", "no queue is deployed there yet", "./road push, ./road status") from error
    runtime, s3 = session.client("sagemaker-runtime"), session.client("s3")
    return Queue(runtime=runtime, s3=s3, name=naming.endpoint(CONFIG, model.name, place), bucket=bucket)
