"""`/api/tuning`: speeds of models here, measured or estimated."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.llm.local import profile
from eclair.llm.local.profile import Tuning
from eclair.llm.tuning.expected import ExpectedSpeed, SpeedEstimator
from eclair.models.offers import list_offers


class TunedModel(BaseModel):
    """A model that fits this machine.

    `tuning` is null if it was never measured, `expected` if nothing is known.
    """

    id: str
    installed: bool
    expected: ExpectedSpeed | None
    tuning: Tuning | None


class TuningReport(BaseModel):
    """Results for this machine; `bandwidth` is in bytes a second, null before anything was measured."""

    machine: str
    bandwidth: float | None
    models: list[TunedModel]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/tuning", tags=["models"])

    @api.get("")
    async def list_tunings() -> TuningReport:
        return await asyncio.to_thread(_report, app)

    return api


def _report(app: App) -> TuningReport:
    speeds = SpeedEstimator.from_profiles(app.settings)
    models = [
        TunedModel(
            id=offer.entry.id,
            installed=offer.installed,
            expected=speeds.estimate(offer.entry, offer.size),
            tuning=speeds.measured.get(offer.entry.id),
        )
        for offer in list_offers(app.settings)
        if offer.fits
    ]
    return TuningReport(machine=profile.machine_id(), bandwidth=speeds.bandwidth, models=models)
