"""The engine port: one streamed call.

An engine turns a `Request` into a stream of `Delta`s. Closing the stream (`aclose`, or cancelling the task
that reads it) stops the engine's work at once. Which engine serves which model is the registry's affair.
"""

from __future__ import annotations

import base64
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from eclair.schema.messages import FinishReason, Sampling
from eclair.schema.models import Model, ReasoningSupport

JSON = dict[str, Any]

IMAGE_TOKEN_SIDE_PIXELS = 28
"""Pixels of the side of a square of a picture that is one token to Pixtral, Mistral Small and Qwen-VL; Gemma takes
fewer of larger ones."""


@dataclass(frozen=True, slots=True)
class PromptImage:
    """A picture as a model is shown it, a JPEG or PNG of so many pixels."""

    media_type: str
    data: bytes = field(repr=False)
    width: int
    height: int

    @property
    def data_url(self) -> str:
        """The whole of it as a `data:` URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"

    @property
    def tokens(self) -> int:
        """About how many tokens it is: one for each square of so many pixels, and one for each row of these."""
        across, down = -(-self.width // IMAGE_TOKEN_SIDE_PIXELS), -(-self.height // IMAGE_TOKEN_SIDE_PIXELS)
        return across * down + down


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message as the engine is shown it.

    `content` is text, or the list of typed parts of the OpenAI format; None where an assistant only
    called tools. `tool_calls` and `tool_call_id` are in that format too. `pictures` are shown before the text.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[JSON] | None
    name: str | None = None
    tool_calls: tuple[JSON, ...] = ()
    tool_call_id: str | None = None
    images: tuple[PromptImage, ...] = ()


@dataclass(slots=True)
class EnergyUse:
    """Where an engine on this machine notes the joules that an answer takes; both stay 0 where it cannot know."""

    measured_joules: float = 0.0
    estimated_joules: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked.

    Either `messages` or `prompt` (plain text to be continued). Where the last message is the assistant's,
    the engine goes on from it, and its stream holds only what is new.
    `prediction` is a text that the answer will largely repeat; it changes how fast the words come, never the words.
    `extra` is passed on as it is: fields of the OpenAI format that Éclair does not interpret. One of them,
    `reasoning_effort`, an engine says in the way of its model, which is `thinks`, or known to the engine where that is
    None. `purpose` says what the answer is for, should an engine care. `tab` is filled while it is answered, even if
    the stream is closed early.
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
    purpose: Literal["answer", "title", "notes", "queries", "prefill"] = "answer"
    energy: EnergyUse = field(default_factory=EnergyUse, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """More words of the answer; as many tokens as came together. `logprobs` as the OpenAI format has them."""

    text: str
    logprobs: tuple[JSON, ...] = ()


@dataclass(frozen=True, slots=True)
class Reasoning:
    """More words of what the model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A stretch of call number `index`: `id` and `name` come once, at its beginning; `arguments` grow."""

    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """The engine's own count of tokens; comes at most once. `reasoning_tokens` are among the completion's.

    `drafted_tokens` were guessed ahead (from the text at hand, by a small model, or from a prediction that the request
    brought) and `accepted_tokens` of them were right; None where the engine does not say.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    drafted_tokens: int | None = None
    accepted_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete. Without it a stream has broken off.

    `stop` is the stop sequence that ended it, where the engine says so.
    """

    reason: FinishReason
    stop: str | None = None


Delta = Text | Reasoning | ToolCall | TokenUsage | Finish


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vectors of some texts, in their order, and how many tokens the texts were."""

    vectors: list[list[float]]
    tokens: int


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an engine can answer now; `detail` is a sentence for people."""

    state: Literal["ready", "loading", "down"]
    detail: str


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` is, where nothing can count them."""
    return math.ceil(len(text.encode()) / 3)


@runtime_checkable
class RemoteEngine(Protocol):
    """An engine that is reached at an address."""

    url: str


class Engine(Protocol):
    """Something that answers. Errors are those of `UpstreamError` and `SetupError`."""

    name: str

    async def models(self) -> list[Model]:
        """The models it serves."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask; the deltas come as the engine makes them, ending with `Finish`."""
        ...

    async def count(self, model: str, text: str) -> int:
        """How many tokens `text` is to `model`; an estimate from its length where the engine cannot tell."""
        ...

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """A vector for each text, of so many `dimensions` where the model lets one choose.

        Raises EngineRefused where the engine or the model has none.
        """
        ...

    async def health(self, model: str | None = None) -> Health:
        """Whether it can answer now, or whether that model of it can."""
        ...

    async def prefill(self, request: Request) -> None:
        """Read the messages now, so that a question that begins like them is answered at once.

        Does nothing where that would cost money, or tell another machine what nobody has sent yet.
        """
        ...

    async def close(self) -> None:
        """Free what it holds. An engine that Éclair started ends here."""
        ...
