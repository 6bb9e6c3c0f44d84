"""An account as a person names it: by its number, or by an environment that is in it."""

from __future__ import annotations

from cli.problem import Problem
from config import CONFIG, Account


def account(place: str | None) -> Account:
    """The account of an environment or of a number; the toolchain's without either. Raises Problem."""
    known = {account.id: account for account in CONFIG.accounts} | {e.name: e.account for e in CONFIG.environments}
    if place is None:
        return CONFIG.toolchain
    if place not in known:
        raise Problem(f"account or environment {place}", f"config.py has {', '.join(known)}", "name one of them", code=2)
    return known[place]
