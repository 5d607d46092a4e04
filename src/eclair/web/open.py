"""Puts together what searches and reads the web: one browser, the services that are asked, the reader of pages."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date

from eclair.documents.embeddings import Embedder
from eclair.generation.usage import AskModel
from eclair.images.base import ImageBackend
from eclair.network.client import Resolver, WebClient
from eclair.network.gate import OutboundGate
from eclair.settings import Settings
from eclair.storage.web import WebStore
from eclair.web.pages.reader import PageReader, page_parser
from eclair.web.providers.base import SearchProvider
from eclair.web.queries import QueryWriter
from eclair.web.retriever import WebService
from eclair.web.search import MetaSearch
from eclair.web.session import WebAccess


@dataclass(frozen=True, slots=True)
class Environment:
    """What may stand in the place of what is outside: how names are resolved, further search services, the time in
    seconds since 1970, what draws besides. Only who writes a program can say so; no setting can."""

    resolver: Resolver | None = None
    search_providers: Callable[[WebClient], Sequence[SearchProvider]] = lambda browser: ()
    clock: Callable[[], float] = time.time
    image_backends: Callable[[OutboundGate], Sequence[ImageBackend]] = lambda gate: ()

    def today(self) -> date:
        return date.fromtimestamp(self.clock())


REAL_ENVIRONMENT = Environment()
"""The world as it is."""


@asynccontextmanager
async def open_web(
    settings: Settings,
    browser: WebClient,
    store: WebStore | None,
    embedder: Embedder | None,
    ask: AskModel,
    environment: Environment,
    local_providers: Sequence[SearchProvider] = (),
) -> AsyncGenerator[WebService]:
    """Open the ways to the web. Without `kept` no copy of a page is; `given` are services not asked over HTTP.

    Raises SettingsError for a setting that names no service.
    """
    async with AsyncExitStack() as stack:
        search = MetaSearch.from_settings(settings, browser, [*environment.search_providers(browser), *local_providers])
        reader = PageReader(browser, page_parser(), now=environment.clock)
        stack.push_async_callback(reader.close)
        access = WebAccess(search, reader, QueryWriter(ask), environment.today)
        is_shut = settings.egress == "offline" and not settings.private_addresses
        web = WebService(access, store, embedder, settings.web_seconds, is_shut=is_shut)
        stack.push_async_callback(web.close)
        yield web
