"""`/api/research/plan`: plans the questions of a report."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.chat.message_text import check_message
from eclair.chat.turn_options import TurnOptions
from eclair.schema.messages import Mode
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody


class PlanRequestBody(RequestBody):
    """The subject of a report, and the model or mode to plan it with. One that `has_documents` needs no web."""

    question: Annotated[str, Field(min_length=1)]
    model: str | None = None
    mode: Mode | None = None
    has_documents: bool = False


class PlanBody(BaseModel):
    """The questions; `by` says if a model or a rule made them."""

    questions: list[str]
    by: Literal["model", "rule"]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/research", tags=["research"])

    @api.post("/plan")
    async def make_plan(principal: Caller, body: PlanRequestBody) -> PlanBody:
        check_message(body.question, app.settings.max_message_kb)
        if not body.has_documents:
            app.web.require_open(principal)
        planned = await app.turns.plan(principal, body.question, TurnOptions(body.model, body.mode))
        return PlanBody(questions=list(planned.questions), by=planned.by)

    return api
