"""`/api/responses`: how much the API keeps for programs of a person, and its deletion."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.server.principal import Caller


class KeptResponses(BaseModel):
    """Numbers of what programs stored through the API.

    Responses and conversations are kept for so many `days` after their last use; batches and files, those of batches
    and those to answer from, until they expire or are deleted.
    """

    responses: int
    conversations: int
    batches: int
    files: int
    days: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/responses", tags=["conversations"])

    @api.get("")
    async def read_kept_responses(principal: Caller) -> KeptResponses:
        kept = await app.responses.count(principal)
        batches = await app.storage.batches.count_kept(principal)
        uploads = await app.storage.files.list_uploaded_files(principal)
        return KeptResponses(
            responses=kept.responses,
            conversations=kept.conversations,
            batches=batches.batches,
            files=batches.files + len(uploads),
            days=app.responses.days,
        )

    @api.delete("", status_code=204)
    async def delete_kept_responses(principal: Caller) -> None:
        await app.responses.delete_all(principal)
        await app.storage.batches.delete_all(principal)
        await app.ingestor.delete_uploads(principal)

    return api
