"""Port of assistants, which people set up, use and share."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.assistants import Assistant, AssistantProfile
from eclair.schema.principal import Principal
from eclair.storage.libraries import Library
from eclair.storage.sharing import SharedStore


class AssistantStore(SharedStore, Protocol):
    """Assistants are used by whoever has access to them; their owners alone share and delete them."""

    async def add_assistant(self, principal: Principal, assistant: Assistant) -> None:
        """Add an assistant. Raises Conflict where the principal has one of that name, or the id is taken."""
        ...

    async def get_assistant(self, principal: Principal, id: str) -> Assistant:
        """Return an assistant. Raises NotFound."""
        ...

    async def list_assistants(self, principal: Principal) -> list[Assistant]:
        """List by name the principal's assistants, and those that are shared with them."""
        ...

    async def edit_assistant(self, principal: Principal, id: str, profile: AssistantProfile, changed: int) -> Assistant:
        """Replace the profile. Raises NotFound, Forbidden for viewers, and Conflict as `add_assistant` does."""
        ...

    async def open_library(self, principal: Principal, id: str, new: Library) -> str:
        """Return the id of the assistant's own library; if there is none, add this one and make it that.

        It belongs to the assistant's owner, and gets a number where its name is taken; a library of the owner's of that
        id is used instead. Raises NotFound, and Forbidden for viewers.
        """
        ...

    async def delete_assistant(self, principal: Principal, id: str) -> None:
        """Delete an assistant, for all with whom it is shared, and keep its library.

        Raises NotFound, HeldBack, and Forbidden for all but its owner.
        """
        ...
