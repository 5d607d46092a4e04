"""Port of prompts: texts that people save to use again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from eclair.schema.principal import Principal
from eclair.storage.sharing import Access, SharedStore

PROMPT_NAME_PATTERN: Final = r"^[^\s/]{1,40}$"
MAX_PROMPT_CHARS: Final = 20_000


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """A saved prompt. `name` is unique for its owner, whatever its case; `created` is in milliseconds.

    Placeholders in double braces are filled in before it is used. `access` is that of the principal for whom it was
    read: an editor changes it, a viewer uses it.
    """

    id: str
    owner: str
    name: str
    text: str
    created: int
    access: Access = "own"


class PromptStore(SharedStore, Protocol):
    """Prompts are used by whoever has access to them; their owners alone share and delete them."""

    async def add_prompt(self, principal: Principal, prompt: SavedPrompt) -> None:
        """Add a prompt. Raises Conflict where the principal has one of that name, or the id is taken."""
        ...

    async def get_prompt(self, principal: Principal, id: str) -> SavedPrompt:
        """Return a prompt. Raises NotFound."""
        ...

    async def get_prompt_by_name(self, principal: Principal, name: str) -> SavedPrompt:
        """Return the prompt of that name, the principal's own before a shared one. Raises NotFound."""
        ...

    async def list_prompts(self, principal: Principal) -> list[SavedPrompt]:
        """List by name the principal's prompts, and those that are shared with them."""
        ...

    async def edit_prompt(self, principal: Principal, id: str, name: str, text: str) -> SavedPrompt:
        """Replace name and text. Raises NotFound, Forbidden for viewers, and Conflict as `add_prompt` does."""
        ...

    async def delete_prompt(self, principal: Principal, id: str) -> None:
        """Delete a prompt, for all with whom it is shared. Raises NotFound."""
        ...
