"""`/api/catalog`: every known model, with its origin and needs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel

from eclair.app import App
from eclair.generation.language_notice import advise
from eclair.llm.tuning.expected import ExpectedSpeed, SpeedEstimator
from eclair.models import memory
from eclair.models.catalog import Ability, Runner, Speculation, WeightAccess
from eclair.models.offers import Offer, list_offers
from eclair.models.quantization import QuantizationOption, QuantizationReason


class QuantizationBody(BaseModel):
    quant: str
    size: int | None
    memory: int | None
    fits: bool | None

    @classmethod
    def from_option(cls, option: QuantizationOption) -> Self:
        fits = memory.fits(option.memory) if option.memory is not None else None
        return cls(quant=option.quant, size=option.size, memory=option.memory, fits=fits)


class CatalogModel(BaseModel):
    """A model; sizes and memory in bytes, null if unknown.

    `quant` is the quantization that is installed or would be pulled, and `reason` why; null if the embedded engine
    can't run the model. `part` is the number of bytes downloaded so far. `expected` is the estimated speed here, null
    if the model doesn't fit or nothing is known. `known` is false for files that a person put into the models folder.
    """

    id: str
    name: str
    maker: str
    country: str | None
    license: str
    restricts: str
    weights: WeightAccess
    released: str | None
    parameters: float | None
    active: float | None
    context: int | None
    languages: list[str]
    can: list[Ability]
    card: str | None
    engines: list[Runner]
    speculation: Speculation | None
    quirks: str
    european: bool
    options: list[QuantizationBody]
    quant: str | None
    reason: QuantizationReason | None
    part: int
    size: int | None
    memory: int | None
    fits: bool | None
    expected: ExpectedSpeed | None
    installed: bool
    loaded: bool
    known: bool

    @classmethod
    def from_offer(cls, offer: Offer, speeds: SpeedEstimator, loaded: Collection[str] = ()) -> Self:
        entry = offer.entry
        return cls(
            id=entry.id,
            name=entry.name,
            maker=entry.maker,
            country=entry.country,
            license=entry.license,
            restricts=entry.restricts,
            weights=entry.weights,
            released=entry.released,
            parameters=entry.parameters,
            active=entry.active,
            context=entry.context,
            languages=list(entry.languages),
            can=list(entry.can),
            card=entry.card,
            engines=list(entry.engines),
            speculation=entry.speculation,
            quirks=entry.quirks,
            european=entry.is_european,
            options=[QuantizationBody.from_option(option) for option in offer.options],
            quant=offer.quant,
            reason=offer.reason,
            part=offer.downloaded_bytes,
            size=offer.size,
            memory=offer.memory,
            fits=offer.fits,
            expected=speeds.estimate(entry, offer.size) if offer.fits else None,
            installed=offer.installed,
            loaded=offer.installed and entry.id in loaded,
            known=offer.in_catalog,
        )


class LanguageModels(BaseModel):
    """Models that support `language`: ids of those installed, and the best European one to pull that fits.

    `seconds` is how long the pull takes at the rate of the last download.
    """

    language: str
    here: list[str]
    offer: CatalogModel | None
    seconds: float | None


class CatalogReport(BaseModel):
    memory: int
    models: list[CatalogModel]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/catalog", tags=["models"])

    @api.get("")
    async def list_catalog() -> CatalogReport:
        return await asyncio.to_thread(_report, app, app.registry.loaded)

    @api.get("/speakers")
    async def list_speakers(language: Annotated[str, Query(pattern=r"^[a-z]{2,3}$")]) -> LanguageModels:
        advice = await advise(language, await app.registry.models(), app.settings)
        offer = None
        if advice.offer is not None:
            offer = CatalogModel.from_offer(
                advice.offer, await asyncio.to_thread(SpeedEstimator.from_profiles, app.settings)
            )
        return LanguageModels(
            language=language, here=[model.id for model in advice.here], offer=offer, seconds=advice.seconds
        )

    return api


def _report(app: App, loaded: Collection[str]) -> CatalogReport:
    speeds = SpeedEstimator.from_profiles(app.settings)
    models = [CatalogModel.from_offer(offer, speeds, loaded) for offer in list_offers(app.settings)]
    return CatalogReport(memory=memory.physical(), models=models)
