"""SageMaker's quotas, against what the models can need at once: those of a new account are often lower, and raising one takes days.

A quota is of instances of one type for one use, in one account and region ("Amazon SageMaker endpoints and quotas", General Reference).
Serverless endpoints share one of requests at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cli.preflight.finding import Finding, Visit
from paved_runtime.spec import ModelSpec, Serving

SAGEMAKER = "sagemaker"
ENDPOINTS, TRAINING, PROCESSING = "endpoint usage", "training job usage", "processing job usage"
TRANSFORM = "transform job usage"
WARM = "training warm pool usage"
SPOT = "spot training job usage"
CONCURRENCY = "Maximum total concurrency across all serverless endpoints"


def check(visit: Visit) -> Iterator[Finding]:
    """Each quota that the models touch in this account."""
    quotas = _quotas(visit)
    for name, most in sorted(demand(visit).items()):
        if name not in quotas:
            advice = f"look it up: aws service-quotas list-service-quotas --service-code {SAGEMAKER}"
            yield visit.unknown(name, f"up to {most}, and Service Quotas has no such quota", advice)
        elif quotas[name][1] < most:
            code, value = quotas[name]
            ask = f"aws service-quotas request-service-quota-increase --service-code {SAGEMAKER} --quota-code {code} --desired-value {most}"
            yield visit.wrong(name, f"{value:g}, and the models can need {most} at once", ask)
        else:
            yield visit.right(name, f"{quotas[name][1]:g}, of which the models can need {most}")


def demand(visit: Visit) -> Counter[str]:
    """The most instances, or requests, by the name of their quota, all models at once, as a delivery of the platform may have them."""
    most: Counter[str] = Counter()
    for environment in visit.config.environments:
        for shared in environment.shared_endpoints if environment.account == visit.account else ():
            most[_name(shared.instance_type, ENDPOINTS)] += shared.maximum_instances
    for model in visit.models:
        if visit.of_toolchain:
            most += _to_train(model)
        for environment in visit.config.environments:
            if environment.account == visit.account and environment.name in model.serving:
                serving = model.serving[environment.name]
                most += _to_serve(serving) + _to_score(serving)
        if model.monitoring and visit.config.environments[-1].account == visit.account:
            most[_name(model.monitoring.instance_type, PROCESSING)] += model.monitoring.instances
    return most


def _to_train(model: ModelSpec) -> Counter[str]:
    """A training job, whose machines may be kept; and the processing jobs around it, one after the other: the champion's, and others where
    steps are separate.
    """
    kind, count = model.training.instance_type, model.training.instance_count
    kept = {_name(kind, WARM): count} if model.training.keep_alive_minutes else {}
    return Counter({_name(kind, SPOT if model.training.spot else TRAINING): count, _name(kind, PROCESSING): 1, **kept})


def _to_serve(serving: Serving) -> Counter[str]:
    """One endpoint at its largest: its instances; of a serverless one the requests at a time.

    While it is updated, blue/green deployments and shadows make a second fleet, rolling ones a part of it. That a second one's requests
    count beside the first's is not documented; where they do, an update fails without it.
    """
    if serving.serverless:
        return Counter({CONCURRENCY: 2 * serving.serverless.maximum_concurrency})
    if serving.component:
        return Counter()  # those of the endpoint that it shares
    fleet = serving.fleet
    assert fleet is not None, "without serverless there are instances"
    name = _name(fleet.instance_type, ENDPOINTS)
    largest = max(fleet.instances, serving.maximum_instances or 0, serving.off_hours.maximum_instances if serving.off_hours else 0)
    if serving.deployment.policy == "rolling":
        return Counter({name: largest + max(1, largest * serving.deployment.size_percent // 100)})
    return Counter({name: 2 * largest})


def _to_score(serving: Serving) -> Counter[str]:
    """A batch: one machine that reads or writes files, or those that score, one after the other."""
    table = serving.batch
    return (
        Counter({_name(table.instance_type, TRANSFORM): table.instances, _name(table.instance_type, PROCESSING): 1}) if table else Counter()
    )


def _name(instance_type: str, use: str) -> str:
    return f"{instance_type} for {use}"


def _quotas(visit: Visit) -> dict[str, tuple[str, float]]:
    """The code and the value of each quota by its name: the account's own, and AWS's default where it has none."""
    quotas = visit.clients("service-quotas")
    values: dict[str, tuple[str, float]] = {}
    for listing in ("list_aws_default_service_quotas", "list_service_quotas"):
        for page in quotas.get_paginator(listing).paginate(ServiceCode=SAGEMAKER):
            values |= {quota["QuotaName"]: (quota["QuotaCode"], quota["Value"]) for quota in page["Quotas"]}
    return values
