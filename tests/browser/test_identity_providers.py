"""A true browser goes to identity providers of another site and back: which cookies it keeps, and which it sends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from html import escape
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from playwright.sync_api import Page, expect

from tests.browser.accounts import set_up
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.identity.openid import CLIENT, SECRET, OpenIdProvider
from tests.identity.saml_idp import SamlIdp, encode, new_certificate, read_request

WHO = "fetch('/api/session', {headers: {Authorization: 'Session'}}).then((reply) => reply.json())"
ELSEWHERE = "localhost"
"""Another site than 127.0.0.1, on the same machine."""


@contextmanager
def in_thread(serving: AbstractAsyncContextManager[None]) -> Generator[None]:
    """Serve in a thread while a test drives the browser in this one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(20)
        yield
        asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class SamlPages:
    """The page of a provider that posts its response to Éclair by itself."""

    def __init__(self, idp: SamlIdp) -> None:
        self.idp = idp

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        app = web.Application()
        app.router.add_get("/sso", self._sign_in)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.idp.sign_in_url = f"http://{ELSEWHERE}:{runner.addresses[0][1]}/sso"
        yield
        await runner.cleanup()

    async def _sign_in(self, request: web.Request) -> web.Response:
        self.idp.request = read_request(str(request.url)).get("ID")
        form = (
            f'<form method="post" action="{self.idp.recipient}">'
            f'<input name="SAMLResponse" value="{escape(encode(self.idp.signed_response()))}"></form>'
            "<script>document.forms[0].submit()</script>"
        )
        return web.Response(text=form, content_type="text/html")


def start(starting: Starting, **providers: Any) -> Served:
    return starting(ECLAIR_ACCOUNTS="on", ECLAIR_SAML="true", ECLAIR_IDENTITY=orjson.dumps(providers).decode())


def who(page: Page) -> str | None:
    person = page.evaluate(WHO)["person"]
    return None if person is None else str(person["name"])


def test_openid_connect_from_another_site(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    provider = OpenIdProvider()
    with in_thread(provider.serving(ELSEWHERE)):
        house = {"kind": "oidc", "issuer": provider.url, "client_id": CLIENT, "client_secret": SECRET}
        page = opening(start(starting, house=house)).new_page()
        watches[-1].forgive(provider.url, "401")
        page.goto("/docs")
        assert who(page) is None
        page.goto("/api/sign-in/house?return_to=/docs%3Fx=1")
        expect(page).to_have_url("/docs?x=1")
        assert who(page) == "ada"
        provider.denies = True
        page.goto("/api/sign-in/house")
        page.wait_for_url("**/?sign_in_error=sign_in_denied")


def test_a_link_on_another_site_begins_a_sign_in(
    opening: Opening, starting: Starting, watches: list[Watch], tmp_path: Path
) -> None:
    provider = OpenIdProvider()
    with in_thread(provider.serving(ELSEWHERE)):
        house = {"kind": "oidc", "issuer": provider.url, "client_id": CLIENT, "client_secret": SECRET}
        served = start(starting, house=house)
        page = opening(served).new_page()
        watches[-1].forgive(provider.url)
        page.goto(f"{provider.url}/keys")
        address = f"{served.address}/api/sign-in/house?return_to=/docs"
        page.evaluate("(address) => { location.href = address }", address)
        page.wait_for_url("**/docs")
        assert who(page) == "ada"


def test_saml_from_another_site(opening: Opening, starting: Starting, watches: list[Watch], tmp_path: Path) -> None:
    pages = SamlPages(SamlIdp(*new_certificate()))
    with in_thread(pages.serving()):
        file = tmp_path / "idp.xml"
        file.write_text(pages.idp.metadata())
        served = start(starting, firm={"kind": "saml", "metadata_file": str(file)})
        pages.idp.audience = f"{served.address}/api/sign-in/firm/metadata"
        pages.idp.recipient = pages.idp.destination = f"{served.address}/api/sign-in/firm/callback"
        page = opening(served).new_page()
        watches[-1].forgive(pages.idp.sign_in_url)
        page.goto("/api/sign-in/firm?return_to=/docs")
        page.wait_for_url("**/docs")
        assert who(page) == "person-1"


def test_a_person_signs_in_and_out_by_the_page(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    provider = OpenIdProvider()
    with in_thread(provider.serving(ELSEWHERE)):
        house = {"kind": "oidc", "name": "House account", "issuer": provider.url, "client_id": CLIENT}
        served = start(starting, house={**house, "client_secret": SECRET})
        set_up(opening(served), served)
        page = opening(served, viewport={"width": 390, "height": 800}).new_page()
        watches[-1].forgive(provider.url, "401")
        page.goto("/")
        page.get_by_role("link", name="Sign in with House account").click()
        expect(page.get_by_role("textbox", name="Your message", exact=True)).to_be_visible()
        assert who(page) == "ada-2"
        page.set_viewport_size({"width": 1280, "height": 800})
        page.get_by_role("button", name="Account: Ada L.").click()
        page.get_by_role("menuitem", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in with House account")).to_be_visible()
        assert "/logout" in provider.asked
        provider.denies = True
        page.get_by_role("link", name="Sign in with House account").click()
        expect(page.get_by_role("alert").first).to_have_text("Sign-in was canceled.")
