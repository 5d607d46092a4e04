"""`eclair mcp`: lists, adds, checks, switches and removes MCP servers, and signs in at them."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._redirect_page import open_redirect_page
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import EngineUnavailable, InvalidInput, NotFound, UserError
from eclair.live_settings import LiveSettings
from eclair.mcp_servers.content_service import McpContentService
from eclair.mcp_servers.server_config import McpServerChange
from eclair.mcp_servers.server_views import McpServer
from eclair.mcp_servers.service import McpService
from eclair.mcp_servers.sign_in_keeper import SignInKeeper
from eclair.mcp_servers.sign_ins import MAX_PENDING_S, McpSignIns, SignInAnswer
from eclair.network.client import OutboundGate
from eclair.network.egress_log import EgressLog
from eclair.network.policy import OutboundPolicy
from eclair.sandbox.program import has_program_walls
from eclair.schema.mcp_servers import McpListing, McpSecrets
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage
from eclair.storage.secrets import Vault

COLUMNS = ("NAME", "STATE", "ON", "TOOLS", "SERVER")
STATES = {"ready": "ready", "unseen": "not allowed yet", "held": "changed, held", "down": "down"}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "add":
            return run_async(_add(settings, arguments, _parse_change(arguments, terminal), terminal))
        case "check":
            return run_async(_check(settings, arguments.name, terminal, allow=arguments.allow))
        case "on" | "off":
            return run_async(_switch(settings, arguments.name, terminal, is_on=arguments.action == "on"))
        case "sign-in":
            return run_async(_sign_in(settings, arguments.name, arguments.port, terminal))
        case "sign-out":
            return run_async(_sign_out(settings, arguments.name, terminal))
        case "remove":
            return run_async(_remove(settings, arguments.name, terminal))
        case "resources" | "read" | "prompts" | "prompt":
            return run_async(_show_contents(settings, arguments, terminal))
        case _:
            return run_async(_list(settings, terminal, json=arguments.json))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[McpService]:
    async with _opened_with_sign_ins(settings) as (service, _):
        yield service


@asynccontextmanager
async def _opened_with_sign_ins(settings: Settings) -> AsyncGenerator[tuple[McpService, McpSignIns]]:
    storage = await asyncio.to_thread(open_storage, settings)
    calls = EgressLog(storage.egress)
    try:
        gate = OutboundGate(OutboundPolicy.from_settings(settings), calls)
        vault = Vault.configured(settings)
        keeper = SignInKeeper(storage.mcp_sign_ins, storage.jobs, storage.processes, vault)
        service = McpService(LiveSettings(settings), storage.mcp_servers, vault, keeper, gate)
        try:
            yield service, McpSignIns(service, keeper, storage.sign_in_states, vault, storage.processes.clock)
        finally:
            await service.close()
    finally:
        await calls.close()
        await storage.close()


def _parse_change(arguments: argparse.Namespace, terminal: Terminal) -> McpServerChange:
    target: list[str] = arguments.target
    is_url = len(target) == 1 and target[0].startswith(("http://", "https://"))
    headers = _pairs(arguments.header, "--header")
    if arguments.token:
        headers["Authorization"] = f"Bearer {_secret('Token', terminal)}"
    client_secret = _secret("Client secret", terminal) if arguments.client_secret else ""
    return McpServerChange(
        command=None if is_url else tuple(target),
        url=target[0] if is_url else None,
        folders=tuple(arguments.folder),
        readable=tuple(arguments.readable),
        network=arguments.network,
        by_default=arguments.default,
        client_id=arguments.client_id,
        secrets=McpSecrets(_pairs(arguments.variable, "--variable"), headers, client_secret),
    )


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if any(not equals for _, equals, _ in pairs):
        raise InvalidInput(f"{option} takes a name and a value, such as NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _secret(kind: str, terminal: Terminal) -> str:
    if terminal.can_ask:
        return getpass.getpass(f"{kind} (it is not shown): ").strip()
    return sys.stdin.buffer.read(1 << 16).decode(errors="replace").strip()


async def _list(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    async with _opened(settings) as service:
        servers = await service.list(LOCAL_PRINCIPAL)
    if json:
        terminal.write_bytes(
            orjson.dumps([mcp_server_json(each) for each in servers], option=orjson.OPT_INDENT_2) + b"\n"
        )
        return 0
    if not servers:
        terminal.line("There is no MCP server; `eclair mcp add NAME URL` or `eclair mcp add NAME -- COMMAND` adds one.")
        return 0
    print_table([COLUMNS, *map(_cells, servers)], terminal)
    return 0


def _cells(server: McpServer) -> tuple[str, ...]:
    config, listing = server.config, server.approved or server.seen
    return (
        server.name,
        STATES[server.state],
        "on" if server.is_on else "off",
        str(len(listing.tools)) if listing is not None else "?",
        config.url or " ".join(config.command),
    )


async def _add(settings: Settings, arguments: argparse.Namespace, change: McpServerChange, terminal: Terminal) -> int:
    async with _opened(settings) as service:
        if change.command is not None and not has_program_walls():
            terminal.warn("This system has no walls for programs: the command may do all that you may.")
        server = await service.add(LOCAL_PRINCIPAL, arguments.name, change)
        terminal.line(f"Added {server.name}: {server.config.url or ' '.join(server.config.command)}")
        code = await _look(service, server, terminal, allow=arguments.allow)
        await service.switch(LOCAL_PRINCIPAL, server.id, is_on=True)
        return code


async def _check(settings: Settings, name: str, terminal: Terminal, *, allow: bool) -> int:
    async with _opened(settings) as service:
        return await _look(service, await _named(service, name), terminal, allow=allow)


async def _look(service: McpService, server: McpServer, terminal: Terminal, *, allow: bool) -> int:
    """Connect, show the tools, and have them allowed if nobody has yet, or they have changed."""
    terminal.status(f"Asking {server.name}…")
    server = await service.check(LOCAL_PRINCIPAL, server.id)
    terminal.status("")
    if server.fault is not None or server.seen is None:
        terminal.warn(server.fault or "It has told no tools.")
        for line in server.log:
            terminal.dim_line(f"  {line}")
        return EngineUnavailable.exit_code
    _print_tools(server.seen, server.approved, terminal)
    if server.state == "ready":
        return 0
    if not allow and not (terminal.can_ask and _agrees("May models call these tools? [y/N] ")):
        terminal.note(f"No model calls them yet; `eclair mcp check {server.name} --allow` allows them as they are.")
        return 0
    await service.approve(LOCAL_PRINCIPAL, server.id, server.seen.fingerprint)
    terminal.line("Models may call these tools; what changes something is asked each time.")
    return 0


def _print_tools(seen: McpListing, approved: McpListing | None, terminal: Terminal) -> None:
    """Print the tools, and how they differ from those that were allowed."""
    before = {tool.name: tool for tool in approved.tools} if approved is not None else None
    for tool in seen.tools:
        sign = " "
        if before is not None and before.get(tool.name) != tool:
            sign = "~" if tool.name in before else "+"
        words = " ".join(tool.description.split())
        reads = "reads" if tool.says_read_only else "may change things"
        terminal.line(f"{sign} {tool.name} ({reads}): {words[:200]}")
    for name in sorted((before or {}).keys() - {tool.name for tool in seen.tools}):
        terminal.line(f"- {name}")
    for fault in seen.faults:
        terminal.warn(fault)


def _agrees(question: str) -> bool:
    return input(question).strip().lower() in ("y", "yes")


async def _switch(settings: Settings, name: str, terminal: Terminal, *, is_on: bool) -> int:
    async with _opened(settings) as service:
        server = await _named(service, name)
        await service.switch(LOCAL_PRINCIPAL, server.id, is_on=is_on)
    terminal.line(f"{name} is {'on' if is_on else 'off'}.")
    return 0


async def _sign_in(settings: Settings, name: str, port: int, terminal: Terminal) -> int:
    """Lead a browser to the server's page and back, and show the tools as `check` does."""
    async with _opened_with_sign_ins(settings) as (service, sign_ins), open_redirect_page(port) as page:
        server = await _named(service, name)
        terminal.status(f"Asking {name}…")
        url = await sign_ins.begin(LOCAL_PRINCIPAL, server.id, page.address)
        terminal.status("")
        terminal.line(f"Open this address in a browser:  {url}")
        terminal.flush()
        if terminal.can_ask:
            terminal.note("If the browser is on another machine, paste the address where it ends up here.")
        complain = partial(terminal.warn, "That isn't where this sign-in ends; paste the whole address.")
        state = dict(parse_qsl(urlsplit(url).query))["state"]
        try:
            answer = await page.wait(state, MAX_PENDING_S, complain if terminal.can_ask else None)
        except TimeoutError:
            raise UserError("Nobody signed in within ten minutes; run the command again.") from None
        code, issuer, error = answer.get("code", ""), answer.get("iss"), answer.get("error", "")
        server = await sign_ins.finish(LOCAL_PRINCIPAL, SignInAnswer(state, code, issuer, error))
        who = "" if server.signed_in_as is None else f" as {server.signed_in_as}"
        terminal.line(f"Signed in at {name}{who}.")
        return await _look(service, server, terminal, allow=False)


async def _sign_out(settings: Settings, name: str, terminal: Terminal) -> int:
    async with _opened_with_sign_ins(settings) as (service, sign_ins):
        await sign_ins.end(LOCAL_PRINCIPAL, (await _named(service, name)).id)
    terminal.line(f"Signed out of {name}.")
    return 0


async def _remove(settings: Settings, name: str, terminal: Terminal) -> int:
    async with _opened(settings) as service:
        await service.remove(LOCAL_PRINCIPAL, (await _named(service, name)).id)
    terminal.line(f"Removed {name}.")
    return 0


async def _show_contents(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with _opened(settings) as service:
        id, contents = (await _named(service, arguments.name)).id, McpContentService(service)
        match arguments.action:
            case "resources":
                resources = await contents.resources(LOCAL_PRINCIPAL, id)
                print_table(
                    [("URI", "TITLE", "TYPE"), *((r.uri, r.title, r.media or "-") for r in resources)], terminal
                )
            case "prompts":
                rows = [
                    (p.name, " ".join(a.name if a.is_required else f"[{a.name}]" for a in p.arguments), p.title)
                    for p in await contents.prompts(LOCAL_PRINCIPAL, id)
                ]
                print_table([("NAME", "ARGUMENTS", "TITLE"), *rows], terminal)
            case "read":
                parts, _ = await contents.read(LOCAL_PRINCIPAL, id, arguments.uri)
                for part in parts:
                    terminal.write_bytes(part.data if part.text is None else f"{part.text}\n".encode())
            case _:
                values = _pairs(arguments.values, "A prompt")
                terminal.line(await contents.prompt(LOCAL_PRINCIPAL, id, arguments.prompt, values))
    return 0


async def _named(service: McpService, name: str) -> McpServer:
    for server in await service.list(LOCAL_PRINCIPAL):
        if server.name == name:
            return server
    raise NotFound(f"There is no MCP server {name!r}; `eclair mcp` lists them.")


def mcp_server_json(server: McpServer) -> dict[str, Any]:
    """Return a server, as `eclair mcp --json` has it."""
    config = server.config
    return {
        "id": server.id,
        "name": server.name,
        "origin": server.origin,
        "command": list(config.command),
        "url": config.url,
        "folders": list(config.folders),
        "readable": list(config.readable),
        "network": config.network,
        "by_default": config.by_default,
        "secrets": list(server.secret_names),
        "state": server.state,
        "client_id": config.client_id,
        "signed_in": server.signed_in,
        "signed_in_as": server.signed_in_as,
        "on": server.is_on,
        "tools": [tool.name for tool in server.seen.tools] if server.seen is not None else None,
    }
