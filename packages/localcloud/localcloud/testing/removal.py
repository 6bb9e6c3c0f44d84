"""Everything that tests made on accounts, taken away, and a look at what remains.

The journal says what was made. It is gone through from its end, and again as long as something holds on to something else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from localcloud.testing import sweep
from localcloud.testing.journal import Entry, Journal
from localcloud.testing.verification import Verification
from localcloud.testing.ways import way

GONE = re.compile(r"NotFound|NoSuch|DoesNotExist|NotExist|404|InvalidKeyId|AlreadyDeleted")
SAID = (
    r"could not find|does not exist|not found|cannot find|no such",
    r"is pending deletion|not in a state|only .* can be stopped|job is in status (Completed|Failed|Stopped)",
)
GONE_SAID = re.compile("|".join(SAID), re.IGNORECASE)


def remove_all(verification: Verification) -> list[str]:
    """Take away everything that a run made or caused; what could not be, each with the reason."""
    profiles, region = verification.profiles, verification.region
    sessions = {account: boto3.Session(profile_name=profile, region_name=region) for account, profile in profiles.items()}
    left, held, never = list(_distinct(Journal(verification.journal).entries())), list[tuple[Entry, str]](), threading.Event()
    for _ in range(verification.looks):
        held = [(entry, problem) for entry in left if (problem := _remove(sessions[entry.account], entry))]
        there = (entry for account, session in sessions.items() for entry in sweep.look(session, account, verification.prefix))
        left = list(_distinct([*(entry for entry, _ in held), *there]))
        if not left:
            break
        never.wait(verification.pause)
    for session in sessions.values():
        _remove_streams(session.client("logs"), verification.prefix)
    what = {_what(entry): "it was taken away and is there" for entry in left} | {_what(entry): problem for entry, problem in held}
    return [f"{name}: {problem}" for name, problem in what.items()]


def _distinct(entries: Iterable[Entry]) -> Iterator[Entry]:
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


def _what(entry: Entry) -> str:
    shown = str(next((value for value in {**entry.request, **entry.response}.values() if isinstance(value, str)), ""))[:120]
    return f"{entry.account} {entry.service}:{entry.operation} {shown}"


def _remove_streams(logs: Any, prefix: str) -> None:
    """The streams of jobs, in groups that everybody's jobs write to."""
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/sagemaker/"):
        for group in page["logGroups"]:
            where = {"logGroupName": group["logGroupName"]}
            for streams in logs.get_paginator("describe_log_streams").paginate(**where, logStreamNamePrefix=prefix):
                for stream in streams["logStreams"]:
                    logs.delete_log_stream(**where, logStreamName=stream["logStreamName"])
