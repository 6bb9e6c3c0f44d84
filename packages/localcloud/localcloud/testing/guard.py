"""What stands between tests and somebody's account: nothing is changed there that is not this run's own, nothing made that cannot go.

Everything that is made is written to the journal beforehand, so that it can be taken away whatever becomes of the run.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from localcloud.testing import ways
from localcloud.testing.journal import Journal
from localcloud.testing.verification import Verification

LOOKS = "BatchGet|Describe|Get|Head|List|Search|Query|Select|Filter|Lookup|Simulate|Validate|Test|Assume|Verify|Estimate"
USES = "Sign$|Encrypt|Decrypt|GenerateDataKey"  # of a key, which stays as it is
READS = re.compile(f"({LOOKS}|{USES})")
MAKES = re.compile(r"(Create|Register|Run|Start|Request|Import|Allocate|Purchase|Provision|Copy)")
OF_THE_ACCOUNT = {  # what every other user of the account would notice, and what nobody could put back as it was
    "PutRegistryPolicy",
    "PutRegistryScanningConfiguration",
    "PutReplicationConfiguration",
    "PutAccountSetting",
    "PutPublicAccessBlock",
    "UpdateAccountPasswordPolicy",
    "RequestServiceQuotaIncrease",
}


class Refused(Exception):
    """A call that the guard did not let through."""


class Guard:
    """Watches the clients of one verification."""

    def __init__(self, verification: Verification) -> None:
        self._prefix = verification.prefix
        self._journal = Journal(verification.journal)
        self._own: set[str] = set()  # identifiers that AWS gave to what the run has made

    def watch(self, client: Any, account: str) -> None:
        """Look at every call of a client before it is made. The client raises Refused in the place of what may not be."""
        client.meta.events.register("provide-client-params", partial(self._before, account))
        client.meta.events.register("after-call", partial(self._after, account))

    def _before(self, account: str, *, params: dict[str, Any], model: Any, **_: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        if READS.match(operation):
            return
        call = f"{service}:{operation}"
        if operation in OF_THE_ACCOUNT:
            raise Refused(f"{call}: it changes what the whole account has: mark the test @pytest.mark.laptop")
        way = ways.way(model)
        if MAKES.match(operation) and way is None:
            raise Refused(f"{call}: no way is known to take back what it makes: add it to localcloud.testing.ways")
        if not self._names_own(params) and not (way and way.by_response and not _names(params)):
            raise Refused(f"{call}: nothing in it begins with {self._prefix}: name it by localcloud.testing.named or the fixture name")
        if way:
            self._journal.begin(account, service, operation, params)

    def _after(self, account: str, *, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if READS.match(model.name) or ways.way(model) is None or parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 300:
            return
        self._journal.end(account, model.service_model.service_name, model.name, parsed)
        self._own |= {text for text in _texts(parsed) if len(text) >= 8 and not text.isalpha()}

    def _names_own(self, params: dict[str, Any]) -> bool:
        return any(self._prefix in text.lower() or text in self._own for text in _texts(params))


def _names(params: dict[str, Any]) -> bool:
    """Whether the caller says what something is called."""
    return any(key.lower().endswith("name") for key in params)


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {text for key, inner in value.items() if key != "ResponseMetadata" for text in _texts(inner)}
    if isinstance(value, list | tuple):
        return {text for inner in value for text in _texts(inner)}
    if isinstance(value, str):
        return {value}
    return {json.dumps(value, default=repr)} if isinstance(value, bytes) else set()
