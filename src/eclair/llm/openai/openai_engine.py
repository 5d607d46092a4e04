"""Engine for servers that speak OpenAI's API: vLLM, SGLang, llama-server, Mistral and many more.

`dialects` holds the differences between servers; `llm/local` starts and watches the embedded one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

from eclair.errors import EngineBroken, EngineRefused, UpstreamError
from eclair.llm import reasoning
from eclair.llm.base import JSON, NO_TOKENS, Embeddings, HeardSpeech, Request, SoundUpload, estimate_tokens
from eclair.llm.openai import model_names
from eclair.llm.openai.call_reader import CallReader, CallStreamParser, keep_tool_choice
from eclair.llm.openai.dialects import PLAIN_DIALECT, Dialect, build_body, dialect_at, dialect_of_list
from eclair.llm.openai.infill_stream import InfillParser
from eclair.llm.openai.queue_depth import QueueDepth
from eclair.llm.openai.sound_forms import parse_speech, write_form
from eclair.llm.openai.stream_parser import StreamParser, listed_tools, listed_vision, parse_embeddings, parse_ranking
from eclair.llm.remote.continuation import text_to_continue
from eclair.llm.remote.reply_values import ILL_TYPED
from eclair.llm.remote.request_marks import add_salt
from eclair.llm.remote.server_engine import Exchange, ServerEngine, ServerOptions
from eclair.llm.remote.silence import llama_server_shows_life
from eclair.models.catalog import DEFAULT_IMAGE_SIDE_PIXELS, CatalogEntry
from eclair.network.client import is_loopback_url
from eclair.schema.messages import Sampling
from eclair.schema.models import Model, ReasoningSupport
from eclair.settings import CacheSaltField
from eclair.util.lru import LruCache

TRANSCRIPTION_TIMEOUT_S = 1800.0
"""A server says nothing until it has heard a whole recording."""
MAX_CACHED_COUNTS = 4096

MAX_TEXTS_PER_REQUEST = 32
"""Texts per embeddings request: in JSON, their vectors of 8,192 numbers fit MAX_BODY_BYTES."""


class OpenAIEngine(ServerEngine):
    """The server at `url`, which ends in the API's version (`…/v1`).

    Without a `dialect` its address tells it, or else the list of models.
    """

    def __init__(
        self,
        name: str,
        url: str,
        key: str | None = None,
        models: Sequence[str] = (),
        context: int | None = None,
        *,
        dialect: Dialect | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(name, url, key, models, context, **options)
        self.root = self.url.removesuffix("/v1")
        """The server's address without the API's version."""
        self._dialect = dialect or dialect_at(url)
        self._queue = QueueDepth(self.http, f"{self.root}/metrics")
        self._counts = LruCache[tuple[str, int, int], int](MAX_CACHED_COUNTS)

    async def count(self, model: str, text: str) -> int:
        """Count tokens with the server's tokenizer if it has one; else estimate."""
        key = (model, hash(text), len(text))
        if (cached := self._counts.get(key)) is not None:
            return cached
        number = await self._tokenize(model, text)
        if number is None:
            return estimate_tokens(text)
        self._counts.put(key, number)
        return number

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        """See `TokenEngine`."""
        name = (await self._find_dialect()).detokenized_field
        if name is None:
            raise EngineRefused(NO_TOKENS, param="prompt")
        try:
            data = await self.fetch(f"{self.root}/detokenize", {"model": model, "tokens": list(tokens)})
        except EngineBroken as error:  # llama.cpp fails at an id beyond its vocabulary
            raise EngineRefused(f"{model} has no such tokens; send the text instead.", param="prompt") from error
        text: Any = data.get(name)
        if not isinstance(text, str):
            raise EngineBroken(f"The engine {self.name} sent an invalid reply: no text for the tokens; try again.")
        return text

    async def count_prompt(self, request: Request) -> int | None:
        """Count with the model's template; see `PromptCountingEngine`."""
        dialect = await self._find_dialect()
        if dialect.tokenize_field is None:
            return None
        exchange = await self._exchange(request)
        try:
            if dialect.tokenize_field == "prompt":
                body: JSON = {"add_generation_prompt": True, **exchange.body}
                names = ("model", "messages", "tools", "chat_template_kwargs", "add_generation_prompt")
                wanted = {name: body[name] for name in names if name in body}
            else:
                written = await self.fetch(f"{self.root}/apply-template", exchange.body, idle=10.0)
                wanted = {"content": str(written.get("prompt")), "add_special": True, "parse_special": True}
            return _token_count(await self.fetch(f"{self.root}/tokenize", wanted, idle=10.0))
        except UpstreamError:
            return None

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """Call the server's `/embeddings`; see `Engine.embed`."""
        await self._admit()
        vectors: list[list[float]] = []
        tokens = 0
        for start in range(0, len(texts), MAX_TEXTS_PER_REQUEST):
            some = list(texts[start : start + MAX_TEXTS_PER_REQUEST])
            wanted: JSON = {"model": model, "input": some}
            if dimensions is not None:
                wanted["dimensions"] = dimensions
            found = parse_embeddings(self.name, await self.fetch(f"{self.url}/embeddings", wanted), len(some))
            vectors += found.vectors
            tokens += found.tokens
        return Embeddings(vectors, tokens)

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        """Call the server's `/rerank`; see `Engine.rerank`."""
        await self._admit()
        wanted: JSON = {"model": model, "query": query, "documents": list(texts), "top_n": len(texts)}
        return parse_ranking(self.name, await self.fetch(f"{self.url}/rerank", wanted), len(texts))

    async def transcribe(self, model: str, sound: SoundUpload) -> HeardSpeech:
        """Call the server's `/audio/transcriptions` or `/audio/translations`; see `HearingEngine`."""
        await self._admit()
        fields = {"model": model, **({"prompt": sound.prompt} if sound.prompt else {})}
        if sound.language is not None and not sound.translate:
            fields["language"] = sound.language
        url = f"{self.url}/audio/{'translations' if sound.translate else 'transcriptions'}"
        try:
            return await self._send_sound(url, {**fields, "response_format": "verbose_json"}, sound)
        except EngineRefused:  # some models write text without times
            return await self._send_sound(url, {**fields, "response_format": "json"}, sound)

    async def _send_sound(self, url: str, fields: Mapping[str, str], sound: SoundUpload) -> HeardSpeech:
        body, content_type = write_form(fields, sound.name, sound.data)
        reply = await self.fetch(url, body, idle=TRANSCRIPTION_TIMEOUT_S, content_type=content_type)
        return parse_speech(self.name, reply)

    async def speak(self, model: str, wanted: JSON) -> AsyncGenerator[bytes, None]:
        """Call the server's `/audio/speech`; see `SpeakingEngine`."""
        await self._admit()
        async with self.fetch_bytes(f"{self.url}/audio/speech", {**wanted, "model": model}) as sounds:
            async for sound in sounds:
                yield sound

    async def prefill(self, request: Request) -> None:
        """Ask for one token, if the server is on this machine and caches what it reads."""
        if not is_loopback_url(self.url) or not (await self._find_dialect()).caches_prefix:
            return
        async with aclosing(self.stream(replace(request, sampling=Sampling(max_tokens=1)))) as deltas:
            async for _ in deltas:
                pass

    async def _count_waiting(self) -> int | None:
        metric = (await self._find_dialect()).queue_metric
        return None if metric is None else await self._queue.get(metric)

    async def _exchange(self, request: Request) -> Exchange:
        dialect = await self._find_dialect()
        if request.reasoning is None:
            request = replace(request, reasoning=self._reasoning_support(request.model))
        request, calls = keep_tool_choice(request, dialect)
        url = self._answer_url(request, dialect)
        body, without_effort = build_body(request, dialect), build_body(reasoning.drop_effort(request), dialect)
        is_same = body == without_effort
        return Exchange(
            url,
            self._salted(body, dialect),
            self._parser(request, dialect, calls),
            None if is_same else self._salted(without_effort, dialect),
            dialect.keeps_alive,
            partial(llama_server_shows_life, self.http, self.root, self._idle) if dialect.shows_life else None,
            {} if self.marks is None else self.marks.headers(request, self.name),
        )

    def _salted(self, body: JSON, dialect: Dialect) -> JSON:
        """Return the body with the salt that keeps caches apart, where the server takes one."""
        usual: CacheSaltField = "body" if dialect.takes_cache_salt else "off"
        place = self._cache_salt or usual
        return body if self.marks is None or place == "off" else add_salt(body, place, self.marks.cache_salt())

    def _answer_url(self, request: Request, dialect: Dialect) -> str:
        """Return where a request is answered. Raises EngineRefused if the server can't fill in before a suffix."""
        if request.prompt is None:
            return f"{self.url}/chat/completions"
        if request.suffix is None or dialect.fills_in == "suffix":
            return f"{self.url}/completions"
        match dialect.fills_in:
            case "infill":
                return f"{self.root}/infill"
            case "fim":
                return f"{self.url}/fim/completions"
            case None:
                sentence = f"The engine {self.name} fills in nothing before a suffix; leave `suffix` out."
                raise EngineRefused(sentence, param="suffix")

    def _parser(self, request: Request, dialect: Dialect, calls: CallReader | None) -> StreamParser:
        if request.suffix is not None and dialect.fills_in == "infill":
            return InfillParser(self.name)
        echo = text_to_continue(request) if dialect.echoes_continued else ""
        return StreamParser(self.name, echo) if calls is None else CallStreamParser(self.name, echo, calls)

    async def _find_dialect(self) -> Dialect:
        if self._dialect is None:
            try:
                await self._list(idle=5.0)
            except UpstreamError:
                return PLAIN_DIALECT
        return self._dialect or PLAIN_DIALECT

    async def _list(self, idle: float | None = None) -> list[JSON]:
        data = await self.fetch(f"{self.url}/models", idle=idle)
        try:
            rows: list[JSON] = [row for row in data.get("data") or () if isinstance(row.get("id"), str)]
            beside: dict[Any, JSON] = {each.get("model"): each for each in data.get("models") or ()}  # llama.cpp's own
            rows = [{**row, "capabilities": beside.get(row["id"], row).get("capabilities")} for row in rows]
            self._dialect = self._dialect or dialect_of_list(rows)
        except ILL_TYPED as error:
            raise self._bad_list() from error
        return rows

    def _model(self, row: JSON) -> Model:
        meta: JSON = row.get("meta") or {}
        metadata: JSON = row.get("metadata") or {}
        sizes = (
            meta.get("n_ctx"),
            metadata.get("max_request_context_length"),
            *(row.get(key) for key in ("max_model_len", "max_context_length", "context_length")),
        )
        context = next((size for size in sizes if isinstance(size, int)), self._context)
        id: str = row["id"]
        entry = model_names.find_entry(id)
        on_demand = entry is not None and entry.calls_on_demand
        parameters, active = (entry.parameters, entry.active) if entry is not None else model_names.sizes_from_name(id)
        return Model(
            id,
            str(row.get("name") or id),
            self.name,
            context,
            maker=entry.maker if entry is not None else None,
            country=entry.country if entry is not None else None,
            license=entry.license if entry is not None else None,
            languages=entry.languages if entry is not None else (),
            can_title=entry is None or entry.titles,
            parameters=parameters,
            active=active,
            reasoning=self._reasoning_support(id),
            location=self.location,
            vision_pixels=self._vision_pixels(row, entry),
            can_call_tools=not on_demand and (listed_tools(row) or (entry is not None and "tools" in entry.can)),
            calls_on_demand=on_demand and self._dialect is not None and not self._dialect.continues_in_words,
            stated_tier=entry.tier if entry is not None else None,
            created=created if isinstance(created := row.get("created"), int) and created > 0 else None,
        )

    def _vision_pixels(self, row: JSON, entry: CatalogEntry | None) -> int | None:
        """Return the pixels of the longer side of an image; None without vision.

        Decided by the server's list, by a probe, or by the catalog. llama.cpp's list knows whether a projector is
        loaded.
        """
        said = listed_vision(row)
        if said is None and row["id"] in self.vision_models:
            said = True
        if said is None and (self._dialect is None or self._dialect.name != "llamacpp"):
            said = entry is not None and entry.vision_pixels is not None
        return (
            (
                entry.vision_pixels
                if entry is not None and entry.vision_pixels is not None
                else DEFAULT_IMAGE_SIDE_PIXELS
            )
            if said
            else None
        )

    def _reasoning_support(self, model: str) -> ReasoningSupport | None:
        if model in self._refusing_hints:
            return "never"
        entry = model_names.find_entry(model)
        return entry.reasoning_support if entry is not None else None

    async def _tokenize(self, model: str, text: str) -> int | None:
        dialect = await self._find_dialect()
        if dialect.tokenize_field is None:
            return None
        try:
            data = await self.fetch(f"{self.root}/tokenize", {"model": model, dialect.tokenize_field: text}, idle=10.0)
        except UpstreamError:
            return None
        return _token_count(data)


def _token_count(data: JSON) -> int | None:
    tokens: Any = data.get("tokens")
    if isinstance(count := data.get("count"), int):
        return max(0, count)
    return len(tokens) if isinstance(tokens, list) else None  # pyright: ignore[reportUnknownArgumentType]
