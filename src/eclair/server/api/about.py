"""`/api/about`: the version, and what data may leave the machine."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

import eclair
from eclair.app import App
from eclair.outgoing_data import OutgoingData, list_outgoing_data


class AboutReport(BaseModel):
    version: str
    leaving: list[OutgoingData]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["about"])

    @api.get("/about")
    async def about() -> AboutReport:
        return AboutReport(version=eclair.__version__, leaving=await list_outgoing_data(app.settings))

    return api
