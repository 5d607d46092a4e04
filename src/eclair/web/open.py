"""Builds the web service: providers, reader and query writer."""

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
from eclair.web.web_need import NeedDecider


@dataclass(frozen=True, slots=True)
class Environment:
    """The outside world as the app sees it: name resolution, further search providers, clock, further image backends.

    A program or test can replace them; no setting can. `clock` gives seconds since 1970.
    """

    resolver: Resolver | None = None
    search_providers: Callable[[WebClient], Sequence[SearchProvider]] = lambda client: ()
    clock: Callable[[], float] = time.time
    image_backends: Callable[[OutboundGate], Sequence[ImageBackend]] = lambda gate: ()

    def today(self) -> date:
        return date.fromtimestamp(self.clock())


REAL_ENVIRONMENT = Environment()


@asynccontextmanager
async def open_web(
    settings: Settings,
    client: WebClient,
    store: WebStore | None,
    embedder: Embedder | None,
    ask: AskModel,
    environment: Environment,
    local_providers: Sequence[SearchProvider] = (),
) -> AsyncGenerator[WebService]:
    """Open the web service. Without `store` no copies of pages are stored.

    `local_providers` search on this machine. Raises SettingsError for a setting that names no provider.
    """
    async with AsyncExitStack() as stack:
        search = MetaSearch.from_settings(settings, client, [*environment.search_providers(client), *local_providers])
        reader = PageReader(client, page_parser(), now=environment.clock)
        stack.push_async_callback(reader.close)
        access = WebAccess(search, reader, QueryWriter(ask), environment.today, NeedDecider(ask))
        is_shut = settings.egress == "offline" and not settings.private_addresses
        web = WebService(access, store, embedder, settings.web_seconds, is_shut=is_shut)
        stack.push_async_callback(web.close)
        yield web
