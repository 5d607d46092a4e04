"""The port of permissions: if a call of a tool is made at once, after a person was asked, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.messages import CallAccess, CallDecision
from eclair.schema.principal import Principal

Ruling = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True)
class CallQuestion:
    """A call to be judged. With `is_tainted` foreign text may have led to it.

    `scope` is what a permission for further calls covers; see `Tool.scope`.
    """

    tool: str
    access: CallAccess
    scope: str
    is_tainted: bool


@dataclass(frozen=True, slots=True)
class CallRuling:
    """The answer; `decision` is the person's earlier one that it rests on, if it rests on one.

    A call that is asked about `once_only` can't be allowed beyond itself.
    """

    verdict: Ruling
    decision: CallDecision | None = None
    once_only: bool = False


ALLOWED = CallRuling("allow")


class CallPermissions(Protocol):
    """Judges calls for a conversation."""

    async def judge(self, principal: Principal, question: CallQuestion) -> CallRuling:
        """Return if a call is made at once, after a person was asked, or not at all."""
        ...


class DefaultPermissions:
    """Permissions where nobody has given any: what changes something is asked, and so is what foreign text may send."""

    async def judge(self, principal: Principal, question: CallQuestion) -> CallRuling:
        """See `CallPermissions.judge`."""
        is_asked = question.access == "write" or (question.access == "outbound" and question.is_tainted)
        return CallRuling("ask" if is_asked else "allow")
