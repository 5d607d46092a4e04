"""Words and vectors show that a text cannot answer a question, whatever the level of the cosines."""

from __future__ import annotations

import pytest

from eclair.documents.answerability import CERTAIN_SCORE, unanswered_score
from eclair.documents.quotes import RankedSentence
from eclair.schema.messages import Passage
from eclair.text.intent.asked_fact import read_asked_fact

FEES = "Students and pensioners pay 38 pounds."
MEETING = "The meeting is held in March."


@pytest.mark.parametrize(
    ("closest", "is_certain"),
    [((0.80, 0.81), False), ((0.80, 0.84), True), ((0.84, 0.9), False)],
    ids=["nothing is close", "something else is closer", "close enough"],
)
def test_a_price_that_is_further_from_the_question_than_all_else_is_another(
    closest: tuple[float, float], is_certain: bool
) -> None:
    passage = Passage(1, "file", "statutes.md", 1, "", (), 0, 80, f"{FEES} {MEETING}")
    sentences = [
        RankedSentence(passage, 0, len(FEES), FEES, closest[0]),
        RankedSentence(passage, 40, 40 + len(MEETING), MEETING, closest[1]),
    ]
    asked = read_asked_fact("How much do pensioners pay?", "en")
    assert asked is not None
    score = unanswered_score(asked, [passage], sorted(sentences, key=lambda each: -each.score))
    assert (score == CERTAIN_SCORE) is is_certain
