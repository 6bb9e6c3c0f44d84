"""Everything that tests made on accounts, taken away, and a look at what remains.

The journal says what was made. It is gone through from its end, and again as long as something holds on to something else.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from localcloud.testing.journal import Entry, Journal
from localcloud.testing.verification import Verification
from localcloud.testing.ways import way

GONE = re.compile(r"NotFound|NoSuch|DoesNotExist|NotExist|404|InvalidKeyId|AlreadyDeleted")
SAID = (r"could not find|does not exist|not found|cannot find|no such", r"is pending deletion|not in a state|only .* can be stopped")
GONE_SAID = re.compile("|".join(SAID), re.IGNORECASE)
PATIENCE = 3600.0  # seconds: endpoints take minutes to go, and hold on to what they use


def remove_all(verification: Verification) -> list[str]:
    """Take away everything in the journal of a verification; what could not be, each with the reason."""
    sessions = {
        account: boto3.Session(profile_name=profile, region_name=verification.region) for account, profile in verification.profiles.items()
    }
    left = list(_distinct(Journal(verification.journal).entries()))
    ends, never = time.monotonic() + PATIENCE, threading.Event()
    while True:
        held = [(entry, problem) for entry in left if (problem := _remove(sessions[entry.account], entry))]
        left = [entry for entry, _ in held]
        if not left or time.monotonic() > ends:
            break
        never.wait(verification.pause)
    for session in sessions.values():
        _remove_logs(session.client("logs"), verification.prefix)
    return [f"{entry.account} {entry.service}:{entry.operation} {_shown(entry)}: {problem}" for entry, problem in held]


def _distinct(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Each call once: what was written before and after it has one way, and a name that was made twice is one thing."""
    seen: set[str] = set()
    for entry in entries:
        key = f"{entry.account} {entry.service} {entry.operation} {entry.request or entry.response}"
        if key not in seen:
            seen.add(key)
            yield entry


def _remove(session: Any, entry: Entry) -> str | None:
    """Try; why it is still there."""
    client = session.client(entry.service)
    found = way(client.meta.service_model.operation_model(entry.operation))
    if found is None or bool(entry.response) is not found.by_response:
        return None
    try:
        found.remove(client, entry)
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        return None if GONE.search(code) or GONE_SAID.search(said) else f"{code}: {said}"
    except WaiterError as error:
        return str(error)
    return None


def _shown(entry: Entry) -> str:
    return str(next((value for value in {**entry.request, **entry.response}.values() if isinstance(value, str)), ""))[:120]


def _remove_logs(logs: Any, prefix: str) -> None:
    """The groups, and the streams of groups that others use too, which services made for what has the prefix in its name."""
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            if prefix in name:
                logs.delete_log_group(logGroupName=name)
            elif name.startswith("/aws/sagemaker/"):
                for streams in logs.get_paginator("describe_log_streams").paginate(logGroupName=name, logStreamNamePrefix=prefix):
                    for stream in streams["logStreams"]:
                        logs.delete_log_stream(logGroupName=name, logStreamName=stream["logStreamName"])
