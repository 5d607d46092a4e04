"""Permissions of tools: rights of administrators first, then what the tool may do, then what the person allowed.

What only computes or reads is made at once; what calls out is made as the policy of the web says; what changes
something is asked, but for what the person sees and can undo. A refusal for all calls is kept, whatever else counts.
Where foreign text may have led to a call, no earlier permission counts: it was not given for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eclair.accounts.rights import RightRules
from eclair.generation.call_permissions import CallQuestion, CallRuling
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.storage.tool_permissions import ToolPermission, ToolPermissionStore

UNDOABLE_TOOLS = frozenset({"remember"})
"""Tools whose change is shown with a button that takes it back, so that it needn't be asked for."""


class ToolPermissions:
    """Permissions that people gave to tools beyond one call."""

    def __init__(
        self,
        store: ToolPermissionStore,
        rights: RightRules,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._store = store
        self._rights = rights
        self._clock = clock
        self._ids = ids

    def of_conversation(
        self, conversation: str | None, beforehand: Sequence[str] = (), *, is_unattended: bool = False
    ) -> ConversationPermissions:
        """Return those that count in a conversation; in one that isn't stored, those that count in all.

        Tools that were allowed `beforehand` may be called in this turn; if it `is_unattended`, no others.
        """
        return ConversationPermissions(
            self._store, self._rights, conversation, frozenset(beforehand), is_unattended=is_unattended
        )

    async def give(
        self, principal: Principal, tool: str, scope: str, conversation: str | None, *, is_denied: bool = False
    ) -> None:
        """Allow further calls in a conversation or in all, or refuse them."""
        created = int(self._clock() * 1000)
        permission = ToolPermission(self._ids("perm"), tool, scope, conversation, created, is_denied)
        await self._store.add_permission(principal, permission)

    async def list_given(self, principal: Principal) -> list[ToolPermission]:
        """List a person's permissions and refusals, newest first."""
        return await self._store.list_permissions(principal)

    async def revoke(self, principal: Principal, id: str) -> None:
        """Take a permission or a refusal back. Raises NotFound."""
        await self._store.delete_permission(principal, id)


@dataclass(frozen=True, slots=True)
class ConversationPermissions:
    """Implements `CallPermissions`."""

    store: ToolPermissionStore
    rights: RightRules
    conversation: str | None
    beforehand: frozenset[str] = frozenset()
    is_unattended: bool = False

    async def judge(self, principal: Principal, question: CallQuestion) -> CallRuling:
        """See `CallPermissions.judge`."""
        if not self.rights.may(principal, f"tool:{question.tool}"):
            return CallRuling("deny")
        if question.access in ("compute", "read"):
            return CallRuling("allow")
        given = await self.store.list_permissions(principal)
        fitting = [each for each in given if (each.tool, each.scope) == (question.tool, question.scope)]
        if any(each.is_denied for each in fitting):
            return CallRuling("deny", "never")
        if question.is_tainted:
            return CallRuling("ask", once_only=True)
        if question.tool in self.beforehand:
            return CallRuling("allow", "always")
        for each in () if self.is_unattended else fitting:
            if each.conversation is None:
                return CallRuling("allow", "always")
            if each.conversation == self.conversation:
                return CallRuling("allow", "conversation")
        needs_none = question.access == "outbound" or question.tool in UNDOABLE_TOOLS
        return CallRuling("allow" if needs_none else "ask")
