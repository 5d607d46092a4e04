"""`eclair engines`: lists, adds, changes, tests and removes model servers."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._json import server_json
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import EngineUnavailable, InvalidInput
from eclair.llm.registry import Registry, build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.llm.servers.probe import Feature, Probe, ProbeFinding, ProbeOutcome
from eclair.llm.servers.service import Server, ServerChange, ServerService, check_url
from eclair.network.client import OutboundGate, is_loopback_url
from eclair.network.egress_log import EgressLog
from eclair.network.policy import OutboundPolicy
from eclair.settings import EndpointSettings, Settings
from eclair.storage.open import open_storage

COLUMNS = ("NAME", "STATE", "ADDRESS", "WHERE", "KEY", "MODELS", "CAN")
SIGNS: dict[ProbeOutcome, str] = {"yes": "✓", "no": "–", "failed": "?"}
FEATURE_NAMES: dict[Feature, str] = {
    "answers": "answers",
    "streams": "streams",
    "usage": "counts tokens",
    "tools": "tools",
    "json_schema": "JSON schema",
    "vision": "sees images",
    "logprobs": "logprobs",
    "prefix_cache": "prompt cache",
    "tokenize": "tokenizer",
    "embeddings": "embeddings",
}
MAX_NAMED_MODELS = 3
"""Models named in the table; the rest are counted."""


@dataclass(frozen=True, slots=True)
class _Open:
    servers: ServerService
    registry: Registry


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "add":
            change = _parse_change(arguments, settings, terminal)
            return run_async(_add(settings, arguments, change, terminal))
        case "change":
            change = _parse_change(arguments, settings, terminal)
            return run_async(_change(settings, arguments.name, change, terminal))
        case "test":
            return run_async(_test_one(settings, arguments.name, terminal))
        case "remove":
            return run_async(_remove(settings, arguments.name, terminal))
        case _:
            return run_async(_list(settings, terminal, json=arguments.json))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[_Open]:
    """Open the servers and their engines, without the embedded engine."""
    storage = await asyncio.to_thread(open_storage, settings)
    calls = EgressLog(storage.egress)
    try:
        gate = OutboundGate(OutboundPolicy.from_settings(settings), calls)
        added = UserEngines(settings, storage.servers.list_servers, gate=gate)
        registry = build_registry(replace(settings, embedded=False), added, gate=gate)
        try:
            yield _Open(ServerService(settings, storage, gate=gate), registry)
        finally:
            await registry.close()
    finally:
        await calls.close()
        await storage.close()


def _parse_change(arguments: argparse.Namespace, settings: Settings, terminal: Terminal) -> ServerChange:
    """Build the change from the arguments, and the key if it is piped in or asked for."""
    url: str | None = arguments.url
    asks = arguments.key or (
        arguments.action == "add" and url is not None and not is_loopback_url(check_url(url)) and terminal.can_ask
    )
    key: str | None = None
    if arguments.key_stdin:
        key = _piped_key()
    elif asks:
        if not terminal.can_ask:
            raise InvalidInput("There is no terminal to ask for the key; pipe it in with --key-stdin.")
        key = getpass.getpass("Key (it is not shown; empty for none): ")
    models = tuple(arguments.model) if arguments.model is not None else None
    return ServerChange(
        url=url,
        key=key,
        models=models,
        context=arguments.context,
        country=arguments.country,
        api=arguments.api,
        endpoints=None if arguments.endpoint is None else _parse_endpoints(arguments.endpoint),
    )


def _parse_endpoints(texts: Sequence[str]) -> tuple[EndpointSettings, ...]:
    """Parse addresses, each with its weight after a space if that isn't 1. Raises InvalidInput."""
    found: list[EndpointSettings] = []
    for url, *weights in filter(None, map(str.split, texts)):
        try:
            (weight,) = map(float, weights or ("1",))
        except ValueError:
            raise InvalidInput(f"Write {url!r} alone, or with a number as its weight: '{url} 2'.") from None
        found.append(EndpointSettings(url, weight))
    return tuple(found)


def _piped_key() -> str:
    try:
        return sys.stdin.buffer.read(1 << 16).decode()
    except UnicodeDecodeError:
        raise InvalidInput("The piped key is not UTF-8 text.") from None


async def _list(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    terminal.status("Asking the servers…")
    async with _opened(settings) as opened:
        servers = await opened.servers.all()
        models = await opened.registry.models()
        answers = {server.name: [m.id for m in models if m.engine == server.name] for server in servers}
        faults = {server.name: opened.registry.fault(server.name) for server in servers}
    problems = {
        server.name: server.problem or (fault.message if (fault := faults[server.name]) else None) for server in servers
    }
    if json:
        rows = [
            server_json(server) | {"problem": problems[server.name], "answers": answers[server.name]}
            for server in servers
        ]
        terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    if not servers:
        terminal.line("No server was added; `eclair engines add NAME URL` adds one.")
        return 0
    print_table(
        [COLUMNS, *(_cells(server, answers[server.name], problems[server.name]) for server in servers)], terminal
    )
    for server in servers:
        for text in (problems[server.name], server.note):
            if text:
                terminal.warn(f"{server.name}: {text}")
    return 0


def _cells(server: Server, answers: list[str], problem: str | None) -> tuple[str, ...]:
    named = ", ".join(answers[:MAX_NAMED_MODELS]) + (
        f" and {len(answers) - MAX_NAMED_MODELS} more" if len(answers) > MAX_NAMED_MODELS else ""
    )
    found = server.probe.findings if server.probe else ()
    can = ", ".join(
        FEATURE_NAMES[each.feature] for each in found if each.outcome == "yes" and each.feature != "answers"
    )
    return (
        server.name,
        "down" if problem else "ready",
        server.addresses + (" (settings)" if server.origin == "file" else ""),
        server.location.text,
        "set" if server.has_key else "not set",
        named,
        can or ("" if server.probe else "not tested"),
    )


async def _add(settings: Settings, arguments: argparse.Namespace, change: ServerChange, terminal: Terminal) -> int:
    async with _opened(settings) as opened:
        server = await opened.servers.add(arguments.name, change)
        terminal.line(f"Added {server.name}: {server.addresses}, {server.location.text}.")
        if server.note:
            terminal.warn(server.note)
        if arguments.no_test:
            return 0
        probe = await _test(opened.servers, server.name, terminal)
        if probe.fault is not None:
            terminal.warn(
                f"It was added anyway; `eclair engines change {server.name}` fixes it, "
                f"`eclair engines remove {server.name}` removes it."
            )
    return 0


async def _change(settings: Settings, name: str, change: ServerChange, terminal: Terminal) -> int:
    if change == ServerChange():
        raise InvalidInput("There is nothing to change; `eclair engines change --help` lists the options.")
    async with _opened(settings) as opened:
        before = await opened.servers.get(name)
        server = await opened.servers.change(name, change)
    terminal.line(f"Changed {server.name}: {server.addresses}, {server.location.text}, key {_set(server)}.")
    if before.has_key and not server.has_key and change.key is None:
        terminal.warn("The key was given for another address and does not go to this one; set it again with --key.")
    return 0


async def _remove(settings: Settings, name: str, terminal: Terminal) -> int:
    async with _opened(settings) as opened:
        await opened.servers.remove(name)
    terminal.line(f"Removed {name}.")
    return 0


async def _test_one(settings: Settings, name: str, terminal: Terminal) -> int:
    async with _opened(settings) as opened:
        probe = await _test(opened.servers, name, terminal)
    return 0 if probe.fault is None else EngineUnavailable.exit_code


async def _test(servers: ServerService, name: str, terminal: Terminal) -> Probe:
    """Test what a server can do, and print a line for each finding."""
    terminal.status(f"Asking {name}…")
    async with aclosing(servers.probe(name)) as findings:
        async for found in findings:
            if isinstance(found, ProbeFinding):
                detail = f": {found.detail}" if found.detail else ""
                terminal.line(f"  {SIGNS[found.outcome]} {FEATURE_NAMES[found.feature]}{detail}")
                terminal.status("Trying the next…")
            else:
                terminal.status("")
                for text in found.notes:
                    terminal.warn(text)
                if found.model:
                    terminal.note(f"Tested with {found.model}.")
                return found
    raise AssertionError("a probe ends with its result")


def _set(server: Server) -> str:
    return "set" if server.has_key else "not set"
