"""Engine for Google's Gemini API.

A call comes with a signature of the thought that led to it. The part is kept here for a while and goes back as it came
with the function's result: the API asks for it, and no other format has room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Unpack
from urllib.parse import quote, urlsplit

from eclair.errors import EngineBroken, UpstreamError
from eclair.llm.base import JSON, Embeddings, Request, estimate_tokens
from eclair.llm.gemini.gemini_body import build_gemini_body
from eclair.llm.gemini.gemini_parser import GeminiParser
from eclair.llm.openai import model_names
from eclair.llm.remote.call_memory import CallMemory
from eclair.llm.remote.reply_values import ILL_TYPED
from eclair.llm.remote.server_engine import Exchange, ServerEngine, ServerOptions
from eclair.models.catalog import DEFAULT_IMAGE_SIDE_PIXELS
from eclair.schema.models import Model

MODELS_PER_PAGE = 1000
MAX_TEXTS_PER_REQUEST = 100
ANSWERING = "generateContent"
EMBEDDING = frozenset({"embedContent", "batchEmbedContents"})


class GeminiEngine(ServerEngine):
    """The API at `url`, which ends in its version (`…/v1beta`)."""

    KEY_HEADER = "x-goog-api-key"

    def __init__(
        self,
        name: str,
        url: str,
        key: str | None = None,
        models: Sequence[str] = (),
        context: int | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(name, _versioned(url), key, models, context, **options)
        self._limits: dict[str, int] = {}
        self._calls = CallMemory()
        self._has_asked_list = False

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """Call the API's `batchEmbedContents`; it counts no tokens, so that they are estimated."""
        vectors: list[list[float]] = []
        size = {} if dimensions is None else {"outputDimensionality": dimensions}
        for start in range(0, len(texts), MAX_TEXTS_PER_REQUEST):
            some = texts[start : start + MAX_TEXTS_PER_REQUEST]
            asked = [{"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **size} for text in some]
            data = await self.fetch(f"{self._address(model)}:batchEmbedContents", {"requests": asked})
            vectors += _read_vectors(self.name, data, len(some))
        return Embeddings(vectors, sum(map(estimate_tokens, texts)))

    async def _exchange(self, request: Request) -> Exchange:
        if not self._has_asked_list:  # the registry asks again
            with suppress(UpstreamError):
                await self._list(idle=5.0)
        body = build_gemini_body(self.name, request, self._limits.get(request.model), self._calls.recall)
        return Exchange(
            f"{self._address(request.model)}:streamGenerateContent?alt=sse",
            body.full,
            GeminiParser(self.name, self._calls.remember),
            None if body.full == body.plain else body.plain,
        )

    def _address(self, model: str) -> str:
        return f"{self.url}/models/{quote(model.removeprefix('models/'), safe='')}"

    async def _list(self, idle: float | None = None) -> list[JSON]:
        self._has_asked_list = True
        data = await self.fetch(f"{self.url}/models?pageSize={MODELS_PER_PAGE}", idle=idle)
        try:
            rows: list[JSON] = [
                {**row, "id": row["name"].removeprefix("models/")}
                for row in data.get("models") or ()
                if {ANSWERING, *EMBEDDING} & {*row.get("supportedGenerationMethods", ())}
            ]
            limits = {row["id"]: row.get("outputTokenLimit") for row in rows}
            self._limits |= {id: limit for id, limit in limits.items() if isinstance(limit, int) and limit > 0}
        except ILL_TYPED as error:
            raise self._bad_list() from error
        return rows

    def _model(self, row: JSON) -> Model:
        context, id = row.get("inputTokenLimit"), str(row["id"])
        answers = ANSWERING in (row.get("supportedGenerationMethods") or (ANSWERING,))
        entry = model_names.find_entry(id)
        parameters, active = model_names.sizes_from_name(id)
        return Model(
            id,
            str(row.get("displayName") or id),
            self.name,
            context if isinstance(context, int) and context > 0 else self._context,
            maker="Google",
            country="US",
            license=entry.license if entry is not None else None,
            parameters=parameters,
            active=active,
            location=self.location,
            vision_pixels=DEFAULT_IMAGE_SIDE_PIXELS if answers else None,
            can_call_tools=answers,
            call_way="native" if answers else None,
            calls_well=answers,
            stated_tier="capable" if parameters is None else None,
        )


def _versioned(url: str) -> str:
    """Return the address with the API's version, which the usual one is often given without."""
    return f"{url.rstrip('/')}/v1beta" if urlsplit(url).path.strip("/") == "" else url


def _read_vectors(name: str, data: JSON, count: int) -> list[list[float]]:
    try:
        vectors = [[float(number) for number in each["values"]] for each in data["embeddings"]]
    except (ValueError, *ILL_TYPED) as error:
        raise EngineBroken(f"The engine {name} sent an invalid vector; try again.") from error
    if len(vectors) != count or not all(vectors):
        raise EngineBroken(f"The engine {name} did not send a vector for each text; try again.")
    return vectors
