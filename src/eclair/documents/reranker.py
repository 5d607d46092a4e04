"""Reorders found chunks with a reranker: a model that reads the question and a text together.

It is a model of a server, named in the settings. While it fails, the order of the search stands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from eclair.errors import EclairError
from eclair.llm.registry import Registry
from eclair.settings import Settings

RERANK_TIMEOUT_S = 5.0
"""An answer doesn't wait longer for a better order."""

log = logging.getLogger(__name__)


class Reranker(Protocol):
    async def rank(self, query: str, texts: Sequence[str]) -> list[int]:
        """Return the positions of the texts, best first; as they come while it fails."""
        ...


def choose_reranker(settings: Settings, registry: Registry) -> Reranker | None:
    """Return the reranker of the settings; None if it is off."""
    return None if settings.reranker == "off" else EngineReranker(registry, settings.reranker)


class EngineReranker:
    """Reranks with a model of an engine, which is looked up each time, since engines come and go."""

    def __init__(self, registry: Registry, model: str) -> None:
        self._registry = registry
        self._model = model

    async def rank(self, query: str, texts: Sequence[str]) -> list[int]:
        places = list(range(len(texts)))
        try:
            async with asyncio.timeout(RERANK_TIMEOUT_S):
                engine, model = await self._registry.resolve(self._model)
                scores = await engine.rerank(model.id, query, texts)
        except (TimeoutError, EclairError) as error:
            log.warning("passages are not reranked: %s", error or f"no answer within {RERANK_TIMEOUT_S:g} s")
            return places
        return sorted(places, key=lambda at: -scores[at])
