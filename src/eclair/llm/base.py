"""The engine port: one streamed call.

An engine turns a `Request` into a stream of `Delta`s. Closing the stream (`aclose`, or cancelling the task that reads
it) stops the engine's work at once. The registry knows which engine serves which model.
"""

from __future__ import annotations

import base64
import math
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

from eclair.errors import EclairError, EngineBusy, EngineRefused
from eclair.schema.messages import FinishReason, Sampling
from eclair.schema.models import Model, ReasoningSupport

JSON = dict[str, Any]

NO_TOKENS = "The engine takes no token ids as a prompt; send the text instead."

IMAGE_TOKEN_SIDE_PIXELS = 28
"""Side of the square of an image that is one token to Pixtral, Mistral Small and Qwen-VL.

Gemma uses fewer tokens for large images."""


@dataclass(frozen=True, slots=True)
class PromptImage:
    """An image as a model is shown it: a JPEG or PNG, with its size in pixels."""

    media_type: str
    data: bytes = field(repr=False)
    width: int
    height: int

    @property
    def data_url(self) -> str:
        """The image as a `data:` URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"

    @property
    def tokens(self) -> int:
        """Estimated tokens: one for each square, and one for each row of squares."""
        across, down = -(-self.width // IMAGE_TOKEN_SIDE_PIXELS), -(-self.height // IMAGE_TOKEN_SIDE_PIXELS)
        return across * down + down


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message as the engine is shown it.

    `content` is text, or the list of typed parts of the OpenAI format; None if an assistant only called tools.
    `tool_calls` and `tool_call_id` are in that format too. `images` are shown before the text. `reasoning` is what an
    assistant thought before it; engines that can't be shown it leave it out.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[JSON] | None
    name: str | None = None
    tool_calls: tuple[JSON, ...] = ()
    tool_call_id: str | None = None
    images: tuple[PromptImage, ...] = ()
    reasoning: str | None = None


@dataclass(slots=True)
class EnergyUse:
    """The joules that an answer takes, as a local engine adds them; 0 if it can't measure."""

    measured_joules: float = 0.0
    estimated_joules: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request to an engine.

    It has either `messages` or `prompt` (plain text to be continued). If the last message is the assistant's, the
    engine continues it, and the stream holds only what is new. `prediction` is a text that the answer will largely
    repeat; it changes the speed, never the words. `extra` holds fields of the OpenAI format that Éclair passes on as
    they are. One of them, `reasoning_effort`, is translated for the model by its `reasoning` support, which the
    engine looks up if it is None. `purpose` says what the answer is for, should an engine care. `energy` is filled
    while the answer is made, even if the stream is closed early. With `watermarks` the answer is the model's own free
    text, which an engine may watermark.
    """

    model: str
    messages: tuple[PromptMessage, ...] = ()
    prompt: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    tools: tuple[JSON, ...] = ()
    tool_choice: str | JSON | None = None
    response_format: JSON | None = None
    prediction: str | None = None
    extra: JSON = field(default_factory=dict[str, Any])
    reasoning: ReasoningSupport | None = None
    suffix: str | None = None
    """Text that follows the `prompt`: what belongs between is asked for."""
    purpose: Literal["answer", "title", "notes", "queries", "prefill", "review", "follow_ups", "probe"] = "answer"
    energy: EnergyUse = field(default_factory=EnergyUse, compare=False)
    watermarks: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """More text of the answer. `logprobs` are in the OpenAI format."""

    text: str
    logprobs: tuple[JSON, ...] = ()


@dataclass(frozen=True, slots=True)
class Reasoning:
    """More text of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A delta of call number `index`: `id` and `name` come once, first; `arguments` grow.

    One that `is_written` was found in the model's text.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str
    is_written: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """Uncached tokens of the prompt that are read; comes before the answer, from engines that say so."""

    done: int
    of: int


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """The engine's own token counts; comes at most once.

    `reading_seconds` is the time in which the uncached tokens of the prompt were read. `reasoning_tokens` are among
    the completion's. `drafted_tokens` were proposed by speculative decoding or a prediction, and `accepted_tokens` of
    them were right; None if the engine doesn't say. `watermarked_tokens` were written with the watermark of texts; None
    if the engine has none for this answer.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    drafted_tokens: int | None = None
    accepted_tokens: int | None = None
    reading_seconds: float | None = None
    watermarked_tokens: int | None = None

    def plus(self, other: TokenUsage) -> TokenUsage:
        """Return the tokens of both together; a count that only one has is that."""
        return replace(
            self,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=_together(self.cached_tokens, other.cached_tokens),
            reasoning_tokens=_together(self.reasoning_tokens, other.reasoning_tokens),
            drafted_tokens=_together(self.drafted_tokens, other.drafted_tokens),
            accepted_tokens=_together(self.accepted_tokens, other.accepted_tokens),
            watermarked_tokens=_together(self.watermarked_tokens, other.watermarked_tokens),
        )


def _together(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete. A stream without it has broken off.

    `stop` is the stop sequence that ended it, if the engine says so.
    """

    reason: FinishReason
    stop: str | None = None


Delta = PromptProgress | Text | Reasoning | ToolCall | TokenUsage | Finish


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vectors of some texts, in their order, and the texts' tokens in all."""

    vectors: list[list[float]]
    tokens: int


EngineState = Literal["ready", "loading", "down"]


@dataclass(frozen=True, slots=True)
class Health:
    """The health of an engine; `detail` is a sentence for people.

    `loaded` is the share of a loading model that is in memory, from 0 to 1; None if unknown.
    """

    state: EngineState
    detail: str
    loaded: float | None = None


def best_state(states: Collection[EngineState]) -> EngineState:
    """Return the state of several engines together: that of the best one."""
    return "ready" if "ready" in states else "loading" if "loading" in states else "down"


QUEUE_RETRY_S = 5.0
"""The pause asked for where too many wait."""


def queue_full(engine: str, waiting: int) -> EngineBusy:
    """Return the error where too many questions wait for an engine."""
    message = f"Too many questions wait for the engine {engine} already ({waiting:,}); try again in a moment."
    return EngineBusy(message, retry_after=QUEUE_RETRY_S)


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text that can't be counted."""
    return math.ceil(len(text.encode()) / 3)


@runtime_checkable
class RemoteEngine(Protocol):
    """An engine with a network address."""

    url: str


class EndpointState(Protocol):
    """One of the servers that share an engine's work: what it does now, what it did, and why it is down."""

    name: str
    url: str
    weight: float
    fault: EclairError | None
    running: int
    answers: int
    failures: int


@runtime_checkable
class PooledEngine(Protocol):
    """An engine of several endpoints. `hedges` counts the questions that two of them were asked."""

    name: str
    hedges: int

    @property
    def endpoints(self) -> Sequence[EndpointState]: ...


@runtime_checkable
class ListingEngine(Protocol):
    """An engine that says why its server couldn't be asked for its models, if others are known."""

    @property
    def list_error(self) -> EclairError | None: ...


@runtime_checkable
class LimitedEngine(Protocol):
    """An engine that makes so many answers of a model at a time, while so many others may wait; None is any number."""

    parallel: int | None
    max_waiting: int | None


@runtime_checkable
class VocabularyEngine(Protocol):
    """An engine that knows the vocabularies of its models."""

    async def control_tokens(self, model: str) -> tuple[str, ...]:
        """Return the control tokens of a model; none if its vocabulary can't be read."""
        ...


@runtime_checkable
class TokenEngine(Protocol):
    """An engine that turns the ids of tokens into text."""

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        """Return the text of tokens. Raises EngineRefused if it can't."""
        ...


@runtime_checkable
class PromptCountingEngine(Protocol):
    """An engine that counts whole prompts, as its models' templates write them."""

    async def count_prompt(self, request: Request) -> int | None:
        """Return the tokens of a request's prompt, without its images; None if it can't be counted now."""
        ...


@dataclass(frozen=True, slots=True)
class SoundUpload:
    """A recording for an engine; `language` (ISO 639-1) and `prompt` help it, and it may `translate` into English."""

    name: str
    data: bytes = field(repr=False)
    language: str | None = None
    prompt: str = ""
    translate: bool = False


@dataclass(frozen=True, slots=True)
class HeardSegment:
    """A text that was said from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class HeardSpeech:
    """All that an engine heard. `duration_s` is 0 and `language` empty where it doesn't say."""

    segments: tuple[HeardSegment, ...]
    duration_s: float
    language: str


@runtime_checkable
class HearingEngine(Protocol):
    """An engine with models that write what is said."""

    async def transcribe(self, model: str, sound: SoundUpload) -> HeardSpeech:
        """Return what is said in a recording. Raises EngineRefused if the engine or the model doesn't do this."""
        ...


@runtime_checkable
class SpeakingEngine(Protocol):
    """An engine with models that speak."""

    def speak(self, model: str, wanted: JSON) -> AsyncGenerator[bytes, None]:
        """Yield sound as it comes; `wanted` has the fields of OpenAI's speech API.

        Raises EngineRefused if the engine or the model doesn't do this.
        """
        ...


class Engine(Protocol):
    """An engine. It raises subclasses of `UpstreamError` and `SetupError`."""

    name: str

    async def models(self) -> list[Model]:
        """List the models it serves."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask; yields deltas as the engine makes them, ending with `Finish`."""
        ...

    async def count(self, model: str, text: str) -> int:
        """Count the tokens of a text; an estimate if the engine can't count."""
        ...

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """Return a vector for each text, with `dimensions` numbers if the model lets one choose.

        Raises EngineRefused if the engine or the model has no embeddings.
        """
        ...

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        """Return how well each text answers a query; the scale is the model's own.

        Raises EngineRefused if the engine or the model doesn't do this.
        """
        ...

    async def health(self, model: str | None = None) -> Health:
        """Return the health of the engine, or of one of its models."""
        ...

    async def prefill(self, request: Request) -> None:
        """Read the messages into the cache, so that a question that starts like them is faster.

        Does nothing if that costs money, or would show another machine what hasn't been sent yet.
        """
        ...

    async def close(self) -> None:
        """Release its resources. An engine that Éclair started ends here."""
        ...


async def control_tokens(engine: Engine, model: Model) -> tuple[str, ...]:
    """Return the control tokens of a model, as far as its engine knows them."""
    return await engine.control_tokens(model.id) if isinstance(engine, VocabularyEngine) else ()


async def detokenize(engine: Engine, model: Model, tokens: Sequence[int]) -> str:
    """Return the text of a model's tokens. Raises EngineRefused if its engine can't turn them into text."""
    if not isinstance(engine, TokenEngine):
        raise EngineRefused(NO_TOKENS, param="prompt")
    return await engine.detokenize(model.id, tokens)
