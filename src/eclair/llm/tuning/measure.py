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
from eclair.llm.local.llama_server import LlamaServerOptions, Serving
from eclair.llm.local.profile import Speed, TuningChoice
from eclair.llm.local.speculative import DRAFT_SETTINGS, DraftMode
from eclair.llm.local.subprocess import LlamaSubprocess
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.engine import OpenAIEngine
from eclair.settings import Settings
from eclair.util.cpu import available_cores

CONTEXT_TOKENS = 1024
MAX_PROMPT_TOKENS = 512
"""Tokens of a prompt whose reading is measured; fewer where a model takes longer than PATIENCE for it."""
LONG_PROMPT_FACTOR = 8
"""How many times as many stand before an answer whose question brings a document."""
MAX_ANSWER_TOKENS = 48
MAX_SAMPLE_S = 1.0
REPEATED_TOKENS = 24
"""Tokens that a text says again and again where guesses are measured."""
EXCHANGE_PROMPT_TOKENS, EXCHANGE_ANSWER_TOKENS = 400, 150
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
class TuningEngine:
    """An engine that is ready."""

    client: OpenAIEngine

    async def complete(self, body: JSON) -> JSON:
        """llama.cpp's own completion, greedy and without a cache. Raises UpstreamError."""
        return await self._fetch("completion", {"cache_prompt": False, "temperature": 0, **body})

    async def tokenize(self, text: str) -> list[int]:
        """The text as the model's tokens. Raises UpstreamError."""
        found: list[int] = (await self._fetch("tokenize", {"content": text}))["tokens"]
        return found

    async def measure_speed(self, size: SampleSize) -> Speed:
        """One sample of its speed. No prompt is like another, so that nothing of it is in a cache."""
        long = await self.time_exchange(size.prompt_tokens, size.answer_tokens)
        short = await self.time_exchange(8, size.answer_tokens)
        return Speed(long["prompt_per_second"], short["predicted_per_second"], long["predicted_per_second"])

    async def time_exchange(self, read: int, written: int) -> JSON:
        """llama.cpp's timings of reading and writing so many tokens. Raises UpstreamError."""
        tokens = (await self.tokenize(random_prose(read)))[:read]
        return (await self.complete({"prompt": tokens, "n_predict": written, "ignore_eos": True}))["timings"]

    async def time_repetition(self, size: SampleSize) -> JSON:
        """llama.cpp's timings of going on with a text that says the same again and again. Raises UpstreamError."""
        part = (await self.tokenize(random_prose(REPEATED_TOKENS)))[:REPEATED_TOKENS]
        tokens = part * max(2, (size.prompt_tokens - size.answer_tokens) // REPEATED_TOKENS)
        return (await self.complete({"prompt": tokens, "n_predict": 2 * size.answer_tokens, "ignore_eos": True}))[
            "timings"
        ]

    async def _fetch(self, path: str, body: JSON) -> JSON:
        return await self.client.fetch(f"{self.client.url.removesuffix('/v1')}/{path}", body, idle=600)


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How many tokens a sample reads and writes."""

    prompt_tokens: int = MAX_PROMPT_TOKENS
    answer_tokens: int = MAX_ANSWER_TOKENS

    @classmethod
    async def fit(cls, loaded: TuningEngine) -> SampleSize:
        """What the model does in about PATIENCE seconds each."""
        await loaded.time_exchange(32, 8)
        tried = await loaded.time_exchange(32, 8)
        return cls(
            max(32, min(MAX_PROMPT_TOKENS, int(tried["prompt_per_second"] * MAX_SAMPLE_S))),
            max(8, min(MAX_ANSWER_TOKENS, int(tried["predicted_per_second"] * MAX_SAMPLE_S))),
        )

    def with_long_prompt(self, context: int) -> SampleSize:
        """As with a document in the question, if the model has room for that in its context."""
        return replace(
            self,
            prompt_tokens=max(
                self.prompt_tokens, min(LONG_PROMPT_FACTOR * self.prompt_tokens, context - self.answer_tokens - 8)
            ),
        )

    @property
    def window(self) -> int:
        """Tokens of the context that it needs."""
        return max(CONTEXT_TOKENS, self.prompt_tokens + self.answer_tokens + 8)


def random_prose(tokens: int) -> str:
    """At least so many tokens of words in an order that has not been before."""
    return " ".join(secrets.choice(WORDS) for _ in range(tokens))


@contextlib.asynccontextmanager
async def open_tuning_engine(
    path: Path,
    choice: TuningChoice,
    settings: Settings,
    parallel: int = 1,
    nice: int = 0,
    window: int = CONTEXT_TOKENS,
    guesses: DraftMode = "none",
) -> AsyncGenerator[TuningEngine]:
    """An engine with the file at `path` and that choice, for as long as the block lasts; `window` is its context. It
    guesses as `guesses` says, whatever the choice.

    Raises EngineUnavailable where it does not start.
    """
    guess = DRAFT_SETTINGS[guesses]
    order = LlamaServerOptions(
        model=str(path),
        name="tuning",
        key=secrets.token_urlsafe(24),
        context=window,
        shared_context=window * parallel,
        parallel=parallel,
        prompt_threads=settings.embedded_threads or choice.prompt_threads or available_cores(),
        cache_mib=0,
        scratch=f"{settings.data_dir / 'scratch'}{os.sep}",
        decode_threads=choice.decode_threads,
        kv_type=choice.kv_type,
        flash_attention=choice.flash_attention,
        nice=nice,
        lookup_tokens=guess.lookup_tokens,
        draft_tokens=guess.draft_tokens,
        compiled_folder=str(profile.compiled_folder(settings.data_dir)) if choice.is_compiled else "",
    )
    async with LlamaSubprocess.started(order, settings.data_dir / "logs") as child:
        match await child.reply():
            case Serving(url):
                client = OpenAIEngine("tuning", f"{url}/v1", child.key, dialect=DIALECTS[0])
            case _:
                raise EngineUnavailable(f"{path.name} cannot be loaded ({child.last_words()}).")
        try:
            yield TuningEngine(client)
        finally:
            await client.close()


def exchange_seconds(speed: Speed) -> float:
    """Seconds that a usual exchange takes."""
    return EXCHANGE_PROMPT_TOKENS / speed.prefill + EXCHANGE_ANSWER_TOKENS * (0.5 / speed.decode + 0.5 / speed.deep)


def median_speed(speeds: Sequence[Speed]) -> Speed:
    return Speed(
        median(speed.prefill for speed in speeds),
        median(speed.decode for speed in speeds),
        median(speed.deep for speed in speeds),
    )
