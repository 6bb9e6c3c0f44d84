"""What the training pipeline is defined for in tests: a first run, and one that a version in production is compared with."""

from __future__ import annotations

from dataclasses import replace

import naming
from pipelines.run import Run
from tests.reference import CONFIG, MODEL

HOME = CONFIG.toolchain
DATA_SHA256 = "b" * 64
RUN = Run(
    image_uri=f"{HOME.id}.dkr.ecr.{HOME.region}.amazonaws.com/{naming.image_repository(CONFIG, MODEL)}@sha256:{'a' * 64}",
    data_uri=f"s3://data/data/{DATA_SHA256}/data.csv",
    data_sha256=DATA_SHA256,
    commit="c" * 40,
    role=f"arn:aws:iam::{HOME.id}:role/{naming.training_role(CONFIG, MODEL)}",
    key=f"arn:aws:kms:{HOME.region}:{HOME.id}:key/11111111-2222-3333-4444-555555555555",
    artifacts="s3://artifacts",
    region=HOME.region,
)
CHAMPIONED = replace(
    RUN,
    champion_arn=f"arn:aws:sagemaker:{HOME.region}:{HOME.id}:model-package/{naming.model_package_group(CONFIG, MODEL)}/6",
    champion_image_uri=RUN.image_uri.replace("a" * 64, "d" * 64),
    champion_model_uri="s3://artifacts/runs/r1/train/pipelines-r1-Train-x/output/model.tar.gz",
)
LOOKING_UP = replace(
    CHAMPIONED,
    features={
        group: {
            "feature_group_name": naming.feature_group(CONFIG, group),
            "identifier": "customer_id",
            "event_time": "as_of",
            "online": True,
            "offline_store": f"s3://{naming.features_bucket(CONFIG, HOME)}/{naming.OFFLINE_STORE}/{group}/data",
        }
        for group in ("accounts", "customer_activity")
    },
    features_until="2026-11-30T12:00:00+00:00",
)
