"""Principals: on whose behalf something is read, stored or called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

PersonRole = Literal["admin", "auditor", "member", "guest"]
"""An administrator runs the house, an auditor reads its records, a member works here, a guest may do less."""

ROLES: tuple[PersonRole, ...] = get_args(PersonRole)


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits of the key called `name`: the models it may ask, all without; requests a minute, answers at once.

    Only a key that `is_unlimited`, which also ends never and comes from anywhere, may make keys.
    """

    name: str
    models: frozenset[str] = frozenset()
    per_minute: int | None = None
    at_once: int | None = None
    is_unlimited: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or service that was authenticated at the door. `id` is the owner of the rows that they store.

    `key` is the id of the API key and `session` that of the session that they came with, `address` where from;
    `groups` are the ids of the groups that they are in. None of these makes them somebody else.
    """

    id: str
    key: str | None = field(default=None, compare=False)
    role: PersonRole = field(default="member", compare=False)
    groups: frozenset[str] = field(default=frozenset(), compare=False)
    session: str | None = field(default=None, compare=False)
    address: str | None = field(default=None, compare=False)
    limits: KeyLimits | None = field(default=None, compare=False)


LOCAL_PRINCIPAL = Principal("local", role="admin")
"""The one person of an installation without accounts: whoever has its key, or sits at this machine.

With accounts it is the first administrator, to whom all belongs that was kept before.
"""

NOBODY = Principal("nobody", role="guest")
"""Somebody unknown, who asks for what is public where there are accounts."""
