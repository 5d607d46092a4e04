"""Request schemas of `/v1/completions` and `/v1/fim/completions`; unsupported fields are rejected by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from eclair.errors import InvalidInput
from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import Request as EngineRequest
from eclair.schema.models import Model
from eclair.server.openai.chat_schema import CompletionFields, vary_seed

MAX_CHOICES = 128
"""Answers to one request: all samples of all prompts."""

MAX_TOKEN_ID = (1 << 31) - 1
TokenId = Annotated[int, Field(ge=0, le=MAX_TOKEN_ID)]
PromptInput = str | Annotated[list[TokenId], Field(min_length=1)]


def _as_prompts(value: Any) -> Any:
    """Return a list of prompts, each a text or a list of token ids."""
    prompts: list[Any] = [value]
    if isinstance(value, list) and value and not isinstance(value[0], int):
        prompts = value  # pyright: ignore[reportUnknownVariableType]
    if all(isinstance(each, str | list) for each in prompts):
        return prompts
    raise ValueError("it is a text, a list of token ids, or a list of these")


class CompletionRequest(CompletionFields):
    prompt: Annotated[
        list[PromptInput],
        Field(min_length=1, max_length=MAX_CHOICES),
        BeforeValidator(_as_prompts, json_schema_input_type=PromptInput | list[PromptInput]),
    ]
    suffix: str | None = None
    max_tokens: Annotated[int | None, Field(ge=0)] = None
    logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    echo: bool | None = None
    best_of: Annotated[int | None, Field(ge=1, le=20)] = None

    @model_validator(mode="after")
    def _require_possible(self) -> CompletionRequest:
        if self.max_tokens == 0:
            raise InvalidInput("The field 'max_tokens' is wrong: it is at least 1; leave it out.", param="max_tokens")
        if self.samples < (self.n or 1):
            raise InvalidInput("The field 'best_of' is wrong: it is at least `n`.", param="best_of")
        if self.stream and self.samples > (self.n or 1):
            raise InvalidInput("The field 'best_of' can't be chosen from in a stream; leave one out.", param="best_of")
        if self.echo and self.logprobs is not None:
            raise InvalidInput(
                "The field 'echo' can't go with 'logprobs': engines give none for the prompt; leave one out.",
                param="echo",
            )
        if len(self.prompt) * self.samples > MAX_CHOICES:
            raise InvalidInput(f"These are more than {MAX_CHOICES} answers; send fewer prompts.", param="prompt")
        return self

    @property
    def samples(self) -> int:
        """Answers to each prompt."""
        return self.best_of or self.n or 1

    @property
    def question(self) -> str:
        """The first prompt, by which a mode chooses the model."""
        return self.prompt[0] if isinstance(self.prompt[0], str) else ""

    def request(self, prompt: str, model: Model, max_tokens: int | None, sample: int) -> EngineRequest:
        """Build the request for one sample of one prompt; each has a seed of its own, so that they differ."""
        sampling = vary_seed(self.sampling(self.max_tokens), sample)
        is_scored = self.logprobs is not None or self.samples > (self.n or 1)
        extra = self.engine_options()
        return EngineRequest(
            model=model.id,
            prompt=prompt,
            suffix=self.suffix or None,
            sampling=resolve_sampling(sampling, model.sampling, max_tokens),
            extra={**extra, "logprobs": max(1, self.logprobs or 0)} if is_scored else extra,
        )


class FimRequest(CompletionFields):
    """Mistral's request to fill in what belongs between `prompt` and `suffix`."""

    prompt: str
    suffix: str | None = None
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    min_tokens: Literal[0] | None = None

    def request(self, prompt: str, model: Model, max_tokens: int | None, sample: int) -> EngineRequest:
        """Build the request for one sample."""
        sampling = vary_seed(self.sampling(self.max_tokens), sample)
        return EngineRequest(
            model=model.id,
            prompt=prompt,
            suffix=self.suffix or None,
            sampling=resolve_sampling(sampling, model.sampling, max_tokens),
            extra=self.engine_options(),
        )
