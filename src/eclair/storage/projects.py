"""Port of projects: conversations that belong together, with instructions and settings for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from eclair.schema.messages import Web
from eclair.schema.principal import Principal
from eclair.storage.libraries import Library
from eclair.storage.sharing import Access, SharedStore

MAX_PROJECT_NAME_CHARS: Final = 80
MAX_PROJECT_INSTRUCTIONS_CHARS: Final = 20_000

ProjectOrder = Literal["name", "recent"]
MemoryScope = Literal["own", "both"]
"""The memories that answers in a project use: those kept in it, or the person's other ones too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project. `name` is unique for its owner; `created` is in milliseconds.

    `instructions` stand in the prompts of its conversations, `model` and `web` are the defaults there, and of the tools
    only those in `tools` are offered; None leaves that to the person. `library` is the id of its own library, once it
    has files, and `libraries` are those of others: questions are answered from all that the person may read. `access`
    is that of the principal for whom it was read: an editor changes it, a viewer keeps conversations in it.
    """

    id: str
    owner: str
    name: str
    created: int
    instructions: str = ""
    model: str | None = None
    web: Web | None = None
    tools: tuple[str, ...] | None = None
    library: str | None = None
    libraries: tuple[str, ...] = ()
    memory: MemoryScope = "own"
    access: Access = "own"


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """A project with the number of the principal's conversations in it, without archived ones.

    `used` is when something was last said in one of them, in milliseconds; when the project was made if it has none.
    """

    project: Project
    conversations: int
    used: int


class ProjectStore(SharedStore, Protocol):
    """Projects are used by whoever has access to them, each with their own conversations.

    Owners alone share and delete them.
    """

    async def add_project(self, principal: Principal, project: Project) -> None:
        """Add a project. Raises Conflict where the principal has one of that name, or the id is taken."""
        ...

    async def get_project(self, principal: Principal, id: str) -> Project:
        """Return a project. Raises NotFound."""
        ...

    async def get_project_by_name(self, principal: Principal, name: str) -> Project:
        """Return the project of that name, the principal's own before a shared one. Raises NotFound."""
        ...

    async def list_projects(
        self, principal: Principal, words: str = "", order: ProjectOrder = "name"
    ) -> list[ProjectSummary]:
        """List the principal's projects and those that are shared with them, whose names have the words."""
        ...

    async def edit_project(self, principal: Principal, project: Project) -> Project:
        """Replace name, instructions and settings of the project with that id.

        Raises NotFound, Forbidden for viewers, and Conflict as `add_project` does.
        """
        ...

    async def open_library(self, principal: Principal, id: str, new: Library) -> str:
        """Return the id of a project's own library; where it has none, `new` becomes it, which is added if needed.

        Raises NotFound, and Forbidden for viewers.
        """
        ...

    async def delete_project(self, principal: Principal, id: str) -> None:
        """Delete a project and keep its conversations, which are in no project then. Raises NotFound."""
        ...
