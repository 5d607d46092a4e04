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
MAX_PROJECT_TOOLS: Final = 1000

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
    One that `is_shared` has further members.
    """

    project: Project
    conversations: int
    used: int
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class DeletedProject:
    """A project that can't be restored any more, with the id of its own library, if it has one."""

    id: str
    owner: str
    library: str | None


@dataclass(frozen=True, slots=True)
class ShownConversation:
    """A conversation in a project whose author shows it to the members. Times are in milliseconds."""

    id: str
    owner: str
    title: str
    updated: int
    project: str


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

    async def show_conversation(self, principal: Principal, id: str, conversation: str) -> None:
        """Put the principal's conversation into a project, and show it to the members.

        Raises NotFound for the project or the conversation.
        """
        ...

    async def hide_conversation(self, principal: Principal, conversation: str) -> None:
        """Show a conversation no longer: its author's decision, or the project's owner's. Raises NotFound."""
        ...

    async def list_shown_conversations(self, principal: Principal, id: str) -> list[ShownConversation]:
        """List what members show in a project, latest change first. Raises NotFound for the project."""
        ...

    async def find_shown_conversation(self, principal: Principal, conversation: str) -> ShownConversation:
        """Return a conversation that is shown in a project of the principal's. Raises NotFound."""
        ...

    async def delete_project(self, principal: Principal, id: str) -> None:
        """Hide a project, with its library and memories, until it is restored or erased.

        Its conversations are answered without it meanwhile. Raises NotFound, Forbidden for all but the owner, and
        HeldBack.
        """
        ...

    async def restore_project(self, principal: Principal, id: str, since: int) -> Project:
        """Restore a project deleted in millisecond `since` or later; leave one that isn't deleted as it is.

        Raises NotFound, and Conflict where another has its name by now.
        """
        ...

    async def list_deleted_projects(self, before: int) -> list[DeletedProject]:
        """List everyone's projects deleted before millisecond `before`, but for those under a legal hold."""
        ...

    async def erase_project(self, id: str, before: int) -> None:
        """Erase a project deleted before `before`, with its memories; its conversations are in none then."""
        ...
