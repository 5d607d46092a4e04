"""Drafting: the embedded engine's guesses at what comes next, and whether they are worth their cost.

llama.cpp looks for the last tokens of an answer earlier in the same conversation, takes what followed them there for
its guess, and checks that in one batch. It sees no other conversation, and the words stay what they would have been.
What a guessed token costs depends on the machine, and whether long guesses, short ones or none are the fastest on that:
`eclair tune` measures it. It guesses only where the text repeats itself, which is the gate of each moment; since its
server cannot be told for one answer that it shall not, the gate of a model is here: where the guesses of its recent
answers cost more than they brought, it guesses no more for some days.
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
"""What a guessed token costs, in tokens made one by one, where nobody has measured it: 0.2 on one processor, 0.4 to 0.5
on another (bench/LOG.md)."""

MIN_SPEEDUP = 0.95
"""The speed, as a share of what it is without guesses, below which they end."""

MIN_JUDGED_TOKENS = 1000
"""Tokens of answers with guesses before anything is concluded from them."""

HALF_LIFE_TOKENS = 4000
"""Tokens after which what came before counts half."""

PAUSE_S = 7 * 86400.0
"""Seconds for which a model whose guesses did not pay is asked for none."""


def speedup(tokens: float, drafted: float, accepted: float, cost: float = DEFAULT_DRAFT_COST) -> float:
    """How many times as fast as without guesses an answer of so many `tokens` was, by what was guessed and right."""
    return tokens / (tokens - accepted + cost * drafted)


@dataclass(frozen=True, slots=True)
class DraftSetting:
    """A way to guess: so many tokens looked up and guessed. `usual` is what came of it in 100 tokens of answers in
    chat, code and on documents: how many were guessed, and how many of these were right (bench/words.py's tasks)."""

    lookup_tokens: int
    draft_tokens: int
    usual: tuple[tuple[float, float], ...]

    def speedup(self, cost: float) -> float:
        """How many times as fast as without guesses such answers are where a guessed token costs so much."""
        return geometric_mean(speedup(100, drafted, right, cost) for drafted, right in self.usual)


DraftMode = Literal["long", "short", "none"]
DRAFT_SETTINGS: dict[DraftMode, DraftSetting] = {
    "long": DraftSetting(4, 12, ((53, 14), (70, 27), (100, 53))),
    "short": DraftSetting(3, 3, ((31, 15), (40, 25), (63, 49))),
    "none": DraftSetting(0, 0, ((0, 0),)),
}
"""llama.cpp guesses nothing that is shorter than what it looks up. Longer ones made some tasks slower than none."""


class DraftGate:
    """Judges one model's guesses by its recent answers. `file` keeps until when it rests, `wanted` is the setting."""

    def __init__(self, file: Path, *, wanted: bool, clock: Callable[[], float] = time.time) -> None:
        self.cost = DEFAULT_DRAFT_COST
        """What a guessed token costs as the engine runs now."""
        self._file = file
        self._wanted = wanted
        self._clock = clock
        self._tokens = self._drafted = self._accepted = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the engine should guess now."""
        return self._wanted and not 0 < self._until() - self._clock() <= PAUSE_S

    def record(self, counted: TokenUsage) -> bool:
        """Take an answer into account. Whether it is the one by which the guesses have proved too dear."""
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
        """When the rest ends; long ago where there is none, or where the file is not ours to understand."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return float(orjson.loads(self._file.read_bytes())["until"])
        return 0.0
