"""`/api/about`: the version, and what data may leave the machine."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

import eclair
from eclair.app import App
from eclair.compliance.report_texts import ai_notices
from eclair.outgoing_data import OutgoingData, list_outgoing_data


class AboutReport(BaseModel):
    """The version, what data may leave, and the sentence that tells people that they talk to an AI, by language.

    `works_council`: no figures of single people are shown.
    """

    version: str
    leaving: list[OutgoingData]
    ai_notice: dict[str, str]
    works_council: bool


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["about"])

    @api.get("/about")
    async def about() -> AboutReport:
        leaving = await list_outgoing_data(app.settings)
        return AboutReport(
            version=eclair.__version__,
            leaving=leaving,
            ai_notice=ai_notices(),
            works_council=app.settings.works_council,
        )

    return api
