"""A question that no document answers is seen to be one, through the HTTP door; a stand-in says what a model would."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import orjson
import pytest

from eclair.settings import Settings
from eclair.text.lexicon.loader import load_lexicons
from tests.llm.servers import Speaking
from tests.llm.standin import Call
from tests.server.test_documents import TOWER, add, asked, reading, ready
from tests.support import Server, text_of

JSON = dict[str, Any]
TURM = """\
# Der Turm

Der Turm von Ettelbrück wurde im Jahr 1903 von Marie Lacroix gebaut. Er ist 330 Meter hoch und wiegt 7 300 Tonnen.
"""
SAYS = {lexicon.code: lexicon.nothing_found for lexicon in load_lexicons() if lexicon.nothing_found}
PAGE = Path(__file__).parents[2] / "ui" / "src" / "lib" / "i18n"


def codes(message: JSON) -> list[str]:
    return [remark["code"] for remark in message["remarks"]]


def was_asked(model: Speaking, words: str) -> bool:
    return any("chat" in call.path and words in str(call.json) for call in model.standin.calls)


async def embedded(server: Server, file: JSON) -> None:
    """Once it is found by its meaning."""
    async with asyncio.timeout(60):
        while not (file["state"] == "ready" and file["embedded"] == file["chunks"]):
            file = dict((await server.get(f"/api/files/{file['id']}")).body)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("text", "question", "language"),
    [
        (TOWER, "How do I cook rice?", "en"),
        (TURM, "Wie lange muss ein Ei kochen?", "de"),
        (TOWER, "Which vitamin is in oranges and lemons?", "en"),
    ],
)
async def test_by_its_words_nothing_fits_and_a_small_model_is_not_asked(
    settings: Settings, text: str, question: str, language: str
) -> None:
    async with reading(settings, name="tiny-0.1b") as (server, model):
        file = await ready(server, await add(server, text))
        message = await server.say(await server.begin(), question, files=[file["id"]])
        assert text_of(message) == SAYS[language]
        assert (message["status"], message["citations"], message["doubts"]) == ("finished", [], [])
        assert codes(message) == ["nothing_found"]
        assert message["passages"], "what was consulted is shown"
        assert not was_asked(model, question)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (TOWER, "How high is the tower of Ettelbruck?"),
        (TOWER, "Why?"),
        (TOWER, "Please summarise this document"),
        (TURM, "Wie hoch ist der Turm?"),
        (TURM, "How high is the tower of Ettelbruck?"),
    ],
)
async def test_what_may_be_answered_is_not_refused(settings: Settings, text: str, question: str) -> None:
    async with reading(settings, name="tiny-0.1b") as (server, _):
        file = await ready(server, await add(server, text))
        message = await server.say(await server.begin(), question, files=[file["id"]])
        assert text_of(message).startswith("> ")
        assert codes(message) == []


async def test_a_question_that_names_its_file_is_not_refused(settings: Settings) -> None:
    async with reading(settings, name="tiny-0.1b") as (server, _):
        file = await ready(server, await add(server, TOWER, "meier-agreement.txt"))
        message = await server.say(await server.begin(), "What does the Meier agreement say?", files=[file["id"]])
        assert (codes(message), text_of(message)[:1]) == ([], ">")


async def test_by_its_meaning_a_question_in_another_language_is_told_from_one_that_nothing_answers(
    settings: Settings,
) -> None:
    async with reading(settings, name="tiny-0.1b", embedder="auto") as (server, _):
        file = await add(server)
        await embedded(server, file)
        conversation = await server.begin()
        message = await server.say(conversation, "Wie hoch ist der Turm von Ettelbrück?", files=[file["id"]])
        assert text_of(message).startswith("> The tower")
        assert codes(message) == []
        message = await server.say(conversation, "Wie lang ist die Kündigungsfrist in meinem Mietvertrag?")
        assert text_of(message) == SAYS["de"]
        assert codes(message) == ["nothing_found"]
        message = await server.say(conversation, "Who has built the tower, and in which year?")
        assert "1903" in text_of(message)


async def test_a_larger_model_is_asked_all_the_same(settings: Settings) -> None:
    async with reading(settings) as (server, model):
        library = (await server.post("/api/libraries", {"name": "handbook"})).body
        await ready(server, await add(server, library=library["id"]))
        message = await server.say(
            await server.begin(), "Which vitamin is in a tower of oranges?", libraries=["handbook"]
        )
        assert codes(message) == []
        question = "Which vitamins do oranges, lemons, apples, pears and cherries near a bridge contain?"
        message = await server.say(await server.begin(), question, libraries=["handbook"])
        assert text_of(message) == model.says
        assert codes(message) == ["nothing_found"]
        assert "<passages>" in asked(model)
        told = "Write a poem on vitamins, oranges, lemons, bread, cheese and a bridge"
        message = await server.say(await server.begin(), told, libraries=["handbook"])
        assert codes(message) == [], "what is told to do need have none of the words"


class Judging(Speaking):
    """A model that says yes, with this probability, to whether a text answers a question."""

    yes = 0.5

    async def chat(self, call: Call) -> None:
        if call.json.get("max_tokens") != 1:
            await super().chat(call)
            return
        chances = [{"token": "Yes", "logprob": math.log(self.yes)}, {"token": "no", "logprob": math.log(1 - self.yes)}]
        logprobs = {"content": [{"token": "Yes", "logprob": math.log(self.yes), "top_logprobs": chances}]}
        choice = {"index": 0, "delta": {"content": "Yes"}, "logprobs": logprobs, "finish_reason": "length"}
        await call.stream(b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n", b"data: [DONE]\n\n")

    @property
    def judged(self) -> int:
        """How often it was asked that."""
        return sum("chat" in call.path and call.json.get("max_tokens") == 1 for call in self.standin.calls)


async def test_a_small_model_is_shown_the_closest_sentences_and_judges_where_words_do_not_decide(
    settings: Settings,
) -> None:
    async with reading(settings, "small-1.5b", Judging, embedder="auto") as (server, model):
        assert isinstance(model, Judging)
        file = await add(server)
        await embedded(server, file)
        conversation = await server.begin()
        message = await server.say(conversation, "How high is the tower of Ettelbruck?", files=[file["id"]])
        assert text_of(message) == "OK"
        shown = asked(model)
        assert shown.index("</passages>") < shown.index("<closest>\n[1] ") < shown.index("How high is")
        assert "330 metres high" in shown[shown.index("<closest>") :]
        assert model.judged == 0, "a sentence is close"
        for missing in (
            "Who sells the tickets on Sundays?",
            "How much does a ticket to the tower of Ettelbruck cost?",
            "How many visitors does the tower of Ettelbruck have?",
            "Is there a lift in the tower of Ettelbruck?",
        ):
            message = await server.say(conversation, missing)
            assert (text_of(message), codes(message)) == (SAYS["en"], ["nothing_found"])
        assert model.judged == 0, "words decide"
        unclear = "What is the tower made of?"
        message = await server.say(conversation, unclear)
        assert (text_of(message), codes(message)) == (SAYS["en"], ["nothing_found"])
        assert model.judged == 1
        model.yes = 0.9
        message = await server.say(conversation, unclear)
        assert (text_of(message), codes(message)) == ("OK", [])
        assert model.judged == 2
        message = await server.say(conversation, "Write a letter about tickets on Sundays")
        assert text_of(message) == "OK"
        assert model.judged == 2, "that is no question"


def test_that_nothing_answers_is_said_in_every_language_of_the_page() -> None:
    assert SAYS.keys() == {path.stem for path in PAGE.glob("??.json")}
    assert len(set(SAYS.values())) == len(SAYS)


async def test_below_quotes_the_words_of_a_model_are_no_quote(settings: Settings) -> None:
    async with reading(settings, name="tiny-0.1b") as (server, model):
        file = await ready(server, await add(server))
        model.says = "> > It is big.\n > 3 > 2"
        message = await server.say(await server.begin(), "How high is the tower of Ettelbruck?", files=[file["id"]])
        assert text_of(message).endswith("\n\nIt is big.\n 3 > 2")
        assert all(citation["end"] <= len(text_of(message)) for citation in message["citations"])


async def test_a_figure_alone_is_not_quoted(settings: Settings) -> None:
    async with reading(settings, name="tiny-0.1b") as (server, _):
        file = await ready(server, await add(server, "8", "sign.txt"))
        message = await server.say(await server.begin(), "How high is the tower of Ettelbruck?", files=[file["id"]])
        assert text_of(message) == "OK"
