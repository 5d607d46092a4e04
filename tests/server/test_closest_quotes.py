"""Quotes below an answer that its document does not support, through the HTTP door."""

from __future__ import annotations

import pytest

from eclair.documents import quotes, retriever
from eclair.errors import EngineUnavailable
from eclair.generation.sources import ClosestQuotes
from eclair.settings import Settings
from tests.server.test_documents import JSON, TOWER, add, reading, ready, sentence

QUESTION = "How high is the tower?"
WRONG = "The tower is 512 metres high."
SAYS_SO = "The sources don't say this clearly. Closest to the question is:"


async def answered(
    settings: Settings, model_name: str, says: str, question: str = QUESTION, document: str = TOWER
) -> tuple[JSON, str]:
    """Return the message with this answer on a document, and its text."""
    async with reading(settings, name=model_name) as (server, model):
        model.says = says
        file = await ready(server, await add(server, document))
        message = await server.say(await server.begin(), question, files=[file["id"]])
        return message, "".join(part["text"] for part in message["parts"])


async def test_what_is_closest_is_quoted_below_an_answer_that_nothing_supports(settings: Settings) -> None:
    message, text = await answered(settings, "reader-1.5b", WRONG)
    assert text.startswith(f"{WRONG}\n\n{SAYS_SO}\n\n> ")
    assert [sentence(message, doubt) for doubt in message["doubts"]] == [WRONG]
    cited = message["citations"]
    assert "It is 330 metres high and weighs 7,300 tonnes." in [each["quote"] for each in cited]
    assert [sentence(message, each) for each in cited] == [each["quote"] for each in cited]
    assert all(f"> {each['quote']} [{each['passage']}]" in text for each in cited)


@pytest.mark.parametrize(
    ("model_name", "says", "question"),
    [
        ("reader-1.5b", "The tower is 330 metres high.", QUESTION),
        ("reader-1.5b", "The tower is 330 metres high. It cost 80 euros.", QUESTION),
        ("reader-1.5b", WRONG, "Write a poem on the tower."),
        ("reader-1.5b", "The text does not say how high the tower is.", QUESTION),
        ("reader-70b", WRONG, QUESTION),
    ],
    ids=["supported", "supported at first", "no question", "the model says so", "a large model"],
)
async def test_nothing_is_added_to(settings: Settings, model_name: str, says: str, question: str) -> None:
    _, text = await answered(settings, model_name, says, question)
    assert text == says


async def test_it_is_said_in_the_language_of_the_question(settings: Settings) -> None:
    _, text = await answered(settings, "reader-1.5b", "Der Turm ist 512 Meter hoch.", "Wie hoch ist der Turm am Hafen?")
    assert "Die Quellen sagen das nicht eindeutig. Der Frage am nächsten kommt:\n\n> " in text


async def test_it_is_said_in_the_language_of_the_sources_if_that_of_the_question_is_not_known(
    settings: Settings,
) -> None:
    turm = "Der Turm am Hafen wurde 1903 gebaut. Er ist 330 Meter hoch und wiegt 7.300 Tonnen.\n"
    _, text = await answered(settings, "reader-1.5b", "512 Meter.", "Turm, Gewicht?", turm)
    assert "Die Quellen sagen das nicht eindeutig. Der Frage am nächsten kommt:\n\n> " in text


async def test_an_answer_is_finished_without_quotes_if_the_embedder_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> ClosestQuotes:
        raise EngineUnavailable("The embedder is gone.")

    monkeypatch.setattr(retriever, "quote_closest", fail)
    monkeypatch.setattr(quotes, "choose_quotes", fail)
    for question in (QUESTION, "Is the tower 512 metres high?"):
        message, text = await answered(settings, "reader-1.5b", WRONG, question)
        assert (message["status"], text) == ("finished", WRONG)


async def test_a_small_model_is_not_asked_what_yes_or_no_would_answer(settings: Settings) -> None:
    rules = "The mill opens at nine.\n\nDogs are not allowed in the mill, since flour is made there.\n"
    for model_name, question, expected in (
        (
            "reader-1.5b",
            "Are dogs allowed in the mill?",
            "> Dogs are not allowed in the mill, since flour is made there. [1]",
        ),
        ("reader-1.5b", "Can you tell if dogs are allowed?", "Yes, dogs are allowed."),
        ("reader-70b", "Are dogs allowed in the mill?", "Yes, dogs are allowed."),
    ):
        message, text = await answered(settings, model_name, "Yes, dogs are allowed.", question, rules)
        assert text.strip().split("\n\n")[0] == expected
        if expected.startswith("> "):
            assert [each["quote"] for each in message["citations"]] == [expected[2:-4]]
            assert message["doubts"] == []
