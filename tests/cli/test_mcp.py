"""`eclair mcp`: signing in at a server with a browser that is led back to the command, and signing out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import orjson
import pytest
import pytest_asyncio

from tests.cli.test_cli import Eclair, Screen, sentence
from tests.mcp_servers.oauth_server import Authorizing, authorizing


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


@pytest.fixture
def provider() -> Authorizing:
    return Authorizing()


@pytest_asyncio.fixture
async def notes(provider: Authorizing) -> AsyncGenerator[str]:
    async with authorizing(provider) as address:
        yield address


async def sign_in(run: Eclair, *, forge: bool = False) -> tuple[str, str, int]:
    """Run `eclair mcp sign-in`, and do what a browser does; return what it printed, and its exit code."""
    process = run.start("mcp", "sign-in", "notes")
    try:
        assert process.stdout is not None
        line = (await asyncio.to_thread(process.stdout.readline)).decode()
        async with httpx2.AsyncClient(follow_redirects=False) as browser:
            led_back = (await browser.get(line.split()[-1])).headers["location"]
            assert led_back.startswith("http://127.0.0.1:")
            if forge:
                assert (await browser.get(led_back.replace("state=", "state=x"))).status_code == 404
                led_back = led_back.replace("code=", "error=access_denied&was=")
            page = await browser.get(led_back)
        assert (page.status_code, "goes on in the terminal" in page.text) == (200, True)
        out, err = await asyncio.to_thread(process.communicate, timeout=60)
        return out.decode(), err.decode(), process.returncode
    finally:
        process.kill()
        process.wait()


async def test_signing_in_with_a_browser_and_out(run: Eclair, notes: str, provider: Authorizing) -> None:
    added = await asyncio.to_thread(run, "mcp", "add", "notes", notes)
    assert (added.returncode, "`eclair mcp sign-in notes`" in added.stderr) == (4, True), added
    out, err, code = await sign_in(run)
    assert code == 0, err
    assert "Signed in at notes." in out
    assert "read_note (may change things): Read a note." in out
    (server,) = orjson.loads((await asyncio.to_thread(run, "mcp", "--json")).stdout)
    assert (server["signed_in"], server["tools"]) == (True, ["read_note"])
    left = await asyncio.to_thread(run, "mcp", "sign-out", "notes")
    assert (left.stdout, provider.refresh) == ("Signed out of notes.\n", {})
    again = await asyncio.to_thread(run, "mcp", "sign-out", "notes")
    assert (again.returncode != 0, "not signed in" in sentence(again.stderr)) == (True, True)


async def test_a_forged_answer_is_passed_over_and_a_refusal_is_said(run: Eclair, notes: str) -> None:
    await asyncio.to_thread(run, "mcp", "add", "notes", notes)
    _, err, code = await sign_in(run, forge=True)
    assert (code != 0, "access_denied" in sentence(err)) == (True, True)


async def test_the_address_may_be_pasted(tmp_path: Path, run: Eclair, notes: str) -> None:
    await asyncio.to_thread(run, "mcp", "add", "notes", notes)
    screen = Screen(tmp_path, "mcp", "sign-in", "notes", NO_COLOR="1")
    try:
        await asyncio.to_thread(screen.until, "Open this address in a browser:  ")
        url = "".join((await asyncio.to_thread(screen.until, "If the browser is on another machine")).split())
        async with httpx2.AsyncClient(follow_redirects=False) as browser:
            led_back = (await browser.get(url)).headers["location"]
        screen.type("http://127.0.0.1/callback?code=x\n")
        await asyncio.to_thread(screen.until, "paste the whole address")
        screen.type(f"{led_back}\n")
        await asyncio.to_thread(screen.until, "Signed in at notes.")
        await asyncio.to_thread(screen.until, "May models call these tools?")
        screen.type("n\n")
        assert await asyncio.to_thread(screen.end) == 0
    finally:
        screen.close()
