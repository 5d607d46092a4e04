"""Engine for servers that speak OpenAI's API: vLLM, SGLang, llama-server.

What arrives together, up to READ_SLICE_BYTES, becomes one `Text`: a slow engine is passed on token by token, a fast
one in few deltas. `dialects` holds the differences between servers; `llm/local` starts and watches the embedded one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from eclair.errors import EclairError, EngineBroken, EngineBusy, EngineRefused, EngineUnavailable, UpstreamError
from eclair.llm import reasoning
from eclair.llm.base import JSON, Delta, Embeddings, Health, Request, estimate_tokens
from eclair.llm.openai import model_names
from eclair.llm.openai.dialects import DIALECTS, PLAIN_DIALECT, Dialect, build_body, text_to_continue
from eclair.llm.openai.refusal import Retryable, refuse
from eclair.llm.openai.silence import FIRST_WORD_TIMEOUT_S, limit_silence, llama_server_shows_life
from eclair.llm.openai.stream_parser import (
    ILL_TYPED,
    StreamParser,
    listed_vision,
    parse_embeddings,
    parse_ranking,
)
from eclair.llm.servers.jurisdiction import ServerLocation, locate
from eclair.models.catalog import DEFAULT_IMAGE_SIDE_PIXELS, CatalogEntry
from eclair.network.client import (
    CLOSED_GATE,
    IDLE_TIMEOUT_S,
    BrokenReply,
    HttpClient,
    OutboundGate,
    Reply,
    StreamedReply,
    TimedOut,
    Unreachable,
    is_loopback_url,
)
from eclair.schema.messages import Sampling
from eclair.schema.models import Model, ReasoningSupport
from eclair.settings import EngineSettings
from eclair.util.lru import LruCache

MAX_BODY_BYTES = 8 << 20
READ_SLICE_BYTES = 8 << 10
"""Bytes parsed before other answers get their turn: some fifty tokens, 0.25 ms."""

UNPACED_STREAMS = 50
PAUSE_PER_STREAM_S = 0.0004
MAX_PAUSE_S = 0.08
"""From UNPACED_STREAMS streams on, each waits between two small reads.

It waits PAUSE_PER_STREAM_S for every open stream, at most MAX_PAUSE_S: a read costs more than the words in it, and
twelve updates per second still look fluent."""

RETRY_PAUSES_S = (0.0, 0.6)
"""Pauses before the second and third attempt at a request without any reply.

The second comes at once: the first may have met a kept-alive connection that the server was closing."""

MAX_RETRY_AFTER_S = 2.0
"""The longest Retry-After that is waited for; a longer one is passed on."""

LIST_TIMEOUT_S = 10.0

UNLIMITED_IDLE_S = 7 * 86_400.0
"""For an engine that shows whether it is at work; the silence between two words is limited here."""

MAX_CACHED_COUNTS = 4096

MAX_TEXTS_PER_REQUEST = 32
"""Texts per embeddings request: in JSON, their vectors of 8,192 numbers fit MAX_BODY_BYTES."""


class OpenAIEngine:
    """The server at `url`, which ends in the API's version (`…/v1`).

    `models` are those that it doesn't list; `context` is the window of models that state none. `setting` names the
    setting of its key for error messages, `place` is its location if known better than by its address. Without a
    `dialect` the server's list of models tells it. Outgoing calls pass `gate`. `first_word_s` limits the silence before
    the first word, `idle` the one between two.
    """

    def __init__(
        self,
        name: str,
        url: str,
        key: str | None = None,
        models: Sequence[str] = (),
        context: int | None = None,
        *,
        setting: str | None = None,
        location: ServerLocation | None = None,
        dialect: Dialect | None = None,
        gate: OutboundGate = CLOSED_GATE,
        idle: float = IDLE_TIMEOUT_S,
        first_word_s: float = FIRST_WORD_TIMEOUT_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self.url = url.rstrip("/")
        stated = location.country if location is not None and location.stated else None
        self.http = HttpClient(self.url, key, gate=gate, country=stated, idle_timeout_s=idle)
        self.root = self.url.removesuffix("/v1")
        """The server's address without the API's version."""
        self._key = key
        self._models = tuple(models)
        self._context = context
        self._setting = setting or f"engines.{name}.key"
        self._location = (location or locate(url)).code
        self._dialect = dialect
        self.list_error: EngineUnavailable | None = None
        """Why the last listing of models failed, if others are configured."""
        self._idle = idle
        self._first_word_s = first_word_s
        self._sleep = sleep
        self._counts = LruCache[tuple[str, int, int], int](MAX_CACHED_COUNTS)
        self._streams = 0
        self._refusing_effort = set[str]()
        """Models that refused a reasoning effort."""
        self.vision_models = frozenset[str]()
        """Models whose vision was probed with success."""

    @classmethod
    def configured(
        cls,
        name: str,
        settings: EngineSettings,
        gate: OutboundGate = CLOSED_GATE,
        first_word_s: float = FIRST_WORD_TIMEOUT_S,
    ) -> OpenAIEngine:
        """Build the engine that the settings describe under `name`."""
        server = (settings.url, settings.key, settings.models, settings.context)
        return cls(name, *server, gate=gate, first_word_s=first_word_s)

    @property
    def is_busy(self) -> bool:
        """True while an answer is being made."""
        return self._streams > 0

    async def models(self) -> list[Model]:
        """List the server's models and those of the settings. Raises UpstreamError."""
        try:
            rows = await self._list(idle=LIST_TIMEOUT_S)
        except UpstreamError as error:
            if not self._models:
                raise
            rows = []
            self.list_error = error if isinstance(error, EngineUnavailable) else None
        else:
            self.list_error = None
        try:
            found = [self._model(row) for row in rows]
        except ILL_TYPED as error:
            raise self._bad_list() from error
        listed = {model.id for model in found}
        return found + [self._model({"id": id}) for id in self._models if id not in listed]

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask; see `Engine.stream`.

        Failed connections and short refusals are retried before the first delta.
        """
        dialect = await self._find_dialect()
        path = "/completions" if request.prompt is not None else "/chat/completions"
        answer = StreamParser(self.name, echo=text_to_continue(request) if dialect.echoes_continued else "")
        async with AsyncExitStack() as stack:
            stack.enter_context(self._counted_stream())
            async with self._limited_silence(dialect):
                reply = await self._begin(stack, self.url + path, request, dialect)
            has_yielded = False
            while not answer.done and (chunk := await self._read(reply, answer, dialect, has_yielded=has_yielded)):
                for start in range(0, len(chunk), READ_SLICE_BYTES):
                    for delta in answer.feed(chunk[start : start + READ_SLICE_BYTES]):
                        yield delta
                        has_yielded = True
                    await asyncio.sleep(0)  # a fast server must not starve other streams
                if has_yielded and len(chunk) < READ_SLICE_BYTES and not answer.done:
                    await reply.pause(self._read_pause())
            for delta in answer.finish():
                yield delta
            await reply.drain(0.05)

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

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """Call the server's `/embeddings`; see `Engine.embed`."""
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
        wanted: JSON = {"model": model, "query": query, "documents": list(texts), "top_n": len(texts)}
        return parse_ranking(self.name, await self.fetch(f"{self.url}/rerank", wanted), len(texts))

    async def health(self, model: str | None = None) -> Health:
        try:
            await self._list(idle=5.0)
        except EngineUnavailable as error:
            return Health("loading" if "loading" in error.message.lower() else "down", error.message)
        except EclairError as error:
            return Health("down", error.message)
        return Health("ready", f"{self.url} answers.")

    async def prefill(self, request: Request) -> None:
        """Ask for one token, if the server is on this machine and caches what it reads."""
        if not is_loopback_url(self.url) or not (await self._find_dialect()).caches_prefix:
            return
        async with aclosing(self.stream(replace(request, sampling=Sampling(max_tokens=1)))) as deltas:
            async for _ in deltas:
                pass

    async def close(self) -> None:
        await self.http.close()

    async def _find_dialect(self) -> Dialect:
        if self._dialect is None:
            try:
                await self._list(idle=5.0)
            except UpstreamError:
                return PLAIN_DIALECT
        return self._dialect or PLAIN_DIALECT

    @contextmanager
    def _counted_stream(self) -> Generator[None]:
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def _read_pause(self) -> float:
        """Seconds to pause between two reads of one stream: none while few are open."""
        return 0.0 if self._streams < UNPACED_STREAMS else min(self._streams * PAUSE_PER_STREAM_S, MAX_PAUSE_S)

    async def _list(self, idle: float | None = None) -> list[JSON]:
        data = await self.fetch(f"{self.url}/models", idle=idle)
        try:
            rows: list[JSON] = [row for row in data.get("data") or () if isinstance(row.get("id"), str)]
            beside: dict[Any, JSON] = {each.get("model"): each for each in data.get("models") or ()}  # llama.cpp's own
            rows = [{**row, "capabilities": beside.get(row["id"], row).get("capabilities")} for row in rows]
        except ILL_TYPED as error:
            raise self._bad_list() from error
        if self._dialect is None:
            owners = {str(row.get("owned_by")) for row in rows}
            self._dialect = next((known for known in DIALECTS if owners & {*known.owners}), PLAIN_DIALECT)
        return rows

    def _bad_list(self) -> EngineBroken:
        return EngineBroken(f"The engine {self.name} sent an invalid list of models: a value of the wrong type.")

    def _model(self, row: JSON) -> Model:
        meta: JSON = row.get("meta") or {}
        sizes = (
            meta.get("n_ctx"),
            *(row.get(key) for key in ("max_model_len", "max_context_length", "context_length")),
        )
        context = next((size for size in sizes if isinstance(size, int)), self._context)
        id: str = row["id"]
        entry = model_names.find_entry(id)
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
            location=self._location,
            vision_pixels=self._vision_pixels(row, entry),
            can_call_tools=entry is not None and "tools" in entry.can,
            stated_tier=entry.tier if entry is not None else None,
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
        if model in self._refusing_effort:
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
        tokens: Any = data.get("tokens")
        if isinstance(count := data.get("count"), int):
            return max(0, count)
        return len(tokens) if isinstance(tokens, list) else None  # pyright: ignore[reportUnknownArgumentType]

    async def fetch(self, url: str, body: JSON | None = None, *, idle: float | None = None) -> JSON:
        """Fetch a JSON object, by POST if there is a body. Raises UpstreamError."""
        try:
            try:
                data = await self._fetch_once(url, body, idle)
            except Unreachable:  # perhaps a kept-alive connection that the server was closing
                data = await self._fetch_once(url, body, idle)
        except (Unreachable, TimedOut) as error:
            raise EngineUnavailable(f"The engine {self.name} cannot be reached: {error}.") from error
        except (BrokenReply, orjson.JSONDecodeError) as error:
            raise EngineBroken(f"The engine {self.name} sent an invalid reply: {error}.") from error
        except Retryable as error:
            raise error.fault from None
        if not isinstance(data, dict):
            raise EngineBroken(f"The engine {self.name} sent an invalid reply: a list at {url}.")
        return data  # pyright: ignore[reportUnknownVariableType]

    async def _fetch_once(self, url: str, body: JSON | None, idle: float | None) -> Any:
        call = (
            self.http.get(url, idle_timeout_s=idle)
            if body is None
            else self.http.post(url, orjson.dumps(body), idle_timeout_s=idle)
        )
        async with call as reply:
            content = await reply.body(MAX_BODY_BYTES)
            if reply.status != 200:
                refuse(reply.status, reply.headers, content, self.name, self._key, self._setting)
            return orjson.loads(content)

    async def _begin(self, stack: AsyncExitStack, url: str, request: Request, dialect: Dialect) -> StreamedReply:
        """Open the stream. A model that refuses a reasoning effort isn't sent one again."""
        if request.reasoning is None:
            request = replace(request, reasoning=self._reasoning_support(request.model))
        body, without_effort = build_body(request, dialect), build_body(reasoning.drop_effort(request), dialect)
        if body == without_effort or request.model in self._refusing_effort:
            return await self._ask(stack, url, orjson.dumps(without_effort), dialect)
        try:
            return await self._ask(stack, url, orjson.dumps(body), dialect)
        except EngineRefused:
            reply = await self._ask(stack, url, orjson.dumps(without_effort), dialect)
            self._refusing_effort.add(request.model)
            return reply

    async def _ask(self, stack: AsyncExitStack, url: str, content: bytes, dialect: Dialect) -> StreamedReply:
        """Open the stream, with up to three attempts."""
        for pause in (*RETRY_PAUSES_S, None):
            try:
                return await self._attempt(stack, url, content, dialect)
            except EngineBusy as error:
                if pause is None or error.retry_after is None or error.retry_after > MAX_RETRY_AFTER_S:
                    raise
                pause = max(pause, error.retry_after)
            except Retryable as error:
                if pause is None or error.after > MAX_RETRY_AFTER_S:
                    raise error.fault from error.__cause__
                pause = max(pause, error.after)
            await self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, stack: AsyncExitStack, url: str, body: bytes, dialect: Dialect) -> StreamedReply:
        idle = UNLIMITED_IDLE_S if dialect.shows_life else None
        try:
            reply = await stack.enter_async_context(
                self.http.post(url, body, idle_timeout_s=idle, keep_alive=dialect.keeps_alive)
            )
            if reply.status == 200:
                return reply
            content = await reply.body(MAX_BODY_BYTES)
            refuse(reply.status, reply.headers, content, self.name, self._key, self._setting)
        except Unreachable as error:
            raise Retryable(EngineUnavailable(f"The engine {self.name} cannot be reached: {error}.")) from error
        except TimedOut as error:
            raise EngineUnavailable(f"The engine {self.name} does not answer: {error}.") from error
        except BrokenReply as error:
            raise EngineBroken(f"The engine {self.name} broke off its answer: {error}.") from error

    async def _read(self, reply: Reply, answer: StreamParser, dialect: Dialect, *, has_yielded: bool) -> bytes:
        try:
            if not has_yielded:
                async with self._limited_silence(dialect):
                    return await reply.read()
            async with asyncio.timeout(self._idle if dialect.shows_life else None):
                return await reply.read()
        except TimedOut as error:
            raise EngineUnavailable(f"The engine {self.name} stopped responding: {error}.") from error
        except TimeoutError:
            sentence = f"The engine {self.name} stopped responding: it said nothing for {self._idle:g} seconds."
            raise EngineUnavailable(sentence) from None
        except BrokenReply as error:
            if answer.ended:
                return b""
            raise EngineBroken(f"The engine {self.name} broke off its answer: {error}; try again.") from error

    @asynccontextmanager
    async def _limited_silence(self, dialect: Dialect) -> AsyncGenerator[None]:
        """Bound a wait for the first word, unless the engine is at work. Raises EngineUnavailable."""
        shows_life = partial(llama_server_shows_life, self.http, self.root, self._idle) if dialect.shows_life else None
        try:
            async with limit_silence(self._first_word_s, shows_life):
                yield
        except TimeoutError:
            sentence = f"The engine {self.name} said nothing for {self._first_word_s:g} seconds (first_word_seconds)."
            raise EngineUnavailable(sentence) from None
