"""`/api/emergency-reads`: two people decide to read somebody's conversations, who is told of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from eclair.app import App
from eclair.errors import Conflict
from eclair.schema.messages import Conversation, Message
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.subject_names import SubjectNames
from eclair.storage.emergency_reads import EmergencyRead, EmergencyStatus


class ReadingBody(BaseModel):
    """A conversation that was read; `title` is null once it is gone, and for all but its owner."""

    conversation: str
    title: str | None
    reader: str
    moment: int


class EmergencyReadBody(BaseModel):
    """A request with the names of the people in it. Times are in milliseconds; `expires` ends the reading."""

    id: str
    owner: str
    owner_name: str
    reason: str
    status: EmergencyStatus
    requester: str
    requester_name: str
    requested: int
    decider: str | None
    decider_name: str | None
    decided: int | None
    expires: int | None
    readings: list[ReadingBody]


class EmergencyReadList(BaseModel):
    requests: list[EmergencyReadBody]


class NewEmergencyRead(RequestBody):
    """A request to read the conversations of `person`; they will read the reason."""

    person: str
    reason: str


class EmergencyDecision(RequestBody):
    approve: bool


class OpenedConversation(BaseModel):
    id: str
    title: str
    updated: int


class OpenedConversations(BaseModel):
    conversations: list[OpenedConversation]


class OpenedTree(BaseModel):
    conversation: Conversation
    messages: list[Message]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["people"])
    service, store = app.emergency_reads, app.storage.emergency_reads

    async def show(request: EmergencyRead, names: SubjectNames, *, to_owner: bool = False) -> EmergencyReadBody:
        return EmergencyReadBody(
            id=request.id,
            owner=request.owner,
            owner_name=await names.find(f"person:{request.owner}"),
            reason=request.reason,
            status=request.status,
            requester=request.requester,
            requester_name=await names.find(f"person:{request.requester}"),
            requested=request.requested,
            decider=request.decider,
            decider_name=None if request.decider is None else await names.find(f"person:{request.decider}"),
            decided=request.decided,
            expires=request.expires,
            readings=[
                ReadingBody(
                    conversation=each.conversation,
                    title=each.title if to_owner else None,
                    reader=await names.find(f"person:{each.reader}"),
                    moment=each.moment,
                )
                for each in await store.list_readings(request.id)
            ],
        )

    @api.get("/emergency-reads")
    async def list_requests(limit: Annotated[int, Query(ge=1, le=200)] = 50) -> EmergencyReadList:
        names = SubjectNames(app.storage)
        return EmergencyReadList(requests=[await show(each, names) for each in await store.list_requests(limit)])

    @api.post("/emergency-reads", status_code=201)
    async def request_reading(principal: Caller, body: NewEmergencyRead) -> EmergencyReadBody:
        if app.settings.accounts == "off":
            raise Conflict("There is one person here; set `accounts` to `on` for more.")
        return await show(await service.request(principal, body.person, body.reason), SubjectNames(app.storage))

    @api.post("/emergency-reads/{id}/decision")
    async def decide_request(principal: Caller, id: str, body: EmergencyDecision) -> EmergencyReadBody:
        decided = await service.decide(principal, id, approves=body.approve)
        return await show(decided, SubjectNames(app.storage))

    @api.get("/emergency-reads/{id}/conversations")
    async def list_opened(principal: Caller, id: str) -> OpenedConversations:
        found = await service.list_conversations(principal, id)
        return OpenedConversations(
            conversations=[OpenedConversation(id=each.id, title=each.title, updated=each.updated) for each in found]
        )

    @api.get("/emergency-reads/{id}/conversations/{conversation}")
    async def read_opened(principal: Caller, id: str, conversation: str) -> OpenedTree:
        found, messages = await service.read(principal, id, conversation)
        return OpenedTree(conversation=found, messages=messages)

    @api.get("/me/emergency-reads")
    async def list_untold(principal: Caller) -> EmergencyReadList:
        names = SubjectNames(app.storage)
        untold = await store.list_untold(principal)
        return EmergencyReadList(requests=[await show(each, names, to_owner=True) for each in untold])

    @api.post("/me/emergency-reads/{id}/acknowledge", status_code=204)
    async def acknowledge(principal: Caller, id: str) -> None:
        await service.acknowledge(principal, id)

    return api
