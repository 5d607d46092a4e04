"""Puts together what searches and reads the web: one browser, the services that are asked, the reader of pages."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date

from eclair.documents.embeddings import Embedder
from eclair.documents.retriever import AskFor
from eclair.images.base import Generator
from eclair.llm.base import Engine, Piece, Request
from eclair.network.client import Resolver, WebClient
from eclair.network.gate import OutboundGate
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.schema.web import Query
from eclair.settings import Settings
from eclair.storage.web import WebStore
from eclair.text.language import language_of
from eclair.web.pages.reader import Reader, page_parser
from eclair.web.providers.base import SearchService
from eclair.web.queries import by_engine, by_rule
from eclair.web.retriever import Searching
from eclair.web.search import WebSearch
from eclair.web.session import Outside


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What may stand in the place of what is outside: how names are resolved, further search services, the time in
    seconds since 1970, what draws besides. Only who writes a program can say so; no setting can."""

    resolver: Resolver | None = None
    services: Callable[[WebClient], Sequence[SearchService]] = lambda browser: ()
    now: Callable[[], float] = time.time
    generators: Callable[[OutboundGate], Sequence[Generator]] = lambda gate: ()

    def today(self) -> date:
        return date.fromtimestamp(self.now())


AROUND = Surroundings()
"""The world as it is."""


@dataclass(frozen=True, slots=True)
class World:
    """The ways to the web."""

    search: WebSearch
    reader: Reader
    searching: Searching


@asynccontextmanager
async def open_world(
    settings: Settings,
    browser: WebClient,
    kept: WebStore | None,
    embedder: Embedder | None,
    ask: AskFor,
    around: Surroundings,
    given: Sequence[SearchService] = (),
) -> AsyncGenerator[World]:
    """Without `kept` no copy of a page is; `given` are services not asked over HTTP. Raises SettingsError for
    a setting that names no service."""

    async def queries(
        principal: Principal,
        question: str,
        before: Sequence[str],
        engine: Engine,
        model: Model,
        today: date,
        within: float,
    ) -> tuple[Query, ...]:
        language = language_of(question)
        if model.tier != "capable":
            return by_rule(question, before, language, today)

        def of_owner(engine: Engine, model: Model, request: Request) -> AsyncGenerator[Piece, None]:
            return ask(principal, engine, model, request)

        return await by_engine(of_owner, engine, model, question, before, language, today, within=within)

    async with AsyncExitStack() as stack:
        search = WebSearch.configured(settings, browser, [*around.services(browser), *given])
        reader = Reader(browser, page_parser(), now=around.now)
        stack.push_async_callback(reader.close)
        outside = Outside(search, reader, queries, around.today)
        shut = settings.egress == "offline" and not settings.private_addresses
        searching = Searching(outside, kept, embedder, settings.web_seconds, shut=shut)
        stack.push_async_callback(searching.close)
        yield World(search, reader, searching)
