"""Sessions that speak to localcloud: with the keys that it gave out, through no proxy, and with nobody's own AWS settings."""

from __future__ import annotations

import os
from collections.abc import Mapping

import boto3
from botocore.config import Config
from botocore.session import Session

THIS_MACHINE = "localhost,127.0.0.1,::1"


def local(url: str, *, key: str, secret: str, region: str) -> boto3.Session:
    """A session that calls `url` and reads neither environment variables nor files: a profile that is not there stops nobody."""
    variables = {name: (setting, None, default, kind) for name, (setting, _, default, kind) in Session.SESSION_VARIABLES.items()}
    nowhere = (None, None, os.devnull, None)
    core = Session(session_vars={**variables, "config_file": nowhere, "credentials_file": nowhere})
    core.get_component("config_store").set_config_variable("endpoint_url", url)
    core.set_default_client_config(Config(proxies={}))
    return boto3.Session(key, secret, region_name=region, botocore_session=core)


def no_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """What a program that calls localcloud needs beside its environment: this machine itself is reached without a proxy."""
    before = environment.get("no_proxy") or environment.get("NO_PROXY")
    value = before if before == "*" else ",".join(filter(None, (before, THIS_MACHINE)))
    return {"NO_PROXY": value, "no_proxy": value}
