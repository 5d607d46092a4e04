"""How a question at the command line looks on the web: as one in the page, but nothing of it is kept but the ledger."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from eclair.documents.embeddings import choose_embedder
from eclair.llm.base import Engine, Piece, Request
from eclair.llm.registry import Registry
from eclair.network.client import WebClient
from eclair.network.gate import OutboundGate
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.web.open import AROUND, open_world
from eclair.web.retriever import Searching


@asynccontextmanager
async def open_searching(settings: Settings, registry: Registry, gate: OutboundGate) -> AsyncGenerator[Searching]:
    """Raises InvalidInput where nothing may leave, and SettingsError for a setting that names no service."""

    def ask(principal: Principal, engine: Engine, model: Model, request: Request) -> AsyncGenerator[Piece, None]:
        return engine.stream(request)

    async with AsyncExitStack() as stack:
        browser = WebClient(gate)
        stack.push_async_callback(browser.close)
        embedder = choose_embedder(settings, registry)
        if embedder is not None:
            stack.push_async_callback(embedder.close)
        world = await stack.enter_async_context(open_world(settings, browser, None, embedder, ask, AROUND))
        yield world.searching.opened()
