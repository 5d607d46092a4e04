"""Notices where the web has no answer: in place of one by small models, beside one by capable ones."""

from __future__ import annotations

from contextlib import aclosing
from datetime import date

import pytest

from eclair.generation.sources import PassageNumbers
from eclair.llm.scripted import ScriptedEngine
from eclair.network.client import CallContext
from eclair.schema.documents import Block, Page
from eclair.schema.events import Notice
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.web import WebHit, WebPage
from eclair.settings import Settings
from eclair.text.intent.web import is_task
from eclair.web.pages.fetch import PageUnreadable
from eclair.web.question import WebQuestion
from eclair.web.retriever import WebService
from eclair.web.session import WebAccess
from tests.support import text_of
from tests.web.internet import Internet
from tests.web.search_server import looking
from tests.web.test_answers import remarks, say
from tests.web.test_search import Scripted, made
from tests.web.test_session import Queries

NOWHERE = "Xylophagous quibblefish zymurgy in Wexcombe?"
SMALL, CAPABLE = Model("small", "Small", "one", parameters=1.5), Model("large", "Large", "one", parameters=24.0)


async def test_a_small_model_says_that_nothing_was_found(settings: Settings, world: Internet) -> None:
    async with looking(settings, world, name="reader-1.5b-instruct") as (server, model, _):
        model.says = "It was in October 2023."
        message = await say(server, NOWHERE)
        assert text_of(message) == "I found nothing about that on the web."
        assert remarks(message) == ["nothing_found"]
        message = await say(server, "Write a limerick on zymurgy in Wexcombe.")
        assert text_of(message) == model.says


async def test_a_capable_model_answers_with_a_mark(settings: Settings, world: Internet) -> None:
    async with looking(settings, world, name="reader-24b-instruct") as (server, model, _):
        model.says = "Nobody knows."
        message = await say(server, NOWHERE)
        assert text_of(message) == model.says
        assert remarks(message) == ["nothing_found", "from_memory"]


class Pages:
    """Pages that are all late, or all fail; `given` are the times that they had."""

    def __init__(self, outcome: str, text: str = "") -> None:
        self.outcome = outcome
        self.text = text
        self.given: list[float] = []

    async def read(self, url: str, context: CallContext, *, timeout_s: float) -> WebPage:
        self.given.append(timeout_s)
        match self.outcome:
            case "late":
                raise PageUnreadable("late", "It took too long.")
            case "failed":
                raise PageUnreadable("failed", "It is broken.")
            case _:
                return WebPage(url, 0, url, "e.org", (Page(1, self.text, (Block("paragraph", 0, len(self.text)),)),))

    async def warm(self) -> None: ...


async def found(pages: Pages, text: str, model: Model, hits: int = 2, timeout_s: float = 5.0) -> tuple[list[str], str]:
    """Return the codes of the notices, and the lead of the answer."""
    finder = Scripted("finder", [WebHit(f"https://e.org/{number}", "E") for number in range(hits)])
    access = WebAccess(made(finder), pages, Queries(), lambda: date(2026, 11, 28))
    web = WebService(access, None, None, timeout_s)
    retriever = web.make_retriever(WebQuestion(LOCAL_PRINCIPAL, "run_1", text), PassageNumbers([]), setting="on")
    assert retriever is not None
    codes: list[str] = []
    async with aclosing(retriever.retrieve(ScriptedEngine(), model)) as findings:
        async for finding in findings:
            codes += [finding.code] if isinstance(finding, Notice) else []
    return codes, " ".join(each for each in (await retriever.lead(model)).texts if isinstance(each, str))


UNREAD = "I couldn't read any page about that, so I can't answer."
QUESTION = "When does the pool of Wexcombe open?"


@pytest.mark.parametrize(
    ("outcome", "hits", "codes", "lead"),
    [
        ("late", 2, ["web_late", "web_unread"], UNREAD),
        ("failed", 2, ["web_unread"], UNREAD),
        ("read", 0, ["nothing_found"], "I found nothing about that on the web."),
        ("read", 2, ["nothing_found"], "I found nothing about that on the web."),
    ],
)
async def test_late_and_broken_pages_are_not_nothing(outcome: str, hits: int, codes: list[str], lead: str) -> None:
    pages = Pages(outcome, "Bread is baked of rye.")
    assert await found(pages, QUESTION, SMALL, hits) == (codes, lead)
    assert await found(pages, QUESTION, CAPABLE, hits) == ([*codes, "from_memory"], "")


async def test_a_page_that_is_named_has_all_of_the_time() -> None:
    pages = Pages("late")
    codes, lead = await found(pages, "What does https://e.org/9 say?", SMALL, timeout_s=20.0)
    assert (codes, lead) == (["web_late", "web_unread"], UNREAD)
    assert pages.given[0] > 19.0
    pages = Pages("late")
    await found(pages, QUESTION, SMALL, timeout_s=20.0)
    assert max(pages.given) <= 4.0


@pytest.mark.parametrize(
    "text", ["Wie hoch ist der Turm in Wexcombe?", "Quelle est la hauteur de la tour de Wexcombe ?"]
)
async def test_it_is_said_in_the_language_of_the_question(text: str) -> None:
    _, lead = await found(Pages("failed"), text, SMALL)
    assert lead.startswith(("Dazu konnte ich keine Seite lesen", "Je n'ai pu lire aucune page"))


TASKS = (
    "Write a birthday card for today",
    "Please translate: Heute ist ein schöner Tag",
    "Could you fix this code: today = date.today()",
    "Übersetze: Heute ist ein schöner Tag",
    "Schreib mir ein Gedicht über den Herbst",
    "Traduis cette phrase en allemand",
    "Scrivi una lettera al sindaco",
    "What is 17 × 23?",
)
QUESTIONS = (
    "Who wrote Faust?",
    "When was the bridge opened?",
    "Wie hoch ist der Eiffelturm?",
    "Qui a écrit Candide ?",
    "Chi ha scritto la Divina Commedia?",
)


def test_tasks_are_no_questions() -> None:
    assert [task for task in TASKS if not is_task(task)] == []
    assert [question for question in QUESTIONS if is_task(question)] == []
