"""`/api/models` and `/api/health`: who can answer, and whether it can now."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

import eclair
from eclair.app import App
from eclair.llm.base import Health
from eclair.schema.models import Model


class Picks(BaseModel):
    """Whom the modes choose where no model is named."""

    flash: str
    think: str


class Models(BaseModel):
    models: list[Model]
    default: str | None
    picks: Picks | None


class HealthReport(BaseModel):
    status: Literal["ready", "loading", "down"]
    version: str
    engines: dict[str, Health]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["models"])

    @api.get("/models")
    async def list_models() -> Models:
        models = await app.registry.models()
        wanted = app.settings.model or (models[0].id if models else None)
        default = wanted if wanted in {model.id for model in models} else None
        picks = await app.modes.picks()
        modes = None if picks is None else Picks(flash=picks[0].id, think=picks[1].id)
        return Models(models=models, default=default, picks=modes)

    @api.get("/health")
    async def health(response: Response) -> HealthReport:
        engines = await app.registry.health()
        states = {engine.state for engine in engines.values()}
        status = "ready" if "ready" in states else "loading" if "loading" in states else "down"
        response.status_code = 200 if status == "ready" else 503
        return HealthReport(status=status, version=eclair.__version__, engines=engines)

    return api
