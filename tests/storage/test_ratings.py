"""Ratings: part of the answers, seen by their owner alone, gone with them."""

from __future__ import annotations

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Rating
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from tests.storage.helpers import SOMEONE, turn
from tests.support import Ids, conversation

GOOD = Rating("up", "Clear.", 10)
BAD = Rating("down", "", 20)


async def test_an_answer_is_rated_anew_listed_and_freed_of_its_rating(storage: Storage) -> None:
    await conversation(storage)
    ids = Ids()
    first = await turn(storage, ids, say="Because the sky is blue.")
    second = await turn(storage, ids)
    assert await storage.ratings.rate_answer(LOCAL_PRINCIPAL, first.message, GOOD) == "conv_a"
    await storage.ratings.rate_answer(LOCAL_PRINCIPAL, second.message, BAD)
    found = await storage.ratings.list_ratings(LOCAL_PRINCIPAL, 10)
    assert [(each.message, each.rating) for each in found] == [(second.message, BAD), (first.message, GOOD)]
    assert (found[1].conversation, found[1].beginning) == ("conv_a", "Because the sky is blue.")
    assert [each.message for each in await storage.ratings.list_ratings(LOCAL_PRINCIPAL, 1)] == [second.message]
    _, messages = await storage.conversations.get_tree(LOCAL_PRINCIPAL, "conv_a")
    assert [each.rating for each in messages if each.role == "assistant"] == [GOOD, BAD]
    await storage.ratings.rate_answer(LOCAL_PRINCIPAL, first.message, None)
    assert [each.message for each in await storage.ratings.list_ratings(LOCAL_PRINCIPAL, 10)] == [second.message]
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
    assert await storage.ratings.list_ratings(LOCAL_PRINCIPAL, 10) == []


async def test_only_ones_own_answers_can_be_rated_and_no_questions(storage: Storage) -> None:
    await conversation(storage)
    run = await turn(storage, Ids())
    _, messages = await storage.conversations.get_tree(LOCAL_PRINCIPAL, "conv_a")
    with pytest.raises(NotFound):
        await storage.ratings.rate_answer(SOMEONE, run.message, GOOD)
    with pytest.raises(NotFound):
        await storage.ratings.rate_answer(LOCAL_PRINCIPAL, "msg_nowhere", GOOD)
    with pytest.raises(Conflict):
        await storage.ratings.rate_answer(LOCAL_PRINCIPAL, messages[0].id, GOOD)
    await storage.ratings.rate_answer(LOCAL_PRINCIPAL, run.message, GOOD)
    assert await storage.ratings.list_ratings(SOMEONE, 10) == []
