"""Memories: kept once, in order, by their owner alone, and erased for good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, HeldBack, NotFound
from eclair.schema.memories import MAX_MEMORIES, Memory
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.retention import LegalHold
from tests.storage.helpers import SOMEONE

FIRST = Memory("mem_a", "local", "My dog is called Rex", "person", 1, 1, "conv_a", "msg_a")


async def test_memories_are_kept_changed_and_erased(storage: Storage) -> None:
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, Conversation("conv_a", "local", "", 1, 1))
    assert await storage.memories.add_memory(LOCAL_PRINCIPAL, FIRST) == FIRST
    same = replace(FIRST, id="mem_b", created=2)
    assert await storage.memories.add_memory(LOCAL_PRINCIPAL, same) == FIRST
    model = Memory("mem_c", "local", "Answers in French", "model", 3, 3, "conv_gone", "msg_gone")
    assert (await storage.memories.add_memory(LOCAL_PRINCIPAL, model)).conversation is None
    edited = await storage.memories.edit_memory(LOCAL_PRINCIPAL, "mem_a", "My cat is called Tom", 5)
    assert edited == replace(FIRST, text="My cat is called Tom", changed=5)
    assert [each.id for each in await storage.memories.list_memories(LOCAL_PRINCIPAL)] == ["mem_a", "mem_c"]
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_conversation("conv_a")
    assert (await storage.memories.list_memories(LOCAL_PRINCIPAL))[0].conversation is None
    await storage.memories.delete_memory(LOCAL_PRINCIPAL, "mem_a")
    with pytest.raises(NotFound):
        await storage.memories.delete_memory(LOCAL_PRINCIPAL, "mem_a")
    assert await storage.memories.delete_all_memories(LOCAL_PRINCIPAL) == 1
    assert await storage.memories.list_memories(LOCAL_PRINCIPAL) == []


async def test_nobody_sees_or_changes_anothers_memories(storage: Storage) -> None:
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, Conversation("conv_a", "local", "", 1, 1))
    await storage.memories.add_memory(LOCAL_PRINCIPAL, FIRST)
    assert await storage.memories.list_memories(SOMEONE) == []
    with pytest.raises(NotFound):
        await storage.memories.edit_memory(SOMEONE, "mem_a", "x", 2)
    with pytest.raises(NotFound):
        await storage.memories.delete_memory(SOMEONE, "mem_a")
    with pytest.raises(Conflict, match="taken"):
        await storage.memories.add_memory(SOMEONE, FIRST)
    other = await storage.memories.add_memory(SOMEONE, replace(FIRST, id="mem_d", owner="someone"))
    assert (other.owner, other.conversation) == ("someone", None)
    assert await storage.memories.delete_all_memories(SOMEONE) == 1
    assert len(await storage.memories.list_memories(LOCAL_PRINCIPAL)) == 1


async def test_there_is_a_limit(storage: Storage) -> None:
    for at in range(MAX_MEMORIES):
        await storage.memories.add_memory(SOMEONE, Memory(f"mem_{at}", "someone", f"Fact {at}", "person", 1, 1))
    with pytest.raises(Conflict, match="1,000"):
        await storage.memories.add_memory(SOMEONE, Memory("mem_x", "someone", "One more", "person", 1, 1))


async def test_a_legal_hold_keeps_memories(storage: Storage) -> None:
    await storage.memories.add_memory(LOCAL_PRINCIPAL, FIRST)
    await storage.retention.place_hold(
        LOCAL_PRINCIPAL, LegalHold(scope="person", subject="local", reason="a case", placed=1)
    )
    with pytest.raises(HeldBack):
        await storage.memories.delete_memory(LOCAL_PRINCIPAL, "mem_a")
