"""`/api/health`: the engines' states, whether the process lives, and whether it is ready for questions."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

import eclair
from eclair.app import App
from eclair.llm.base import EngineState, Health, best_state
from eclair.server.auth import is_public
from eclair.server.readiness import Readiness


class PublicHealth(BaseModel):
    """The state as strangers may know it, when a key is set and they haven't sent it."""

    status: EngineState


class HealthReport(BaseModel):
    status: EngineState
    version: str
    engines: dict[str, Health]


class Liveness(BaseModel):
    status: Literal["live"] = "live"


class PublicReadiness(BaseModel):
    """The readiness as strangers may know it."""

    status: Literal["ready", "down"]


class HealthCheck(BaseModel):
    ok: bool
    detail: str


class ReadinessReport(BaseModel):
    """The results of all checks. `message` is the first failed one's sentence."""

    status: Literal["ready", "down"]
    message: str | None
    version: str
    checks: dict[str, HealthCheck]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/health", tags=["health"])
    readiness = Readiness.from_app(app)

    @api.get("", response_model=HealthReport | PublicHealth)
    async def health(request: Request, response: Response) -> HealthReport | PublicHealth:
        if is_public(request.scope):
            status = await app.registry.status()
            response.status_code = 200 if status == "ready" else 503
            return PublicHealth(status=status)
        engines = await app.registry.health()
        status = best_state({engine.state for engine in engines.values()})
        response.status_code = 200 if status == "ready" else 503
        return HealthReport(status=status, version=eclair.__version__, engines=engines)

    @api.get("/live")
    async def live() -> Liveness:
        return Liveness()

    @api.get("/ready", response_model=ReadinessReport | PublicReadiness)
    async def ready(request: Request, response: Response, engines: bool = True) -> ReadinessReport | PublicReadiness:
        """Say whether a question can be taken and its answer kept; without `engines`, whether requests can."""
        is_stranger = is_public(request.scope)
        results = await readiness.check(asks_servers=not is_stranger, with_engines=engines)
        faults = [result.detail for result in results.values() if not result.is_ok]
        response.status_code = 503 if faults else 200
        status: Literal["ready", "down"] = "down" if faults else "ready"
        if is_stranger:
            return PublicReadiness(status=status)
        return ReadinessReport(
            status=status,
            message=faults[0] if faults else None,
            version=eclair.__version__,
            checks={name: HealthCheck(ok=result.is_ok, detail=result.detail) for name, result in results.items()},
        )

    return api
