"""Asks an Éclair elsewhere one question, of which nothing is kept there either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclair.chat.turn_options import TurnOptions
from eclair.cli._logins import ServerLogin
from eclair.cli._printer import exit_code
from eclair.cli._server import POLL_S, EclairServer
from eclair.cli._terminal import Terminal
from eclair.errors import EclairError, UserError
from eclair.schema.events import Event, RunFailed, RunStarted
from eclair.settings import Settings


@dataclass(frozen=True, slots=True)
class QuestionThere:
    """A question with its options, files and libraries."""

    text: str
    options: TurnOptions
    files: tuple[Path, ...] = ()
    libraries: tuple[str, ...] = ()


async def ask_there(
    settings: Settings, login: ServerLogin, question: QuestionThere, show: Callable[[Event], None], terminal: Terminal
) -> int:
    """Ask where somebody signed in, and show the answer as it comes; return an exit code."""
    async with EclairServer.open(settings, login) as server:
        terminal.note(f"at {server.host}")
        if not question.files and not question.libraries:
            body = {**options_body(question.options), "messages": [{"role": "user", "text": question.text}]}
            return (await _show(server, "/api/answers", body, show)).code
        return await _ask_with_sources(server, question, show, terminal)


async def _ask_with_sources(
    server: EclairServer, question: QuestionThere, show: Callable[[Event], None], terminal: Terminal
) -> int:
    """Upload the files and ask in a conversation; delete both afterwards."""
    files: list[str] = []
    shown = _Shown()
    try:
        for path in question.files:
            terminal.status(f"Sending {path.name}…")
            files.append((await server.upload(path, path.name))["id"])
        await wait_until_read(server, files, terminal)
        turn = {**options_body(question.options), "text": question.text, "files": files}
        turn["libraries"] = list(question.libraries)
        shown = await _show(server, "/api/conversations", {"turn": turn}, show, shown)
        return shown.code
    finally:
        with suppress(EclairError):
            if shown.run is not None and not shown.is_over:
                await server.post(f"/api/runs/{shown.run}/stop", {})
            if shown.conversation:
                await server.delete(f"/api/conversations/{shown.conversation}")
        for id in files:
            with suppress(EclairError):
                await server.delete(f"/api/files/{id}")


async def wait_until_read(server: EclairServer, files: list[str], terminal: Terminal) -> None:
    """Wait until the server has read files. Raises UserError for one that it can't read."""
    for id in files:
        while (state := await server.get(f"/api/files/{id}"))["state"] in ("queued", "reading"):
            terminal.status(f"{state['name']} is read, page {state['pages_read']:,}…")
            await asyncio.sleep(POLL_S)
        if state["fault"] is not None:
            raise UserError(str(state["fault"]["message"]))
    terminal.status("")


def options_body(options: TurnOptions) -> dict[str, Any]:
    """Return the options of a turn as the server takes them."""
    sampling = options.sampling
    given = {
        "model": options.model,
        "mode": options.mode,
        "web": options.web,
        "system": options.system,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    body = {name: value for name, value in given.items() if value is not None}
    return body | ({"thorough": True} if options.thorough else {})


@dataclass(slots=True)
class _Shown:
    """The run that was shown, as far as it came."""

    run: str | None = None
    conversation: str = ""
    code: int = 0
    is_over: bool = False


async def _show(
    server: EclairServer, path: str, body: dict[str, Any], show: Callable[[Event], None], shown: _Shown | None = None
) -> _Shown:
    shown = shown or _Shown()
    async with aclosing(server.stream(path, body)) as events:
        async for event in events:
            if isinstance(event, RunStarted):
                shown.run, shown.conversation = event.run, event.conversation
            if isinstance(event, RunFailed):
                shown.code = exit_code(event.code)
            show(event)
    shown.is_over = True
    return shown
