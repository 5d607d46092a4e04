"""Request schemas of Ollama's API. As in Ollama, unknown fields are ignored; what can't be done is refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, ConfigDict, Field, field_validator, model_validator

from eclair.errors import InvalidInput
from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import JSON, PromptMessage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.models import Model
from eclair.server.chat_input import merge_messages
from eclair.server.ollama.context import decode_context
from eclair.server.ollama.options import OllamaOptions
from eclair.server.request_body import ForeignBody, ForeignModel
from eclair.server.request_images import image_part

Think = bool | Literal["low", "medium", "high", "max"]
EFFORTS: dict[Think, str] = {
    False: "none",
    True: "medium",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "high",
}
UNLOADING = ("0", "0s", "0m", "0h")


class OllamaBody(ForeignBody):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    model: Annotated[str, Field(min_length=1, validation_alias=AliasChoices("model", "name"))]


class OllamaPart(ForeignModel):
    """A part of a body."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class CalledFunction(OllamaPart):
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])


class OllamaToolCall(OllamaPart):
    id: str | None = None
    function: CalledFunction


class OllamaMessage(OllamaPart):
    """A message. Thinking of an earlier answer is not sent to the engine again."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    images: list[str] | None = None
    tool_calls: list[OllamaToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None

    def prompt_content(self) -> str | list[JSON]:
        """Return the text, after the images if there are any."""
        text = self.content or ""
        images = [image_part(_data_url(image)) for image in self.images or ()]
        return [*images, {"type": "text", "text": text}] if images else text


class OllamaFunction(OllamaPart):
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class OllamaTool(OllamaPart):
    type: Literal["function"] = "function"
    function: OllamaFunction

    def to_engine(self) -> JSON:
        return {"type": "function", "function": self.function.model_dump(exclude_none=True)}


class AskingBody(OllamaBody):
    """Fields of `/api/chat` and `/api/generate`. The window and the device are the server's, whatever is asked."""

    stream: bool | None = None
    format: Literal["", "json"] | dict[str, Any] | None = None
    options: OllamaOptions | None = None
    keep_alive: float | str | None = None
    think: Think | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = None

    @property
    def unloads(self) -> bool:
        """True if the model shall not stay loaded."""
        return self.keep_alive == 0 or self.keep_alive in UNLOADING

    def build(
        self,
        model: Model,
        max_tokens: int | None,
        *,
        messages: tuple[PromptMessage, ...] = (),
        prompt: str | None = None,
        tools: tuple[JSON, ...] = (),
    ) -> EngineRequest:
        """Build the engine's request. Raises InvalidInput if it shall think, and the model can't."""
        if self.think and model.reasoning == "never":
            raise InvalidInput(f'"{model.id}" does not support thinking; leave `think` out.', param="think")
        options = self.options or OllamaOptions()
        return EngineRequest(
            model=model.id,
            messages=messages,
            prompt=prompt,
            sampling=options.repeat(resolve_sampling(options.sampling(), model.sampling, max_tokens)),
            tools=tools,
            response_format=self._response_format(),
            extra=self._engine_options(options),
        )

    def _response_format(self) -> JSON | None:
        if isinstance(self.format, dict):
            return {"type": "json_schema", "json_schema": {"name": "answer", "schema": self.format}}
        return {"type": "json_object"} if self.format else None

    def _engine_options(self, options: OllamaOptions) -> JSON:
        values = {
            **options.engine_options(),
            "reasoning_effort": None if self.think is None else EFFORTS[self.think],
            "logprobs": self.logprobs or None,
            "top_logprobs": self.top_logprobs if self.logprobs else None,
        }
        return {name: value for name, value in values.items() if value is not None}


class OllamaChatRequest(AskingBody):
    messages: list[OllamaMessage] | None = None
    tools: list[OllamaTool] | None = None

    def prompt_messages(self) -> tuple[PromptMessage, ...]:
        return merge_messages(_to_prompt(self.messages or ()))

    def request(self, model: Model, max_tokens: int | None) -> EngineRequest:
        tools = tuple(tool.to_engine() for tool in self.tools or ())
        return self.build(model, max_tokens, messages=self.prompt_messages(), tools=tools)


class OllamaGenerateRequest(AskingBody):
    """A prompt. `context` is that of an earlier reply, whose conversation goes on."""

    prompt: str | None = None
    suffix: str | None = None
    images: list[str] | None = None
    system: str | None = None
    template: str | None = None
    raw: bool | None = None
    context: list[int] | None = None

    @model_validator(mode="after")
    def _refuse_for_continuation(self) -> OllamaGenerateRequest:
        for name in ("images", "format"):
            if self.is_continued and getattr(self, name):
                raise ValueError(f"`{name}` needs the template of the model; leave out `raw` and `suffix`")
        return self

    @field_validator("template")
    @classmethod
    def _refuse_template(cls, template: str | None) -> str | None:
        if template:
            raise ValueError("the model's own template is used; leave it out, or send `raw` with the whole prompt")
        return template

    @property
    def asks(self) -> bool:
        """True if there is anything to answer; else the model is only loaded."""
        return bool(self.prompt or self.suffix or self.images)

    @property
    def is_continued(self) -> bool:
        """True if the model continues the prompt, or fills in what precedes the suffix, rather than answers."""
        return bool(self.raw or self.suffix)

    def prompt_messages(self) -> tuple[PromptMessage, ...]:
        """Return the conversation; empty for a prompt that is continued."""
        if self.is_continued:
            return ()
        system = [PromptMessage("system", self.system)] if self.system else []
        question = OllamaMessage(role="user", content=self.prompt, images=self.images).prompt_content()
        return merge_messages([*system, *decode_context(self.context or ()), PromptMessage("user", question)])

    def request(self, model: Model, max_tokens: int | None) -> EngineRequest:
        """Build the engine's request."""
        prompt = self.prompt or "" if self.is_continued else None
        request = self.build(model, max_tokens, messages=self.prompt_messages(), prompt=prompt)
        return replace(request, suffix=self.suffix or None)


def _to_prompt(messages: Sequence[OllamaMessage]) -> Iterator[PromptMessage]:
    """Yield the engine's messages. Results of tools find their calls by id, or else by name or order."""
    waiting: list[tuple[str, str]] = []
    count = 0
    for message in messages:
        if message.role == "tool":
            yield PromptMessage("tool", message.content or "", tool_call_id=_answered_call(message, waiting))
            continue
        calls: list[JSON] = []
        for call in message.tool_calls or ():
            count += 1
            id, function = call.id or f"call{count:05}", call.function
            waiting.append((function.name, id))
            written = {"name": function.name, "arguments": json.dumps(function.arguments, ensure_ascii=False)}
            calls.append({"id": id, "type": "function", "function": written})
        content = message.prompt_content()
        yield PromptMessage(message.role, None if calls and not content else content, tool_calls=tuple(calls))


def _answered_call(result: OllamaMessage, waiting: list[tuple[str, str]]) -> str:
    """Return the id of the call that a result answers, and take it off those `waiting`."""
    found = next(
        (call for call in waiting if result.tool_call_id == call[1]),
        next((call for call in waiting if result.tool_name in (None, call[0])), None),
    )
    if found is None:
        return result.tool_call_id or "call00000"
    waiting.remove(found)
    return found[1]


def _data_url(image: str) -> str:
    return image if image.startswith("data:") else f"data:image;base64,{image}"
