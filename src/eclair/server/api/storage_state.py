"""`/api/storage`: whether more can be stored, and what is stored is whole, the files of models too."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.server.principal import Caller


class StorageState(BaseModel):
    """`message` says what is wrong and what to do; null where all is well."""

    state: Literal["ok", "damaged", "read_only"]
    message: str | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/storage", tags=["health"])

    @api.get("")
    async def read_state(principal: Caller) -> StorageState:
        if app.read_only is not None:
            return StorageState(state="read_only", message=app.read_only)
        damage = app.storage.integrity.damage or app.weights.problem
        return StorageState(state="ok" if damage is None else "damaged", message=damage)

    return api
