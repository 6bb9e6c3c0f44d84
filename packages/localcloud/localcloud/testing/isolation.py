"""No test may reach an account: credentials are made up, and nobody's settings are read."""

from __future__ import annotations

import os

from localcloud.testing import REGION, VERIFICATION

MADE_UP = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    "AWS_SESSION_TOKEN": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
PERSONAL = ("AWS_PROFILE", "AWS_ENDPOINT_URL")


def isolate() -> None:
    """Give this process, and what it starts, made-up credentials and no settings. For the top of a conftest.py.

    Where accounts are verified it leaves everything as it is.
    """
    if VERIFICATION:
        return
    os.environ.update(MADE_UP)
    for variable in PERSONAL:
        os.environ.pop(variable, None)
