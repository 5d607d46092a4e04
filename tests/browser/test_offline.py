"""The page without its server: it opens, and what was read last can be read; and a new version of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import eclair
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.browser.test_chat import composer, finished, send

KEPT = "async () => (await (await caches.open('eclair-conversations')).keys()).map(({ url }) => new URL(url).pathname)"
GONE = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_FAILED", "network error")
AWAY = "Éclair can’t be reached. Recent conversations can still be read"


@pytest.fixture
def context(opening: Opening, mortal: Served, watches: list[Watch]) -> BrowserContext:
    context = opening(mortal, service_workers="allow")
    watches[-1].forgive(*GONE)
    return context


def ready(context: BrowserContext, path: str = "/") -> Page:
    """A page whose worker is at its side."""
    page = context.new_page()
    page.goto(path)
    page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=15_000)
    return page


def until_kept(page: Page, count: int, last: str | None = None) -> list[str]:
    """What is kept, once it is so many, and `last` the last of them."""
    for _ in range(50):
        kept: list[str] = page.evaluate(KEPT)
        if len(kept) == count and last in (None, *kept[-1:]):
            return kept
        page.wait_for_timeout(100)
    raise AssertionError(page.evaluate(KEPT))


def test_what_was_read_last_can_be_read_without_the_server(context: BrowserContext, mortal: Served) -> None:
    page = ready(context)
    send(page, "script: say=kept for the train")
    finished(page, "kept for the train")
    address = page.url
    until_kept(page, 1)
    page.get_by_role("button", name="New chat").first.click()
    send(page, "script: say=and the next one")
    finished(page, "and the next one")
    until_kept(page, 2)
    mortal.close()
    page.goto(address)
    finished(page, "kept for the train")
    expect(page.get_by_text(AWAY)).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="script: say=and the next one").click()
    finished(page, "and the next one")
    send(page, "typed in the tunnel")
    expect(page.get_by_role("alert")).to_contain_text("Éclair can’t be reached.")
    expect(composer(page)).to_have_value("typed in the tunnel")
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text(AWAY)).to_be_visible()
    mortal.start()
    page.reload()
    expect(page.get_by_text(AWAY)).to_be_hidden()


def test_a_line_that_is_cut_is_said_and_found_again(context: BrowserContext) -> None:
    page = ready(context)
    send(page, "script: say=before the tunnel")
    finished(page, "before the tunnel")
    until_kept(page, 1)
    context.set_offline(True)
    page.reload()
    finished(page, "before the tunnel")
    expect(page.get_by_text(AWAY)).to_be_visible()
    context.set_offline(False)
    expect(page.get_by_text(AWAY)).to_be_hidden()


def test_twenty_are_kept_and_what_is_deleted_is_not(context: BrowserContext, watches: list[Watch]) -> None:
    watches[-1].forgive(*GONE, "404")
    page = ready(context)
    ids = [page.request.post("/api/conversations", data={}).json()["id"] for _ in range(22)]
    for id in ids:
        page.evaluate("path => fetch(path).then(response => response.text())", f"/api/conversations/{id}")
    newest = [f"/api/conversations/{id}" for id in ids[2:]]
    assert until_kept(page, 20, newest[-1]) == newest
    page.evaluate("path => fetch(path, { method: 'DELETE' })", f"/api/conversations/{ids[5]}")
    assert f"/api/conversations/{ids[5]}" not in until_kept(page, 19)
    page.request.delete(f"/api/conversations/{ids[6]}")  # by another device
    page.evaluate("path => fetch(path)", f"/api/conversations/{ids[6]}")
    assert f"/api/conversations/{ids[6]}" not in until_kept(page, 18)
    page.evaluate("() => fetch('/api/conversations?confirm=all', { method: 'DELETE' })")
    until_kept(page, 0)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path, ECLAIR_API_KEY="open-sesame")
    served.start()
    yield served
    served.close()


def test_behind_a_key_nothing_is_kept(locked: Served, opening: Opening, watches: list[Watch]) -> None:
    context = opening(locked, service_workers="allow")
    watches[-1].forgive("401")
    page = ready(context)
    page.get_by_role("dialog").get_by_label("Key", exact=True).fill("open-sesame")
    page.get_by_role("dialog").get_by_role("button", name="Continue").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    send(page, "script: say=a secret")
    finished(page, "a secret")
    page.reload()
    finished(page, "a secret")
    page.wait_for_timeout(500)
    assert page.evaluate(KEPT) == []


def test_a_new_version_is_offered_and_loses_no_draft(
    opening: Opening, starting: Starting, tmp_path: Path, watches: list[Watch]
) -> None:
    package = tmp_path / "lib" / "eclair"
    shutil.copytree(Path(eclair.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    served = starting(PYTHONPATH=str(package.parent))
    page = ready(opening(served, service_workers="allow"))
    watches[-1].forgive(*GONE)
    composer(page).fill("half a thought")
    worker = package / "server" / "static" / "worker.js"
    worker.write_text(worker.read_text(encoding="utf-8").replace('VERSION="', 'VERSION="next-'), encoding="utf-8")
    page.evaluate("() => navigator.serviceWorker.ready.then(found => found.update())")
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_role("button", name="Reload")).to_be_hidden()
    expect(composer(page)).to_have_value("half a thought")
    page.wait_for_function("() => caches.keys().then(names => names.some(name => name.includes('next-')))")


def test_it_can_be_installed(page: Page) -> None:
    manifest = page.request.get("/manifest.webmanifest")
    assert manifest.headers["content-type"].startswith("application/manifest+json")
    for icon in manifest.json()["icons"]:
        reply = page.request.get(f"/{icon['src']}")
        assert reply.status == 200
        assert reply.headers["content-type"] == icon["type"]
    worker = page.request.get("/worker.js")
    assert worker.headers["cache-control"] == "no-cache"
    assert worker.headers["content-type"].startswith("text/javascript")
