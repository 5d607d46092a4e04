"""Dialects of OpenAI's API, as data, and the request body for each. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eclair.llm import reasoning
from eclair.llm.base import JSON, PromptMessage, Request

CONTINUE_MESSAGE = PromptMessage("user", "Go on exactly where you stopped. Repeat nothing and explain nothing.")


@dataclass(frozen=True, slots=True)
class Dialect:
    """Peculiarities of a family of servers.

    To continue an assistant's message, `continue_fields` are added to the request and `continue_mark` to the message;
    with `continues_in_words` an instruction asks for it, and with `echoes_continued` the server repeats the message
    first. With `takes_prediction` it accepts a text that the answer will largely repeat. Without `keeps_alive` it
    closes the connection after a stream and doesn't say so. With `caches_prefix` it doesn't read again what its last
    prompts began with. `repeat_penalty_field` penalizes what was said in the last 64 tokens.
    """

    name: str
    owners: tuple[str, ...] = ()
    continue_fields: JSON = field(default_factory=dict[str, Any])
    continue_mark: JSON = field(default_factory=dict[str, Any])
    continues_in_words: bool = False
    echoes_continued: bool = False
    usage_on_demand: bool = True
    takes_prediction: bool = False
    keeps_alive: bool = True
    caches_prefix: bool = False
    repeat_penalty_field: str | None = None
    seed_field: str = "seed"
    shows_life: bool = False
    """Its server shows that it is at work before the first word; see `silence`."""
    tokenize_field: str | None = None
    """The field of `/tokenize` that takes the text; None if the server has no such call."""


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "llamacpp",
        ("llamacpp", "llama.cpp"),
        keeps_alive=False,
        caches_prefix=True,
        repeat_penalty_field="repeat_penalty",
        shows_life=True,
        tokenize_field="content",
    ),
    Dialect(
        "vllm",
        ("vllm",),
        {"continue_final_message": True, "add_generation_prompt": False},
        caches_prefix=True,
        tokenize_field="prompt",
    ),
    Dialect("sglang", ("sglang",), {"continue_final_message": True}, caches_prefix=True),
    Dialect(
        "mistral",
        ("mistralai",),
        continue_mark={"prefix": True},
        echoes_continued=True,
        usage_on_demand=False,
        takes_prediction=True,
        seed_field="random_seed",
    ),
    Dialect("deepseek", ("deepseek",), continues_in_words=True),
    Dialect("openai", ("openai", "openai-internal", "system"), continues_in_words=True, takes_prediction=True),
)
PLAIN_DIALECT = Dialect("plain", continues_in_words=True)


def build_body(request: Request, dialect: Dialect) -> JSON:
    """Build the request's body in the OpenAI format."""
    sampling = request.sampling
    fields: JSON = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        dialect.seed_field: sampling.seed,
        "stop": list(sampling.stop) or None,
        "tools": list(request.tools) or None,
        "tool_choice": request.tool_choice,
        "response_format": request.response_format,
    }
    if dialect.repeat_penalty_field is not None and request.response_format is None and not request.tools:
        fields[dialect.repeat_penalty_field] = sampling.repeat_penalty  # structured output repeats itself
    extra = dict(request.extra)
    effort: str | None = extra.pop("reasoning_effort", None)
    if effort is not None and request.prompt is None:
        extra |= reasoning.reasoning_fields(effort, request.reasoning, dialect.name)
    body = {**extra, "model": request.model, "stream": True}
    if request.prediction is not None and dialect.takes_prediction:
        fields["prediction"] = {"type": "content", "content": request.prediction}
    body.update((key, value) for key, value in fields.items() if value is not None)
    if dialect.usage_on_demand:
        body["stream_options"] = {"include_usage": True}
    if request.prompt is not None:
        return {**body, "prompt": request.prompt}
    said = reasoning.add_reasoning_prompt(request.messages, effort, request.reasoning)
    if not text_to_continue(request):
        return {**body, "messages": [_message(message) for message in said]}
    if dialect.continues_in_words:
        said.append(CONTINUE_MESSAGE)
    messages = [_message(message) for message in said]
    messages[-1].update(dialect.continue_mark)
    return {**body, "messages": messages, **dialect.continue_fields}


def text_to_continue(request: Request) -> str:
    """Return the text of the assistant message to continue; empty if there is none."""
    if request.messages and request.messages[-1].role == "assistant":
        content = request.messages[-1].content
        return content if isinstance(content, str) else ""
    return ""


def _message(said: PromptMessage) -> JSON:
    message: JSON = {"role": said.role, "content": _content(said)}
    if said.name is not None:
        message["name"] = said.name
    if said.tool_calls:
        message["tool_calls"] = list(said.tool_calls)
    if said.tool_call_id is not None:
        message["tool_call_id"] = said.tool_call_id
    return message


def _content(said: PromptMessage) -> str | list[JSON] | None:
    """Return the content, with the images before the text."""
    if not said.images:
        return said.content
    shown: list[JSON] = [{"type": "image_url", "image_url": {"url": each.data_url}} for each in said.images]
    texts = said.content if isinstance(said.content, list) else [{"type": "text", "text": said.content or ""}]
    return [*shown, *texts]
