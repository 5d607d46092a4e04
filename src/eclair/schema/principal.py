"""Principals: on whose behalf something is read, stored or called."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or service that was authenticated at the door. `id` is the owner of the rows that they store.

    `key` is the id of the API key that they came with, None for whoever came without; it makes them nobody else.
    """

    id: str
    key: str | None = field(default=None, compare=False)


LOCAL_PRINCIPAL = Principal("local")
"""The one person of an installation without accounts: whoever has its key, or sits at this machine."""
