"""One thing that was looked at: how it is, and what to do where that is not how it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from config import Account, Config
from paved_runtime.spec import ModelSpec
from pipelines.deployment.accounts import Clients


class Verdict(StrEnum):
    """`UNKNOWN` is what these credentials could not ask, or what AWS does not tell."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`subject` is what was looked at, `state` how it is, `advice` what to do; empty where there is nothing to do."""

    verdict: Verdict
    account: str
    subject: str
    state: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        """The finding for machines."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One account, reached by `clients`, and what is to be deployed there."""

    config: Config
    models: tuple[ModelSpec, ...]
    account: Account
    clients: Clients

    @property
    def of_toolchain(self) -> bool:
        """Whether pipelines and registries stand here."""
        return self.account == self.config.toolchain

    def right(self, subject: str, state: str) -> Finding:
        """Nothing to do."""
        return Finding(verdict=Verdict.RIGHT, account=self.account.id, subject=subject, state=state)

    def wrong(self, subject: str, state: str, advice: str) -> Finding:
        """A deployment would fail, or not do what it should."""
        return Finding(verdict=Verdict.WRONG, account=self.account.id, subject=subject, state=state, advice=advice)

    def unknown(self, subject: str, state: str, advice: str) -> Finding:
        """Nobody can tell from here."""
        return Finding(verdict=Verdict.UNKNOWN, account=self.account.id, subject=subject, state=state, advice=advice)


Check = Callable[[Visit], Iterator[Finding]]


def look(subject: str, check: Check, visit: Visit) -> list[Finding]:
    """What a check says; where AWS refuses to tell, that, in AWS's words."""
    try:
        return list(check(visit))
    except ClientError as error:
        code, why = error.response["Error"].get("Code", "no code"), error.response["Error"].get("Message", "")
        asked = f"{error.operation_name} was refused: {code}: {why}"
        return [visit.unknown(subject, asked, "use credentials that may read there; CDK's lookup role may")]
    except BotoCoreError as error:
        return [visit.unknown(subject, str(error), "check the network, and the region")]
