"""Builds the web service: providers, reader and query writer."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.documents.embeddings import Embedder
from eclair.generation.usage import AskModel
from eclair.images.base import ImageBackend
from eclair.live_settings import LiveSettings
from eclair.network.client import Resolver, WebClient
from eclair.network.gate import OutboundGate
from eclair.settings import Settings
from eclair.storage.web import WebStore
from eclair.web.pages.reader import PageReader, page_parser
from eclair.web.providers import available_providers, select_providers
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
    live_settings: LiveSettings,
    client: WebClient,
    store: WebStore | None,
    embedder: Embedder | None,
    ask: AskModel,
    environment: Environment,
    local_providers: Sequence[SearchProvider] = (),
    rights: RightRules = OPEN_RULES,
) -> AsyncGenerator[WebService]:
    """Open the web service, which follows the settings. Without `store` no copies of pages are stored.

    `local_providers` search on this machine. Raises SettingsError for a setting that names no provider.
    """
    async with AsyncExitStack() as stack:
        settings = live_settings.current
        local = [*environment.search_providers(client), *local_providers]
        search = MetaSearch.from_settings(settings, client, local)
        reader = PageReader(client, page_parser(), now=environment.clock)
        stack.push_async_callback(reader.close)
        access = WebAccess(search, reader, QueryWriter(ask), environment.today, NeedDecider(ask))
        web = WebService(access, store, embedder, settings.web_seconds, rights)
        stack.push_async_callback(web.close)

        def apply(current: Settings) -> None:
            providers = available_providers(current, client, local)
            used = select_providers(current, providers)
            search.use(used, [provider for provider in providers if provider not in used])
            web.is_shut = current.egress == "offline" and not current.private_addresses

        live_settings.follow(apply)
        yield web
