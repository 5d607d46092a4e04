"""Passages that count as read when one draft after another is read ahead."""

from __future__ import annotations

import math
from dataclasses import replace

from eclair.documents.read_ahead import MAX_QUESTIONS, Plan, PlannedPassage, QuestionKey, ReadAhead

KEY = QuestionKey("person", "m", ("file",), (), "")
A, B, C = (PlannedPassage("file", start, 300) for start in (0, 300, 600))


def test_a_passage_is_read_once_all_of_it_is() -> None:
    ahead = ReadAhead()
    assert ahead.find(KEY).passages_read == ()
    ahead.add(KEY, Plan((A, B, C)), 400.0)
    assert ahead.find(KEY).passages_read == (), "the system prompt is read first"
    ahead.add(KEY, Plan((A, B, C)), 100.0)
    assert ahead.find(KEY).passages_read == (A,)
    ahead.add(KEY, Plan((A, B, C)), math.inf)
    assert ahead.find(KEY).passages_read == (A, B, C)


def test_what_follows_another_passage_must_be_read_again() -> None:
    ahead = ReadAhead()
    ahead.add(KEY, Plan((A, B)), math.inf)
    ahead.add(KEY, Plan((A, C, B)), 299.0)
    assert ahead.find(KEY).passages_read == (A,)
    ahead.add(KEY, Plan((A, C, B)), 1.0)
    assert ahead.find(KEY).passages_read == (A, C)


def test_what_was_read_for_a_draft_goes_to_the_first_question_that_is_asked() -> None:
    ahead = ReadAhead()
    first, second = (replace(KEY, question=id) for id in ("msg_1", "msg_2"))
    ahead.add(KEY, Plan((A,)), math.inf)
    for question in (first, second):
        ahead.move(KEY, question)
    assert [ahead.find(key).passages_read for key in (KEY, first, second)] == [(), (A,), ()]
    ahead.add(KEY, Plan((B,)), math.inf)
    ahead.move(KEY, first)
    assert ahead.find(first).passages_read == (A,), "it is answered again"


def test_other_questions_have_readings_of_their_own_and_the_oldest_are_forgotten() -> None:
    ahead = ReadAhead()
    for number in range(MAX_QUESTIONS + 1):
        ahead.add(QuestionKey("person", "m", ("file",), (), f"msg_{number}"), Plan((A,)), math.inf)
    assert ahead.find(KEY).passages_read == ()
    read = [ahead.find(QuestionKey("person", "m", ("file",), (), f"msg_{number}")).passages_read for number in (0, 1)]
    assert read == [(), (A,)]
