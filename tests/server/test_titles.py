"""Titles that the engine writes: after the first answer, out of every answer's way, never over the person's own."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from eclair.chat.titles import parse_title
from eclair.llm.base import Delta, Request
from eclair.settings import Settings
from eclair.util import background
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "IDLE_DELAY_S", 0.05)


async def title(server: Server, id: str) -> str:
    return str((await server.tree(id))["conversation"]["title"])


async def titled(server: Server, id: str, wanted: str) -> None:
    async with asyncio.timeout(5):
        while await title(server, id) != wanted:
            await asyncio.sleep(0.02)


async def test_the_engine_names_a_conversation_after_its_first_answer(server: Server) -> None:
    id = await server.begin()
    begun = await server.ask(id, "Which bread?\nscript: words=9 rate=20 title=**Bread_and_rivers.**")
    assert await title(server, id) == "Which bread?"
    await server.answered(begun["run"])
    updated = (await server.tree(id))["conversation"]["updated"]
    await titled(server, id, "Bread and rivers")
    assert (await server.tree(id))["conversation"]["updated"] == updated
    await server.say(id, "And now?\nscript: words=3 title=Another")
    await asyncio.sleep(0.3)
    assert await title(server, id) == "Bread and rivers"


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Wie lange muss ein Ei kochen, bis es hart ist?", "title in German for"),
        ("Combien de temps faut-il cuire un œuf ?", "title in French for"),
        ("42 + 17 = ?", "title in the language of the question for"),
    ],
)
async def test_a_title_is_asked_for_in_the_language_of_the_question(
    fresh: Server, monkeypatch: pytest.MonkeyPatch, question: str, wanted: str
) -> None:
    asked = asyncio.Queue[str]()
    stream = fresh.engine.stream

    def record(request: Request) -> AsyncGenerator[Delta, None]:
        if request.purpose == "title":
            asked.put_nowait(str(request.messages[-1].content))
        return stream(request)

    monkeypatch.setattr(fresh.engine, "stream", record)
    await fresh.say(await fresh.begin(), f"{question}\nscript: words=3 title=Eggs")
    assert wanted in await asyncio.wait_for(asked.get(), 5)


async def test_a_title_of_the_persons_own_stays(server: Server) -> None:
    named = await server.begin(title="Mine")
    await server.say(named, "script: words=3 title=Other")
    renamed = await server.begin()
    await server.say(renamed, "script: words=3 title=Other")
    await server.call("PATCH", f"/api/conversations/{renamed}", {"title": "Mine too"})
    during = await server.begin()
    await server.say(during, "script: words=3 rate=20 title=" + "_".join(["word"] * 9))
    await asyncio.sleep(0.2)
    await server.call("PATCH", f"/api/conversations/{during}", {"title": "Mine as well"})
    await asyncio.sleep(0.8)
    assert await title(server, named) == "Mine"
    assert await title(server, renamed) == "Mine too"
    assert await title(server, during) == "Mine as well"


@pytest.mark.parametrize("script", ["title=" + "x" * 61, "title=...", "", "title=A<b>", "title=Here_it_is:"])
async def test_what_is_no_title_is_not_taken(server: Server, script: str) -> None:
    id = await server.begin()
    await server.say(id, f"The question\nscript: words=3 {script}")
    await asyncio.sleep(0.3)
    assert await title(server, id) == "The question"


async def test_an_answer_goes_before_a_title_which_is_begun_again(fresh: Server) -> None:
    id, other = await fresh.begin(), await fresh.begin()
    await fresh.say(id, "First\nscript: words=3 rate=8 title=One_two_three_four_five_six")
    before = fresh.engine.made
    async with asyncio.timeout(5):
        while fresh.engine.made < before + 2:
            await asyncio.sleep(0.01)
    begun = await fresh.ask(other, "Second\nscript: words=60 rate=60")
    said = fresh.engine.made
    await fresh.answered(begun["run"])
    assert fresh.engine.made - said <= 60, "nothing else was written meanwhile"
    assert await title(fresh, id) == "First"
    await titled(fresh, id, "One two three four five six")


async def test_an_answer_that_was_stopped_is_none(server: Server) -> None:
    id = await server.begin()
    begun = await server.ask(id, "Slow\nscript: words=10000 rate=100 title=Stopped")
    await server.post(f"/api/runs/{begun['run']}/stop")
    await asyncio.sleep(0.3)
    assert await title(server, id) == "Slow"
    await server.say(id, "Again\nscript: words=3 title=Whole")
    await titled(server, id, "Whole")


async def test_the_setting_turns_titles_off(settings: Settings) -> None:
    async with serving(replace(settings, titles=False)) as server:
        id = await server.begin()
        await server.say(id, "The question\nscript: words=3 title=Other")
        await asyncio.sleep(0.3)
        assert await title(server, id) == "The question"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Bread and rivers", "Bread and rivers"),
        ('\n  # "Bread and rivers."\nIt is about bread.', "Bread and rivers"),
        ("**Title:** Bread", "Bread"),
        ("Titel: „Brot und Flüsse“", "Brot und Flüsse"),
        ("x" * 60, "x" * 60),
        ("x" * 61, None),
        ("", None),
        ("...", None),
        ("42", None),
        ("Bread \u202eevil", None),
        ("<think>", None),
        ("Here is a title:\nBread", None),
    ],
)
async def test_only_one_plain_line_is_a_title(said: str, found: str | None) -> None:
    assert parse_title(said) == found
