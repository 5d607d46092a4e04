"""Éclair before the small internet: a search service that knows its pages, and a server that reaches nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from eclair.network.gate import CallContext
from eclair.schema.principal import Principal
from eclair.schema.web import WebHit, WebQuery
from eclair.settings import EngineSettings, Settings
from eclair.web.open import Environment
from tests.llm.servers import Speaking
from tests.llm.standin import standing_in
from tests.support import Server, serving
from tests.web.internet import Internet, names


@dataclass
class Finder:
    """A search service on the small internet's own index. It keeps what it was asked."""

    world: Internet
    asked: list[WebQuery] = field(default_factory=list[WebQuery])
    name: str = "newsroom"
    title: str = "Finder"
    jurisdiction: str = "EU"
    needs_key: bool = False
    terms: str = "https://finder.example/terms"
    is_ready: bool = True
    is_local: bool = False

    async def serves(self, principal: Principal) -> bool:
        return True

    async def search(self, query: WebQuery, limit: int, context: CallContext, timeout_s: float) -> list[WebHit]:
        self.asked.append(query)
        return [
            WebHit(page.url, page.title, page.key, page.day, (self.name,))
            for page in self.world.find(query.text, limit)
        ]


@asynccontextmanager
async def looking(
    settings: Settings,
    world: Internet,
    days: int = 0,
    name: str = "reader",
    *,
    finds: bool = True,
    **changed: Any,
) -> AsyncGenerator[tuple[Server, Speaking, Finder]]:
    """Éclair before a model that says what it is told to, so many days after the one that the small internet takes for
    today. It waits for pages however busy the machine is. Unless it `finds`, it has its usual services, and no network.
    """
    finder = Finder(world)
    around = Environment(names, lambda browser: [finder] if finds else [], lambda: world.now() + days * 86_400)
    async with standing_in() as stand:
        model = Speaking(stand)
        model.lists = model.has = [name]
        wanted = replace(
            settings,
            engines={"one": EngineSettings(model.url, context=8192)},
            model=name,
            web_search=(finder.name,) if finds else (),
            private_addresses=world.private,
            **{"embedder": "off", "web_seconds": 30.0, **changed},
        )
        async with serving(wanted, around) as server:
            yield server, model, finder
