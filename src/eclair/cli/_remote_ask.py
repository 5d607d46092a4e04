"""Asks an Éclair elsewhere one question, of which nothing is kept there but one of several answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

from eclair.chat.turn_options import TurnOptions
from eclair.cli._answer_view import AnswerView
from eclair.cli._logins import ServerLogin
from eclair.cli._question import Question
from eclair.cli._server import POLL_S, EclairServer
from eclair.cli._terminal import Terminal
from eclair.errors import Conflict, EclairError, NotFound, RemoteRefusal, UserError
from eclair.schema.elicitations import ElicitationAction, FieldValue
from eclair.schema.events import Event, RunStarted
from eclair.schema.messages import CallDecision
from eclair.settings import Settings


async def ask_there(
    settings: Settings, login: ServerLogin, question: Question, view: AnswerView, terminal: Terminal
) -> None:
    """Ask where somebody signed in, and show the answers as they come."""
    async with EclairServer.open(settings, login) as server:
        terminal.note(f"at {server.host}")
        if question.needs_conversation or question.files or question.libraries:
            await _ask_in_conversation(server, question, view, terminal)
            return
        body = {**_options_body(question.options), "messages": [{"role": "user", "text": question.text}]}
        replies = _ServerReplies(server)
        await view.show(replies.noting_run(server.stream("/api/answers", body)), replies)


class _ServerReplies:
    """Implements `CallReplies` for a run of an Éclair elsewhere."""

    def __init__(self, server: EclairServer, run: str | None = None) -> None:
        self._server = server
        self._run = run

    async def noting_run(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """Yield the events of a run, which is the one to reply to."""
        async with aclosing(events):
            async for event in events:
                if isinstance(event, RunStarted):
                    self._run = event.run
                yield event

    async def decide(self, call: str, decision: CallDecision) -> None:
        await self._post(call, {"decision": decision})

    async def answer(
        self, call: str, number: int, action: ElicitationAction, content: Mapping[str, FieldValue]
    ) -> None:
        await self._post(f"{call}/questions/{number}", {"action": action, "content": content})

    async def _post(self, path: str, body: Mapping[str, object]) -> None:
        try:
            await self._server.post(f"/api/runs/{self._run}/calls/{path}", body)
        except RemoteRefusal as error:
            if error.reply_status != Conflict.status:
                raise


async def _ask_in_conversation(server: EclairServer, question: Question, view: AnswerView, terminal: Terminal) -> None:
    """Upload the files and ask in a conversation; delete both afterwards, unless one of several answers is kept."""
    files: list[str] = []
    conversation, answering, kept = "", list[str](), None
    try:
        for path in question.files:
            terminal.status(f"Sending {path.name}…")
            files.append((await server.upload(path, path.name))["id"])
        await wait_until_read(server, files, terminal)
        turn = {**_options_body(question.turn_options), "text": question.text, "files": files}
        turn["libraries"] = list(question.libraries)
        if question.servers:
            listed = (await server.get("/api/mcp-servers"))["servers"]
            turn["mcp_servers"] = {_named(listed, name, "MCP server"): True for name in question.servers}
        if question.models:
            turn["models"] = list(question.models)
        body: dict[str, Any] = {"title": question.title, "turn": turn}
        if question.project is not None:
            body["project_id"] = _named(await server.get("/api/projects"), question.project, "project")
        begun = await server.post("/api/conversations", body)
        conversation = str(begun["conversation"])
        answers = [begun, *begun["beside"]]
        answering.extend(str(answer["run"]) for answer in answers)
        for run in tuple(answering):
            await view.show(server.follow(f"/api/runs/{run}/events"), _ServerReplies(server, run))
            answering.remove(run)
        kept = await view.choose()
        if kept is not None:
            comparison = f"/api/conversations/{conversation}/comparisons/{begun['message']}"
            await server.put(comparison, {"answer": answers[kept]["answer"]})
            terminal.note(f"Kept in the conversation “{question.title}” at {server.host}.")
    finally:
        if kept is None:
            await _clean_up(server, answering, conversation, files)


async def _clean_up(server: EclairServer, runs: Sequence[str], conversation: str, files: Sequence[str]) -> None:
    """Stop the runs, and delete the conversation, if any, and the files."""
    paths = [f"/api/conversations/{conversation}?forever=true"] if conversation else []
    with suppress(EclairError):
        for run in runs:
            await server.post(f"/api/runs/{run}/stop", {})
    for path in (*paths, *(f"/api/files/{id}" for id in files)):
        with suppress(EclairError):
            await server.delete(path)


async def wait_until_read(server: EclairServer, files: list[str], terminal: Terminal) -> None:
    """Wait until the server has read files. Raises UserError for one that it can't read."""
    for id in files:
        while (state := await server.get(f"/api/files/{id}"))["state"] in ("queued", "reading"):
            terminal.status(f"{state['name']} is read, page {state['pages_read']:,}…")
            await asyncio.sleep(POLL_S)
        if state["fault"] is not None:
            raise UserError(str(state["fault"]["message"]))
    terminal.status("")


def _options_body(options: TurnOptions) -> dict[str, Any]:
    """Return the options of a turn as the server takes them."""
    sampling = options.sampling
    given = {
        "model": options.model,
        "mode": options.mode,
        "web": options.web,
        "memory": options.memory,
        "system": options.system,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
    }
    body = {name: value for name, value in given.items() if value is not None}
    switches = {"thorough": options.thorough, "spoken": options.spoken}
    return body | {name: True for name, is_on in switches.items() if is_on}


def _named(listed: Sequence[Mapping[str, Any]], name: str, kind: str) -> str:
    """Return the id of what has that name. Raises NotFound."""
    for each in listed:
        if each["name"] == name:
            return str(each["id"])
    raise NotFound(f"There is no {kind} {name!r} there.")
