"""Conversations that their authors show to the members of a project: read by those, and changed by their authors alone.

What a member shows is seen as long as they are a member themselves, whichever share made them one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.chat.projects import ProjectService
from eclair.errors import NotFound
from eclair.schema.messages import Conversation, Message, branch
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.projects import ShownConversation


class ShownConversations:
    """Shows, hides, lists and reads them. `find_person` returns somebody with today's rights."""

    def __init__(
        self,
        storage: Storage,
        projects: ProjectService,
        changes: ChangeFeed,
        find_person: Callable[[str], Awaitable[Principal | None]],
        rights: RightRules = OPEN_RULES,
    ) -> None:
        self._storage = storage
        self._projects = projects
        self._changes = changes
        self._find_person = find_person
        self._rights = rights

    async def show(self, principal: Principal, project_id: str, conversation: str) -> None:
        """Put a conversation into a project, and show it to the members. Raises NotFound and RightMissing."""
        self._rights.require(principal, "share", "Your account may not share; ask an administrator.")
        project = await self._projects.get(principal, project_id)
        await self._storage.projects.show_conversation(principal, project.id, conversation)
        self._changes.publish(principal, conversation, "changed")
        self._changes.publish_to_all("projects")

    async def hide(self, principal: Principal, conversation: str) -> None:
        """Show a conversation no longer, as its author or the project's owner. Raises NotFound."""
        await self._storage.projects.hide_conversation(principal, conversation)
        self._changes.publish_to_all("projects")

    async def list(self, principal: Principal, project_id: str) -> list[ShownConversation]:
        """List what members show in a project, latest change first. Raises NotFound and RightMissing."""
        project = await self._projects.get(principal, project_id)
        shown = await self._storage.projects.list_shown_conversations(principal, project.id)
        members = {owner: await self.find_member(owner, project.id) for owner in {each.owner for each in shown}}
        return [each for each in shown if members[each.owner] is not None]

    async def read(self, principal: Principal, id: str) -> tuple[ShownConversation, Conversation, list[Message]]:
        """Return a conversation that is shown to somebody, and the messages of its thread. Raises NotFound."""
        shown = await self.find(principal, id)
        conversation, tree = await self._storage.conversations.get_tree(Principal(shown.owner), id)
        return shown, conversation, branch({message.id: message for message in tree}, conversation.leaf)

    async def find(self, principal: Principal, id: str) -> ShownConversation:
        """Return a conversation that is shown to somebody, its author or another member. Raises NotFound."""
        shown = await self._storage.projects.find_shown_conversation(principal, id)
        project = await self._projects.find(principal, shown.project)
        if project is None or await self.find_member(shown.owner, shown.project) is None:
            raise NotFound(f"There is no conversation {id!r} that is shown to you.")
        return shown

    async def find_member(self, person: str, project_id: str) -> Principal | None:
        """Return a person with today's rights; None for one to whom the project isn't open."""
        found = await self._find_person(person)
        if found is None or await self._projects.find(found, project_id) is None:
            return None
        return found
