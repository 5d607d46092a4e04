"""Measures the speed of a model with given options, on an engine of its own.

Speeds are llama.cpp's own timings, so that HTTP and loading aren't included.
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
from eclair.llm.local.kernels import choose_kernels
from eclair.llm.local.llama_server import LlamaServerOptions, Serving
from eclair.llm.local.profile import Speed, TuningChoice
from eclair.llm.local.speculative import DRAFT_SETTINGS, DraftMode
from eclair.llm.local.subprocess import LlamaSubprocess
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.settings import Settings
from eclair.util.cpu import available_cores

CONTEXT_TOKENS = 1024
MAX_PROMPT_TOKENS = 512
"""Tokens of the prompt; fewer if a model needs longer than MAX_SAMPLE_S for it."""
LONG_PROMPT_FACTOR = 8
"""The factor by which a prompt with a document is longer."""
MAX_ANSWER_TOKENS = 48
MAX_SAMPLE_S = 1.0
REPEATED_TOKENS = 24
"""Tokens of the text that repeats itself, where drafting is measured."""
EXCHANGE_PROMPT_TOKENS, EXCHANGE_ANSWER_TOKENS = 400, 150
"""Tokens of a typical exchange, by which options are compared."""

MIN_DRAFTED_TOKENS = 24
"""Drafted tokens from which on their cost is known well enough."""

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
    """An engine that is ready. `kernels` names those for this CPU, unless it runs on its own."""

    client: OpenAIEngine
    kernels: str = ""

    async def complete(self, body: JSON) -> JSON:
        """Call llama.cpp's completion, greedy and without a cache. Raises UpstreamError."""
        return await self._fetch("completion", {"cache_prompt": False, "temperature": 0, **body})

    async def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a text. Raises UpstreamError."""
        found: list[int] = (await self._fetch("tokenize", {"content": text}))["tokens"]
        return found

    async def measure_speed(self, size: SampleSize) -> Speed:
        """Measure its speed once. Every prompt is different, so that no cache helps."""
        long = await self.time_exchange(size.prompt_tokens, size.answer_tokens)
        short = await self.time_exchange(8, size.answer_tokens)
        return Speed(long["prompt_per_second"], short["predicted_per_second"], long["predicted_per_second"])

    async def time_exchange(self, read: int, written: int) -> JSON:
        """Return llama.cpp's timings for so many tokens read and written. Raises UpstreamError."""
        tokens = (await self.tokenize(random_prose(read)))[:read]
        return (await self.complete({"prompt": tokens, "n_predict": written, "ignore_eos": True}))["timings"]

    async def time_repetition(self, size: SampleSize) -> JSON:
        """Return llama.cpp's timings for a text that repeats itself. Raises UpstreamError."""
        part = (await self.tokenize(random_prose(REPEATED_TOKENS)))[:REPEATED_TOKENS]
        tokens = part * max(2, (size.prompt_tokens - size.answer_tokens) // REPEATED_TOKENS)
        return (await self.complete({"prompt": tokens, "n_predict": 2 * size.answer_tokens, "ignore_eos": True}))[
            "timings"
        ]

    async def _fetch(self, path: str, body: JSON) -> JSON:
        return await self.client.fetch(f"{self.client.url.removesuffix('/v1')}/{path}", body, idle=600)


@dataclass(frozen=True, slots=True)
class SampleSize:
    """The tokens that a measurement reads and writes."""

    prompt_tokens: int = MAX_PROMPT_TOKENS
    answer_tokens: int = MAX_ANSWER_TOKENS

    @classmethod
    async def fit(cls, loaded: TuningEngine) -> SampleSize:
        """Fit the size to what the model does in about MAX_SAMPLE_S seconds each."""
        await loaded.time_exchange(32, 8)
        tried = await loaded.time_exchange(32, 8)
        return cls(
            max(32, min(MAX_PROMPT_TOKENS, int(tried["prompt_per_second"] * MAX_SAMPLE_S))),
            max(8, min(MAX_ANSWER_TOKENS, int(tried["predicted_per_second"] * MAX_SAMPLE_S))),
        )

    def with_long_prompt(self, context: int) -> SampleSize:
        """Return the size with a prompt as long as a document, within the model's context."""
        return replace(
            self,
            prompt_tokens=max(
                self.prompt_tokens, min(LONG_PROMPT_FACTOR * self.prompt_tokens, context - self.answer_tokens - 8)
            ),
        )

    @property
    def window(self) -> int:
        """The context that it needs, in tokens."""
        return max(CONTEXT_TOKENS, self.prompt_tokens + self.answer_tokens + 8)


def random_prose(tokens: int) -> str:
    """Return at least `tokens` tokens of words in random order."""
    return " ".join(secrets.choice(WORDS) for _ in range(tokens))


@contextlib.asynccontextmanager
async def open_tuning_engine(
    path: Path,
    choice: TuningChoice,
    settings: Settings,
    parallel: int = 1,
    nice: int = 0,
    window: int = CONTEXT_TOKENS,
    drafting: DraftMode = "none",
) -> AsyncGenerator[TuningEngine]:
    """Open an engine with the file at `path` and these options, for the block.

    `window` is its context. It drafts as `drafting` says, whatever the choice. Raises EngineUnavailable if it doesn't
    start.
    """
    draft = DRAFT_SETTINGS[drafting]
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
        lookup_tokens=draft.lookup_tokens,
        draft_tokens=draft.draft_tokens,
        compiled_folder=str(profile.compiled_folder(settings.data_dir)) if choice.is_compiled else "",
        kernels=choose_kernels(choice.kernels, path),
    )
    async with LlamaSubprocess.started(order, settings.data_dir / "logs") as child:
        match await child.reply():
            case Serving(url, kernels):
                client = OpenAIEngine("tuning", f"{url}/v1", child.key, dialect=DIALECTS[0])
            case _:
                raise EngineUnavailable(f"{path.name} cannot be loaded ({child.last_words()}).")
        try:
            yield TuningEngine(client, kernels)
        finally:
            await client.close()


def exchange_seconds(speed: Speed) -> float:
    """Return the seconds of a typical exchange."""
    return EXCHANGE_PROMPT_TOKENS / speed.prefill + EXCHANGE_ANSWER_TOKENS * (0.5 / speed.decode + 0.5 / speed.deep)


def median_speed(speeds: Sequence[Speed]) -> Speed:
    return Speed(
        median(speed.prefill for speed in speeds),
        median(speed.decode for speed in speeds),
        median(speed.deep for speed in speeds),
    )


def draft_cost(rows: Sequence[JSON], plain: Sequence[JSON]) -> float | None:
    """Return the cost of a drafted token in decoded ones; None if too few were drafted."""
    drafted = sum(row.get("draft_n", 0) for row in rows)
    equivalent = sum(
        row["predicted_ms"] * reference["predicted_n"] / reference["predicted_ms"]
        for row, reference in zip(rows, plain, strict=True)
    )
    written = sum(row["predicted_n"] - row.get("draft_n_accepted", 0) for row in rows)
    return max(0.0, (equivalent - written) / drafted) if drafted >= MIN_DRAFTED_TOKENS else None
