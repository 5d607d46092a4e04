"""`/api/models`: the models that can be asked, and which are chosen unless one is named."""

from __future__ import annotations

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.models.catalog import CatalogEntry
from eclair.schema.messages import Sampling
from eclair.schema.models import CallWay, Model, ReasoningSupport, Tier


class ModePicks(BaseModel):
    """Models that the modes choose if none is named."""

    flash: str
    think: str


class ModelReport(BaseModel):
    """A model that can be asked; see `schema.models.Model`.

    `words_per_second` is the mean of its last answers here, None before the first long one.
    """

    id: str
    name: str
    engine: str
    context: int | None
    sampling: Sampling
    maker: str | None
    country: str | None
    license: str | None
    languages: list[str]
    size: int | None
    titles: bool
    parameters: float | None
    active: float | None
    tier: Tier | None
    thinks: ReasoningSupport | None
    place: str
    sees: int | None
    calls: bool
    call_way: CallWay | None
    calls_well: bool
    words_per_second: float | None

    @classmethod
    def from_model(cls, model: Model, words_per_second: float | None) -> Self:
        return cls(
            id=model.id,
            name=model.name,
            engine=model.engine,
            context=model.context,
            sampling=model.sampling,
            maker=model.maker,
            country=model.country,
            license=model.license,
            languages=list(model.languages),
            size=model.size,
            titles=model.can_title,
            parameters=model.parameters,
            active=model.active,
            tier=model.tier,
            thinks=model.reasoning,
            place=model.location,
            sees=model.vision_pixels,
            calls=model.can_call_tools,
            call_way=model.call_way,
            calls_well=model.calls_well,
            words_per_second=words_per_second,
        )


class RecommendedModel(BaseModel):
    """A model worth downloading in place of the default one. `size` is bytes, None if unknown."""

    id: str
    name: str
    size: int | None

    @classmethod
    def from_entry(cls, entry: CatalogEntry) -> Self:
        return cls(id=entry.id, name=entry.name, size=entry.files[0].size)


class ModelList(BaseModel):
    models: list[ModelReport]
    default: str | None
    picks: ModePicks | None
    recommended: RecommendedModel | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["models"])

    @api.get("/models")
    async def list_models() -> ModelList:
        models = await app.registry.models()
        preferred = app.settings.model or (models[0].id if models else None)
        default = preferred if preferred in {model.id for model in models} else None
        picks = await app.router.picks()
        modes = None if picks is None else ModePicks(flash=picks[0].id, think=picks[1].id)
        speeds = await app.router.words_per_second()
        entry = await app.upgrade.find_recommended()
        return ModelList(
            models=[ModelReport.from_model(model, speeds.get(model.id)) for model in models],
            default=default,
            picks=modes,
            recommended=None if entry is None else RecommendedModel.from_entry(entry),
        )

    return api
