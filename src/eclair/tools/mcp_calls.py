"""Calls of tools of MCP servers, in whose middle a server may tell how far it is, and ask the person something.

Servers of the newer protocol end such a request, and want another one with the answers: the call waits in the storage,
across processes. Older ones hold the request open, and the call with it, as long as this process lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from eclair.errors import EngineBroken
from eclair.generation.tools import ToolContext
from eclair.mcp_servers.progress import ReportCallProgress
from eclair.mcp_servers.service import CALL_TIMEOUT_S, McpService
from eclair.schema.elicitations import Elicitation, ElicitationAnswer
from eclair.schema.events import CallAnswered, CallElicited, CallProgressed, Event
from eclair.schema.messages import CallProgress
from eclair.storage.elicitations import ElicitationStore
from eclair.storage.mcp_servers import StoredMcpServer
from eclair.tools.call_progress import ProgressThrottle

if TYPE_CHECKING:
    from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, InputRequiredResult

    from eclair.mcp_servers.connection import McpConnection
    from eclair.mcp_servers.elicitation import HoldQuestion
    from eclair.mcp_servers.results import McpResult

MAX_HELD_S = 3600.0
"""So long an older server waits for an answer."""
POLL_INTERVAL_S = 0.25


@dataclass(frozen=True, slots=True)
class McpCallEnd:
    """The result of a call, and the bytes that left for it."""

    result: McpResult
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class _HeldQuestion:
    """A question for which a server holds its request open."""

    params: ElicitRequestParams
    reply: asyncio.Future[ElicitResult] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class McpCalls:
    """Calls tools of a server. What it asks is stored with the `run`; without one nobody is asked."""

    def __init__(
        self, service: McpService, elicitations: ElicitationStore, server: StoredMcpServer, run: str | None
    ) -> None:
        self._service = service
        self._elicitations = elicitations
        self._server = server
        self._run = run

    async def call(
        self, tool: str, arguments: dict[str, Any], context: ToolContext
    ) -> AsyncGenerator[Event | McpCallEnd, None]:
        """Call a tool; report its progress, what is asked and answered, and the end, unless it waits for answers.

        Raises what `McpService.call` raises.
        """
        run = self._run if context.may_elicit else None
        answers = context.input.answers if context.input is not None else ()
        for each in answers:
            yield CallAnswered(context.call, each.number, each.action)
        last = answers[-1].number if answers else 0
        said = asyncio.Queue[_HeldQuestion | CallProgress | None]()
        throttle = ProgressThrottle(said.put_nowait)
        hold = None if run is None else partial(_hold, said)
        asked = asyncio.create_task(self._ask(tool, arguments, context, hold, throttle.report), name=f"call of {tool}")
        asked.add_done_callback(lambda _: said.put_nowait(None))
        open_questions: list[_HeldQuestion] = []
        try:
            while (question := await said.get()) is not None:
                if isinstance(question, CallProgress):
                    yield CallProgressed(context.call, question)
                    continue
                open_questions.append(question)
                elicitation = self._read(question, last + 1)
                if elicitation is None or run is None:
                    continue
                last = elicitation.number
                await self._elicitations.add_questions(run, context.call, {last: ""}, None)
                yield CallElicited(context.call, elicitation)
                answer = await self._answer(run, context, last)
                yield CallAnswered(context.call, last, answer.action)
                _reply(question, answer)
            result, sent_bytes = asked.result()
        finally:
            throttle.close()
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            for question in open_questions:
                _cancel(question)
        from mcp_types import CallToolResult  # slow to import

        from eclair.mcp_servers.results import read_result

        if isinstance(result, CallToolResult):
            yield McpCallEnd(read_result(result), sent_bytes)
            return
        if run is not None:
            for each in await self._keep(run, context, result, last):
                yield CallElicited(context.call, each)

    async def _ask(
        self,
        tool: str,
        arguments: dict[str, Any],
        context: ToolContext,
        hold: HoldQuestion | None,
        report: ReportCallProgress,
    ) -> tuple[CallToolResult | InputRequiredResult, int]:
        async def ask(connection: McpConnection) -> CallToolResult | InputRequiredResult:
            if hold is None:
                return await connection.call_tool(tool, arguments, CALL_TIMEOUT_S, report)
            return await connection.call_asking(tool, arguments, CALL_TIMEOUT_S, context.input, hold, report)

        return await self._service.ask(context.principal, self._server, ask)

    def _read(self, question: _HeldQuestion, number: int) -> Elicitation | None:
        """Return what is asked; a question that can't be asked is cancelled."""
        from eclair.mcp_servers.elicitation import MAX_QUESTIONS, BadElicitation, read_elicitation  # slow to import

        try:
            if number <= MAX_QUESTIONS:
                return read_elicitation(question.params, self._server.name, number)
        except BadElicitation:
            pass
        _cancel(question)
        return None

    async def _answer(self, run: str, context: ToolContext, number: int) -> ElicitationAnswer:
        """Wait for the answer to a question; after MAX_HELD_S it is cancelled."""
        store, call = self._elicitations, context.call
        until = asyncio.get_running_loop().time() + MAX_HELD_S
        while not await store.is_answered(run, call):  # in any process
            if asyncio.get_running_loop().time() > until:
                await store.answer_question(context.principal, run, call, number, "cancel", None)
            else:
                await asyncio.sleep(POLL_INTERVAL_S)
        taken = await store.take_input(run, call)
        return taken.answers[-1] if taken is not None else ElicitationAnswer(number, "", "cancel")

    async def _keep(self, run: str, context: ToolContext, result: InputRequiredResult, last: int) -> list[Elicitation]:
        """Store what a server asks and keeps, until the person has answered. Raises EngineBroken."""
        from mcp_types import ElicitRequest

        from eclair.mcp_servers.elicitation import (
            MAX_KEY_CHARS,
            MAX_QUESTIONS,
            MAX_STATE_CHARS,
            BadElicitation,
            read_elicitation,
        )

        found: dict[int, str] = {}
        asked: list[Elicitation] = []
        try:
            for number, (key, request) in enumerate((result.input_requests or {}).items(), last + 1):
                if not isinstance(request, ElicitRequest):
                    raise BadElicitation("it asks for something else than an answer")
                if number > MAX_QUESTIONS:
                    raise BadElicitation(f"it asks more than {MAX_QUESTIONS} questions")
                if len(key) > MAX_KEY_CHARS or len(result.request_state or "") > MAX_STATE_CHARS:
                    raise BadElicitation("what it wants back is too large")
                asked.append(read_elicitation(request.params, self._server.name, number))
                found[number] = key
        except BadElicitation as why:
            raise EngineBroken(
                f"The MCP server {self._server.name!r} wants to ask the person something, which can't be asked: {why}."
            ) from None
        await self._elicitations.add_questions(run, context.call, found, result.request_state)
        return asked


async def _hold(said: asyncio.Queue[_HeldQuestion | CallProgress | None], params: ElicitRequestParams) -> ElicitResult:
    """Have a question answered whose server waits."""
    question = _HeldQuestion(params)
    said.put_nowait(question)
    return await question.reply


def _reply(question: _HeldQuestion, answer: ElicitationAnswer) -> None:
    from eclair.mcp_servers.elicitation import elicit_result  # slow to import

    if not question.reply.done():
        question.reply.set_result(elicit_result(answer))


def _cancel(question: _HeldQuestion) -> None:
    _reply(question, ElicitationAnswer(0, "", "cancel"))
