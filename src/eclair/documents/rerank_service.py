"""Scores texts for other programs: with the reranker of documents, or a model of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.documents.reranker import EngineReranker, InstalledReranker, Reranker
from eclair.errors import AbilityMissing
from eclair.generation.usage import UsageLedger
from eclair.llm.local.local_reranker import LocalReranker
from eclair.llm.registry import Registry
from eclair.schema.models import Model
from eclair.schema.principal import Principal

LOCAL_BATCH_TEXTS = 8
"""Texts that the embedded reranker reads at a time, so that a search in documents needn't wait for many."""


@dataclass(frozen=True, slots=True)
class RankedTexts:
    """Scores of texts, in their order: how well each answers a query, on the scale of the `model`."""

    model: str
    scores: list[float]


class RerankService:
    """Scores texts with the model of the models folder, or with one of an engine."""

    def __init__(self, registry: Registry, reranker: Reranker | None, ledger: UsageLedger) -> None:
        self._ledger = ledger
        self._registry = registry
        self._local = reranker.local if isinstance(reranker, InstalledReranker) else None
        self._default = reranker.model if isinstance(reranker, EngineReranker) else None

    @property
    def own_model(self) -> Model | None:
        """The model of the models folder, if there is one, and the person may use it. Reads the disk."""
        name = self._local.model if self._local is not None else None
        model = Model(name, name, "reranker") if name is not None else None
        return model if model is not None and self._registry.may_use(model) else None

    async def rerank(self, principal: Principal, model: str | None, query: str, texts: Sequence[str]) -> RankedTexts:
        """Score texts with the model of that name, or the one that documents use.

        Raises AbilityMissing, NotFound, BudgetExceeded, UpstreamError and SetupError.
        """
        own = self.own_model
        if self._local is not None and own is not None and model in (None, own.id):
            async with self._ledger.reading(principal, own, [query, *texts]):
                return RankedTexts(own.id, await _rerank_locally(self._local, query, texts))
        name = model or self._default
        if name is None:
            raise AbilityMissing(
                "No reranker is here; put a GGUF file such as bge-reranker-v2-m3 into `models` in the data folder, or "
                "name a model of a server that reranks.",
                param="model",
            )
        engine, found = await self._registry.resolve(name)
        async with self._ledger.reading(principal, found, [query, *texts]):
            return RankedTexts(found.id, await engine.rerank(found.id, query, texts))


async def _rerank_locally(reranker: LocalReranker, query: str, texts: Sequence[str]) -> list[float]:
    scores: list[float] = []
    for at in range(0, len(texts), LOCAL_BATCH_TEXTS):
        scores += await reranker.rerank(query, texts[at : at + LOCAL_BATCH_TEXTS])
    return scores
