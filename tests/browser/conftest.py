"""A real Chromium before a real server. Every page must stay free of errors and of requests to elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from tests.browser import chromium
from tests.browser.axe import AXE
from tests.browser.internet import Outside, outside
from tests.browser.served import Served

expect.set_options(timeout=30_000)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Drives browsers; a process has one of them at a time."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    path = chromium.find()
    if path is None:
        pytest.fail("The browser tests need Chromium or Chrome; install it.")
    found = playwright.chromium.launch(executable_path=path, args=chromium.arguments())
    yield found
    found.close()


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server of all tests that neither kill nor configure it."""
    served = Served(tmp_path_factory.mktemp("server"))
    served.start()
    yield served
    served.close()


@pytest.fixture(scope="package")
def beyond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """Éclair before the small internet."""
    with outside(tmp_path_factory.mktemp("outside")) as found:
        yield found


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Served]:
    """A server of the test's own, to be killed."""
    served = Served(tmp_path)
    served.start()
    yield served
    served.close()


Starting = Callable[..., Served]


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Starting]:
    """Starts servers of the test's own, by their settings."""
    started: list[Served] = []

    def start(**settings: str) -> Served:
        folder = tmp_path / f"server{len(started)}"
        folder.mkdir()
        started.append(Served(folder, **settings))
        started[-1].start()
        return started[-1]

    yield start
    for served in started:
        served.close()


@dataclass
class Watch:
    """What a page did that it should not have done."""

    address: str
    faults: list[str] = field(default_factory=list[str])
    forgiven: tuple[str, ...] = ()

    def forgive(self, *texts: str) -> None:
        """Console errors that hold one of these belong to the test."""
        self.forgiven = texts

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Service Worker registration blocked" not in message.text:
            self.faults.append(f"{message.text} ({message.location['url']})")

    def asked(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"foreign request: {request.url}")

    def rest(self) -> list[str]:
        return [fault for fault in self.faults if not any(text in fault for text in self.forgiven)]


Opening = Callable[..., BrowserContext]


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    watches: list[Watch] = []
    yield watches
    assert [fault for watch in watches for fault in watch.rest()] == []


@pytest.fixture
def opening(request: pytest.FixtureRequest, browser: Browser, watches: list[Watch]) -> Iterator[Opening]:
    """Opens a browser of its own, with its own storage, on a server."""
    for name in {"mortal", "starting"}.intersection(request.fixturenames):
        request.getfixturevalue(name)  # so that it outlives the pages, which would complain of its end
    contexts: list[BrowserContext] = []

    def open_on(served: Served | Outside, **options: object) -> BrowserContext:
        options.setdefault("service_workers", "block")  # what a worker fetches, a test cannot route
        context = browser.new_context(base_url=served.address, **options)  # pyright: ignore[reportArgumentType]
        watch = Watch(served.address)
        watches.append(watch)
        context.on("console", watch.heard)
        context.on("weberror", lambda error: watch.faults.append(str(error.error)))
        context.on("request", watch.asked)
        contexts.append(context)
        return context

    yield open_on
    for context in contexts:
        context.close()


@pytest.fixture
def page(opening: Opening, shared: Served) -> Page:
    page = opening(shared).new_page()
    page.goto("/")
    return page


@pytest.fixture
def look(opening: Opening, shared: Served) -> Callable[..., Page]:
    """Opens the page at one width, for who wants no motion: nothing has to be waited for."""

    def at(width: int = 1200, height: int = 800, **options: object) -> Page:
        options = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **options}
        context: BrowserContext = opening(shared, **options)
        context.add_init_script(path=AXE)
        return context.new_page()

    return at
