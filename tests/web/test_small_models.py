"""Questions on pages that a small model is not asked, since it would guess: sentences of the pages answer instead."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date

from eclair.settings import Settings
from tests.server.test_documents import JSON
from tests.support import text_of
from tests.web.internet import Internet, internet
from tests.web.page_values import Made
from tests.web.search_server import looking
from tests.web.test_answers import remarks, say

SMALL, LARGE = "reader-1.5b-instruct", "reader-70b-instruct"
SAYS_SO = "The sources don't say this clearly. Closest to the question is:"
MUSEUM = (
    "<p>The Museum of Clocks in Dunmallow shows four hundred clocks on two floors. On Saturdays the museum is open"
    " until 18:00, on other days until 17:00. A guided tour of the clocks begins at eleven.</p>"
)
RULES = "<p>Dogs are not allowed in the park of Dunmallow Castle, since deer have been kept there.</p>"
OPEN, CLOSED = (f"<p>The refuge of Baume above Dunmallow is {state} this winter.</p>" for state in ("open", "closed"))
WET = "<p>The fountain in the park of Dunmallow Castle plays every day at noon, and dogs may drink from it.</p>"


@asynccontextmanager
async def publishing(*bodies: tuple[str, str, date]) -> AsyncGenerator[Internet]:
    """An internet of these pages alone, each with its title, text and day."""
    async with internet() as world:
        world.pages.clear()
        for number, (title, body, day) in enumerate(bodies):
            url = world.url(f"page{number}.example", "/")
            meta = f'<meta property="article:published_time" content="{day.isoformat()}T08:00:00+01:00">'
            html = f"<!doctype html><html lang=en><head><title>{title}</title>{meta}</head><body><article><h1>{title}"
            html += f"</h1>{body}</article></body></html>"
            world.pages[url] = Made(url, html.encode(), title, "en", day, key=body)
        yield world


async def asked(
    settings: Settings, world: Internet, name: str, question: str, embedder: str = "off"
) -> tuple[JSON, str]:
    """The message that answers, and its text, where the model would say that it costs 12 euros."""
    async with looking(settings, world, name=name, embedder=embedder) as (server, model, _):
        model.says = "Yes. It costs 12 euros."
        if server.app.web.embedder is not None:
            await server.app.web.embedder.embed(["awake"], "query")
        message = await say(server, question)
        return message, text_of(message)


async def test_what_yes_or_no_would_answer_is_quoted_from_the_newest_page(settings: Settings) -> None:
    question = "Are dogs allowed in the park of Dunmallow Castle?"
    pages = ("Park", WET, date(2026, 3, 1)), ("Rules of the park", RULES, date(2026, 9, 1))
    async with publishing(*pages) as world:
        message, text = await asked(settings, world, SMALL, question)
        assert text.startswith("> Dogs are not allowed in the park of Dunmallow Castle")
        assert {each["quote"] for each in message["citations"]} >= {RULES[3:-4]}
        assert message["doubts"] == []
        _, text = await asked(settings, world, LARGE, question)
        assert text == "Yes. It costs 12 euros."
        _, text = await asked(settings, world, SMALL, "Can you tell me whether dogs are allowed in the park?")
        assert "Yes. It costs 12 euros." in text


async def test_no_one_page_answers_where_two_contradict_each_other(settings: Settings) -> None:
    pages = ("The refuge of Baume", OPEN, date(2026, 9, 1)), ("Baume and its refuge", CLOSED, date(2026, 9, 1))
    async with publishing(*pages) as world:
        message, text = await asked(settings, world, SMALL, "Is the refuge of Baume open this winter?")
        assert "contradicted" in remarks(message)
        assert text.startswith("Yes. It costs 12 euros.")


async def test_what_no_page_states_is_not_guessed(settings: Settings) -> None:
    async with publishing(("Museum of Clocks", MUSEUM, date(2026, 9, 1))) as world:
        price = "How much does a ticket for the Museum of Clocks in Dunmallow cost?"
        message, text = await asked(settings, world, SMALL, price, embedder="auto")
        assert text.startswith(f"{SAYS_SO}\n\n> ")
        assert message["citations"]
        assert all(each["quote"] in MUSEUM for each in message["citations"])
        _, text = await asked(settings, world, LARGE, price, embedder="auto")
        assert text == "Yes. It costs 12 euros."
        open_until = "Until what time is the Museum of Clocks in Dunmallow open on Saturdays?"
        _, text = await asked(settings, world, SMALL, open_until, embedder="auto")
        assert text.startswith("Yes. It costs 12 euros.")
