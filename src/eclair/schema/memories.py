"""Memories: sentences about a person or their work that later conversations are to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MemoryMaker = Literal["person", "model"]
MAX_MEMORY_CHARS = 500
MAX_MEMORIES = 1000
"""Of one person."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A sentence that is kept, on one line.

    A `maker` wrote it: the person, or a model for them. `message` of `conversation` is where; both are None for one
    that was written by hand, and the conversation is None once it is erased. One that was kept in a
    project is used there alone. `changed` is when the text became what it
    is; times are milliseconds since 1970, UTC.
    """

    id: str
    owner: str
    text: str
    maker: MemoryMaker
    created: int
    changed: int
    conversation: str | None = None
    message: str | None = None
    project_id: str | None = None
