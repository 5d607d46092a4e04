"""Port of the Responses API's conversations: lists of items that responses read and add to.

They have nothing to do with the conversations of the page. As in `responses`, what was last used before `since` counts
as gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal
from eclair.storage.responses import ItemCursor, ItemPage, StoredItem


@dataclass(frozen=True, slots=True)
class ApiConversation:
    """A conversation of the API; `created` is in milliseconds."""

    id: str
    created: int
    metadata: dict[str, str]


class ApiConversationStore(Protocol):
    async def add_conversation(
        self, principal: Principal, conversation: ApiConversation, items: Sequence[StoredItem]
    ) -> None:
        """Add a conversation with its first items."""
        ...

    async def get_conversation(self, principal: Principal, id: str, since: int) -> ApiConversation:
        """Return a conversation. Raises NotFound."""
        ...

    async def set_metadata(
        self, principal: Principal, id: str, since: int, metadata: dict[str, str]
    ) -> ApiConversation:
        """Replace the metadata. Raises NotFound."""
        ...

    async def delete_conversation(self, principal: Principal, id: str, since: int) -> None:
        """Erase a conversation with its items; responses made in it stay. Raises NotFound."""
        ...

    async def add_items(self, principal: Principal, id: str, since: int, items: Sequence[StoredItem]) -> None:
        """Add items at the end. Raises NotFound for the conversation."""
        ...

    async def list_items(self, principal: Principal, id: str, since: int, cursor: ItemCursor | None) -> ItemPage:
        """List a page of items, or all, oldest first. Raises NotFound for the conversation or the cursor's item."""
        ...

    async def get_item(self, principal: Principal, id: str, since: int, item: str) -> StoredItem:
        """Return an item. Raises NotFound."""
        ...

    async def delete_item(self, principal: Principal, id: str, since: int, item: str) -> ApiConversation:
        """Erase an item; return its conversation. Raises NotFound."""
        ...
