"""How servers that speak OpenAI's API differ, as data, and the body that each is sent. It sends and reads nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eclair.llm import reasoning
from eclair.llm.base import JSON, PromptMessage, Request

GO_ON = PromptMessage("user", "Go on exactly where you stopped. Repeat nothing and explain nothing.")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a family of servers differs.

    To continue an assistant's message, `continuing` is added to the request and `mark` to the message; `go_on`
    asks in words where a server has no such means, and `echoes` says that it repeats the message before it goes on.
    One that `predicts` takes a text that the answer will largely repeat. One without `keeps_alive` closes the
    connection after a stream and does not say so. One that `remembers` does not read again what its last prompts began
    with. One with `repeats` takes a penalty for what was said in the last 64 tokens under that name.
    """

    name: str
    owners: tuple[str, ...] = ()
    continuing: JSON = field(default_factory=dict[str, Any])
    mark: JSON = field(default_factory=dict[str, Any])
    go_on: bool = False
    echoes: bool = False
    usage_on_demand: bool = True
    predicts: bool = False
    keeps_alive: bool = True
    remembers: bool = False
    repeats: str | None = None
    seed: str = "seed"
    tokenize: str | None = None
    """The field of `/tokenize` that takes the text; None where the server has no such call."""


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "llamacpp",
        ("llamacpp", "llama.cpp"),
        keeps_alive=False,
        remembers=True,
        repeats="repeat_penalty",
        tokenize="content",
    ),
    Dialect(
        "vllm",
        ("vllm",),
        {"continue_final_message": True, "add_generation_prompt": False},
        remembers=True,
        tokenize="prompt",
    ),
    Dialect("sglang", ("sglang",), {"continue_final_message": True}, remembers=True),
    Dialect(
        "mistral",
        ("mistralai",),
        mark={"prefix": True},
        echoes=True,
        usage_on_demand=False,
        predicts=True,
        seed="random_seed",
    ),
    Dialect("deepseek", ("deepseek",), go_on=True),
    Dialect("openai", ("openai", "openai-internal", "system"), go_on=True, predicts=True),
)
PLAIN = Dialect("plain", go_on=True)


def compose(request: Request, dialect: Dialect) -> JSON:
    """The request's body in the OpenAI format."""
    sampling = request.sampling
    wanted: JSON = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        dialect.seed: sampling.seed,
        "stop": list(sampling.stop) or None,
        "tools": list(request.tools) or None,
        "tool_choice": request.tool_choice,
        "response_format": request.response_format,
    }
    if dialect.repeats is not None and request.response_format is None and not request.tools:
        wanted[dialect.repeats] = sampling.repeat_penalty  # what has a form repeats itself
    extra = dict(request.extra)
    effort: str | None = extra.pop("reasoning_effort", None)
    if effort is not None and request.prompt is None:
        extra |= reasoning.wished(effort, request.reasoning, dialect.name)
    body = {**extra, "model": request.model, "stream": True}
    if request.prediction is not None and dialect.predicts:
        wanted["prediction"] = {"type": "content", "content": request.prediction}
    body.update((key, value) for key, value in wanted.items() if value is not None)
    if dialect.usage_on_demand:
        body["stream_options"] = {"include_usage": True}
    if request.prompt is not None:
        return {**body, "prompt": request.prompt}
    said = reasoning.told(request.messages, effort, request.reasoning)
    if not continued(request):
        return {**body, "messages": [_message(message) for message in said]}
    if dialect.go_on:
        said.append(GO_ON)
    messages = [_message(message) for message in said]
    messages[-1].update(dialect.mark)
    return {**body, "messages": messages, **dialect.continuing}


def continued(request: Request) -> str:
    """The text of the assistant's message that is to be continued; empty where there is none."""
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
    """The text, below its pictures where it has some."""
    if not said.images:
        return said.content
    shown: list[JSON] = [{"type": "image_url", "image_url": {"url": each.data_url}} for each in said.images]
    texts = said.content if isinstance(said.content, list) else [{"type": "text", "text": said.content or ""}]
    return [*shown, *texts]
