"""Port of personal data: everything a person has here, counted, listed for an export, and erased."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal

PersonalRow = Mapping[str, str | int | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRequest:
    """A request to erase everything of a person, once it is `due`; times are in milliseconds.

    `asked_by` is the id of who asked. `ended` and the signed `receipt`, as JSON, are there once it was done.
    """

    id: str
    owner: str
    asked_by: str
    asked: int
    due: int
    ended: int | None = None
    receipt: str | None = None


class PersonalDataStore(Protocol):
    """All that belongs to a person, whatever it is. Requests are found by id: their owner may be gone."""

    async def count_rows(self, principal: Principal) -> dict[str, int]:
        """Count what the principal has, by what it is, such as `messages`; what there is none of is left out."""
        ...

    def list_rows(self, principal: Principal) -> AsyncIterator[tuple[str, PersonalRow]]:
        """Yield what an archive doesn't have as conversations, files or settings: its kind, and a row of it.

        No secret is among it, such as a password or the hash of a key.
        """
        ...

    async def is_held(self, principal: Principal) -> bool:
        """Tell whether a legal hold is on the person, or on a project or conversation of theirs."""
        ...

    async def erase_rows(self, principal: Principal) -> None:
        """Erase all that is the principal's but conversations, files and images, which have services of their own.

        The account goes last. Calls of the egress log keep their place without an address.
        """
        ...

    async def add_request(self, principal: Principal, request: ErasureRequest) -> None:
        """Add a request of the principal's for someone's erasure. Raises Conflict where one is open."""
        ...

    async def get_request(self, id: str) -> ErasureRequest:
        """Return anyone's request. Raises NotFound."""
        ...

    async def find_open_request(self, principal: Principal) -> ErasureRequest | None:
        """Return the principal's request that is still to be done."""
        ...

    async def list_requests(self) -> list[ErasureRequest]:
        """List everyone's requests, newest first."""
        ...

    async def list_due_requests(self, now: int) -> list[ErasureRequest]:
        """List everyone's open requests that are due at millisecond `now`, oldest first."""
        ...

    async def withdraw_request(self, principal: Principal, id: str) -> None:
        """Withdraw an open request. Raises NotFound."""
        ...

    async def end_request(self, id: str, ended: int, receipt: str) -> None:
        """Note that a request was done, with its receipt."""
        ...
