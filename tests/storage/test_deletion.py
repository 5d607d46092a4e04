from __future__ import annotations

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Conversation, Message, Part
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.conversations import ConversationEdit, ConversationPage, Deletion
from eclair.storage.runs import EventChunk
from tests.storage.conftest import Opener
from tests.storage.helpers import SOMEONE, turn
from tests.support import Ids, conversation, messages_of, new_turn


async def test_erasing_takes_everything_and_nothing_else(storage: Storage) -> None:
    await conversation(storage)
    await conversation(storage, "conv_b")
    ids = Ids()
    gone = await turn(storage, ids, "apple")
    stays = await turn(storage, ids, "apple", where="conv_b")
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    with pytest.raises(NotFound):
        await storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_a", 1)
    await storage.conversations.erase_deleted(1)
    with pytest.raises(NotFound):
        await storage.conversations.get_tree(LOCAL_PRINCIPAL, "conv_a")
    assert await storage.runs.list_events(gone.id, 0) == []
    assert [hit.conversation for hit in await storage.conversations.search_messages(LOCAL_PRINCIPAL, "apple", 9)] == [
        "conv_b"
    ]
    assert len(await storage.runs.list_events(stays.id, 0)) == 2
    with pytest.raises(NotFound):
        await storage.runs.get_run(LOCAL_PRINCIPAL, gone.id)
    await storage.runs.append_events([EventChunk(gone.id, 3, b"{}")])  # a late flush
    assert await storage.runs.list_events(gone.id, 0) == []


async def test_many_are_erased_in_steps_that_are_told(storage: Storage) -> None:
    ids = Ids()
    for number in range(60):
        await conversation(storage, f"conv_{number}")
        await turn(storage, ids, "apple", where=f"conv_{number}")
    await storage.conversations.delete_all_conversations(LOCAL_PRINCIPAL, forever=True)
    await conversation(storage, "conv_later")
    await turn(storage, ids, "apple", where="conv_later")
    told: list[tuple[int, int]] = []
    await storage.conversations.erase_deleted(1, lambda done, total: told.append((done, total)))
    assert told[-1] == (60, 60)
    assert told == sorted(told)
    hits = await storage.conversations.search_messages(LOCAL_PRINCIPAL, "apple", 99)
    assert [hit.conversation for hit in hits] == ["conv_later"]
    assert await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL) == ["conv_later"]


async def test_one_is_erased_at_once(storage: Storage) -> None:
    await conversation(storage)
    await conversation(storage, "conv_b")
    await storage.conversations.erase_conversation("conv_a")
    assert await storage.conversations.count_conversations(LOCAL_PRINCIPAL) == 2, "only what was deleted forever"
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_b")
    await storage.conversations.erase_conversation("conv_b")
    assert (await storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_b", 1)).id == "conv_b"
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_b", forever=True)
    await storage.conversations.erase_conversation("conv_b")
    assert (await conversation(storage, "conv_b")).id == "conv_b", "its id is free"


async def test_what_was_deleted_is_brought_back_while_it_is_kept(opener: Opener) -> None:
    now = [1000.0]
    storage = opener(clock=lambda: now[0])
    before = await conversation(storage)
    run = await turn(storage, Ids(), "apple")
    before = await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")
    for _ in range(2):
        await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
        assert await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 9) == ConversationPage([], [], None)
        assert await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL) == []
        assert await storage.conversations.search_messages(LOCAL_PRINCIPAL, "apple", 9) == []
        assert await storage.conversations.count_tags(LOCAL_PRINCIPAL) == {}
        for call in (
            storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a"),
            storage.conversations.get_tree(LOCAL_PRINCIPAL, "conv_a"),
            storage.runs.get_run(LOCAL_PRINCIPAL, run.id),
            storage.conversations.edit_conversation(LOCAL_PRINCIPAL, "conv_a", ConversationEdit(title="x")),
            storage.runs.open_turn(new_turn(storage, Ids())[0]),
            storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a"),
            storage.conversations.restore_conversation(SOMEONE, "conv_a", 0),
            storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_a", 1_000_001),
        ):
            with pytest.raises(NotFound):
                await call
        with pytest.raises(Conflict, match="was deleted"):
            await conversation(storage)
        await storage.conversations.erase_deleted(1_000_000)
        assert await storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_a", 1_000_000) == before
        assert await storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_a", 1_000_000) == before
        assert [
            hit.conversation for hit in await storage.conversations.search_messages(LOCAL_PRINCIPAL, "apple", 9)
        ] == ["conv_a"]
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
    await storage.conversations.erase_deleted(1_000_001)
    with pytest.raises(NotFound):
        await storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_a", 0)
    await storage.close()


async def test_deletions_of_one_moment_are_told_apart(opener: Opener) -> None:
    storage = opener(clock=lambda: 1000.0)
    alone, *together = [(await conversation(storage, f"conv_{letter}")).id for letter in "abc"]
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, alone)
    deleted = await storage.conversations.delete_all_conversations(LOCAL_PRINCIPAL)
    assert deleted == Deletion(2, 1_000_001)
    assert await storage.conversations.delete_all_conversations(LOCAL_PRINCIPAL) == Deletion(0, 1_000_002)
    for owner, moment, since in (
        ("someone", deleted.moment, 0),
        ("local", deleted.moment, deleted.moment + 1),
        ("local", deleted.moment + 1, 0),
    ):
        with pytest.raises(NotFound):
            await storage.conversations.restore_deletion(Principal(owner), moment, since)
    assert await storage.conversations.count_conversations(LOCAL_PRINCIPAL) == 0
    assert await storage.conversations.restore_deletion(LOCAL_PRINCIPAL, deleted.moment, deleted.moment) == 2
    assert await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL) == together
    assert await storage.conversations.count_conversations(LOCAL_PRINCIPAL) == 2
    await storage.close()


async def test_nothing_is_deleted_under_a_run_at_work(storage: Storage) -> None:
    await conversation(storage)
    await conversation(storage, "conv_b")
    run = await storage.runs.open_turn(new_turn(storage, Ids())[0])
    question = (await messages_of(storage, "conv_a"))[0].id
    for refused in (
        storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a"),
        storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True),
        storage.conversations.delete_all_conversations(LOCAL_PRINCIPAL),
        storage.conversations.delete_message(LOCAL_PRINCIPAL, "conv_a", question),
    ):
        with pytest.raises(Conflict) as raised:
            await refused
        assert raised.value.run == run.id
    await storage.conversations.delete_all_conversations(SOMEONE)
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_b")
    assert await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL) == ["conv_a"]


async def test_a_message_is_deleted_with_what_is_under_it(storage: Storage) -> None:
    r"""The tree, in the order of numbers: 1-2-3-4, 5 beside 3, 6 beside 2, 7 under 6, 8 beside 1."""
    parents = {1: None, 2: 1, 3: 2, 4: 3, 5: 2, 6: 1, 7: 6, 8: None}

    def tree(where: str, leaf: int) -> tuple[Conversation, list[Message]]:
        id = {number: f"msg_{where}{number}" for number in parents}
        messages = [
            Message(id[number], where, id[parent] if parent else None, "user", (Part("text", "word"),), number)
            for number, parent in parents.items()
        ]
        return Conversation(where, "local", "", 1, 1, id[leaf]), messages

    for case, (leaf, deleted, left, now) in enumerate(
        [
            (4, 4, [1, 2, 3, 5, 6, 7, 8], 3),
            (4, 3, [1, 2, 5, 6, 7, 8], 5),
            (4, 2, [1, 6, 7, 8], 7),
            (4, 1, [8], 8),
            (8, 8, [1, 2, 3, 4, 5, 6, 7], 7),
            (5, 3, [1, 2, 5, 6, 7, 8], 5),
            (7, 6, [1, 2, 3, 4, 5, 8], 5),
        ]
    ):
        where = f"conv_{case}"
        assert await storage.conversations.add_tree(LOCAL_PRINCIPAL, *tree(where, leaf))
        changed = await storage.conversations.delete_message(LOCAL_PRINCIPAL, where, f"msg_{where}{deleted}")
        assert [message.created for message in await messages_of(storage, where)] == left
        assert changed.leaf == f"msg_{where}{now}"
        assert len(
            [
                hit
                for hit in await storage.conversations.search_messages(LOCAL_PRINCIPAL, "word", 99)
                if hit.conversation == where
            ]
        ) == len(left)
    await storage.conversations.add_tree(LOCAL_PRINCIPAL, *tree("conv_x", 4))
    await storage.conversations.delete_message(LOCAL_PRINCIPAL, "conv_x", "msg_conv_x8")
    assert (await storage.conversations.delete_message(LOCAL_PRINCIPAL, "conv_x", "msg_conv_x1")).leaf is None
    for owner, message in (("local", "msg_conv_x1"), ("someone", "msg_conv_11"), ("local", "msg_conv_08")):
        with pytest.raises(NotFound):
            await storage.conversations.delete_message(Principal(owner), "conv_1", message)
