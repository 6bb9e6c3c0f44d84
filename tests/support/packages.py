"""A registered version of the reference model."""

from __future__ import annotations

from pipelines.deployment.package import Package
from tests.support import sample

PACKAGE = Package(
    arn=f"{sample.ARN}/7",
    image=f"{sample.REPOSITORY}@sha256:1",
    data="s3://artifacts/runs/1/model.tar.gz",
    status="Approved",
    approval="",
)
