"""A look at the web: what is read while services still answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date

from eclair.llm.base import Engine
from eclair.llm.scripted import ScriptedEngine
from eclair.network.client import CallContext
from eclair.schema.documents import Block, Page
from eclair.schema.events import StepFinished
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.web import WebHit, WebPage, WebQuery
from eclair.web.pages.fetch import PageUnreadable
from eclair.web.question import WebQuestion
from eclair.web.session import ENOUGH_PAGES, WebAccess, WebSession
from tests.web.test_search import Scripted, made

SAID = "The bridge was opened on Friday."


@dataclass
class Shelf:
    """Pages of which some cannot be read; a gate opens once one was."""

    broken: set[str]
    gate: asyncio.Event
    asked: list[str] = field(default_factory=list[str])

    async def read(self, url: str, context: CallContext, *, timeout_s: float) -> WebPage:
        self.asked.append(url)
        if url in self.broken:
            raise PageUnreadable("failed", "It cannot be read.")
        self.gate.set()
        return WebPage(url, 0, url, "example.org", (Page(1, SAID, (Block("paragraph", 0, len(SAID)),)),))

    async def warm(self) -> None: ...


class Queries:
    async def write(
        self, question: WebQuestion, engine: Engine, model: Model, today: date, timeout_s: float
    ) -> tuple[WebQuery, ...]:
        return (WebQuery(question.text),)


async def test_a_page_that_cannot_be_read_has_another_in_its_place_at_once() -> None:
    gate = asyncio.Event()
    urls = [f"https://{letter}.org/" for letter in "abcdefgh"]
    quick = Scripted("quick", [WebHit(url, url) for url in urls])
    slow = Scripted("slow", gates=[gate])
    shelf = Shelf(set(urls[:3]), gate)
    engine = ScriptedEngine()
    question = WebQuestion(LOCAL_PRINCIPAL, "run_1", "When was the bridge opened?")
    access = WebAccess(made(quick, slow), shelf, Queries())
    session = WebSession(access, question, engine, (await engine.models())[0], 10)
    ended: list[str] = []
    async with asyncio.timeout(8), aclosing(session.findings()) as steps:
        async for step in steps:
            if isinstance(step, StepFinished):
                ended.append(f"{step.step} {step.outcome}")
    assert "page3 done" in ended  # or the slow service, which answers once a page was read, had never answered
    assert sum("failed" in each for each in ended) == 3
    assert shelf.asked[:4] == urls[:4]
    read = {each.url for each in session.pages.values()}
    assert read <= set(urls[3:])
    assert len(read) >= ENOUGH_PAGES  # after which none is waited for
