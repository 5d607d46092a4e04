"""Asks an Éclair elsewhere one question, of which nothing is kept there either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclair.chat.turn_options import TurnOptions
from eclair.cli._call_prompts import CallPrompts, show_asking
from eclair.cli._logins import ServerLogin
from eclair.cli._server import POLL_S, EclairServer
from eclair.cli._terminal import Terminal
from eclair.errors import Conflict, EclairError, NotFound, RemoteRefusal, UserError
from eclair.schema.elicitations import ElicitationAction, FieldValue
from eclair.schema.events import Event, RunStarted
from eclair.schema.messages import CallDecision
from eclair.settings import Settings

TITLE = "eclair ask"
"""The title of a question's conversation while it is there; without one, a model would be asked for it."""


@dataclass(frozen=True, slots=True)
class QuestionThere:
    """A question with its options, files and libraries, in a `project` and with MCP `servers`, which are names."""

    text: str
    options: TurnOptions
    files: tuple[Path, ...] = ()
    libraries: tuple[str, ...] = ()
    project: str | None = None
    servers: tuple[str, ...] = ()


async def ask_there(
    settings: Settings, login: ServerLogin, question: QuestionThere, show: Callable[[Event], None], terminal: Terminal
) -> int:
    """Ask where somebody signed in, and show the answer as it comes; return an exit code."""
    async with EclairServer.open(settings, login) as server:
        terminal.note(f"at {server.host}")
        if not any((question.files, question.libraries, question.project, question.servers)):
            body = {**options_body(question.options), "messages": [{"role": "user", "text": question.text}]}
            shown = _Shown()
            events = _noting(server.stream("/api/answers", body), shown)
            return await show_asking(events, show, CallPrompts.at(terminal), _ServerReplies(server, shown))
        return await _ask_in_conversation(server, question, show, terminal)


class _ServerReplies:
    """Implements `CallReplies` for the run of an Éclair elsewhere that is being shown."""

    def __init__(self, server: EclairServer, shown: _Shown) -> None:
        self._server = server
        self._shown = shown

    async def decide(self, call: str, decision: CallDecision) -> None:
        await self._post(call, {"decision": decision})

    async def answer(
        self, call: str, number: int, action: ElicitationAction, content: Mapping[str, FieldValue]
    ) -> None:
        await self._post(f"{call}/questions/{number}", {"action": action, "content": content})

    async def _post(self, path: str, body: Mapping[str, object]) -> None:
        try:
            await self._server.post(f"/api/runs/{self._shown.run}/calls/{path}", body)
        except RemoteRefusal as error:
            if error.reply_status != Conflict.status:
                raise


async def _ask_in_conversation(
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
        if question.servers:
            listed = (await server.get("/api/mcp-servers"))["servers"]
            turn["mcp_servers"] = {_named(listed, name, "MCP server"): True for name in question.servers}
        body: dict[str, Any] = {"title": TITLE, "turn": turn}
        if question.project is not None:
            body["project_id"] = _named(await server.get("/api/projects"), question.project, "project")
        events = _noting(server.stream("/api/conversations", body), shown)
        return await show_asking(events, show, CallPrompts.at(terminal), _ServerReplies(server, shown))
    finally:
        with suppress(EclairError):
            if shown.run is not None and not shown.is_over:
                await server.post(f"/api/runs/{shown.run}/stop", {})
            if shown.conversation:
                await server.delete(f"/api/conversations/{shown.conversation}?forever=true")
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


def _named(listed: Sequence[Mapping[str, Any]], name: str, kind: str) -> str:
    """Return the id of what has that name. Raises NotFound."""
    for each in listed:
        if each["name"] == name:
            return str(each["id"])
    raise NotFound(f"There is no {kind} {name!r} there.")


@dataclass(slots=True)
class _Shown:
    """The run that is shown, as far as it came."""

    run: str | None = None
    conversation: str = ""
    is_over: bool = False


async def _noting(events: AsyncGenerator[Event, None], shown: _Shown) -> AsyncGenerator[Event, None]:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, RunStarted):
                shown.run, shown.conversation = event.run, event.conversation
            yield event
    shown.is_over = True
