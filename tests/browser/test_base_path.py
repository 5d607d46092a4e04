"""The page under a path, behind a proxy that strips it or passes it on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.browser.test_chat import finished, send
from tests.browser.test_diagrams import ROOF, picture, show
from tests.reverse_proxy import proxied_in_thread

KEPT = "async () => (await (await caches.open('eclair/assistant-conversations')).keys()).map(({ url }) => url)"


@dataclass
class Proxied:
    """The address of the proxy, which browsers open."""

    address: str
    served: Served


@pytest.fixture(params=["strips", "passes"])
def proxy(request: pytest.FixtureRequest, starting: Starting) -> Iterator[Proxied]:
    served = starting(ECLAIR_BASE_PATH="/assistant")
    with proxied_in_thread(served.address, "/assistant", strips=request.param == "strips") as address:
        yield Proxied(address, served)


def test_the_whole_page_lives_under_a_path(proxy: Proxied, opening: Opening) -> None:
    page: Page = opening(proxy).new_page()  # every request to elsewhere is a fault
    page.goto(f"{proxy.address}/")
    send(page, "script: say=under a path")
    finished(page, "under a path")
    expect(page).to_have_url(re.compile(re.escape(proxy.address) + r"/c/conv_\w+$"))
    address = page.url
    page.reload()
    finished(page, "under a path")
    navigation = page.get_by_role("navigation")
    navigation.get_by_role("link", name="Settings").click()
    expect(page).to_have_url(f"{proxy.address}/settings")
    page.go_back()
    finished(page, "under a path")
    page.get_by_role("button", name="New chat").first.click()
    expect(page).to_have_url(f"{proxy.address}/")
    link = navigation.get_by_role("link", name="script: say=under a path")
    assert proxy.address + str(link.get_attribute("href")).removeprefix("/assistant") == address
    link.click()
    finished(page, "under a path")
    expect(page).to_have_url(address)


def test_diagrams_shared_links_and_the_reference_follow(proxy: Proxied, opening: Opening) -> None:
    page: Page = opening(proxy).new_page()
    page.goto(f"{proxy.address}/")
    picture(show(page, ROOF)).wait_for()
    conversation = page.url.rsplit("/", 1)[1]
    share = page.request.post(f"{proxy.address}/api/conversations/{conversation}/shares", data={}).json()
    page.goto(proxy.address.removesuffix("/assistant") + share["url"])
    expect(page.get_by_role("img", name=re.compile("^Diagram"))).to_be_visible()
    page.goto(f"{proxy.address}/docs")
    page.get_by_role("heading", name="conversations").get_by_role("button").click()
    expect(page.get_by_text("/api/conversations", exact=True).first).to_be_visible()


def test_the_service_worker_keeps_to_the_path(proxy: Proxied, opening: Opening, watches: list[Watch]) -> None:
    context = opening(proxy, service_workers="allow")
    watches[-1].forgive("ERR_INTERNET_DISCONNECTED", "ERR_FAILED")
    page = context.new_page()
    page.goto(f"{proxy.address}/")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=15_000)
    assert page.evaluate("async () => (await navigator.serviceWorker.ready).scope") == f"{proxy.address}/"
    send(page, "script: say=kept under a path")
    finished(page, "kept under a path")
    page.wait_for_function(f"async () => (await ({KEPT})()).length === 1")
    context.set_offline(True)
    page.reload()
    finished(page, "kept under a path")
    context.set_offline(False)


def test_the_manifest_is_of_the_path(proxy: Proxied, opening: Opening) -> None:
    page: Page = opening(proxy).new_page()
    page.goto(f"{proxy.address}/")
    manifest = page.request.get(f"{proxy.address}/manifest.webmanifest").json()
    assert {manifest["start_url"], manifest["scope"]} == {"./"}
    for icon in manifest["icons"]:
        assert page.request.get(f"{proxy.address}/{icon['src']}").status == 200
