"""Probes a server's abilities, each with a small request.

"no" means that a server refuses or ignores a feature; "failed" that it couldn't be tried. `service` stores the
results.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import orjson

from eclair.llm.base import JSON
from eclair.llm.remote.reply_values import as_sentence, error_text, redact_key
from eclair.llm.servers.discovery import Discovery, discover
from eclair.network.client import CLOSED_GATE, BrokenReply, HttpClient, OutboundGate, TimedOut, Unreachable
from eclair.schema.ids import Clock

Feature = Literal[
    "answers",
    "streams",
    "usage",
    "tools",
    "json_schema",
    "vision",
    "logprobs",
    "prefix_cache",
    "tokenize",
    "embeddings",
]
ProbeOutcome = Literal["yes", "no", "failed"]

FIRST_ANSWER_TIMEOUT_S = 60.0
"""For the first answer, for which a model may have to be loaded."""
REQUEST_TIMEOUT_S = 20.0
"""For every other request, between two bytes."""
MAX_REPLY_BYTES = 4 << 20
MAX_MODELS_TRIED = 3
"""Models of its list that are tried before the server is reported not to have them."""

UNSUPPORTED_STATUSES = frozenset({400, 404, 405, 415, 422, 501})
"""Statuses with which servers reject a feature."""

RED_SQUARE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAKElEQVR42u3NQQkAAAgAsesf1Bym8CEM"
    "9l9TpxIIBAKBQCAQCARfggVrMpguoai4CwAAAABJRU5ErkJggg=="
)
RED_WORDS = ("red", "rouge", "rot", "crimson", "scarlet")
LONG_PROMPT = "The lighthouse keeper wrote down the wind, the tide and the names of the ships that passed. " * 60
"""Over a thousand tokens: some servers don't cache shorter prefixes."""

WEATHER_TOOL: JSON = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city, now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
COUNT_SCHEMA: JSON = {
    "type": "json_schema",
    "json_schema": {
        "name": "count",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"count": {"type": "integer"}},
            "required": ["count"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True, slots=True)
class ProbeFinding:
    """The outcome for one feature; `detail` says why not, or is empty."""

    feature: Feature
    outcome: ProbeOutcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """All findings, made at `at` (milliseconds since 1970), on `url`, with `model`.

    `fault` is why the server can't be used, `address` one that works; `notes` are what the server claims wrongly.
    """

    at: int
    url: str
    model: str | None = None
    findings: tuple[ProbeFinding, ...] = ()
    fault: str | None = None
    address: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reply:
    """A reply: its status, its body, and the fault if there was none."""

    status: int = 0
    content: bytes = b""
    fault: str = ""
    key: str | None = None

    @property
    def data(self) -> JSON:
        """The JSON object of the body; empty if it is not one."""
        try:
            found: Any = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]

    def choice(self, *path: str) -> Any:
        """Return the value at a path within the first choice."""
        return _at(self.data, "choices", 0, *path)

    @property
    def text(self) -> str:
        found = self.choice("message", "content")
        return found if isinstance(found, str) else ""

    @property
    def said(self) -> str:
        return as_sentence(redact_key(self.key, error_text(self.data)) or f"status {self.status}")


@dataclass(slots=True)
class _Chat:
    """A streamed answer as it arrived."""

    frames: list[JSON] = field(default_factory=list[JSON])
    streamed: bool = False

    @property
    def model(self) -> str | None:
        return next((str(frame["model"]) for frame in self.frames if frame.get("model")), None)

    @property
    def usage(self) -> bool:
        return any(isinstance(frame.get("usage"), dict) for frame in self.frames)

    @property
    def answered(self) -> bool:
        return any(frame.get("choices") for frame in self.frames)


class Prober:
    """Probes the server at `url`, through `gate`.

    `models` need not be in its list; `country` is what its owner stated.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        models: Sequence[str] = (),
        *,
        clock: Clock = time.time,
        gate: OutboundGate = CLOSED_GATE,
        country: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._models = tuple(models)
        self._clock = clock
        self._http = HttpClient(self._url, key, gate=gate, country=country, idle_timeout_s=REQUEST_TIMEOUT_S)
        self._findings: list[ProbeFinding] = []
        self._notes: list[str] = []

    async def run(self) -> AsyncGenerator[ProbeFinding | Probe, None]:
        """Yield each finding as it is made, then the probe."""
        try:
            reached = await discover(self._http, self._url, keyed=self._key is not None, listless=bool(self._models))
            if reached.fault is not None:
                yield self._find("answers", "failed" if reached.is_down else "no", reached.fault)
                yield self._result(None, reached.fault, reached.suggested_url)
                return
            model, chat, fault = await self._first_answer(reached)
            if chat is None:
                yield self._find("answers", "failed", fault)
                yield self._result(model, fault)
                return
            yield self._find("answers", "yes")
            yield self._find_bool("streams", chat.streamed, "It sends its answers whole.")
            yield self._find_bool("usage", chat.usage, "It does not count tokens.")
            tries: list[Callable[[str], Awaitable[ProbeFinding]]] = [
                self._tools,
                self._json_schema,
                self._vision,
                self._logprobs,
                self._prefix_cache,
                self._tokenize,
            ]
            for attempt in tries:
                yield await attempt(model)
            yield await self._embeddings(reached, model)
            if await self._makes_images():
                self._notes.append("It makes images too.")
            yield self._result(model)
        finally:
            await self._http.close()

    def _find(self, feature: Feature, outcome: ProbeOutcome, detail: str = "") -> ProbeFinding:
        found = ProbeFinding(feature, outcome, detail)
        self._findings.append(found)
        return found

    def _find_bool(self, feature: Feature, seen: bool, otherwise: str) -> ProbeFinding:
        return self._find(feature, "yes" if seen else "no", "" if seen else otherwise)

    def _result(self, model: str | None, fault: str | None = None, address: str | None = None) -> Probe:
        at = int(self._clock() * 1000)
        return Probe(at, self._url, model, tuple(self._findings), fault, address, tuple(self._notes))

    async def _first_answer(self, reached: Discovery) -> tuple[str, _Chat | None, str]:
        """Return the model that answers, its answer, or else why none does."""
        candidates = [*self._models, *(name for name in reached.models if not _embeds(name))]
        if not candidates:
            return "", None, "It lists no model that answers; name one with `--model`."
        fault = ""
        for model in candidates[:MAX_MODELS_TRIED]:
            got, chat = await self._stream(model)
            if chat.answered:
                if chat.model is not None and not _same(model, chat.model):
                    self._notes.append(f"Asked for {model}, it says that {chat.model} answered.")
                return model, chat, ""
            fault = self._why_not(got, model, listed=model in reached.models)
            if got.status not in (400, 404):
                break
            self._notes.append(fault)
        return candidates[0], None, fault

    def _why_not(self, got: _Reply, model: str, *, listed: bool) -> str:
        if got.fault:
            return got.fault
        if got.content.lstrip().startswith(b"<"):
            return "It sends a web page in place of an answer; check the address, which usually ends in /v1."
        if got.status in (401, 403):
            wrong = "does not accept the key, which may have expired" if self._key else "asks for a key"
            return f"It lists its models but {wrong}; set the key."
        if got.status in (400, 404):
            lists = "lists the model {} but does not have it" if listed else "does not have the model {}"
            return f"It {lists.format(model)}: {got.said}"
        return f"It does not answer: {got.said}" if got.status != 200 else "Its reply is not an answer."

    async def _stream(self, model: str) -> tuple[_Reply, _Chat]:
        body: JSON = {
            "model": model,
            "messages": [{"role": "user", "content": "Answer with the word OK."}],
            "max_tokens": 16,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        got = await self._post(f"{self._url}/chat/completions", body, FIRST_ANSWER_TIMEOUT_S)
        if got.status in (400, 422) and "stream_options" in got.said:  # some refuse unknown fields
            del body["stream_options"]
            got = await self._post(f"{self._url}/chat/completions", body, FIRST_ANSWER_TIMEOUT_S)
        chat = _Chat()
        if got.status == 200:
            lines = [line[5:].strip() for line in got.content.split(b"\n") if line.startswith(b"data:")]
            chat.streamed = bool(lines)
            chat.frames = [_object(line) for line in lines] or [got.data]
        return got, chat

    async def _chat(self, model: str, content: Any, tokens: int = 64, **more: Any) -> _Reply:
        messages = [{"role": "user", "content": content}]
        body = {"model": model, "messages": messages, "max_tokens": tokens, **more}
        return await self._post(f"{self._url}/chat/completions", body)

    async def _tools(self, model: str) -> ProbeFinding:
        ask = "What is the weather in Paris now? Use the tool."
        got = await self._chat(model, ask, 200, tools=[WEATHER_TOOL], tool_choice="required")
        if got.status in UNSUPPORTED_STATUSES:
            got = await self._chat(model, ask, 200, tools=[WEATHER_TOOL])
        return self._judge("tools", got, bool(got.choice("message", "tool_calls")), "It takes tools and calls none.")

    async def _json_schema(self, model: str) -> ProbeFinding:
        got = await self._chat(model, "Say hello.", 100, response_format=COUNT_SCHEMA)
        count: Any = _object(got.text.encode()).get("count")
        return self._judge("json_schema", got, isinstance(count, int), "It takes a schema and does not keep to it.")

    async def _vision(self, model: str) -> ProbeFinding:
        picture = {"type": "image_url", "image_url": {"url": RED_SQUARE}}
        text = {"type": "text", "text": "Which color is this picture? Answer with one word."}
        got = await self._chat(model, [text, picture])
        if got.status >= 500 and any(word in got.said.lower() for word in ("image", "vision", "multimodal", "mmproj")):
            return self._find("vision", "no", got.said)
        seen = any(color in got.text.lower() for color in RED_WORDS)
        return self._judge("vision", got, seen, "It takes an image and does not see it.")

    async def _logprobs(self, model: str) -> ProbeFinding:
        got = await self._chat(model, "Hello", 4, logprobs=True, top_logprobs=1)
        found = bool(got.choice("logprobs", "content"))
        return self._judge("logprobs", got, found, "It accepts the option and returns none.")

    async def _prefix_cache(self, model: str) -> ProbeFinding:
        got = await self._chat(model, LONG_PROMPT, 1)
        if got.status == 200:
            got = await self._chat(model, LONG_PROMPT, 1)
        return self._judge(
            "prefix_cache", got, _cached(got.data) > 0, "It does not say that it read anything from a cache."
        )

    async def _tokenize(self, model: str) -> ProbeFinding:
        root = self._url.removesuffix("/v1")
        got = await self._post(f"{root}/tokenize", {"model": model, "prompt": "Hello", "content": "Hello"})
        found = isinstance(got.data.get("count"), int) or bool(got.data.get("tokens"))
        return self._judge("tokenize", got, found, "It does not count the tokens of a text.")

    async def _embeddings(self, reached: Discovery, model: str) -> ProbeFinding:
        named = next((name for name in (*self._models, *reached.models) if _embeds(name)), model)
        got = await self._post(f"{self._url}/embeddings", {"model": named, "input": "Hello"})
        found = bool(_at(got.data, "data", 0, "embedding"))
        return self._judge("embeddings", got, found, "It sends no vectors.")

    async def _makes_images(self) -> bool:
        """Return whether it can make images. A request without a prompt is refused, and free."""
        got = await self._post(f"{self._url}/images/generations", {})
        return got.status in (400, 422) and "prompt" in got.said.lower()

    def _judge(self, feature: Feature, got: _Reply, found: bool, ignored: str) -> ProbeFinding:
        if got.fault:
            return self._find(feature, "failed", got.fault)
        if got.status == 200:
            return self._find_bool(feature, found, ignored)
        if got.status in UNSUPPORTED_STATUSES:
            return self._find(feature, "no", got.said)
        return self._find(feature, "failed", got.said)

    async def _post(self, url: str, body: JSON, deadline: float = REQUEST_TIMEOUT_S) -> _Reply:
        try:
            async with (
                asyncio.timeout(2 * deadline),  # bounds a slow trickle too
                self._http.post(url, orjson.dumps(body), idle_timeout_s=deadline, keep_alive=False) as reply,
            ):
                return _Reply(reply.status, await reply.body(MAX_REPLY_BYTES), key=self._key)
        except (TimedOut, TimeoutError):
            return _Reply(fault=f"It did not answer within {deadline:g} seconds.")
        except (Unreachable, BrokenReply) as error:
            return _Reply(fault=f"The connection broke: {error}.")


def _object(text: bytes) -> JSON:
    return _Reply(content=text).data


def _cached(data: JSON) -> int:
    """Return the tokens read from a cache, by OpenAI's, DeepSeek's or llama.cpp's field."""
    counts = (
        _at(data, "usage", "prompt_tokens_details", "cached_tokens"),
        _at(data, "usage", "prompt_cache_hit_tokens"),
        _at(data, "timings", "cache_n"),
    )
    return max(count for count in (*counts, 0) if isinstance(count, int))


def _at(value: Any, *path: str | int) -> Any:
    """Return the value at `path` in JSON; None if there is none."""
    for step in path:
        match value:
            case dict() if isinstance(step, str):
                value = cast("JSON", value).get(step)
            case [*items] if isinstance(step, int) and items:
                value = items[step]
            case _:
                return None
    return value


def _embeds(model: str) -> bool:
    """Return whether a model makes embeddings, by its name."""
    name = model.lower()
    return any(part in name for part in ("embed", "bge-", "e5-", "gte-", "rerank"))


def _same(asked: str, answered: str) -> bool:
    """Return whether two names mean one model: with a path, version or date around it."""
    first, second = (name.lower().rpartition("/")[2].removesuffix(".gguf") for name in (asked, answered))
    return first.startswith(second) or second.startswith(first) or "latest" in first
