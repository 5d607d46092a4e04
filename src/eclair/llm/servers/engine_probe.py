"""Probes a server through its engine, for APIs other than OpenAI's: each ability with a small request."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import orjson

from eclair.errors import EngineRefused, UpstreamError
from eclair.llm.base import JSON, Delta, PromptImage, PromptMessage, Request, Text, TokenUsage, ToolCall
from eclair.llm.openai.model_names import is_chat_model
from eclair.llm.remote.server_engine import ServerEngine
from eclair.llm.servers.probe import (
    COUNT_SCHEMA,
    FIRST_ANSWER_TIMEOUT_S,
    LONG_PROMPT,
    MAX_MODELS_TRIED,
    RED_SQUARE,
    RED_WORDS,
    WEATHER_TOOL,
    Feature,
    Probe,
    ProbeFinding,
    ProbeOutcome,
)
from eclair.schema.ids import Clock
from eclair.schema.messages import Sampling
from eclair.schema.models import Model

ANSWER_TOKENS = 1000
"""Room for an answer of a few words, and for the thoughts of a model that can't do without."""

RED_IMAGE = PromptImage("image/png", base64.b64decode(RED_SQUARE.partition(",")[2]), 32, 32)


class EngineProber:
    """Probes the server of `engine` at `url`, and closes it. Used like a `Prober`.

    `models` need not be in its list; `notes` are what is known before.
    """

    def __init__(
        self,
        engine: ServerEngine,
        url: str,
        models: Sequence[str] = (),
        *,
        clock: Clock = time.time,
        notes: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self._url = url.rstrip("/")
        self._notes = tuple(notes)
        self._models = tuple(models)
        self._clock = clock
        self._findings: list[ProbeFinding] = []

    async def run(self) -> AsyncGenerator[ProbeFinding | Probe, None]:
        """Yield each finding as it is made, then the probe."""
        try:
            try:
                listed = await self._engine.models()
            except UpstreamError as error:
                yield self._find("answers", "failed", error.message)
                yield self._result(None, error.message)
                return
            model, deltas, fault = await self._first_answer(listed)
            if deltas is None:
                yield self._find("answers", "failed", fault)
                yield self._result(model or None, fault)
                return
            yield self._find("answers", "yes")
            yield self._find("streams", "yes")
            counted = any(isinstance(delta, TokenUsage) for delta in deltas)
            yield self._find_bool("usage", counted, "It does not count tokens.")
            for attempt in (self._tools, self._json_schema, self._vision, self._logprobs, self._prefix_cache):
                yield await attempt(model)
            yield self._find("tokenize", "no", "It does not count the tokens of a text.")
            yield await self._embeddings(listed, model)
            yield self._result(model)
        finally:
            await self._engine.close()

    async def _first_answer(self, listed: Sequence[Model]) -> tuple[str, list[Delta] | None, str]:
        """Return the model that answers, its answer, or else why none does."""
        candidates = [*self._models, *(each.id for each in listed if is_chat_model(each.id))]
        fault = "It lists no model that answers; name one with `--model`."
        for model in candidates[:MAX_MODELS_TRIED]:
            try:
                return model, await self._ask(model, "Answer with the word OK."), ""
            except UpstreamError as error:
                fault = error.message
        return next(iter(candidates), ""), None, fault

    async def _ask(self, model: str, text: str, **change: Any) -> list[Delta]:
        request = Request(
            model,
            (PromptMessage("user", text),),
            sampling=Sampling(max_tokens=ANSWER_TOKENS),
            extra={"reasoning_effort": "none"},
        )
        asked = replace(request, **change)
        async with asyncio.timeout(2 * FIRST_ANSWER_TIMEOUT_S), aclosing(self._engine.stream(asked)) as deltas:
            return [delta async for delta in deltas]

    async def _try(self, feature: Feature, model: str, text: str, **change: Any) -> list[Delta] | ProbeFinding:
        """Return the answer, or the finding if there is none."""
        try:
            return await self._ask(model, text, **change)
        except EngineRefused as error:
            return self._find(feature, "no", error.message)
        except UpstreamError as error:
            return self._find(feature, "failed", error.message)
        except TimeoutError:
            return self._find(feature, "failed", "It did not end its answer in time.")

    async def _tools(self, model: str) -> ProbeFinding:
        ask = "What is the weather in Paris now? Use the tool."
        got = await self._try("tools", model, ask, tools=(WEATHER_TOOL,), tool_choice="required")
        if isinstance(got, ProbeFinding):
            return got
        return self._find_bool(
            "tools", any(isinstance(each, ToolCall) for each in got), "It takes tools and calls none."
        )

    async def _json_schema(self, model: str) -> ProbeFinding:
        got = await self._try("json_schema", model, "Say hello.", response_format=COUNT_SCHEMA)
        if isinstance(got, ProbeFinding):
            return got
        found: JSON = {}
        with suppress(orjson.JSONDecodeError):
            found = orjson.loads(_text(got))
        keeps = isinstance(found, dict) and isinstance(found.get("count"), int)  # pyright: ignore[reportUnnecessaryIsInstance]
        return self._find_bool("json_schema", keeps, "It takes a schema and does not keep to it.")

    async def _vision(self, model: str) -> ProbeFinding:
        ask = PromptMessage("user", "Which color is this picture? Answer with one word.", images=(RED_IMAGE,))
        got = await self._try("vision", model, "", messages=(ask,))
        if isinstance(got, ProbeFinding):
            return got
        seen = any(color in _text(got).lower() for color in RED_WORDS)
        return self._find_bool("vision", seen, "It takes an image and does not see it.")

    async def _logprobs(self, model: str) -> ProbeFinding:
        got = await self._try("logprobs", model, "Hello", extra={"logprobs": True, "top_logprobs": 1})
        if isinstance(got, ProbeFinding):
            return got
        found = any(isinstance(each, Text) and each.logprobs for each in got)
        return self._find_bool("logprobs", found, "It accepts the option and returns none.")

    async def _prefix_cache(self, model: str) -> ProbeFinding:
        got = await self._try("prefix_cache", model, LONG_PROMPT)
        if not isinstance(got, ProbeFinding):
            got = await self._try("prefix_cache", model, LONG_PROMPT)
        if isinstance(got, ProbeFinding):
            return got
        cached = any(isinstance(each, TokenUsage) and each.cached_tokens for each in got)
        return self._find_bool("prefix_cache", cached, "It does not say that it read anything from a cache.")

    async def _embeddings(self, listed: Sequence[Model], model: str) -> ProbeFinding:
        named = next((each.id for each in listed if "embed" in each.id.lower()), model)
        try:
            await self._engine.embed(named, ["Hello"], None)
        except EngineRefused as error:
            return self._find("embeddings", "no", error.message)
        except UpstreamError as error:
            return self._find("embeddings", "failed", error.message)
        return self._find("embeddings", "yes")

    def _find(self, feature: Feature, outcome: ProbeOutcome, detail: str = "") -> ProbeFinding:
        found = ProbeFinding(feature, outcome, detail)
        self._findings.append(found)
        return found

    def _find_bool(self, feature: Feature, seen: bool, otherwise: str) -> ProbeFinding:
        return self._find(feature, "yes" if seen else "no", "" if seen else otherwise)

    def _result(self, model: str | None, fault: str | None = None) -> Probe:
        at = int(self._clock() * 1000)
        return Probe(at, self._url, model, tuple(self._findings), fault, notes=self._notes)


def _text(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, Text))
