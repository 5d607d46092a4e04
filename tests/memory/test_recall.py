"""The memories of an answer: a head that stays the same, and the closest to the question beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from eclair.errors import EngineUnavailable
from eclair.memory import recall
from eclair.memory.recall import HEAD_CHARS, MAX_RECALLED, MemoryRecall
from eclair.schema.memories import Memory


def memory(at: int, text: str, changed: int = 1) -> Memory:
    return Memory(f"mem_{at:04}", "me", text, "person", 1, changed)


def word(at: int) -> str:
    """Return a word that no other number has."""
    return "bcdfghjklm"[at // 10] * 3 + "a" + "bcdfghjklm"[at % 10] * 3


MANY = [memory(at, f"About {word(at)} " + "x" * 90) for at in range(100)]


class ByLength:
    """An embedder that finds texts alike whose first letters are."""

    name = "by-length"
    asked = 0

    async def embed(self, texts: Sequence[str], kind: str, **_: object) -> Any:
        self.asked += len(texts)
        return np.array([[1.0, 0.0] if text.startswith("Z") else [0.0, 1.0] for text in texts], np.float32)

    async def wake(self) -> None: ...

    async def close(self) -> None: ...


class Down(ByLength):
    async def embed(self, texts: Sequence[str], kind: str, **_: object) -> Any:
        raise EngineUnavailable("down")


class Slow(ByLength):
    async def embed(self, texts: Sequence[str], kind: str, **_: object) -> Any:
        await asyncio.Event().wait()


async def test_what_was_there_at_the_start_is_the_head_and_newer_ones_stand_beside_the_question() -> None:
    memories = [memory(1, "I live in Gent"), memory(2, "My dog is Rex", changed=7), memory(3, "I like tea")]
    found = await MemoryRecall(None).choose(memories, 5, "Hello", None)
    assert ([each.id for each in found.head], [each.id for each in found.near]) == (
        ["mem_0001", "mem_0003"],
        ["mem_0002"],
    )
    assert found.ids == ("mem_0001", "mem_0003", "mem_0002")


@pytest.mark.parametrize(("window", "is_head"), [(None, True), (32_768, True), (2048, False)])
async def test_a_small_window_takes_the_closest_alone(window: int | None, is_head: bool) -> None:
    memories = MANY[:20]
    found = await MemoryRecall(None).choose(memories, 5, f"And {word(7)}?", window)
    assert bool(found.head) == is_head
    assert is_head or (len(found.near) == MAX_RECALLED and MANY[7] in found.near)


async def test_too_many_for_the_head_are_chosen_by_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(len(each.text) for each in MANY) > HEAD_CHARS
    memories = [*MANY, *(memory(1000 + at, f"Zebra {at}") for at in range(MAX_RECALLED))]
    embedder = ByLength()
    chooser = MemoryRecall(embedder)
    found = await chooser.choose(memories, 5, "Z?", None)
    assert (found.head, list(found.near)) == ((), memories[100:])
    asked = embedder.asked
    await chooser.choose(memories, 5, "Z?", None)
    assert embedder.asked == asked + 1
    monkeypatch.setattr(recall, "EMBEDDING_TIMEOUT_S", 0.01)
    for failing in (Down(), Slow()):
        assert memories[3] in (await MemoryRecall(failing).choose(memories, 5, f"What is {word(3)}?", None)).near
