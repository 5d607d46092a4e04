from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import pytest

from eclair.network.client import WebClient
from eclair.network.gate import CallContext, OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.network.ssrf import parse_private_service
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.web.pages.reader import PAGE_LIMITS, PageReader, page_parser
from tests.web.internet import Internet, internet, names

CONTEXT = CallContext(LOCAL_PRINCIPAL, "page", "run_1")


@pytest.fixture
async def world() -> AsyncGenerator[Internet]:
    """The small internet, without latency and failures."""
    async with internet() as served:
        yield served


@pytest.fixture
async def browser(world: Internet) -> AsyncGenerator[WebClient]:
    """A browser that reaches the small internet and nothing else of this machine."""
    private = frozenset(map(parse_private_service, world.private))
    browser = WebClient(OutboundGate(OutboundPolicy("open", private=private)), resolver=names)
    yield browser
    await browser.close()


@pytest.fixture
async def reader(world: Internet, browser: WebClient, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[PageReader]:
    """Reads the small internet, on its own day, and waits for nobody; a page may take longer, beside other tests."""
    monkeypatch.setattr("eclair.web.pages.reader.PAGE_LIMITS", replace(PAGE_LIMITS, seconds=60, total_seconds=120))
    reader = PageReader(browser, page_parser(), now=world.now)
    yield reader
    await reader.close()


@dataclass
class Clocked:
    """A reader whose time is told by the test."""

    reader: PageReader
    seconds: float = 0.0


@pytest.fixture
async def clocked(world: Internet, browser: WebClient) -> AsyncGenerator[Clocked]:
    def clock() -> float:
        return clocked.seconds

    clocked = Clocked(PageReader(browser, page_parser(), clock=clock, now=lambda: world.now() + clock()))
    yield clocked
    await clocked.reader.close()
