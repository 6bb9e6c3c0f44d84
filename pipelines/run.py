"""What one run of the training pipeline is made for, handed from the step that finds it out to the program that defines the pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from paved_runtime.feature_groups import variables

PUSH = "push"  # the cause of what nobody and nothing else has started


@dataclass(frozen=True, kw_only=True)
class Run:
    """`image_uri` ends in its digest; `data_uri` names the data set's one file, `data_version` its version in S3; `artifacts` is
    `s3://bucket`; `key` is the KMS key of everything the jobs write. The three `champion_…` are the version in production: its package,
    its image, its `model.tar.gz`; all are empty where there is none. `cause` is why there is a run. `sources_sha256` is the digest of
    what training depends on in the repository, empty where that is not known. `subnets` and `security_groups` are
    ids in the VPC where jobs run, comma-separated; both are empty where the account has no network of its own.
    `features` has, of each feature group that the model looks up in, what containers are told of it, with the S3 URI `offline_store`; what
    was written there after `features_until`, a moment in ISO-8601, does not count, so that the run can be made again.
    """

    image_uri: str
    data_uri: str
    data_sha256: str
    commit: str
    role: str
    key: str
    artifacts: str
    region: str
    data_version: str = ""
    cause: str = PUSH
    sources_sha256: str = ""
    champion_arn: str = ""
    champion_image_uri: str = ""
    champion_model_uri: str = ""
    subnets: str = ""
    security_groups: str = ""
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    features_until: str = ""

    def __post_init__(self) -> None:
        if len({bool(part) for part in (self.champion_arn, self.champion_image_uri, self.champion_model_uri)}) > 1:
            raise ValueError("champion_arn, champion_image_uri and champion_model_uri go together: accepted are all three or none")
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups go together: accepted are both or none")
        if bool(self.features) != bool(self.features_until):
            raise ValueError("features and features_until go together: accepted are both or none")

    @property
    def inputs(self) -> dict[str, str]:
        """What a job that prepares rows reads: channel → S3 URI."""
        return {"data": self.data_folder, **{f"features_{group}": store["offline_store"] for group, store in self.features.items()}}

    @property
    def data_folder(self) -> str:
        """The prefix that a job reads."""
        return self.data_uri.rpartition("/")[0] + "/"

    @property
    def vpc(self) -> dict[str, list[str]]:
        """Where jobs run, as the SDK's arguments; nothing where the account has no network of its own."""
        if not self.subnets:
            return {}
        return {"security_group_ids": self.security_groups.split(","), "subnets": self.subnets.split(",")}

    @property
    def environment(self) -> dict[str, str]:
        """What every job's container is told."""
        features = {**variables(self.features), "FEATURES_UNTIL": self.features_until} if self.features else {}
        return {"COMMIT": self.commit, "DATA_SHA256": self.data_sha256, "IMAGE_URI": self.image_uri, **features}

    @classmethod
    def read(cls, file: Path) -> Run:
        """Raises ValueError when the file is not what `json` writes."""
        try:
            return cls(**json.loads(file.read_bytes()))
        except (OSError, TypeError, ValueError) as error:
            raise ValueError(f"{file}: not a run that describe_run wrote: {error}") from error

    def json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), sort_keys=True)
