"""`eclair login` and `eclair logout`: let commands act at an Éclair elsewhere, by a key that somebody there allows."""

from __future__ import annotations

import argparse
import asyncio
import socket
import time
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._logins import ServerLogin, login_file, read_login, write_login
from eclair.cli._server import EclairServer
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, NotFound, RemoteFailure, UserError
from eclair.network.egress_log import open_gate
from eclair.network.policy import is_loopback_url
from eclair.settings import Settings

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER_S = 5


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    loaded = load_settings(arguments)
    log_if_debugging(loaded.settings)
    file = login_file(loaded)
    login = read_login(file)
    if arguments.action == "logout":
        if login is None:
            raise NotFound("You are signed in nowhere; `eclair login URL` signs you in.")
        return run_async(_log_out(loaded.settings, file, login, terminal))
    if login is not None:
        raise InvalidInput(f"You are signed in to {login.url} already; `eclair logout` ends that first.")
    return run_async(_log_in(loaded.settings, file, _normal_url(arguments.url), terminal))


async def _log_in(settings: Settings, file: Path, url: str, terminal: Terminal) -> int:
    if url.startswith("http://") and not is_loopback_url(url):
        terminal.warn("This address is unencrypted: whoever is on the way can read the key and your questions.")
    async with open_gate(settings) as gate:
        server = EclairServer(url, None, gate, "identity")
        try:
            status, begun = await server.post_form(
                "/api/device/code", client_id="eclair", device_name=socket.gethostname(), scope="all"
            )
            if status != 200 or not {"device_code", "user_code", "verification_uri"} <= begun.keys():
                why = begun.get("error_description") or f"it replied with {status}"
                raise RemoteFailure(f"{server.host} doesn't take logins of programs ({why}); check the address.")
            terminal.line(f"Open this address in a browser:  {begun['verification_uri']}")
            terminal.line(f"and enter this code there:       {begun['user_code']}")
            terminal.flush()
            terminal.status("Waiting for you to confirm…")
            token = await _wait(server, begun)
            terminal.status("")
        finally:
            await server.close()
    lasts = token.get("expires_in")
    expires = int((time.time() + lasts) * 1000) if isinstance(lasts, int) else None
    login = ServerLogin(url=url, key=str(token["access_token"]), name=str(token.get("name", "")), expires=expires)
    write_login(file, login)
    until = "" if expires is None else f" until {date.fromtimestamp(expires / 1000).isoformat()}"
    terminal.line(f"Signed in to {url}{until}, with the key “{login.name}”.")
    terminal.aside(
        "ask, models, libraries, files and add go there from now on; --local keeps one on this machine. "
        "All other commands act on this machine."
    )
    return 0


async def _wait(server: EclairServer, begun: dict[str, Any]) -> dict[str, Any]:
    """Ask until somebody has confirmed. Raises UserError where they refuse, or nobody does."""
    interval = float(begun.get("interval", 5))
    while True:
        await asyncio.sleep(interval)
        status, reply = await server.post_form(
            "/api/device/token", grant_type=GRANT_TYPE, device_code=str(begun["device_code"]), client_id="eclair"
        )
        match reply.get("error"):
            case None if status == 200 and "access_token" in reply:
                return reply
            case "authorization_pending":
                pass
            case "slow_down":
                interval += SLOWER_S
            case "access_denied":
                raise UserError("The login was refused in the browser.")
            case "expired_token":
                raise UserError("Nobody confirmed within ten minutes; run `eclair login` again.")
            case other:
                why = reply.get("error_description") or other or f"it replied with {status}"
                raise RemoteFailure(f"{server.host} broke off the login: {why}")


async def _log_out(settings: Settings, file: Path, login: ServerLogin, terminal: Terminal) -> int:
    """End the key, and forget it in any case."""
    async with open_gate(settings) as gate:
        server = EclairServer(login.url, None, gate, "identity")
        fault: str | None = None
        try:
            status, _ = await server.post_form("/api/device/revoke", token=login.key)
            fault = None if status == 200 else f"it replied with {status}"
        except RemoteFailure as error:
            fault = error.message
        finally:
            await server.close()
            await asyncio.to_thread(file.unlink, missing_ok=True)
    if fault is not None:
        terminal.warn(f"The key is forgotten here, but not ended: {fault} End “{login.name}” in Settings → API keys.")
        return RemoteFailure.exit_code
    terminal.line(f"Signed out of {login.url}; its key is ended.")
    return 0


def _normal_url(given: str) -> str:
    """Return the address of an Éclair; https unless it says otherwise. Raises InvalidInput."""
    url = given if "://" in given else f"https://{given}"
    parsed = urlsplit(url)
    if parsed.scheme not in ("http", "https") or not parsed.hostname or parsed.query or parsed.fragment:
        raise InvalidInput(f"{given!r} is no address of an Éclair; write one such as https://ai.example.org.")
    if parsed.username is not None:
        raise InvalidInput("The address must have no name and password in it; you confirm in the browser.")
    return url.rstrip("/")
