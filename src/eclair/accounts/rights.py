"""Rights: who may use which model, engine, tool and library, and the web, images, shared links, keys and MCP servers.

`Rights.may` is asked by the port that is about to act. A denial wins over every permission. What some may use is closed
to all others; what nobody restricted is open, but for guests what GUEST_CLOSED names.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from eclair.errors import InvalidInput, RightMissing, StoreError
from eclair.live_settings import LiveSettings
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import ROLES, Principal
from eclair.storage.grants import EVERYONE, Grant, GrantEffect, GrantStore, subjects_of
from eclair.storage.processes import ProcessStore

POLL_INTERVAL_S: Final = 2.0
"""After this time at most, what another process changed is in force here."""

GUESTS: Final = "role:guest"
"""A permission for guests closes nothing to others."""
GUEST_CLOSED: Final = frozenset({"keys", "mcp", "share", "uploads"})
"""Things that guests may do only where a grant says so: make keys, add MCP servers, share, add to libraries."""

THINGS: Final = frozenset({"web", "images", "share", "keys", "uploads", "mcp"})
KINDS: Final = frozenset({"model", "engine", "tool", "library", "project", "prompt", "assistant"})
"""Kinds of objects that have an id, or `*` for all of a kind."""

_SUBJECT: Final = re.compile(rf"{EVERYONE}|role:(?:{'|'.join(ROLES)})|(?:group|person):[\w.:-]{{1,200}}")
_OBJECT: Final = re.compile(rf"(?:{'|'.join(sorted(THINGS))})|(?:{'|'.join(sorted(KINDS))}):\S{{1,300}}")

RightReason = Literal["open", "guest", "allowed", "denied", "restricted"]
"""Why something is open to a person or not; `restricted` is what others alone may use."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RightDecision:
    """Says if somebody may use something, why, and by which grant, if by one."""

    is_allowed: bool
    reason: RightReason
    grant: Grant | None = None


@dataclass(slots=True)
class _Rules:
    """The grants on one object, by subject."""

    allowed: dict[str, Grant] = field(default_factory=dict[str, Grant])
    denied: dict[str, Grant] = field(default_factory=dict[str, Grant])


class RightRules:
    """Decides who may use what, by grants in memory. Without accounts everything is open."""

    def __init__(self, grants: Iterable[Grant] = (), *, has_accounts: bool = False) -> None:
        self._has_accounts = has_accounts
        self._rules = _index(grants)

    def may(self, principal: Principal, object: str) -> bool:
        """Tell if somebody may use something."""
        return self.decide(principal, object).is_allowed

    def require(self, principal: Principal, object: str, sentence: str) -> None:
        """Raise RightMissing with the sentence where somebody may not use something."""
        if not self.may(principal, object):
            raise RightMissing(sentence)

    def may_use_model(self, principal: Principal, model: str, engine: str) -> bool:
        """Tell if somebody may use a model, and the engine that serves it."""
        return not self._has_accounts or (
            self.may(principal, f"engine:{engine}") and self.may(principal, f"model:{model}")
        )

    def decide(self, principal: Principal, object: str) -> RightDecision:
        """Decide if somebody may use something, and say why."""
        if not self._has_accounts:
            return _OPEN
        exact, every = self._rules.get(object), self._rules.get(_wildcard(object))
        if exact is not None or every is not None:
            subjects = subjects_of(principal)
            rules = [each for each in (exact, every) if each is not None]
            for each in rules:
                if (grant := _first(each.denied, subjects)) is not None:
                    return RightDecision(False, "denied", grant)
            for each in rules:
                if (grant := _first(each.allowed, subjects)) is not None:
                    return RightDecision(True, "allowed", grant)
                if (grant := next((each.allowed[of] for of in each.allowed if of != GUESTS), None)) is not None:
                    return RightDecision(False, "restricted", grant)
        is_closed = principal.role == "guest" and object in GUEST_CLOSED
        return _GUEST if is_closed else _OPEN


class Rights(RightRules):
    """Keeps the grants and decides by them. Call `start` before use and `close` at the end."""

    def __init__(
        self, store: GrantStore, processes: ProcessStore, settings: LiveSettings, clock: Clock = time.time
    ) -> None:
        super().__init__(has_accounts=settings.current.accounts == "on")
        self._store = store
        self._processes = processes
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the grants, and follow what other processes change. Raises StoreError."""
        if self._has_accounts:
            await self.reload()
            self._task = asyncio.create_task(self._follow(), name="follow changes of rights")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def list_grants(self) -> list[Grant]:
        return await self._store.list_grants()

    async def grant(self, principal: Principal, subject: str, object: str, effect: GrantEffect) -> Grant:
        """Say that a subject may use an object, or may not. Raises InvalidInput."""
        check_rule(subject, object)
        new = Grant(
            id=new_id("grant", self._clock),
            subject=subject,
            object=object,
            effect=effect,
            created=int(self._clock() * 1000),
        )
        made = await self._store.put_grant(principal, new)
        await self.reload()
        return made

    async def revoke(self, principal: Principal, id: str) -> None:
        """Delete a grant. Raises NotFound."""
        await self._store.delete_grant(principal, id)
        await self.reload()

    async def reload(self) -> None:
        """Decide by the grants as they are stored now."""
        self._rules = _index(await self._store.list_grants())

    async def _follow(self) -> None:
        seen: int | None = None
        while True:
            try:
                version = await self._processes.get_foreign_version()
                if seen not in (None, version):
                    await self.reload()
                seen = version
            except StoreError as error:
                log.warning("cannot see whether rights were changed elsewhere: %s", error.message)
            await asyncio.sleep(POLL_INTERVAL_S)


def check_rule(subject: str, object: str) -> None:
    """Raise InvalidInput for a subject or an object of a kind that there isn't."""
    if _SUBJECT.fullmatch(subject) is None:
        raise InvalidInput(
            "Rights are for everyone, role:ROLE, group:ID or person:ID; choose one of these.", param="subject"
        )
    if _OBJECT.fullmatch(object) is None:
        raise InvalidInput(
            "Rights are to web, images, share, keys, uploads, mcp, or to model:, engine:, tool:, library:, project:, "
            "prompt: or assistant: with an id or *; choose one of these.",
            param="object",
        )


def _index(grants: Iterable[Grant]) -> dict[str, _Rules]:
    rules: dict[str, _Rules] = {}
    for grant in grants:
        of = rules.setdefault(grant.object, _Rules())
        (of.allowed if grant.effect == "allow" else of.denied)[grant.subject] = grant
    return rules


def _wildcard(object: str) -> str:
    kind, colon, _ = object.partition(":")
    return f"{kind}:*" if colon else ""


def _first(grants: Mapping[str, Grant], subjects: Iterable[str]) -> Grant | None:
    return next((grants[subject] for subject in subjects if subject in grants), None) if grants else None


OPEN_RULES: Final = RightRules()
"""Everything is open to everybody, as on a machine of one's own."""

_OPEN: Final = RightDecision(True, "open")
_GUEST: Final = RightDecision(False, "guest")
