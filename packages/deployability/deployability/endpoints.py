"""Endpoints: what SageMaker refuses of a deployment policy, and what it silently undoes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from deployability.instances import has_local_storage
from deployability.rule import Finding, rule
from deployability.template import Properties, Template, conditional, filled, get, items, number, options, words

COMPONENT = "AWS::SageMaker::InferenceComponent"
UNLIMITED = "nothing limits how long its containers may take to get healthy: a broken one holds the deployment for an hour"
ENDPOINT, CONFIG, MODEL = "AWS::SageMaker::Endpoint", "AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Model"
ALARM, TARGET = "AWS::CloudWatch::Alarm", "AWS::ApplicationAutoScaling::ScalableTarget"
BLUE_GREEN = ("DeploymentConfig", "BlueGreenUpdatePolicy")
ROUTING = (*BLUE_GREEN, "TrafficRoutingConfiguration")
ALARMS = ("DeploymentConfig", "AutoRollbackConfiguration", "Alarms")
PER_VARIANT = {
    *("Invocations", "InvocationsPerInstance", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors"),
    *("ModelLatency", "OverheadLatency", "ModelSetupTime", "ConcurrentRequestsPerModel", "ConcurrentRequestsPerCopy"),
}


@rule(
    "E9020",
    "Models and endpoint configurations have no fixed name",
    absent="without a name CloudFormation makes a new one for each replacement",
)
def fixed_name(template: Template) -> Iterator[Finding]:
    for kind, key in ((MODEL, "ModelName"), (CONFIG, "EndpointConfigName")):
        for name, properties in template.of(kind):
            text = words(properties[key]) if key in properties else ""
            if text and _fixed(text):
                wrong = (
                    f"{key} is always {text!r}, but the resource can only be replaced: a change collides with itself or is not picked up"
                )
                yield Finding(name, wrong, "leave the name out, or put a hash of the content into it", (key,))
            elif re.search(r"20\d{6}|20\d\d-\d\d-\d\d|\b1[6-9]\d{8}\b", text):
                wrong = f"{key} is made of the time ({text!r}): every synth replaces the resource"
                yield Finding(name, wrong, "leave the name out, or put a hash of the content into it", (key,))


def _fixed(text: str) -> bool:
    changing = [name for name in filled(text) if not name.startswith("AWS::")]
    hashed = any(re.search("[a-f]", part) and re.search(r"\d", part) for part in re.findall(r"[0-9a-f]{8,}", text))
    return not changing and not hashed and not re.search(r"20\d{6}|20\d\d-\d\d-\d\d|\b1[6-9]\d{8}\b", text)


@rule("W9021", "What an endpoint may return to outlives its replacement", absent="UpdateReplacePolicy left out is Delete")
def replaced_is_kept(template: Template) -> Iterator[Finding]:
    for endpoint, properties in template.of(ENDPOINT):
        if get(properties, "DeploymentConfig") is None:
            continue
        config = template.pointed(properties.get("EndpointConfigName"), CONFIG)
        models = [template.pointed(get(v, "ModelName"), MODEL) for v in items(config[1].get("ProductionVariants"))] if config else []
        for name, _ in filter(None, [config, *models]):
            if template.attribute(name, "UpdateReplacePolicy") not in ("Retain", "RetainExceptOnCreate"):
                wrong = f"it is deleted once replaced, also when SageMaker has silently rolled {endpoint} back to it"
                yield Finding(name, wrong, "set UpdateReplacePolicy: Retain")


@rule(
    "E9030",
    "A canary or linear step has a size that SageMaker accepts",
    absent="a size left out is not judged: CloudFormation's schema asks for one",
)
def step_size(template: Template) -> Iterator[Finding]:
    sizes = (("CanarySize", 1, 50), ("LinearStepSize", 10, 50))
    for name, properties in template.of(ENDPOINT):
        for key, least, most in sizes:
            value = number(get(properties, *ROUTING, key, "Value"))
            percent = get(properties, *ROUTING, key, "Type") == "CAPACITY_PERCENT"
            if value is not None and percent and not least <= value <= most:
                wrong = f"{key} is {value:g} % of the capacity: SageMaker accepts {least} to {most}"
                yield Finding(name, wrong, f"choose {least} to {most}", (*ROUTING, key))
        batch = get(properties, "DeploymentConfig", "RollingUpdatePolicy", "MaximumBatchSize")
        value = number(get(batch, "Value"))
        if value is not None and get(batch, "Type") == "CAPACITY_PERCENT" and not 5 <= value <= 50:
            wrong = f"MaximumBatchSize is {value:g} % of the capacity: SageMaker accepts 5 to 50"
            yield Finding(name, wrong, "choose 5 to 50", ("DeploymentConfig", "RollingUpdatePolicy", "MaximumBatchSize"))


@rule("E9031", "A fleet that is shifted in parts has parts", absent="InitialInstanceCount left out is 1 or serverless, and not judged")
def enough_instances(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(ENDPOINT):
        kind = get(properties, *ROUTING, "Type")
        config = template.pointed(properties.get("EndpointConfigName"), CONFIG)
        if kind not in ("CANARY", "LINEAR") or config is None:
            continue
        for variant in items(config[1].get("ProductionVariants")):
            count = number(get(variant, "InitialInstanceCount"))
            if count is not None and count < 2:
                wrong = f"{name} shifts in parts ({kind}), at most half of the fleet at a time, but the variant has {count:g} instance"
                yield Finding(config[0], wrong, "give it 2 instances, or shift ALL_AT_ONCE", ("ProductionVariants",))


@rule(
    "E9032",
    "A deployment may take as long as its waits",
    absent="MaximumExecutionTimeoutInSeconds left out is SageMaker's own; waits left out take 0 s",
)
def long_enough(template: Template) -> Iterator[Finding]:
    key = "MaximumExecutionTimeoutInSeconds"
    for name, properties in template.of(ENDPOINT):
        timeout = number(get(properties, *BLUE_GREEN, key))
        if timeout is None:
            continue
        if not 600 <= timeout <= 28800:
            yield Finding(name, f"{key} is {timeout:g}: SageMaker accepts 600 to 28800", "choose one of these", (*BLUE_GREEN, key))
            continue
        waits = _moves(get(properties, *ROUTING)) * (number(get(properties, *ROUTING, "WaitIntervalInSeconds")) or 0)
        waits += number(get(properties, *BLUE_GREEN, "TerminationWaitInSeconds")) or 0
        if timeout <= waits:
            wrong = f"{key} is {timeout:g}, but its waits alone take {waits:g} s: every deployment ends in a rollback"
            yield Finding(name, wrong, "allow the waits and the time that instances take to start", (*BLUE_GREEN, key))


def _moves(routing: Any) -> int:
    step = number(get(routing, "LinearStepSize", "Value"))
    percent = get(routing, "LinearStepSize", "Type") == "CAPACITY_PERCENT"
    linear = math.ceil(100 / step) if step and percent else 2
    return {"CANARY": 2, "LINEAR": linear}.get(str(get(routing, "Type")), 1)


@rule("E9033", "A deployment is watched by 1 to 10 alarms", absent="AutoRollbackConfiguration left out: no alarm")
def watched(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(ENDPOINT):
        alarms = items(get(properties, *ALARMS))
        shifted = get(properties, *ROUTING, "Type") in ("CANARY", "LINEAR") or get(properties, "DeploymentConfig", "RollingUpdatePolicy")
        if shifted and not alarms:
            wrong = "it shifts traffic step by step, but no alarm can stop it: a bad version arrives all the same, only later"
            yield Finding(name, wrong, "name alarms in DeploymentConfig.AutoRollbackConfiguration", ("DeploymentConfig",))
        if len(alarms) > 10:
            yield Finding(name, f"{len(alarms)} rollback alarms: SageMaker accepts 10", "name 10, or a composite alarm", ALARMS)


@rule("E9034", "Alarms on an endpoint name its variant", absent="a dimension left out is not part of the metric")
def dimensions(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(ALARM):
        for metric in [properties, *(get(m, "MetricStat", "Metric") for m in items(properties.get("Metrics")))]:
            if get(metric, "Namespace") != "AWS/SageMaker" or words(get(metric, "MetricName")) not in PER_VARIANT:
                continue
            has = {words(get(dimension, "Name")) for dimension in items(get(metric, "Dimensions"))}
            missing = sorted({"EndpointName", "VariantName"} - has)
            if missing and not has & {"InferenceComponentName", "${}"}:
                wrong = f"{get(metric, 'MetricName')} has no dimension {' and '.join(missing)}, so it never goes into ALARM"
                yield Finding(name, wrong, "name EndpointName and VariantName", ("Dimensions",) if metric is properties else ("Metrics",))


@rule(
    "E9060",
    "An autoscaled endpoint keeps its capacity when it is updated",
    absent="RetainAllVariantProperties left out is false; where there may be no instance, nothing is judged",
)
def keeps_capacity(template: Template) -> Iterator[Finding]:
    scaled = [p for _, p in template.of(TARGET) if get(p, "ScalableDimension") == "sagemaker:variant:DesiredInstanceCount"]
    if not scaled:
        return
    for name, properties in template.of(ENDPOINT):
        excluded = {words(get(one, "VariantPropertyType")) for one in items(properties.get("ExcludeRetainedVariantProperties"))}
        retained = {str(one).lower() for one in options(properties.get("RetainAllVariantProperties", False))}
        own = [target for target in scaled if _scales(template, target, name)]
        if not own or all(number(target.get("MinCapacity")) == 0 for target in own):
            continue  # a fleet of none would be kept, and a new version that has no instance proves nothing
        if retained <= {"false"} or "DesiredInstanceCount" in excluded:
            wrong = "an update sets the number of instances back to the initial one, whatever scaling had reached"
            yield Finding(
                name, wrong, "set RetainAllVariantProperties, and do not exclude DesiredInstanceCount", ("RetainAllVariantProperties",)
            )


def _scales(template: Template, target: Properties, endpoint: str) -> bool:
    """Whether a scaling target is about an endpoint: it refers to it, or names it, or depends on it."""
    text = words(target.get("ResourceId"))
    properties = dict(template.of(ENDPOINT))[endpoint]
    named = words(properties["EndpointName"]) if "EndpointName" in properties else None
    return any(one.partition(".")[0] == endpoint for one in filled(text)) or bool(named and f"endpoint/{named}/" in text)


@rule(
    "W9190",
    "A container that never gets healthy is given up in time",
    absent="ContainerStartupHealthCheckTimeoutInSeconds left out is SageMaker's own limit",
)
def startup_limit(template: Template) -> Iterator[Finding]:
    key = "ContainerStartupHealthCheckTimeoutInSeconds"
    for name, properties in template.of(CONFIG):
        for variant in items(properties.get("ProductionVariants")):
            shared = isinstance(variant, dict) and "ManagedInstanceScaling" in variant and "ModelName" not in variant
            if isinstance(variant, dict) and key not in variant and "InstanceType" in variant and not shared:
                yield Finding(name, UNLIMITED, f"set {key}", ("ProductionVariants",))
    for name, properties in template.of(COMPONENT):
        specification = properties.get("Specification")
        base = get(specification, "BaseInferenceComponentName") is not None
        if isinstance(specification, dict) and not base and get(specification, "StartupParameters", key) is None:
            yield Finding(name, UNLIMITED, f"set {key} of StartupParameters", ("Specification",))


@rule("E9200", "A key is not given for disks that it cannot encrypt", absent="without KmsKeyId no key is given")
def local_storage(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(CONFIG):
        kinds = {str(get(variant, "InstanceType")) for variant in items(properties.get("ProductionVariants"))}
        local = sorted(filter(has_local_storage, kinds))
        if "KmsKeyId" in properties and not conditional(properties["KmsKeyId"]) and local:
            wrong = f"KmsKeyId does not encrypt the local NVMe storage of {', '.join(local)}, and SageMaker refuses it there"
            yield Finding(name, wrong, "leave KmsKeyId out (the hardware encrypts that storage) or choose another type", ("KmsKeyId",))


@rule("W9101", "A serverless endpoint's image is of its own account", absent="without ServerlessConfig the endpoint has instances")
def serverless_image(template: Template) -> Iterator[Finding]:
    for config, properties in template.of(CONFIG):
        for variant in items(properties.get("ProductionVariants")):
            model = template.pointed(get(variant, "ModelName"), MODEL) if get(variant, "ServerlessConfig") is not None else None
            if model is None:
                continue
            image = re.match(r"(\d{12})\.dkr\.ecr\.", words(get(model[1], "PrimaryContainer", "Image") or ""))
            home = re.search(r"arn:[\w-]+:iam::(\d{12}):", words(model[1].get("ExecutionRoleArn")))
            if image and home and image[1] != home[1]:
                wrong = f"{config} is serverless, and its image lies in account {image[1]}, not in {home[1]}: SageMaker cannot pull it"
                yield Finding(model[0], wrong, "copy the image to a repository of the endpoint's account", ("PrimaryContainer",))
