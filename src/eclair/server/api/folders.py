"""`/api/folders`: folders of conversations."""

from __future__ import annotations

import time
import unicodedata
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel

from eclair.app import App
from eclair.schema.ids import new_id
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.folders import Folder

MAX_NAME_CHARS = 80


def _folder_name(text: str) -> str:
    """Normalize a name: Unicode composed, without surrounding space."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise ValueError(f"a folder's name is 1 to {MAX_NAME_CHARS} characters on one line")
    return name


class FolderBody(BaseModel):
    """A folder with the number of conversations in it, without archived ones."""

    id: str
    name: str
    created: int
    conversations: int


class FolderName(RequestBody):
    name: Annotated[str, AfterValidator(_folder_name)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/folders", tags=["conversations"])
    folders = app.storage.folders

    @api.get("")
    async def list_folders(principal: Caller) -> list[FolderBody]:
        return [
            FolderBody(
                id=each.folder.id, name=each.folder.name, created=each.folder.created, conversations=each.conversations
            )
            for each in await folders.list_folders(principal)
        ]

    @api.post("", status_code=201)
    async def add_folder(principal: Caller, body: FolderName) -> FolderBody:
        now = int(time.time() * 1000)
        folder = Folder(new_id("fold"), principal.id, body.name, now)
        await folders.add_folder(principal, folder)
        app.changes.publish(principal, None, "folders")
        return FolderBody(id=folder.id, name=folder.name, created=now, conversations=0)

    @api.patch("/{id}")
    async def rename_folder(principal: Caller, id: str, body: FolderName) -> FolderBody:
        await folders.rename_folder(principal, id, body.name)
        app.changes.publish(principal, None, "folders")
        return next(each for each in await list_folders(principal) if each.id == id)

    @api.delete("/{id}", status_code=204)
    async def delete_folder(principal: Caller, id: str) -> None:
        await folders.delete_folder(principal, id)
        app.changes.publish(principal, None, "changed")

    return api
