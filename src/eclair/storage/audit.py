"""Port of the audit log: the calls that left this machine, or were refused.

A row never changes, but for its URL, which goes with the run that called it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.principal import Principal

CallVerdict = Literal["passed", "failed", "refused"]
"""Passed: answered. Failed: made, but not answered whole. Refused: not made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One outgoing call; a redirect is another. `moment` is in milliseconds since 1970 (UTC).

    `sent` counts the bytes of address and body, `received` those of the reply's body. `url` is None once it was
    erased. `address` is where the connection went, `country` an ISO code where known. `id` counts up; 0 is unsaved.
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
    verdict: CallVerdict
    reason: str | None
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Calls of a run, to a host and its subdomains, with a verdict, for a purpose. None matches any."""

    run: str | None = None
    host: str | None = None
    verdict: CallVerdict | None = None
    purpose: str | None = None


class AuditStore(Protocol):
    async def add_calls(self, calls: Sequence[CallRecord]) -> None:
        """Add calls. The URL of a call whose run is not stored (any more) is left out."""
        ...

    async def list_calls(
        self, principal: Principal, matching: CallFilter, limit: int, before: int | None = None
    ) -> list[CallRecord]:
        """Newest first, those with an id below `before`."""
        ...

    async def count_calls(self, principal: Principal, matching: CallFilter) -> dict[CallVerdict, int]:
        """The number of calls of each verdict."""
        ...

    async def erase_calls(self, before: int) -> None:
        """Erase calls older than that millisecond."""
        ...

    async def erase_urls(self, principal: Principal) -> None:
        """Erase the URL of every call for the principal; the calls stay."""
        ...
