"""`/api/memories`: the sentences that a person keeps for later conversations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.schema.memories import MAX_MEMORY_CHARS, Memory, MemoryMaker
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

MemoryText = Annotated[str, Field(max_length=2 * MAX_MEMORY_CHARS)]


class MemoryBody(BaseModel):
    """A memory: a person wrote it, or a model for them; `message` of `conversation` is where, if it is still there."""

    id: str
    text: str
    maker: MemoryMaker
    created: int
    changed: int
    conversation: str | None = None
    message: str | None = None
    project_id: str | None = None

    @classmethod
    def from_memory(cls, memory: Memory) -> MemoryBody:
        return cls(
            id=memory.id,
            text=memory.text,
            maker=memory.maker,
            created=memory.created,
            changed=memory.changed,
            conversation=memory.conversation,
            message=None if memory.conversation is None else memory.message,
            project_id=memory.project_id,
        )


class MemoryList(BaseModel):
    """Memories in the order in which they were made."""

    memories: list[MemoryBody]


class MemoryTextBody(RequestBody):
    text: MemoryText


class NewMemory(MemoryTextBody):
    """A new memory; with a `project_id` it is used in that project alone."""

    project_id: str | None = None


class ErasedMemories(BaseModel):
    erased: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/memories", tags=["memories"])

    @api.get("")
    async def list_memories(principal: Caller) -> MemoryList:
        return MemoryList(memories=[MemoryBody.from_memory(each) for each in await app.memory.list(principal)])

    @api.post("", status_code=201)
    async def add_memory(principal: Caller, body: NewMemory) -> MemoryBody:
        if body.project_id is not None:
            await app.projects.get(principal, body.project_id)
        return MemoryBody.from_memory(await app.memory.keep(principal, body.text, project=body.project_id))

    @api.patch("/{id}")
    async def edit_memory(principal: Caller, id: str, body: MemoryTextBody) -> MemoryBody:
        return MemoryBody.from_memory(await app.memory.edit(principal, id, body.text))

    @api.delete("/{id}", status_code=204)
    async def delete_memory(principal: Caller, id: str) -> None:
        await app.memory.delete(principal, id)

    @api.delete("")
    async def delete_all_memories(principal: Caller) -> ErasedMemories:
        return ErasedMemories(erased=await app.memory.delete_all(principal))

    return api
