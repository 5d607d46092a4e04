"""Rules of retention and legal holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, HeldBack, NotFound, TemporaryOnly
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.batches import BatchFile
from eclair.storage.retention import DueCount, LegalHold, PersonRetention, RetentionRule
from tests.storage.helpers import SOMEONE
from tests.storage.test_images import IMAGE

DAY_MS = 86_400_000
NONE_DUE = DueCount(conversations=0, people=0, responses=0, batches=0, images=0, files=0, memories=0, held=0)
WEEK = RetentionRule(scope="everyone", subject="", days=7)


def new(id: str, owner: str = "local", updated: int = 0) -> Conversation:
    return Conversation(id, owner, "Bread", 0, updated)


def held(id: str) -> LegalHold:
    return LegalHold(scope="conversation", subject=id, reason="Case 7", placed=0)


async def test_rules_are_kept_and_what_is_due_goes(storage: Storage) -> None:
    for number, owner in enumerate((LOCAL_PRINCIPAL, LOCAL_PRINCIPAL, SOMEONE)):
        await storage.conversations.add_conversation(owner, new(f"conv_{number}", owner.id, number * DAY_MS))
    await storage.images.add_image(LOCAL_PRINCIPAL, IMAGE)
    file = BatchFile(id="file_a", owner="local", name="a", created=1, size=1)
    await storage.batches.add_file(LOCAL_PRINCIPAL, file, [b"x"])
    await storage.retention.set_rule(LOCAL_PRINCIPAL, replace(WEEK, days=3))
    await storage.retention.set_rule(LOCAL_PRINCIPAL, WEEK)
    (rule,) = rules = await storage.retention.list_rules()
    assert replace(rule, changed=0) == WEEK
    await storage.retention.place_hold(LOCAL_PRINCIPAL, held("conv_1"))
    now = 9 * DAY_MS - 1
    due = await storage.retention.count_due(LOCAL_PRINCIPAL, rules, now, 5)
    assert (due.conversations, due.people, due.images, due.batches, due.held) == (1, 1, 1, 1, 1)
    assert [each.id for each in due.own] == ["conv_0"]
    theirs = await storage.retention.count_due(SOMEONE, rules, 10 * DAY_MS, 5)
    assert (theirs.conversations, theirs.people, [each.id for each in theirs.own]) == (2, 2, ["conv_2"])
    assert await storage.retention.list_due_files(rules, now) == []
    erased = await storage.retention.expire(rules, now)
    assert erased == replace(due, held=0, own=())
    assert await storage.retention.expire(rules, now) == NONE_DUE
    await storage.retention.note_round(erased)
    assert await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL) == ["conv_1"]
    await storage.retention.delete_rule(LOCAL_PRINCIPAL, "everyone", "")
    with pytest.raises(NotFound):
        await storage.retention.delete_rule(LOCAL_PRINCIPAL, "everyone", "")


async def test_holds_keep_what_is_held_until_they_are_lifted(storage: Storage) -> None:
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, new("conv_a"))
    with pytest.raises(NotFound):
        await storage.retention.place_hold(LOCAL_PRINCIPAL, held("conv_none"))
    await storage.retention.place_hold(LOCAL_PRINCIPAL, held("conv_a"))
    with pytest.raises(Conflict):
        await storage.retention.place_hold(LOCAL_PRINCIPAL, held("conv_a"))
    with pytest.raises(HeldBack):
        await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    assert await storage.personal_data.is_held(LOCAL_PRINCIPAL)
    assert not (await storage.retention.get_person_retention(LOCAL_PRINCIPAL)).is_held
    (hold,) = await storage.retention.list_holds()
    assert replace(hold, placed=0) == held("conv_a")
    await storage.retention.lift_hold(LOCAL_PRINCIPAL, "conversation", "conv_a")
    with pytest.raises(NotFound):
        await storage.retention.lift_hold(LOCAL_PRINCIPAL, "conversation", "conv_a")
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)


async def test_what_was_deleted_before_a_hold_is_kept_too(storage: Storage) -> None:
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, new("conv_a"))
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
    await storage.retention.place_hold(LOCAL_PRINCIPAL, held("conv_a"))
    await storage.conversations.erase_deleted(10**15)
    assert (await storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_a", 0)).id == "conv_a"


async def test_where_only_temporary_chats_are_allowed_nothing_is_stored(storage: Storage) -> None:
    before = await storage.conversations.add_conversation(LOCAL_PRINCIPAL, new("conv_before"))
    await storage.retention.set_rule(LOCAL_PRINCIPAL, replace(WEEK, days=0))
    assert await storage.retention.get_person_retention(SOMEONE) == PersonRetention(0, is_held=False)
    assert await storage.conversations.add_conversation(LOCAL_PRINCIPAL, new("conv_before")) == before
    with pytest.raises(TemporaryOnly):
        await storage.conversations.add_conversation(SOMEONE, new("conv_a", SOMEONE.id))
