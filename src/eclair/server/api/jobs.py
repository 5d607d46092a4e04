"""`/api/jobs`: the queues of background work, as all processes see them, and the processes that do it."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.schema.jobs import BackgroundWorker, JobQueue
from eclair.server.principal import Caller


class JobsReport(BaseModel):
    """Documents to read and to embed, and who does background work."""

    queues: tuple[JobQueue, ...]
    workers: tuple[BackgroundWorker, ...]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/jobs", tags=["health"])

    @api.get("")
    async def read_jobs(principal: Caller) -> JobsReport:
        jobs = app.storage.jobs
        queues = await jobs.list_queues(app.embedder.name if app.embedder is not None else None)
        return JobsReport(queues=tuple(queues), workers=tuple(await jobs.list_workers()))

    return api
