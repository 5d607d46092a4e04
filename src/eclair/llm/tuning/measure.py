"""How fast a model is with a given choice: an engine of its own, asked by turns with other choices.

Speeds are those that llama.cpp states of its own work, so that neither HTTP nor loading is in them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from eclair.errors import EngineUnavailable
from eclair.llm.base import JSON
from eclair.llm.local import profile
from eclair.llm.local.llama_server import Order, Serving
from eclair.llm.local.profile import Choice, Speed
from eclair.llm.local.speculative import GUESSES, Guessing
from eclair.llm.local.subprocess import LlamaSubprocess
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.engine import OpenAIEngine
from eclair.settings import Settings
from eclair.util.cpu import cores

WINDOW = 1024
LONGEST = 512
"""Tokens of a prompt whose reading is measured; fewer where a model takes longer than PATIENCE for it."""
DEEP = 8
"""How many times as many stand before an answer whose question brings a document."""
WRITTEN = 48
PATIENCE = 1.0
REPEATED = 24
"""Tokens that a text says again and again where guesses are measured."""
READ_OF_EXCHANGE, WRITTEN_OF_EXCHANGE = 400, 150
"""Tokens of a usual exchange, by which choices are compared."""

WORDS = (
    "river",
    "stone",
    "morning",
    "letter",
    "garden",
    "winter",
    "bread",
    "market",
    "window",
    "music",
    "forest",
    "paper",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine that is ready."""

    client: OpenAIEngine

    async def complete(self, body: JSON) -> JSON:
        """llama.cpp's own completion, greedy and without a cache. Raises UpstreamError."""
        return await self._fetch("completion", {"cache_prompt": False, "temperature": 0, **body})

    async def tokens(self, text: str) -> list[int]:
        """The text as the model's tokens. Raises UpstreamError."""
        found: list[int] = (await self._fetch("tokenize", {"content": text}))["tokens"]
        return found

    async def speed(self, size: Size) -> Speed:
        """One sample of its speed. No prompt is like another, so that nothing of it is in a cache."""
        long = await self.timed(size.read, size.written)
        short = await self.timed(8, size.written)
        return Speed(long["prompt_per_second"], short["predicted_per_second"], long["predicted_per_second"])

    async def timed(self, read: int, written: int) -> JSON:
        """llama.cpp's timings of reading and writing so many tokens. Raises UpstreamError."""
        tokens = (await self.tokens(prose(read)))[:read]
        return (await self.complete({"prompt": tokens, "n_predict": written, "ignore_eos": True}))["timings"]

    async def repeating(self, size: Size) -> JSON:
        """llama.cpp's timings of going on with a text that says the same again and again. Raises UpstreamError."""
        part = (await self.tokens(prose(REPEATED)))[:REPEATED]
        tokens = part * max(2, (size.read - size.written) // REPEATED)
        return (await self.complete({"prompt": tokens, "n_predict": 2 * size.written, "ignore_eos": True}))["timings"]

    async def _fetch(self, path: str, body: JSON) -> JSON:
        return await self.client.fetch(f"{self.client.url.removesuffix('/v1')}/{path}", body, idle=600)


@dataclass(frozen=True, slots=True)
class Size:
    """How many tokens a sample reads and writes."""

    read: int = LONGEST
    written: int = WRITTEN

    @classmethod
    async def suiting(cls, loaded: Loaded) -> Size:
        """What the model does in about PATIENCE seconds each."""
        await loaded.timed(32, 8)
        tried = await loaded.timed(32, 8)
        return cls(
            max(32, min(LONGEST, int(tried["prompt_per_second"] * PATIENCE))),
            max(8, min(WRITTEN, int(tried["predicted_per_second"] * PATIENCE))),
        )

    def deep(self, context: int) -> Size:
        """As with a document in the question, if the model has room for that in its context."""
        return replace(self, read=max(self.read, min(DEEP * self.read, context - self.written - 8)))

    @property
    def window(self) -> int:
        """Tokens of the context that it needs."""
        return max(WINDOW, self.read + self.written + 8)


def prose(tokens: int) -> str:
    """At least so many tokens of words in an order that has not been before."""
    return " ".join(secrets.choice(WORDS) for _ in range(tokens))


@contextlib.asynccontextmanager
async def loaded(
    path: Path,
    choice: Choice,
    settings: Settings,
    parallel: int = 1,
    nice: int = 0,
    window: int = WINDOW,
    guesses: Guessing = "none",
) -> AsyncGenerator[Loaded]:
    """An engine with the file at `path` and that choice, for as long as the block lasts; `window` is its context. It
    guesses as `guesses` says, whatever the choice.

    Raises EngineUnavailable where it does not start.
    """
    guess = GUESSES[guesses]
    order = Order(
        model=str(path),
        name="tuning",
        key=secrets.token_urlsafe(24),
        context=window,
        shared=window * parallel,
        parallel=parallel,
        threads=settings.embedded_threads or choice.reading or cores(),
        cache_mib=0,
        scratch=f"{settings.data_dir / 'scratch'}{os.sep}",
        writing=choice.writing,
        kv=choice.kv,
        flash=choice.flash,
        nice=nice,
        lookup=guess.lookup,
        draft=guess.draft,
        compiled=str(profile.compiled(settings.data_dir)) if choice.compiled else "",
    )
    async with LlamaSubprocess.started(order, settings.data_dir / "logs") as child:
        match await child.reply():
            case Serving(url):
                client = OpenAIEngine("tuning", f"{url}/v1", child.key, dialect=DIALECTS[0])
            case _:
                raise EngineUnavailable(f"{path.name} cannot be loaded ({child.last_words()}).")
        try:
            yield Loaded(client)
        finally:
            await client.close()


def exchange(speed: Speed) -> float:
    """Seconds that a usual exchange takes."""
    return READ_OF_EXCHANGE / speed.prefill + WRITTEN_OF_EXCHANGE * (0.5 / speed.decode + 0.5 / speed.deep)


def middle(speeds: Sequence[Speed]) -> Speed:
    return Speed(
        median(speed.prefill for speed in speeds),
        median(speed.decode for speed in speeds),
        median(speed.deep for speed in speeds),
    )
