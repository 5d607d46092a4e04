"""A page of another origin uses the API with a key, where `cors_origins` names it."""

from __future__ import annotations

from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Starting

KEY = "open-sesame"
ASK = """async ([address, key]) => {
    const headers = { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
    const messages = [{ role: "user", content: "script: say=Bonjour" }];
    const body = JSON.stringify({ model: "scripted", messages });
    try {
        const reply = await fetch(`${address}/v1/chat/completions`, { method: "POST", headers, body });
        const said = await reply.json();
        return [reply.status, said.choices?.[0].message.content ?? said.error.code, reply.headers.get("x-request-id")];
    } catch (error) {
        return [0, error.name, null];
    }
}"""


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Generator[str]:
    """The origin of a blank page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_page_elsewhere_asks_with_a_key(browser: Browser, starting: Starting, elsewhere: str) -> None:
    served = starting(ECLAIR_CORS_ORIGINS=elsewhere, ECLAIR_API_KEY=KEY)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(elsewhere)
        status, said, id = page.evaluate(ASK, [served.address, KEY])
        assert (status, said) == (200, "Bonjour")
        assert id
        assert page.evaluate(ASK, [served.address, ""])[:2] == [401, "invalid_api_key"]


def test_a_page_elsewhere_that_is_not_named_may_not(browser: Browser, starting: Starting, elsewhere: str) -> None:
    served = starting(ECLAIR_CORS_ORIGINS="https://app.example.org", ECLAIR_API_KEY=KEY)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(elsewhere)
        assert page.evaluate(ASK, [served.address, KEY]) == [0, "TypeError", None]
