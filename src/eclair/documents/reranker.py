"""Reorders found chunks with a reranker: a model that reads the question and a text together.

It is one in the models folder, or a model of a server. While it fails, the order of the search stands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from eclair.errors import EclairError
from eclair.generation.usage import ReadTexts, read_uncounted
from eclair.llm.local.local_reranker import LocalReranker
from eclair.llm.registry import Registry
from eclair.settings import Settings

RERANK_TIMEOUT_S = 5.0
"""An answer doesn't wait longer for a better order."""

LOCAL_RERANK_S = 2.0
"""The embedded engine is given as many texts as it reads in this time: the best ones."""

FIRST_TEXTS = 6
"""Until its speed is known."""

MIN_TEXTS = 2

log = logging.getLogger(__name__)


class Reranker(Protocol):
    @property
    def is_enabled(self) -> bool:
        """True if there is a model at the moment."""
        ...

    async def rank(self, query: str, texts: Sequence[str]) -> list[int]:
        """Return the positions of the texts, best first; as they come while it fails."""
        ...

    async def close(self) -> None: ...


def choose_reranker(settings: Settings, registry: Registry, reading: ReadTexts = read_uncounted) -> Reranker | None:
    """Return the reranker of the settings; None if it is off. `reading` counts what a model of an engine reads."""
    if settings.reranker == "off" or (settings.reranker == "auto" and not settings.embedded):
        return None
    if settings.reranker == "auto":
        return InstalledReranker(settings)
    return EngineReranker(registry, settings.reranker, reading)


class InstalledReranker:
    """Reranks with the model in the models folder, if there is one and this machine is fast enough for it.

    No search waits until it is loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self.local = LocalReranker(settings)
        self._most = FIRST_TEXTS

    @property
    def is_enabled(self) -> bool:
        return self._most >= MIN_TEXTS and self.local.is_installed

    async def rank(self, query: str, texts: Sequence[str]) -> list[int]:
        if not self.local.is_ready:
            self.local.wake()
            return list(range(len(texts)))
        some, began = texts[: self._most], time.perf_counter()
        order = await _rank(self.local.rerank, query, some)
        self._most = int(len(some) / (time.perf_counter() - began) * LOCAL_RERANK_S)
        if self._most < MIN_TEXTS:
            log.warning("this machine is too slow for the reranker; passages stay in the order of the search")
        return [*order, *range(len(some), len(texts))]

    async def close(self) -> None:
        await self.local.close()


class EngineReranker:
    """Reranks with a model of an engine, which is looked up each time, since engines come and go.

    It counts to the person on whose behalf it is asked.
    """

    is_enabled = True

    def __init__(self, registry: Registry, model: str, reading: ReadTexts = read_uncounted) -> None:
        self._registry = registry
        self._reading = reading
        self.model = model

    async def rank(self, query: str, texts: Sequence[str]) -> list[int]:
        return await _rank(self._rerank, query, texts)

    async def close(self) -> None:
        """Do nothing: the engine is its owner's to close."""

    async def _rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        engine, model = await self._registry.resolve_for_house(self.model)
        async with self._reading(model, [query, *texts]):
            return await engine.rerank(model.id, query, texts)


async def _rank(
    rerank: Callable[[str, Sequence[str]], Awaitable[list[float]]], query: str, texts: Sequence[str]
) -> list[int]:
    places = list(range(len(texts)))
    try:
        async with asyncio.timeout(RERANK_TIMEOUT_S):
            scores = await rerank(query, texts)
    except (TimeoutError, EclairError) as error:
        log.warning("passages are not reranked: %s", error or f"no answer within {RERANK_TIMEOUT_S:g} s")
        return places
    return sorted(places, key=lambda at: -scores[at])
