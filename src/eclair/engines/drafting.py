"""Drafting: the embedded engine's guesses at what comes next, and whether they are worth their cost.

llama.cpp looks for the LOOKUP tokens that an answer ends with earlier in the same conversation, takes the DRAFT tokens
that followed them there for its guess, and checks them in one batch. It sees no other conversation, and the words stay
what they would have been. It guesses only where the text repeats itself, which is the gate of each moment; since its
server cannot be told for one answer that it shall not, the gate of a model is here: where the guesses of its recent
answers cost more than they brought, it guesses no more for some days.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from eclair.engines.base import Counted

LOOKUP = 4
DRAFT = 12
"""With 4 and 12 no kind of task was slower than without, beyond a few per cent of noise; with 24 or 48 some were
(bench/LOG.md)."""

COST = 0.22
"""What a guessed token costs, in tokens made one by one: 0.20 to 0.23 measured over three kinds of task. On a machine
that reads a prompt faster in proportion it is less, and then the gate is a little too careful."""

LEAST = 0.95
"""The speed, as a share of what it is without guesses, below which they end."""

ENOUGH = 1000
"""Tokens of answers with guesses before anything is concluded from them."""

HALF = 4000
"""Tokens after which what came before counts half."""

REST = 7 * 86400.0
"""Seconds for which a model whose guesses did not pay is asked for none."""


def gain(tokens: float, drafted: float, accepted: float) -> float:
    """How many times as fast as without guesses an answer of so many `tokens` was, by what was guessed and right."""
    return tokens / (tokens - accepted + COST * drafted)


class Drafting:
    """Judges one model's guesses by its recent answers. `file` keeps until when it rests, `wanted` is the setting."""

    def __init__(self, file: Path, *, wanted: bool, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._wanted = wanted
        self._clock = clock
        self._tokens = self._drafted = self._accepted = 0.0

    @property
    def on(self) -> bool:
        """Whether the engine should guess now."""
        return self._wanted and not 0 < self._until() - self._clock() <= REST

    def learn(self, counted: Counted) -> bool:
        """Take an answer into account. Whether it is the one by which the guesses have proved too dear."""
        if not counted.drafted_tokens:
            return False
        kept = 0.5 ** (counted.completion_tokens / HALF)
        self._tokens = self._tokens * kept + counted.completion_tokens
        self._drafted = self._drafted * kept + counted.drafted_tokens
        self._accepted = self._accepted * kept + (counted.accepted_tokens or 0)
        if self._tokens < ENOUGH or gain(self._tokens, self._drafted, self._accepted) >= LEAST:
            return False
        self._tokens = self._drafted = self._accepted = 0.0
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(orjson.dumps({"until": self._clock() + REST}))
        return True

    def _until(self) -> float:
        """When the rest ends; long ago where there is none, or where the file is not ours to understand."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return float(orjson.loads(self._file.read_bytes())["until"])
        return 0.0
