"""Principals: on whose behalf something is read, stored or called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or service that was authenticated at the door. `id` is the owner of the rows that they store."""

    id: str


LOCAL_PRINCIPAL = Principal("local")
"""The one person of an installation without accounts: whoever has its key, or sits at this machine."""
