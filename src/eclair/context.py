"""What the engine is shown: the system prompt, as much of the history as fits, and the question.

Stable parts come first and nothing volatile stands above the question, so that an engine's prefix cache
holds from turn to turn. When the window is full the oldest turns go, half a window at once: a cut
that moved with every turn would spoil the cache each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from eclair.engines.base import Said
from eclair.errors import TooLarge
from eclair.messages import Message

Count = Callable[[str], Awaitable[int]]
"""A text to its number of tokens."""

WRAPPING = 8
"""Tokens that a chat template may put around one message."""


@dataclass(frozen=True, slots=True)
class Laid:
    """What is shown to the engine, and how many of the oldest messages were left out."""

    messages: tuple[Said, ...]
    dropped: int


async def lay_out(system: str, history: Sequence[Message], *, window: int | None, reserve: int, count: Count) -> Laid:
    """Choose what fits in `window` tokens (None: all of it) beside an answer of `reserve` tokens.

    An answer gets half of the window at most, however long it may be. `history` runs from the root of the
    branch to the question, or to the answer that is to be continued. Raises TooLarge when these alone do not fit.
    """
    head = (Said("system", system),) if system else ()
    dropped = 0
    reserve = min(reserve, window // 2) if window is not None else reserve
    if window is not None and not _surely_fits(system, history, window - reserve):
        room = window - reserve - await count(system) - WRAPPING
        lengths = [await count(message.text) + WRAPPING for message in history]
        needed = sum(lengths[_question(history) :])
        if needed > room:
            raise TooLarge(
                f"Your message is {needed:,} tokens long, and this model can read {max(room, 0):,} "
                "beside its answer; shorten the message or choose a model with a larger window."
            )
        dropped = cut(history, lengths, room)
    shown = [Said(message.role, message.text) for message in history[dropped:] if message.text]
    return Laid((*head, *shown), dropped)


def cut(history: Sequence[Message], lengths: Sequence[int], room: int) -> int:
    """How many of the oldest messages to leave out so that the rest is at most `room` tokens.

    The turns are gone through as they came: when one overflows the room, the oldest are dropped until half
    of it is free, or only that turn is left. So the cut stays where it is for many turns. An answer whose
    question went goes too.
    """
    question = _question(history)
    start = held = 0
    for end, length in enumerate(lengths, 1):
        held += length
        if held <= room:
            continue
        while start < end - 1 and held > room // 2:
            held -= lengths[start]
            start += 1
    while start < question and history[start].role != "user":
        start += 1
    return min(start, question)


def _question(history: Sequence[Message]) -> int:
    """Where the last question is."""
    return max(number for number, message in enumerate(history) if message.role == "user")


def _surely_fits(system: str, history: Sequence[Message], room: int) -> bool:
    """Whether it fits even if every byte were a token, which spares the counting."""
    texts = [system, *(message.text for message in history)]
    return sum(len(text.encode()) + WRAPPING for text in texts) <= room
