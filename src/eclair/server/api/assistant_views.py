"""Assistants as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from eclair.app import App
from eclair.schema.assistants import Assistant
from eclair.schema.messages import Web
from eclair.schema.principal import Principal
from eclair.server.sharing_routes import find_owner_name
from eclair.server.subject_names import SubjectNames
from eclair.storage.sharing import Access


class AssistantLibrary(BaseModel):
    """A library of an assistant, which the caller may read."""

    id: str
    name: str


class AssistantBody(BaseModel):
    """An assistant. Of one that is shared with the caller, `owner` is the name of its owner.

    `libraries` are those of its libraries that the caller may read, and `hidden_libraries` the number of the others.
    `library` has its own files, which all with whom it is shared may read; null until there are some.
    """

    id: str
    name: str
    description: str
    emoji: str
    instructions: str
    model: str | None
    web: Web | None
    tools: tuple[str, ...] | None
    libraries: tuple[AssistantLibrary, ...]
    hidden_libraries: int
    library: str | None
    starters: tuple[str, ...]
    created: int
    changed: int
    access: Access
    owner: str | None = None


class AssistantViews:
    """Shows assistants to people."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def list_readable_libraries(self, principal: Principal) -> dict[str, str]:
        """Return the names of the libraries that somebody may read, by their ids."""
        listed = await self._app.storage.libraries.list_libraries(principal)
        return {
            each.library.id: each.library.name
            for each in listed
            if self._app.rights.may(principal, f"library:{each.library.id}")
        }

    async def show(self, principal: Principal, assistant: Assistant) -> AssistantBody:
        """Return one assistant as somebody sees it."""
        return await self._body(assistant, await self.list_readable_libraries(principal))

    async def show_all(self, principal: Principal, assistants: Sequence[Assistant]) -> list[AssistantBody]:
        """Return assistants as somebody sees them."""
        readable = await self.list_readable_libraries(principal)
        return [await self._body(each, readable) for each in assistants]

    async def _body(self, assistant: Assistant, readable: dict[str, str]) -> AssistantBody:
        profile, names = assistant.profile, SubjectNames(self._app.storage)
        shown = tuple(AssistantLibrary(id=id, name=readable[id]) for id in profile.libraries if id in readable)
        return AssistantBody(
            id=assistant.id,
            name=profile.name,
            description=profile.description,
            emoji=profile.emoji,
            instructions=profile.instructions,
            model=profile.model,
            web=profile.web,
            tools=profile.tools,
            libraries=shown,
            hidden_libraries=len(profile.libraries) - len(shown),
            library=assistant.library,
            starters=profile.starters,
            created=assistant.created,
            changed=assistant.changed,
            access=assistant.access,
            owner=await find_owner_name(names, assistant.owner, is_own=assistant.access == "own"),
        )
