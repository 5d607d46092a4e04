"""Sharing: what people own (libraries, projects, prompts, assistants), opened to others as viewers or editors."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.principal import Principal

Access = Literal["own", "edit", "view"]
"""Access to what is shared: an editor changes what is in it, the owner alone shares and deletes it."""
SharedAccess = Literal["edit", "view"]


@dataclass(frozen=True, slots=True)
class AccessShare:
    """Something that is shared with a subject such as `group:ID`; see `Grant`. `created` is in milliseconds."""

    object: str
    subject: str
    access: SharedAccess
    created: int


class SharedStore(Protocol):
    """A store of what can be shared, such as `LibraryStore`."""

    def share(self, principal: Principal, share: AccessShare) -> Awaitable[None]: ...

    def unshare(self, principal: Principal, id: str, subject: str) -> Awaitable[None]: ...

    def list_shares(self, principal: Principal, id: str) -> Awaitable[list[AccessShare]]: ...
