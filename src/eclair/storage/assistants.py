"""Port of assistants, which people set up, use and share."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.assistants import Assistant, AssistantProfile
from eclair.schema.principal import Principal
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

    async def delete_assistant(self, principal: Principal, id: str) -> None:
        """Delete an assistant, for all with whom it is shared. Raises NotFound."""
        ...
