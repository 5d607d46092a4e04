"""`/api/catalog`: every known model, with its origin and needs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel

from eclair.app import App
from eclair.generation.language_notice import advise
from eclair.llm.model_choices import ChoiceRole, ModelChoice, choose_models
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


class ModelChoiceBody(BaseModel):
    """A model to suggest here: the fastest, the best, or one between.

    `words_per_second` is `measured` here or else estimated; `seconds` is how long its download takes at the rate of the
    last one, null if unknown.
    """

    role: ChoiceRole
    model: CatalogModel
    words_per_second: float
    measured: bool
    seconds: float | None

    @classmethod
    def from_choice(cls, choice: ModelChoice, speeds: SpeedEstimator) -> Self:
        return cls(
            role=choice.role,
            model=CatalogModel.from_offer(choice.offer, speeds),
            words_per_second=choice.words_per_second,
            measured=choice.is_measured,
            seconds=choice.seconds,
        )


class ModelChoiceList(BaseModel):
    """Up to three models to suggest here, the fastest first; none if no model for the language fits."""

    choices: list[ModelChoiceBody]


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

    @api.get("/choices")
    async def list_choices(
        language: Annotated[str, Query(pattern=r"^[a-z]{2,3}$")] = "en", can: Ability | None = None
    ) -> ModelChoiceList:
        measured = await app.router.words_per_second()
        return await asyncio.to_thread(_choices, app, language, measured, can)

    return api


def _choices(app: App, language: str, measured: Mapping[str, float], can: Ability | None) -> ModelChoiceList:
    speeds = SpeedEstimator.from_profiles(app.settings)
    choices = choose_models(app.settings, language, measured, can)
    return ModelChoiceList(choices=[ModelChoiceBody.from_choice(choice, speeds) for choice in choices])


def _report(app: App, loaded: Collection[str]) -> CatalogReport:
    speeds = SpeedEstimator.from_profiles(app.settings)
    models = [CatalogModel.from_offer(offer, speeds, loaded) for offer in list_offers(app.settings)]
    return CatalogReport(memory=memory.physical(), models=models)
