"""`/api/catalog`: every model that could answer on this machine, with where it comes from and what it would take."""

from __future__ import annotations

import asyncio
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.core import Core
from eclair.engines import memory
from eclair.engines.catalog import Ability, Runner, Speculation, Weights
from eclair.engines.offers import Offer, offers


class CatalogModel(BaseModel):
    """A model; sizes and memory are bytes, what is unknown is null. `quant` is what is here or would be pulled, null
    where the embedded engine cannot run it; `known` is false for a file that somebody put into the models folder."""

    id: str
    name: str
    maker: str
    country: str | None
    licence: str
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
    quants: list[str]
    quant: str | None
    size: int | None
    memory: int | None
    fits: bool | None
    installed: bool
    known: bool

    @classmethod
    def of(cls, offer: Offer) -> Self:
        entry = offer.entry
        return cls(
            id=entry.id,
            name=entry.name,
            maker=entry.maker,
            country=entry.country,
            licence=entry.licence,
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
            quants=[file.quant for file in entry.files],
            quant=offer.quant,
            size=offer.size,
            memory=offer.memory,
            fits=offer.fits,
            installed=offer.installed,
            known=offer.known,
        )


class CatalogReport(BaseModel):
    memory: int
    models: list[CatalogModel]


def router(core: Core) -> APIRouter:
    api = APIRouter(prefix="/api/catalog", tags=["models"])

    @api.get("")
    async def list_catalog() -> CatalogReport:
        found = await asyncio.to_thread(offers, core.settings)
        return CatalogReport(memory=memory.physical(), models=[CatalogModel.of(offer) for offer in found])

    return api
