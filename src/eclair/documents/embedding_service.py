"""Embeds texts for other programs: with the embedder of documents, or an engine's embedding model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eclair.documents.embeddings import E5Embedder, Embedder, EmbeddingKind, prefixes_of
from eclair.errors import InvalidInput
from eclair.generation.usage import UsageLedger
from eclair.llm.base import Embeddings
from eclair.llm.registry import Registry
from eclair.schema.models import Model
from eclair.schema.principal import Principal

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

E5_MODEL = Model(
    "multilingual-e5-small",
    "Multilingual E5 small",
    "embedder",
    context=512,
    maker="Microsoft",
    license="mit",
)
"""The embedder of documents, as programs name it. Longer texts are embedded in parts."""

MAX_TEXT_CHARS = 65_536
"""The length of a text for the embedder of documents, so that one text keeps no others waiting for long."""


class EmbeddingService:
    """Embeds texts with the embedder of documents if it is E5, or with a model of an engine."""

    def __init__(self, registry: Registry, embedder: Embedder | None, ledger: UsageLedger) -> None:
        self._ledger = ledger
        self._registry = registry
        self._e5 = embedder if isinstance(embedder, E5Embedder) else None

    @property
    def own_model(self) -> Model | None:
        """The embedder of documents, if it is not a model of an engine, and the person may use it."""
        return E5_MODEL if self._e5 is not None and self._registry.may_use(E5_MODEL) else None

    async def embed(
        self,
        principal: Principal,
        model: str,
        texts: Sequence[str],
        dimensions: int | None = None,
        kind: EmbeddingKind | None = None,
    ) -> Embeddings:
        """Return a vector for each text, shortened to `dimensions` and of length 1 then.

        Texts get the prefix of their `kind` if the model expects one. Without a kind, those for E5 that have no prefix
        count as queries, and those for other models are embedded as they are. Raises InvalidInput, NotFound,
        BudgetExceeded and UpstreamError.
        """
        if self._e5 is not None and self.own_model is not None and model == E5_MODEL.id:
            async with self._ledger.reading(principal, E5_MODEL, texts) as count:
                found = await self._embed_with_e5(self._e5, texts, kind)
                count(found.tokens)
        else:
            engine, chosen = await self._registry.resolve(model)
            prefix = prefixes_of(chosen.id)[kind] if kind is not None else ""
            async with self._ledger.reading(principal, chosen, texts) as count:
                found = await engine.embed(chosen.id, [prefix + text for text in texts], dimensions)
                count(found.tokens)
        return await asyncio.to_thread(_shorten, model, found, dimensions)

    async def _embed_with_e5(
        self, embedder: E5Embedder, texts: Sequence[str], kind: EmbeddingKind | None
    ) -> Embeddings:
        for number, text in enumerate(texts, 1):
            if len(text) > MAX_TEXT_CHARS:
                raise InvalidInput(
                    f"Text {number} has {len(text):,} characters; {E5_MODEL.id} takes {MAX_TEXT_CHARS:,}. Split it.",
                    param="input",
                )
        found = await embedder.embed_counted([_with_prefix(text, kind) for text in texts])
        return Embeddings(await asyncio.to_thread(_rows, found.matrix), found.tokens)


def _with_prefix(text: str, kind: EmbeddingKind | None) -> str:
    if kind is None and text.startswith(tuple(prefixes_of(E5_MODEL.id).values())):
        return text
    return f"{prefixes_of(E5_MODEL.id)[kind or 'query']}{text}"


def _rows(matrix: NDArray[float32]) -> list[list[float]]:
    rows: list[list[float]] = matrix.tolist()
    return rows


def _shorten(model: str, found: Embeddings, dimensions: int | None) -> Embeddings:
    """Cut vectors that are longer than asked for, and make them unit vectors again. Raises InvalidInput."""
    length = len(found.vectors[0]) if found.vectors else 0
    if dimensions is None or dimensions == length:
        return found
    if dimensions > length:
        raise InvalidInput(
            f"The vectors of {model} have {length:,} numbers; ask for at most so many `dimensions`, or leave it out.",
            param="dimensions",
        )
    import numpy as np  # takes 0.1 s, which most starts don't need

    matrix = np.asarray(found.vectors, np.float32)[:, :dimensions]
    return Embeddings(_rows(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)), found.tokens)
