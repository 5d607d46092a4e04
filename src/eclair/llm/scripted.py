"""A scripted engine: deterministic, at any speed, for tests, demos and benchmarks.

It answers with made-up prose. A line of the last message that begins with `script:` changes that, as in

    script: words=500 rate=2000 pause=1.5@20

Once its calls have results, the next such line counts, or else it answers with prose.

| option | meaning |
|---|---|
| `words=N` | number of words, one token each (40) |
| `rate=N` | words per second, those of calls too; 0 is as fast as they are read (0) |
| `pause=S@N` | a pause of S seconds before word N |
| `fail=N` | an error in place of word N |
| `break=N` | the stream breaks off in place of word N |
| `guessed=N/M` | M words drafted, N of them accepted |
| `reasoning=N` | N words of reasoning first, unless reasoning is off |
| `tool=NAME{"a":1}` | a call of that tool, its JSON in words of 8 characters; no spaces; several are made at once |
| `load=S` | a model that takes S seconds to load |
| `read=N` | N tokens of a prompt that are read first, 1,000 a second |
| `busy=S` | a busy error with a Retry-After of S seconds |
| `say=TEXT` | these words, to the end of the line; `⏎` begins a new one |
| `title=A_B` | the title for the conversation, `_` for a space; none by default |
| `next=A_B?,C?` | the questions that follow, `_` for a space; none by default |
| `below=1` | the lines of the message below this one, word by word |
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from eclair.errors import EngineBusy, EngineRefused, EngineUnavailable, InvalidInput
from eclair.llm.base import (
    Delta,
    Embeddings,
    Finish,
    Health,
    PromptProgress,
    Reasoning,
    Request,
    Text,
    TokenUsage,
    ToolCall,
)
from eclair.llm.reasoning import OFF_EFFORTS
from eclair.schema.messages import FinishReason
from eclair.schema.models import Model

MODEL = "scripted"
CONTEXT = 32768
FIRST_SURROGATE = 0xD800
DIMENSIONS = 64
TICK_S = 0.002
BURST_WORDS = 64
READ_BATCH_TOKENS = 128
READ_TOKENS_PER_S = 1000
MAX_WORDS_AT_ONCE = 5_000

T = TypeVar("T")

_LEXICON = tuple(
    "the light of morning falls on a quiet square where bread is sold and people talk about rivers "  # noqa: SIM905
    "bridges music and weather while a small engine counts every word it says and nothing is lost".split()
)
_OPTION = re.compile(r"\b(\w++)=(\S++)")
_WORD = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class Script:
    """The options of a script; see the module's docstring."""

    words: int = 40
    rate: float = 0.0
    pause: float = 0.0
    pause_at: int = 0
    fail: int | None = None
    break_: int | None = None
    drafted: tuple[int, int] | None = None
    reasoning: int = 0
    tools: tuple[tuple[str, str], ...] = ()
    say: str | None = None
    below: str | None = None
    load: float = 0.0
    read: int = 0
    busy: float | None = None
    title: str = ""
    next: tuple[str, ...] = ()


def parse_script(message: str, round: int = 0) -> Script:
    """Parse the script in a message, for that round of calls. Raises InvalidInput for an unknown option."""
    lines = message.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if line.startswith("script:")]
    place = places[round] if round < len(places) else len(lines)
    line, _, say = "".join(lines[place : place + 1])[7:].rstrip("\r\n").partition("say=")
    options: list[tuple[str, str]] = _OPTION.findall(line)
    values = dict(options)
    values.pop("tool", None)
    pause, _, at = values.pop("pause", "0").partition("@")
    try:
        script = Script(
            words=int(values.pop("words", 40)),
            rate=float(values.pop("rate", 0)),
            pause=float(pause),
            pause_at=int(at or 0),
            fail=int(values.pop("fail")) if "fail" in values else None,
            break_=int(values.pop("break")) if "break" in values else None,
            drafted=_parse_drafted(values.pop("guessed")) if "guessed" in values else None,
            reasoning=int(values.pop("reasoning", 0)),
            tools=tuple(_parse_call(value) for name, value in options if name == "tool"),
            say=say.replace("⏎", "\n") or None,
            below="".join(lines[place + 1 :]) if int(values.pop("below", 0)) else None,
            load=float(values.pop("load", 0)),
            read=int(values.pop("read", 0)),
            busy=float(values.pop("busy")) if "busy" in values else None,
            title=values.pop("title", "").replace("_", " "),
            next=tuple(values.pop("next", "").replace("_", " ").split(",")),
        )
    except ValueError as error:
        raise InvalidInput(f"The script has a value of the wrong type: {error}.") from None
    if values:
        raise InvalidInput(f"The script has an unknown option {next(iter(values))!r}.")
    return script


def prose(count: int) -> Iterator[str]:
    """Yield words in sentences and paragraphs, each but the first with a space before it."""
    for number in range(count):
        word = _LEXICON[(number * 7 + number // 11) % len(_LEXICON)]
        starts = number % 12 == 0
        ends = "." if number % 12 == 11 or number == count - 1 else ""
        space = "" if number == 0 else "\n\n" if number % 60 == 0 else " "
        yield sys.intern(space + (word.capitalize() if starts else word) + ends)  # many long answers share few words


class ScriptedEngine:
    """Implements `Engine`. `made` counts all words made, so that a test sees a stop work."""

    name = "scripted"

    def __init__(self) -> None:
        self.made = 0
        self._loading = 0
        self._load_began = 0.0
        self._load_s = 1.0

    async def models(self) -> list[Model]:
        return [
            Model(
                MODEL,
                "Scripted",
                self.name,
                context=CONTEXT,
                license="Apache-2.0",
                languages=("en",),
                reasoning="enable_thinking",
                can_call_tools=True,
                call_way="native",
                calls_well=True,
            )
        ]

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        script = parse_script(_question(request), _rounds(request))
        if request.tool_choice == "none":
            script = replace(script, tools=())
        if request.purpose == "title":
            async for text in self._pace(_WORD.findall(script.title), script.rate):
                yield Text(text)
            yield Finish("stop")
            return
        if request.purpose == "follow_ups":
            yield Text("\n".join(script.next))
            yield Finish("stop")
            return
        if script.busy is not None:
            raise EngineBusy("The scripted engine is busy; try again later.", retry_after=script.busy)
        await self._load(script.load)
        async for progress in self._read(script.read):
            yield progress
        thoughts = 0 if request.extra.get("reasoning_effort") in OFF_EFFORTS else script.reasoning
        async for text in self._pace(await _made(thoughts, lambda: list(prose(thoughts))), script.rate):
            yield Reasoning(text)
        for number, piece in enumerate(_tool_calls(script, _rounds(request))):
            yield piece
            await asyncio.sleep(script.pause if number == script.pause_at else 1 / script.rate if script.rate else 0)
        script = replace(script, pause=0.0) if script.tools else script
        words, reason, stop = await _made(script.words, lambda: _cut_answer(script, request))
        async for text in self._speak(words, script):
            yield Text(text)
        if script.break_ is not None:
            return
        accepted, drafted = script.drafted or _predicted(request, words)
        yield TokenUsage(_prompt_words(request), thoughts + len(words), 0, thoughts, drafted, accepted)
        yield Finish(reason, stop)

    async def count(self, model: str, text: str) -> int:
        return len(text.split())

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        if not all(0 <= token < FIRST_SURROGATE for token in tokens):
            raise InvalidInput("The prompt has token ids that the model doesn't have; send its own.", param="prompt")
        return "".join(map(chr, tokens))

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        vectors = [_vector(text, dimensions or DIMENSIONS) for text in texts]
        return Embeddings(vectors, sum(len(text.split()) for text in texts))

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        raise EngineRefused("The scripted engine reranks nothing.")

    async def health(self, model: str | None = None) -> Health:
        if not self._loading:
            return Health("ready", "It is ready.")
        return Health("loading", "It pretends to load.", (time.perf_counter() - self._load_began) / self._load_s)

    async def prefill(self, request: Request) -> None:
        """Do nothing: there is no cache."""

    async def close(self) -> None:
        """Do nothing: it holds no resources."""

    async def _load(self, seconds: float) -> None:
        if not seconds:
            return
        self._loading += 1
        self._load_began, self._load_s = time.perf_counter(), seconds
        try:
            await asyncio.sleep(seconds)
        finally:
            self._loading -= 1

    async def _read(self, tokens: int) -> AsyncGenerator[PromptProgress, None]:
        for done in range(0, tokens, READ_BATCH_TOKENS):
            yield PromptProgress(done, tokens)
            await asyncio.sleep(READ_BATCH_TOKENS / READ_TOKENS_PER_S)

    async def _speak(self, words: list[str], script: Script) -> AsyncGenerator[str, None]:
        """Yield the words, with the script's pause and failure."""
        ends = [at for at in (script.fail, script.break_) if at is not None]
        end = min([len(words), *ends])
        async for text in self._pace(words[: min(script.pause_at, end)], script.rate):
            yield text
        await asyncio.sleep(script.pause)
        async for text in self._pace(words[min(script.pause_at, end) : end], script.rate):
            yield text
        if script.fail is not None:
            raise EngineUnavailable("The scripted engine fails, as it was told to.")

    async def _pace(self, words: list[str], rate: float) -> AsyncGenerator[str, None]:
        """Yield the words that are due together, at most BURST_WORDS at once."""
        started = time.perf_counter()
        at = 0
        while at < len(words):
            due = len(words) if not rate else int((time.perf_counter() - started) * rate) + 1
            until = min(due, at + BURST_WORDS)
            if until > at:
                self.made += until - at
                yield "".join(words[at:until])
                at = until
            await asyncio.sleep(max(TICK_S, started + at / rate - time.perf_counter()) if rate else 0)


def _question(request: Request) -> str:
    if request.prompt is not None:
        return request.prompt
    asked = [message.content for message in request.messages if message.role == "user"]
    return asked[-1] if asked and isinstance(asked[-1], str) else ""


def _predicted(request: Request, words: list[str]) -> tuple[int | None, int | None]:
    """Count the words of the answer that were predicted, and the words of the prediction."""
    if request.prediction is None:
        return None, None
    predicted = Counter(request.prediction.split())
    return (predicted & Counter("".join(words).split())).total(), predicted.total()


def _parse_drafted(value: str) -> tuple[int, int]:
    right, _, drafted = value.partition("/")
    return int(right), int(drafted)


def _prompt_words(request: Request) -> int:
    texts = [request.prompt, *(message.content for message in request.messages)]
    return sum(len(text.split()) for text in texts if isinstance(text, str))


def _vector(text: str, dimensions: int) -> list[float]:
    """Return a unit vector, the sum of word vectors: similar texts are near each other."""
    total = [0.25] * dimensions  # the bytes add halves, so that it is never zero
    for word in text.lower().split() or [text]:
        for place, byte in enumerate(hashlib.shake_256(word.encode()).digest(dimensions)):
            total[place] += byte - 127.5
    length = math.hypot(*total)
    return [number / length for number in total]


def _parse_call(value: str) -> tuple[str, str]:
    """Return the name and the arguments of a call."""
    name, brace, arguments = value.partition("{")
    return name, (brace + arguments) or "{}"


def _rounds(request: Request) -> int:
    """Count the times that calls were made since the last question."""
    since = next((at for at in reversed(range(len(request.messages))) if request.messages[at].role == "user"), 0)
    return sum(bool(message.tool_calls) for message in request.messages[since:])


def _tool_calls(script: Script, round: int) -> Iterator[ToolCall]:
    for index, (name, arguments) in enumerate(script.tools):
        number = f"{round}_{index + 1}" if round else str(index + 1)
        yield ToolCall(index, f"call_{number}", name, "")
        for start in range(0, len(arguments), 8):
            yield ToolCall(index, None, None, arguments[start : start + 8])


async def _made(words: int, make: Callable[[], T]) -> T:
    """Return what `make` does; so many `words` may take most of a second, which nobody else is to wait for."""
    return await asyncio.to_thread(make) if words > MAX_WORDS_AT_ONCE else make()


def _words(script: Script) -> list[str]:
    if script.below is not None:
        return _WORD.findall(script.below)
    if script.say is not None:
        return _WORD.findall(script.say) if script.rate else [script.say]
    return list(prose(script.words))


def _cut_answer(script: Script, request: Request) -> tuple[list[str], FinishReason, str | None]:
    """Cut the answer at a stop sequence or the maximum length; return what ended it."""
    if script.tools:
        return [], "tool_calls", None
    words = _words(script)
    text = "".join(words)
    cuts = [(at, stop) for at, stop in ((text.find(stop), stop) for stop in request.sampling.stop) if at >= 0]
    at, stop = min(cuts, default=(len(text), None))
    if stop is not None:
        words = _WORD.findall(text[:at])
    limit = request.sampling.max_tokens
    if limit is not None and len(words) > limit:
        return words[:limit], "length", None
    return words, "stop", stop
