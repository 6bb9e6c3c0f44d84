"""A run on accounts, rehearsed: a localcloud of its own that is met like AWS itself, through profiles and with other account numbers."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import sessions
from localcloud.ecr.docker import BIN
from localcloud.testing.running import Running

ACCOUNTS = ("310000000001", "310000000002")
PACES = {"pause": 0.05, "propagation": 0.0}  # nothing is seen late here


@contextmanager
def accounts(folder: Path, region: str) -> Iterator[tuple[dict[str, str], dict[str, str], dict[str, str]]]:
    """Account numbers with their profiles, the variables that programs need to reach them, and a repository, until the block ends."""
    with Running(folder / "cloud", accounts=ACCOUNTS, region=region) as cloud:
        config = configparser.ConfigParser()
        for number in ACCOUNTS:
            keys = cloud.state["accounts"][number]
            config[f"profile rehearsal-{number}"] = {
                "aws_access_key_id": keys["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
                "region": region,
                "endpoint_url": cloud.state["url"],
            }
        file = folder / "config"
        file.touch(0o600)
        with file.open("w", encoding="utf-8") as stream:
            config.write(stream)
        variables = {
            "AWS_CONFIG_FILE": str(file),
            "AWS_ENDPOINT_URL": cloud.state["url"],  # not every tool reads the profile's
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LOCALCLOUD_IMAGES": str(Path(cloud.state["root"]) / "images"),
            "LOCALCLOUD_PYTHON": sys.executable,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            **sessions.no_proxy(os.environ),
        }
        connection = f"arn:aws:codeconnections:{region}:{ACCOUNTS[0]}:connection/00000000-0000-0000-0000-000000000000"
        repository = {"id": "rehearsal/models", "provider": "GitHub", "connection": connection, "remote": str(cloud.state["remote"])}
        yield {number: f"rehearsal-{number}" for number in ACCOUNTS}, variables, repository
