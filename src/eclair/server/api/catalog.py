"""`/api/catalog`: every model that could answer on this machine, with where it comes from and what it would take."""

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
from eclair.models.catalog import Ability, Runner, Speculation, Weights
from eclair.models.offers import Offer, list_offers
from eclair.models.quantization import QuantizationOption, QuantizationReason


class Quantisation(BaseModel):
    quant: str
    size: int | None
    memory: int | None
    fits: bool | None

    @classmethod
    def of(cls, option: QuantizationOption) -> Self:
        fits = memory.fits(option.memory) if option.memory is not None else None
        return cls(quant=option.quant, size=option.size, memory=option.memory, fits=fits)


class CatalogModel(BaseModel):
    """A model; sizes and memory are bytes, what is unknown is null.

    `quant` is what is here or would be pulled, for that `reason`; null where the embedded engine cannot run it. `part`
    is how many bytes of it have come. `expected` is how fast it would write here, null where it does not fit or nothing
    tells. `known` is false for a file that somebody put into the models folder.
    """

    id: str
    name: str
    maker: str
    country: str | None
    license: str
    restricts: str
    weights: Weights
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
    options: list[Quantisation]
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
    def of(cls, offer: Offer, paces: SpeedEstimator, loaded: Collection[str] = ()) -> Self:
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
            options=[Quantisation.of(option) for option in offer.options],
            quant=offer.quant,
            reason=offer.reason,
            part=offer.downloaded_bytes,
            size=offer.size,
            memory=offer.memory,
            fits=offer.fits,
            expected=paces.estimate(entry, offer.size) if offer.fits else None,
            installed=offer.installed,
            loaded=offer.installed and entry.id in loaded,
            known=offer.in_catalog,
        )


class Speakers(BaseModel):
    """Who lists `language`: models that can be asked now, by their ids, and the best European one to pull that fits;
    `seconds` is how long that takes at the rate of the last download."""

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
    async def list_speakers(language: Annotated[str, Query(pattern=r"^[a-z]{2,3}$")]) -> Speakers:
        found = await advise(language, await app.registry.models(), app.settings)
        offer = None
        if found.offer is not None:
            offer = CatalogModel.of(found.offer, await asyncio.to_thread(SpeedEstimator.from_profiles, app.settings))
        return Speakers(language=language, here=[model.id for model in found.here], offer=offer, seconds=found.seconds)

    return api


def _report(app: App, loaded: Collection[str]) -> CatalogReport:
    paces = SpeedEstimator.from_profiles(app.settings)
    models = [CatalogModel.of(offer, paces, loaded) for offer in list_offers(app.settings)]
    return CatalogReport(memory=memory.physical(), models=models)
