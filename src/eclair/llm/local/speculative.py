"""Speculative decoding: how far the embedded engine drafts, and if it pays.

llama.cpp looks up the last tokens of an answer earlier in the same conversation, drafts what followed them there, and
verifies that in one batch. It sees no other conversation, and the words stay the same. The cost of a drafted token
depends on the machine: `eclair tune` measures it and chooses long drafts, short ones or none. llama.cpp drafts only
where the text repeats itself. As its server can't switch drafting off for one answer, `DraftGate` does so for a
model: if the drafts of its recent answers cost more than they saved, it drafts no more for some days.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean
from typing import Literal

import orjson

from eclair.llm.base import TokenUsage

DEFAULT_DRAFT_COST = 0.3
"""Cost of a drafted token, in decoded tokens, where it wasn't measured.

0.2 on one CPU, 0.4 to 0.5 on another (bench/LOG.md)."""

MIN_SPEEDUP = 0.95
"""Drafting stops below this speed, relative to that without it."""

MIN_JUDGED_TOKENS = 1000
"""Tokens of drafted answers before drafting is judged."""

HALF_LIFE_TOKENS = 4000
"""Tokens after which earlier answers count half."""

PAUSE_S = 7 * 86400.0
"""The time without drafting after it didn't pay."""


def speedup(tokens: float, drafted: float, accepted: float, cost: float = DEFAULT_DRAFT_COST) -> float:
    """Return the speed of an answer of `tokens`, relative to that without drafting."""
    return tokens / (tokens - accepted + cost * drafted)


@dataclass(frozen=True, slots=True)
class DraftSetting:
    """A way to draft: how many tokens are looked up, and how many drafted.

    `usual` holds drafted and accepted tokens per 100 tokens of answers in chat, code and on documents (the tasks of
    bench/words.py).
    """

    lookup_tokens: int
    draft_tokens: int
    usual: tuple[tuple[float, float], ...]

    def speedup(self, cost: float) -> float:
        """Return the speedup for such answers if a drafted token costs `cost`."""
        return geometric_mean(speedup(100, drafted, right, cost) for drafted, right in self.usual)


DraftMode = Literal["long", "short", "none"]
DRAFT_SETTINGS: dict[DraftMode, DraftSetting] = {
    "long": DraftSetting(4, 12, ((53, 14), (70, 27), (100, 53))),
    "short": DraftSetting(3, 3, ((31, 15), (40, 25), (63, 49))),
    "none": DraftSetting(0, 0, ((0, 0),)),
}
"""llama.cpp drafts nothing shorter than what it looks up. Longer drafts slowed some tasks."""


class DraftGate:
    """Switches one model's drafting by its recent answers.

    `file` stores until when it pauses; `wanted` is the setting.
    """

    def __init__(self, file: Path, *, wanted: bool, clock: Callable[[], float] = time.time) -> None:
        self.cost = DEFAULT_DRAFT_COST
        """The cost of a drafted token, relative to a written one, as the engine runs now."""
        self._file = file
        self._wanted = wanted
        self._clock = clock
        self._tokens = self._drafted = self._accepted = 0.0

    @property
    def is_open(self) -> bool:
        """True if the engine should draft now."""
        return self._wanted and not 0 < self._until() - self._clock() <= PAUSE_S

    def record(self, counted: TokenUsage) -> bool:
        """Record an answer; return whether it is the one that shows that drafting doesn't pay."""
        if not counted.drafted_tokens:
            return False
        kept = 0.5 ** (counted.completion_tokens / HALF_LIFE_TOKENS)
        self._tokens = self._tokens * kept + counted.completion_tokens
        self._drafted = self._drafted * kept + counted.drafted_tokens
        self._accepted = self._accepted * kept + (counted.accepted_tokens or 0)
        if (
            self._tokens < MIN_JUDGED_TOKENS
            or speedup(self._tokens, self._drafted, self._accepted, self.cost) >= MIN_SPEEDUP
        ):
            return False
        self._tokens = self._drafted = self._accepted = 0.0
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(orjson.dumps({"until": self._clock() + PAUSE_S}))
        return True

    def _until(self) -> float:
        """Return when the pause ends; 0 if there is none, or if the file is unreadable."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return float(orjson.loads(self._file.read_bytes())["until"])
        return 0.0
