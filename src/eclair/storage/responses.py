"""Port of responses: what the Responses API keeps for some days, with its items and the events of background ones.

Expiry is a moment that the caller names: what was last used before `since` counts as gone, and `expire` erases it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from eclair.schema.principal import Principal

ResponseStatus = Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item of a response or a conversation, as the API shows it."""

    id: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemPage:
    items: list[StoredItem]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ItemCursor:
    """Up to `limit` items after the item `after`, newest first if `descending`."""

    limit: int
    after: str | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """A response. `body` is what the API shows, without its output, which are items.

    `process` names the process that writes it. `previous` and `conversation` are what it continues.
    """

    id: str
    process: str
    status: ResponseStatus
    body: dict[str, Any]
    background: bool = False
    previous: str | None = None
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseEvents:
    """Consecutive events of a background response as JSON lines without a final newline; `last` is the last's number.

    Events are numbered from 0. Chunks of a log may overlap, where nobody knew whether the first was committed.
    """

    response: str
    last: int
    lines: bytes

    @property
    def first(self) -> int:
        """The number of the first event."""
        return self.last - self.lines.count(b"\n")


@dataclass(frozen=True, slots=True)
class KeptCount:
    """Numbers of what is kept for a principal."""

    responses: int
    conversations: int


class ResponseStore(Protocol):
    """Responses, their items and events.

    Methods without a Principal serve the process that writes or follows a response, which it has from `get_response`
    or `list_running`, or background work on everyone's.
    """

    async def add_response(
        self,
        principal: Principal,
        response: StoredResponse,
        inputs: Sequence[StoredItem],
        outputs: Sequence[StoredItem] = (),
    ) -> None:
        """Add a response with its items. What it continues counts as used now.

        The items of one that has ended well are added to its conversation too, if that is still there.
        """
        ...

    async def append_events(self, chunks: Sequence[ResponseEvents]) -> None:
        """Append to the logs of any responses.

        Drops what is of responses that have ended or are gone, or would leave a gap; see `ProcessStore.losses`.
        """
        ...

    async def list_last_events(self, responses: Sequence[str]) -> dict[str, int]:
        """Return the number of the last event that is stored of each response; those without any are left out."""
        ...

    async def finish_response(
        self, response: StoredResponse, outputs: Sequence[StoredItem], rest: ResponseEvents | None
    ) -> bool:
        """Store the end of a response that was at work; return False if it has ended already or is gone.

        Raises StoreError where its log would have a gap.
        """
        ...

    async def get_response(self, principal: Principal, id: str, since: int) -> tuple[StoredResponse, list[StoredItem]]:
        """Return a response and its output. Raises NotFound."""
        ...

    async def list_context(self, principal: Principal, id: str, since: int) -> list[StoredItem]:
        """List the items of a response and of all that it continues, oldest first.

        Raises NotFound, also where one of those is gone, and Conflict while the response is at work.
        """
        ...

    async def list_inputs(self, principal: Principal, id: str, since: int, cursor: ItemCursor) -> ItemPage:
        """List the input of a response. Raises NotFound for the response or the cursor's item."""
        ...

    async def find_items(self, principal: Principal, ids: Sequence[str], since: int) -> dict[str, StoredItem]:
        """Find items of any response or conversation by id; those that are missing are left out."""
        ...

    async def list_events(self, response: str, after: int) -> list[ResponseEvents]:
        """List the chunks of a log from the one that contains event `after + 1`."""
        ...

    async def list_running(self) -> list[StoredResponse]:
        """List everyone's responses that are at work: here, in another process, or left behind by a dead one."""
        ...

    async def is_running(self, response: str) -> bool:
        """Return whether a response is at work."""
        ...

    async def request_cancel(self, response: str) -> None:
        """Ask the process that writes a response to cancel it; see `list_cancelled`."""
        ...

    async def list_cancelled(self, responses: Sequence[str]) -> list[str]:
        """List which of the responses that a process writes it is to cancel, as asked or since they are over.

        They are over when they have ended elsewhere or were erased.
        """
        ...

    async def delete_response(self, principal: Principal, id: str, since: int) -> None:
        """Erase a response with its items. Raises NotFound."""
        ...

    async def count_kept(self, principal: Principal, since: int) -> KeptCount:
        """Count the principal's responses and conversations of the API."""
        ...

    async def delete_all(self, principal: Principal) -> None:
        """Erase all responses and conversations of the API that are the principal's, also what is at work."""
        ...

    async def expire(self, before: int) -> int:
        """Erase everyone's responses and conversations last used before a millisecond; return how many.

        Responses at work stay. It takes small steps between which others write.
        """
        ...
