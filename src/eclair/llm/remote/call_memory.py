"""Remembers, by the id of a tool call, signed parts that a server wants back with the tool's result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from eclair.llm.base import JSON
from eclair.util.lru import LruCache

Remember = Callable[[str, list[JSON]], None]
"""Keeps the signed parts of a tool call, by its id."""

Recall = Callable[[str], Sequence[JSON]]
"""Returns the signed parts of a tool call, by its id."""

MAX_MEMORY_BYTES = 16 << 20


class CallMemory:
    """Parts by the id of the call that they belong to. The oldest are forgotten; nothing is stored."""

    def __init__(self) -> None:
        self._parts = LruCache[str, list[JSON]](MAX_MEMORY_BYTES, weigh=lambda parts: len(orjson.dumps(parts)) + 100)

    def remember(self, call: str, parts: list[JSON]) -> None:
        """Keep the parts of a call."""
        self._parts.put(call, parts)

    def recall(self, call: str) -> Sequence[JSON]:
        """Return the parts of a call; none if it is unknown."""
        return self._parts.get(call) or ()
