"""`/api/backups`: the state of regular backups, and one more on request."""

from __future__ import annotations

from fastapi import APIRouter

from eclair.app import App
from eclair.server.principal import Caller
from eclair.storage.backup.schedule import BackupStatus


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/backups", tags=["backups"])

    @api.get("")
    async def read_status(principal: Caller) -> BackupStatus:
        return await app.backups.status()

    @api.post("", status_code=202)
    async def back_up_now(principal: Caller) -> BackupStatus:
        app.backups.run_now()
        await app.storage.audit.add_act(principal, "backup.made")
        return await app.backups.status()

    return api
