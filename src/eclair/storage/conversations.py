"""Port of conversations and the messages in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.messages import Conversation, Hit, Message, Mode, NameHit, Switch, Web
from eclair.schema.principal import Principal

ClearableField = Literal["model", "mode", "web", "temperature", "max_tokens", "system", "project_id", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationEdit:
    """Changes to a conversation; None leaves a field as it is, and those named in `cleared` become None.

    A title that is set here is the person's own and is never replaced by a generated one.
    """

    title: str | None = None
    leaf: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    tags: tuple[str, ...] | None = None
    model: str | None = None
    mode: Mode | None = None
    web: Web | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    system: str | None = None
    project_id: str | None = None
    memory: Switch | None = None
    unread: bool | None = None
    cleared: frozenset[ClearableField] = frozenset()


@dataclass(frozen=True, slots=True)
class ConversationCursor:
    """Position of a conversation in a list ordered by time."""

    updated: int
    id: str


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """A page of the list. Only the first one fills `pinned`; `next` is the cursor of the page after it, if any."""

    pinned: list[Conversation]
    conversations: list[Conversation]
    next: ConversationCursor | None


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion of many conversations: how many, and the millisecond by which `restore_deletion` finds them.

    `held` is how many a legal hold has kept.
    """

    count: int
    moment: int
    held: int = 0


@dataclass(frozen=True, slots=True)
class InactiveConversations:
    """A count of conversations without a new message since some moment: `conversations`, and `pinned` ones apart.

    `oldest` and `newest` are the times of the last messages of the former, in milliseconds; None without any.
    """

    conversations: int
    oldest: int | None
    newest: int | None
    pinned: int


@dataclass(frozen=True, slots=True)
class ProjectScope:
    """A project to search in, and the libraries that its questions search."""

    id: str
    libraries: tuple[str, ...] = ()


class ConversationStore(Protocol):
    async def add_conversation(self, principal: Principal, conversation: Conversation) -> Conversation:
        """Add a conversation, or return the principal's existing one of that id.

        Raises Conflict where the id is another person's or belongs to a deleted conversation.
        """
        ...

    async def add_tree(self, principal: Principal, conversation: Conversation, messages: Sequence[Message]) -> bool:
        """Add a conversation with its messages, each after its parent; return False if the conversation exists.

        A deleted one is replaced. Raises Conflict where an id is another's, NotFound for a missing parent.
        """
        ...

    async def get_conversation(self, principal: Principal, id: str) -> Conversation:
        """Return a conversation. Raises NotFound."""
        ...

    async def get_tree(self, principal: Principal, id: str) -> tuple[Conversation, list[Message]]:
        """Return a conversation and all its messages, oldest first. Raises NotFound."""
        ...

    async def list_conversations(
        self,
        principal: Principal,
        limit: int,
        *,
        archived: bool = False,
        tag: str | None = None,
        project_id: str | None = None,
        before: ConversationCursor | None = None,
    ) -> ConversationPage:
        """List conversations, latest change first, pinned ones apart; with `archived` only those, pinned or not.

        With `project_id` those in it, pinned ones among them. Without, those in projects are listed too.
        `before` is the `next` of the previous page.
        """
        ...

    async def list_conversation_ids(self, principal: Principal) -> list[str]:
        """List the ids of all conversations, oldest first."""
        ...

    async def count_conversations(self, principal: Principal) -> int:
        """Count the conversations, archived ones included."""
        ...

    async def count_inactive(self, principal: Principal, before: int) -> InactiveConversations:
        """Count the conversations that nothing was added to since millisecond `before`, archived ones included."""
        ...

    async def expire_conversations(self, before: int) -> int:
        """Delete everyone's conversations forever that nothing was added to since `before`; return how many.

        Pinned ones stay, and those in which a run is at work. It takes small steps between which others write.
        """
        ...

    async def count_tags(self, principal: Principal, *, archived: bool = False) -> dict[str, int]:
        """Count the conversations with each tag, by tag."""
        ...

    async def search_messages(
        self, principal: Principal, words: str, limit: int, project: ProjectScope | None = None
    ) -> list[Hit]:
        """Find messages that contain every word, or a word beginning with it, best first; in a project or in all.

        Of very many only the newest are compared. Cancelling this ends the search.
        """
        ...

    async def search_names(
        self, principal: Principal, words: str, limit: int, project: ProjectScope | None = None
    ) -> list[NameHit]:
        """Find titles, tags, files and libraries whose names have every word, also inside a longer one, best first.

        Archived conversations are included, files only where a library or a message has them. With a `project`, only
        what is in it.
        """
        ...

    async def edit_conversation(self, principal: Principal, id: str, edit: ConversationEdit) -> Conversation:
        """Edit a conversation. Raises NotFound for the conversation, a leaf that is not in it, or the project."""
        ...

    async def is_untitled(self, principal: Principal, id: str) -> bool:
        """Return True if the conversation exists and the person has given it no title."""
        ...

    async def set_generated_title(self, principal: Principal, id: str, title: str) -> bool:
        """Set the title unless the person gave one or the conversation is gone; return whether it was set."""
        ...

    async def delete_message(self, principal: Principal, id: str, message: str) -> Conversation:
        """Erase a message with everything below it.

        If the shown branch goes with it, the newest branch beside it is shown, or else its parent. Raises NotFound,
        and Conflict while a run is at work in the conversation.
        """
        ...

    async def delete_conversation(self, principal: Principal, id: str, *, forever: bool = False) -> None:
        """Hide a conversation until it is restored or erased; `forever` rules out restoring, even if deleted before.

        Raises NotFound, and Conflict while a run is at work in it.
        """
        ...

    async def delete_all_conversations(self, principal: Principal, *, forever: bool = False) -> Deletion:
        """Delete every conversation, as `delete_conversation` does; `forever` includes those deleted before.

        Raises Conflict while a run is at work in one of them.
        """
        ...

    async def restore_conversation(self, principal: Principal, id: str, since: int) -> Conversation:
        """Restore a conversation deleted in millisecond `since` or later; leave one that is not deleted as it is.

        Raises NotFound.
        """
        ...

    async def restore_deletion(self, principal: Principal, moment: int, since: int) -> int:
        """Restore what `delete_all_conversations` deleted at `moment`, if that is `since` or later; return the number.

        Raises NotFound where there is nothing to restore.
        """
        ...

    async def erase_deleted(self, before: int, report: Callable[[int, int], None] | None = None) -> None:
        """Erase conversations deleted forever, or before millisecond `before`, with messages, runs, logs and shares.

        It takes small steps between which others write, and `report` is called with how many of how many are done.
        What a cancelled call left is erased by the next one.
        """
        ...

    async def erase_conversation(self, id: str) -> None:
        """Erase a conversation, as `erase_deleted` does, if it was deleted forever."""
        ...
