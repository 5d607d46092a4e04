"""Port of names of what belongs to people: rules of administrators name it, and show as whose it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

OwnedKind = Literal["assistant", "library", "project", "prompt"]
"""Kinds that rules can be for. Conversations aren't among them: their titles are content."""


@dataclass(frozen=True, slots=True)
class OwnedName:
    """The name of something, and the id of its owner."""

    id: str
    owner: str
    name: str


class OwnedNameStore(Protocol):
    """Names of everybody's assistants, libraries, projects and prompts, for administrators and auditors alone."""

    async def search_names(self, kind: OwnedKind, words: str, limit: int) -> list[OwnedName]:
        """Find names that have all of the words, the best first."""
        ...

    async def get_names(self, kind: OwnedKind, ids: Collection[str]) -> dict[str, OwnedName]:
        """Return by id those that are there."""
        ...
