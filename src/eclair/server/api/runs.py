"""`/api/runs`: follow an answer from any event on, stop it or a sub-agent, decide on calls, or have it at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from eclair.app import App
from eclair.errors import InvalidInput, NotFound
from eclair.research.earlier_research import is_question_step
from eclair.schema.elicitations import ElicitationAction
from eclair.schema.messages import CallDecision, Message, Status
from eclair.server.principal import Caller
from eclair.server.sse import EventStream

MAX_EVENT_NUMBER = 10**9
"""More events than a run can have."""


class RunState(BaseModel):
    run: str
    conversation: str
    status: Status
    seq: int
    message: Message


class CallDecisionBody(BaseModel):
    decision: CallDecision


class QuestionAnswerBody(BaseModel):
    action: ElicitationAction
    content: dict[str, StrictStr | StrictBool | StrictInt | StrictFloat | list[StrictStr]] = Field(
        default_factory=dict, max_length=100
    )


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/runs", tags=["runs"])

    @api.get("/{id}")
    async def read_run(principal: Caller, id: str) -> RunState:
        run = await app.storage.runs.get_run(principal, id)
        message, seq = await app.runs.fold(run)
        return RunState(run=run.id, conversation=run.conversation, status=message.status, seq=seq, message=message)

    @api.get("/{id}/events", response_class=EventStream)
    async def follow_run(
        principal: Caller,
        id: str,
        after: Annotated[int | None, Query(ge=0, le=MAX_EVENT_NUMBER)] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventStream:
        run = await app.storage.runs.get_run(principal, id)
        return EventStream(app.runs.follow(run, _last_seen(after, last_event_id)))

    @api.post("/{id}/stop", status_code=202)
    async def stop_run(principal: Caller, id: str) -> RunState:
        await app.runs.stop(await app.storage.runs.get_run(principal, id))
        return await read_run(principal, id)

    @api.post("/{id}/calls/{call}", status_code=202)
    async def decide_call(principal: Caller, id: str, call: str, body: CallDecisionBody) -> RunState:
        run = await app.storage.runs.get_run(principal, id)
        await app.call_decisions.decide(principal, run, call, body.decision)
        return await read_run(principal, id)

    @api.post("/{id}/calls/{call}/questions/{number}", status_code=202)
    async def answer_question(
        principal: Caller, id: str, call: str, number: Annotated[int, Path(ge=1, le=1000)], body: QuestionAnswerBody
    ) -> RunState:
        run = await app.storage.runs.get_run(principal, id)
        await app.call_decisions.answer(principal, run, call, number, body.action, body.content)
        return await read_run(principal, id)

    @api.post("/{id}/answer-now", status_code=202)
    async def answer_now(principal: Caller, id: str) -> RunState:
        run = await app.storage.runs.get_run(principal, id)
        await app.runs.finish_early(run)
        return await read_run(principal, id)

    @api.post("/{id}/agents/{agent}/stop", status_code=202)
    async def stop_agent(principal: Caller, id: str, agent: str) -> RunState:
        run = await app.storage.runs.get_run(principal, id)
        message, _ = await app.runs.fold(run)
        if all(each.step != agent for each in message.steps if is_question_step(each)):
            raise NotFound(f"This answer has no sub-agent {agent!r}.")
        await app.runs.finish_early(run, agent)
        return await read_run(principal, id)

    return api


def _last_seen(after: int | None, last_event_id: str | None) -> int:
    """Return the number of the client's last event; resumed streams send it in the header."""
    if last_event_id is None:
        return after or 0
    if not last_event_id.isdecimal() or len(last_event_id) > len(str(MAX_EVENT_NUMBER)):
        raise InvalidInput("Last-Event-ID is the number of an event.", param="Last-Event-ID")
    return int(last_event_id)
