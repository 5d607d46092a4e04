"""Ratings: part of the answers, seen by their owner alone, gone with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.events import encode
from eclair.schema.messages import AnswerComparison, Rating
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.runs import EventChunk, NewAnswer
from tests.storage.helpers import SOMEONE, turn
from tests.support import Ids, conversation, new_turn

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


async def test_of_compared_answers_one_that_has_ended_is_kept(storage: Storage) -> None:
    await conversation(storage)
    ids = Ids()
    added, started = new_turn(storage, ids)
    assert added.question is not None
    other = replace(added.answer, id="msg_other", run="run_other")
    beside = NewAnswer(other, replace(added.run, id="run_other", message="msg_other"), EventChunk("run_other", 1, b"1"))
    compared = AnswerComparison((added.answer.id, other.id))
    question = replace(added.question, comparison=compared)
    await storage.runs.open_turn(
        replace(added, question=question, beside=(beside,), first=EventChunk(started.run, 1, encode(started)))
    )
    with pytest.raises(Conflict):
        await storage.ratings.keep_answer(LOCAL_PRINCIPAL, question.id, other.id)
    ended = replace(other, status="finished")
    await storage.runs.finish_run(beside.run, ended, EventChunk("run_other", 2, b"2"))
    with pytest.raises(NotFound):
        await storage.ratings.keep_answer(SOMEONE, question.id, other.id)
    with pytest.raises(NotFound):
        await storage.ratings.keep_answer(LOCAL_PRINCIPAL, question.id, question.id)
    assert await storage.ratings.list_judged(LOCAL_PRINCIPAL) == {}
    kept = await storage.ratings.keep_answer(LOCAL_PRINCIPAL, question.id, other.id)
    assert kept.comparison is not None
    assert kept.comparison.kept == other.id
    assert await storage.ratings.list_judged(LOCAL_PRINCIPAL) == {"conv_a": [question.id]}
    assert await storage.ratings.list_judged(SOMEONE) == {}
    assert await storage.ratings.list_ratings(LOCAL_PRINCIPAL, 10) == []
    shown, _ = await storage.conversations.get_tree(LOCAL_PRINCIPAL, "conv_a")
    assert shown.leaf == other.id
