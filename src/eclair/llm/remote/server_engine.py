"""Base of engines that ask a server: connections, attempts, silence and lists. A wire format adds the words.

What arrives together, up to READ_SLICE_BYTES, becomes one `Text`: a slow engine is passed on token by token, a fast
one in few deltas.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypedDict, Unpack

import orjson

from eclair.errors import EclairError, EngineBroken, EngineBusy, EngineRefused, EngineUnavailable, UpstreamError
from eclair.llm.base import JSON, Delta, Embeddings, Health, Request, estimate_tokens, queue_full
from eclair.llm.remote.answer_parser import AnswerParser
from eclair.llm.remote.refusal import Retryable, refuse
from eclair.llm.remote.reply_values import ILL_TYPED
from eclair.llm.remote.request_marks import RequestMarks
from eclair.llm.remote.silence import FIRST_WORD_TIMEOUT_S, ShowsLife, limit_silence
from eclair.llm.servers.jurisdiction import ServerLocation, locate
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
)
from eclair.schema.models import Model
from eclair.settings import CacheSaltField

JSON_TYPE = "application/json"
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


class ServerOptions(TypedDict, total=False):
    """Options of every `ServerEngine`; see there."""

    setting: str | None
    location: ServerLocation | None
    gate: OutboundGate
    idle: float
    first_word_s: float
    parallel: int | None
    max_waiting: int | None
    marks: RequestMarks | None
    sessions: bool | None
    cache_salt: CacheSaltField | None
    sleep: Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request for an answer: its address, its body and the parser of the reply.

    `plain_body` leaves out hints that some models refuse, such as a reasoning effort; None if there are none. Without
    `keep_alive` the connection is closed afterwards. With `shows_life` the engine may be silent for as long as that
    says that it is at work. `headers` are those of this request alone.
    """

    url: str
    body: JSON
    parser: AnswerParser
    plain_body: JSON | None = None
    keep_alive: bool = True
    shows_life: ShowsLife | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


async def iterate(reply: StreamedReply) -> AsyncGenerator[bytes]:
    """Yield the bytes of a reply as they come."""
    while data := await reply.read():
        yield data


class ServerEngine(ABC):
    """An engine behind the server at `url`.

    `models` are those that it doesn't list; `context` is the window of models that state none. `setting` names the
    setting of its key for error messages, `location` is its location if known better than by its address. Outgoing
    calls pass `gate`. `first_word_s` limits the silence before the first word, `idle` the one between two. It makes
    `parallel` answers of a model at a time, if that is known, and `max_waiting` more may wait. `marks` tell a server
    of the house which requests belong together, unless `sessions` says otherwise; `cache_salt` is where it takes the
    salt of caches, if that is known.
    """

    KEY_HEADER: ClassVar[str | None] = None
    """The header that carries the key; None for a bearer token."""

    HEADERS: ClassVar[Mapping[str, str]] = {}
    """Headers of every request."""

    def __init__(
        self,
        name: str,
        url: str,
        key: str | None = None,
        models: Sequence[str] = (),
        context: int | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        location = options.get("location")
        self.name = name
        self.url = url.rstrip("/")
        stated = location.country if location is not None and location.stated else None
        self._idle = options.get("idle", IDLE_TIMEOUT_S)
        self.http = HttpClient(
            self.url,
            key,
            gate=options.get("gate", CLOSED_GATE),
            country=stated,
            idle_timeout_s=self._idle,
            header=self.KEY_HEADER,
            headers=self.HEADERS,
        )
        self.parallel = options.get("parallel")
        self.max_waiting = options.get("max_waiting")
        self._key = key
        self._models = tuple(models)
        self._context = context
        self._setting = options.get("setting") or f"engines.{name}.key"
        self.location = (location or locate(url)).code
        """The place where it answers, as in `Model.location`."""
        sessions = options.get("sessions")
        self.marks = options.get("marks") if (self._is_in_house if sessions is None else sessions) else None
        """The marks of requests; None if this server isn't told any."""
        self._cache_salt: CacheSaltField | None = options.get("cache_salt")
        self.list_error: EngineUnavailable | None = None
        """Why the last listing of models failed, if others are configured."""
        self._first_word_s = options.get("first_word_s", FIRST_WORD_TIMEOUT_S)
        self._sleep = options.get("sleep", asyncio.sleep)
        self._streams = 0
        self._refusing_hints = set[str]()
        """Models that refused the hints of a request."""
        self.vision_models = frozenset[str]()
        """Models whose vision was probed with success."""

    @property
    def _is_in_house(self) -> bool:
        return self.location in ("machine", "network")

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
        await self._admit()
        async with aclosing(self.stream_exchange(request.model, await self._exchange(request))) as deltas:
            async for delta in deltas:
                yield delta

    async def stream_exchange(self, model: str, exchange: Exchange) -> AsyncGenerator[Delta, None]:
        """Send one request for an answer; yield its deltas."""
        answer = exchange.parser
        async with AsyncExitStack() as stack:
            stack.enter_context(self._counted_stream())
            async with self._limited_silence(exchange):
                reply = await self._begin(stack, model, exchange)
            has_yielded = False
            while not answer.done and (chunk := await self._read(reply, exchange, has_yielded=has_yielded)):
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

    def know_vision(self, models: frozenset[str]) -> None:
        """Take over which models were probed to see."""
        self.vision_models = models

    async def _admit(self) -> None:
        """Let a question, or other work, in. Raises EngineBusy if too many wait at the server."""
        waiting = None if self.max_waiting is None else await self._count_waiting()
        if waiting is not None and self.max_waiting is not None and waiting > self.max_waiting:
            raise queue_full(self.name, waiting)

    async def _count_waiting(self) -> int | None:
        """Count the requests that wait at the server; None if it doesn't say."""
        return None

    async def count(self, model: str, text: str) -> int:
        """Estimate the tokens of a text."""
        del model
        return estimate_tokens(text)

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """Refuse; see `Engine.embed`."""
        del texts, dimensions
        raise EngineRefused(f"The engine {self.name} has no embeddings; {model} cannot make any.", param="model")

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        """Refuse; see `Engine.rerank`."""
        del query, texts
        raise EngineRefused(f"The engine {self.name} does not rerank; {model} cannot either.", param="model")

    async def health(self, model: str | None = None) -> Health:
        """Return the server's health, by the list of its models."""
        del model
        try:
            await self._list(idle=5.0)
        except EngineUnavailable as error:
            return Health("loading" if "loading" in error.message.lower() else "down", error.message)
        except EclairError as error:
            return Health("down", error.message)
        return Health("ready", f"{self.url} answers.")

    async def prefill(self, request: Request) -> None:
        """Do nothing: it would cost money."""
        del request

    async def close(self) -> None:
        await self.http.close()

    async def fetch(
        self, url: str, body: JSON | bytes | None = None, *, idle: float | None = None, content_type: str = JSON_TYPE
    ) -> JSON:
        """Fetch a JSON object, by POST if there is a body: JSON, or bytes of another type. Raises UpstreamError."""
        sent = orjson.dumps(body) if isinstance(body, dict) else body
        try:
            try:
                data = await self._fetch_once(url, sent, idle, content_type)
            except Unreachable:  # perhaps a kept-alive connection that the server was closing
                data = await self._fetch_once(url, sent, idle, content_type)
        except (Unreachable, TimedOut) as error:
            raise EngineUnavailable(f"The engine {self.name} cannot be reached: {error}.") from error
        except (BrokenReply, orjson.JSONDecodeError) as error:
            raise EngineBroken(f"The engine {self.name} sent an invalid reply: {error}.") from error
        except Retryable as error:
            raise error.fault from None
        if not isinstance(data, dict):
            raise EngineBroken(f"The engine {self.name} sent an invalid reply: a list at {url}.")
        return data  # pyright: ignore[reportUnknownVariableType]

    @asynccontextmanager
    async def fetch_bytes(self, url: str, body: JSON) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Ask by POST, and give the bytes of the reply as they come. Raises UpstreamError."""
        try:
            async with self.http.post(url, orjson.dumps(body)) as reply:
                if reply.status != 200:
                    content = await reply.body(MAX_BODY_BYTES)
                    refuse(reply.status, reply.headers, content, self.name, self._key, self._setting)
                yield iterate(reply)
        except (Unreachable, TimedOut) as error:
            raise EngineUnavailable(f"The engine {self.name} cannot be reached: {error}.") from error
        except BrokenReply as error:
            raise EngineBroken(f"The engine {self.name} sent an invalid reply: {error}.") from error
        except Retryable as error:
            raise error.fault from None

    @abstractmethod
    async def _list(self, idle: float | None = None) -> list[JSON]:
        """List the server's models, each with its `id`. Raises UpstreamError."""

    @abstractmethod
    def _model(self, row: JSON) -> Model:
        """Build a model from a row of the list. May raise ILL_TYPED."""

    @abstractmethod
    async def _exchange(self, request: Request) -> Exchange:
        """Put a request into words. Raises EngineRefused for what can't be asked."""

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

    def _bad_list(self) -> EngineBroken:
        return EngineBroken(f"The engine {self.name} sent an invalid list of models: a value of the wrong type.")

    async def _fetch_once(self, url: str, body: bytes | None, idle: float | None, content_type: str) -> Any:
        call = (
            self.http.get(url, idle_timeout_s=idle)
            if body is None
            else self.http.post(url, body, idle_timeout_s=idle, content_type=content_type)
        )
        async with call as reply:
            content = await reply.body(MAX_BODY_BYTES)
            if reply.status != 200:
                refuse(reply.status, reply.headers, content, self.name, self._key, self._setting)
            return orjson.loads(content)

    async def _begin(self, stack: AsyncExitStack, model: str, exchange: Exchange) -> StreamedReply:
        """Open the stream. A model that refuses hints isn't sent them again."""
        if exchange.plain_body is None:
            return await self._ask(stack, exchange, exchange.body)
        if model in self._refusing_hints:
            return await self._ask(stack, exchange, exchange.plain_body)
        try:
            return await self._ask(stack, exchange, exchange.body)
        except EngineRefused:
            reply = await self._ask(stack, exchange, exchange.plain_body)
            self._refusing_hints.add(model)
            return reply

    async def _ask(self, stack: AsyncExitStack, exchange: Exchange, body: JSON) -> StreamedReply:
        """Open the stream, with up to three attempts."""
        content = orjson.dumps(body)
        for pause in (*RETRY_PAUSES_S, None):
            try:
                return await self._attempt(stack, exchange, content)
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

    async def _attempt(self, stack: AsyncExitStack, exchange: Exchange, body: bytes) -> StreamedReply:
        idle = UNLIMITED_IDLE_S if exchange.shows_life is not None else None
        try:
            reply = await stack.enter_async_context(
                self.http.post(
                    exchange.url,
                    body,
                    idle_timeout_s=idle,
                    keep_alive=exchange.keep_alive,
                    headers=exchange.headers,
                )
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

    async def _read(self, reply: Reply, exchange: Exchange, *, has_yielded: bool) -> bytes:
        try:
            if not has_yielded:
                async with self._limited_silence(exchange):
                    return await reply.read()
            async with asyncio.timeout(self._idle if exchange.shows_life is not None else None):
                return await reply.read()
        except TimedOut as error:
            raise EngineUnavailable(f"The engine {self.name} stopped responding: {error}.") from error
        except TimeoutError:
            sentence = f"The engine {self.name} stopped responding: it said nothing for {self._idle:g} seconds."
            raise EngineUnavailable(sentence) from None
        except BrokenReply as error:
            if exchange.parser.ended:
                return b""
            raise EngineBroken(f"The engine {self.name} broke off its answer: {error}; try again.") from error

    @asynccontextmanager
    async def _limited_silence(self, exchange: Exchange) -> AsyncGenerator[None]:
        """Bound a wait for the first word, unless the engine is at work. Raises EngineUnavailable."""
        try:
            async with limit_silence(self._first_word_s, exchange.shows_life):
                yield
        except TimeoutError:
            sentence = f"The engine {self.name} said nothing for {self._first_word_s:g} seconds (first_word_seconds)."
            raise EngineUnavailable(sentence) from None
