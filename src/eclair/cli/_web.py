"""Web access for questions at the command line; only the egress log is stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from eclair.documents.embeddings import choose_embedder
from eclair.generation.usage import UsageLedger, ask_uncounted, read_uncounted
from eclair.live_settings import LiveSettings
from eclair.llm.registry import Registry
from eclair.network.client import WebClient
from eclair.network.gate import OutboundGate
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.web.open import REAL_ENVIRONMENT, open_web
from eclair.web.retriever import WebService


@asynccontextmanager
async def open_web_access(
    settings: Settings, registry: Registry, gate: OutboundGate, ledger: UsageLedger | None
) -> AsyncGenerator[WebService]:
    """Open access to the web. Raises InvalidInput if offline, SettingsError for an unknown service."""
    async with AsyncExitStack() as stack:
        browser = WebClient(gate)
        stack.push_async_callback(browser.close)
        embedder = choose_embedder(settings, registry, read_uncounted if ledger is None else ledger.reading_for_caller)
        if embedder is not None:
            stack.push_async_callback(embedder.close)
        ask = ask_uncounted if ledger is None else ledger.ask
        web = await stack.enter_async_context(
            open_web(LiveSettings(settings), browser, None, embedder, ask, REAL_ENVIRONMENT)
        )
        web.require_open(LOCAL_PRINCIPAL)
        yield web
