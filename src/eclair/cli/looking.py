"""How a question at the command line looks on the web: as one in the page, but nothing of it is kept but the ledger."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from eclair.documents.embedding import choose_embedder
from eclair.engines.base import Engine, Model, Piece, Request
from eclair.registry import Registry
from eclair.settings import Settings
from eclair.trust.door import Door
from eclair.trust.egress import Browser
from eclair.web.gather import Searching
from eclair.web.opening import AROUND, open_world


@asynccontextmanager
async def open_searching(settings: Settings, registry: Registry, door: Door) -> AsyncGenerator[Searching]:
    """Raises InvalidInput where nothing may leave, and SettingsError for a setting that names no service."""

    def ask(owner: str, engine: Engine, model: Model, request: Request) -> AsyncGenerator[Piece, None]:
        return engine.stream(request)

    async with AsyncExitStack() as stack:
        browser = Browser(door)
        stack.push_async_callback(browser.close)
        embedder = choose_embedder(settings, registry)
        if embedder is not None:
            stack.push_async_callback(embedder.close)
        world = await stack.enter_async_context(open_world(settings, browser, None, embedder, ask, AROUND))
        yield world.searching.opened()
