"""Facts of the reference model's registry, and how a test's AWS comes to know them."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

import naming
from pipelines.deployment.facts import DataSet, Facts
from tests.reference import CONFIG, MODEL
from tests.support import sample

HOME = CONFIG.toolchain
KEY = f"arn:aws:kms:{HOME.region}:{HOME.id}:key/11111111-2222-3333-4444-555555555555"
FACTS = Facts(
    data_bucket=naming.data_bucket(CONFIG, MODEL),
    artifacts_bucket=naming.artifacts_bucket(CONFIG, MODEL),
    training_role=f"arn:aws:iam::{HOME.id}:role/{naming.training_role(CONFIG, MODEL)}",
    image_repository=sample.REPOSITORY,
    key=KEY,
    evidence_key=KEY,
    release_key=KEY,
)


def parameters_of(facts: Facts, data: DataSet | None = None) -> dict[str, str]:
    """The SSM parameters that tell them, and the pointer to a data set that `road data put` writes. What is empty is no parameter."""
    values = {field.name: value for field in fields(facts) if field.name != "data" and (value := getattr(facts, field.name))}
    if data:
        values["data"] = json.dumps({**asdict(data), "bytes": 1})
    return {naming.parameter(CONFIG, MODEL, name.replace("_", "-")): value for name, value in values.items()}


def put_facts(ssm: Any, facts: Facts = FACTS, data: DataSet | None = None) -> Facts:
    """Write them as the registry's stack does."""
    for name, value in parameters_of(facts, data).items():
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    return facts
