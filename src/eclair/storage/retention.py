"""Port of retention: rules for how long what people keep stays, and legal holds, which nothing passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.principal import Principal

RetentionScope = Literal["everyone", "group", "project", "library"]
HoldScope = Literal["person", "project", "conversation"]

EVERYONE = ""
"""The subject of the rule for everyone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """Days without use after which what is in the scope is erased.

    0 is for temporary chats alone, None for ever. `subject` is the id of a group, a project or a library. Of several
    rules that apply, the shortest wins.
    """

    scope: RetentionScope
    subject: str
    days: int | None
    changed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """A hold on all that a person has, or on a project or conversation: until it is lifted, nothing of it is erased."""

    scope: HoldScope
    subject: str
    reason: str
    placed: int


@dataclass(frozen=True, slots=True)
class DueConversation:
    id: str
    owner: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCount:
    """Numbers of what rules would erase; `held` is how many conversations only a hold keeps from it.

    `own` are the principal's own conversations among them, the longest unused first: nobody else's are named.
    """

    conversations: int
    people: int
    responses: int
    batches: int
    images: int
    files: int
    memories: int
    held: int
    own: tuple[DueConversation, ...] = ()

    @property
    def total(self) -> int:
        return self.conversations + self.responses + self.batches + self.images + self.files + self.memories


@dataclass(frozen=True, slots=True)
class PersonRetention:
    """The time that all of a person stays: `days` at most, 0 for temporary chats alone, None without a limit."""

    days: int | None
    is_held: bool


class RetentionStore(Protocol):
    """Rules and holds. Methods without a Principal concern the installation, or serve its hourly round."""

    async def list_rules(self) -> list[RetentionRule]:
        """List the rules: for everyone first, then by scope and subject."""
        ...

    async def set_rule(self, principal: Principal, rule: RetentionRule) -> None:
        """Set the rule of a scope and subject. Raises NotFound for a group, project or library that isn't there."""
        ...

    async def delete_rule(self, principal: Principal, scope: RetentionScope, subject: str) -> None:
        """Delete a rule. Raises NotFound."""
        ...

    async def list_holds(self) -> list[LegalHold]:
        """List the holds, oldest first."""
        ...

    async def place_hold(self, principal: Principal, hold: LegalHold) -> None:
        """Place a hold. Raises NotFound for a project or conversation that isn't there, Conflict where there is one."""
        ...

    async def lift_hold(self, principal: Principal, scope: HoldScope, subject: str) -> None:
        """Lift a hold. Raises NotFound."""
        ...

    async def get_person_retention(self, principal: Principal) -> PersonRetention:
        """Return what applies to all that the principal keeps."""
        ...

    async def count_due(self, principal: Principal, rules: Sequence[RetentionRule], now: int, limit: int) -> DueCount:
        """Count what the rules would erase at millisecond `now`, and name `limit` conversations of the principal's."""
        ...

    async def expire(self, rules: Sequence[RetentionRule], now: int) -> DueCount:
        """Erase what is due but files, and delete conversations forever, in small steps; return how many.

        Pinned ones go too; those in which a run is at work stay.
        """
        ...

    async def list_due_files(self, rules: Sequence[RetentionRule], now: int) -> list[tuple[str, str]]:
        """List owner and id of the files that are due in libraries."""
        ...

    async def note_round(self, erased: DueCount) -> None:
        """Note in the audit log how much a round has erased."""
        ...
