"""The store port of the egress ledger: the calls that left this machine, or were refused.

A row is never changed, but for what was asked, which goes with the run that asked it. All methods raise StoreError when
the database cannot serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Verdict = Literal["passed", "failed", "refused"]
"""A call passed; or passed and was not answered whole; or was not made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, a redirect being another. `moment` is in milliseconds since 1970 (UTC), `sent` and `received` in bytes:
    of the address and the body, and of the reply's body.

    `url` is None once what was asked was erased. `address` is where the connection went, `country` an ISO code where it
    is known. `id` counts up, and is 0 for one that is not kept yet.
    """

    owner: str
    moment: int
    purpose: str
    run: str | None
    method: str
    url: str | None
    host: str
    address: str | None
    country: str | None
    sent: int
    received: int
    status: int | None
    milliseconds: float
    verdict: Verdict
    reason: str | None
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which calls: of a run, to a host and what is under it, with a verdict, for a purpose. None is any."""

    run: str | None = None
    host: str | None = None
    verdict: Verdict | None = None
    purpose: str | None = None


class EgressStore(Protocol):
    async def add(self, calls: Sequence[Call]) -> None:
        """Keep them. What a run asked that is not kept (any more) is not kept either."""
        ...

    async def calls(self, owner: str, which: Filter, limit: int, before: int | None = None) -> list[Call]:
        """Newest first, those with an id below `before`."""
        ...

    async def count(self, owner: str, which: Filter) -> dict[Verdict, int]:
        """How many there are of each verdict."""
        ...

    async def erase_before(self, moment: int) -> None:
        """Erase what is older."""
        ...

    async def forget_asked(self, owner: str) -> None:
        """Erase what was asked in every call of the owner; that it was made stays."""
        ...
