"""Port of the egress log: the calls that left this machine, or were refused.

A call is stored before it is made and completed when it has ended. After that its record never changes, except that
its URL is erased with the run that made the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.principal import Principal

CallVerdict = Literal["begun", "passed", "failed", "refused", "interrupted"]
"""Begun: under way. Passed: answered in full. Failed: made, but not answered in full. Refused: not made.
Interrupted: its process died meanwhile."""


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


class EgressStore(Protocol):
    """The log of outgoing calls. Each names its owner, since one write stores those of several people."""

    async def begin_call(self, call: CallRecord) -> int:
        """Add a call that is about to be made, and return its id. It is stored as `add_calls` does."""
        ...

    async def add_calls(self, calls: Sequence[CallRecord]) -> None:
        """Complete the calls that have an id, but for their URLs, and add the others.

        They are of any owner. The URL of a call isn't added if its run is not stored, or no longer.
        """
        ...

    async def mark_interrupted(self) -> None:
        """Mark the calls that were under way in processes that died."""
        ...

    async def list_calls(
        self, principal: Principal, matching: CallFilter, limit: int, before: int | None = None
    ) -> list[CallRecord]:
        """List matching calls, newest first; with `before`, only those with a lower id."""
        ...

    async def count_calls(self, principal: Principal, matching: CallFilter) -> dict[CallVerdict, int]:
        """Count matching calls by verdict; a verdict without calls is left out."""
        ...

    async def erase_calls(self, before: int) -> None:
        """Erase everyone's calls made before millisecond `before`."""
        ...

    async def erase_urls(self, principal: Principal) -> None:
        """Erase the URL of every call made for the principal; the calls stay."""
        ...
