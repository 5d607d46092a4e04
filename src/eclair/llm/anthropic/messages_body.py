"""The request body of Anthropic's Messages API. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eclair.errors import EngineRefused
from eclair.llm.anthropic.output_schema import close_schema
from eclair.llm.base import JSON, PromptMessage, Request
from eclair.llm.remote.call_memory import Recall
from eclair.llm.remote.continuation import ask_to_continue
from eclair.llm.remote.openai_format import (
    InlineImage,
    read_call,
    read_content,
    read_schema,
    read_tool,
    read_tool_choice,
    refuse_extras,
    refuse_prompt,
)

TAKEN_EXTRAS = ("reasoning_effort", "parallel_tool_calls", "top_k")
CACHED: JSON = {"type": "ephemeral"}
"""Marks the end of a prefix to be cached."""

DEFAULT_MAX_TOKENS = 8192
"""The limit of an answer, which the API demands, for a model that states none."""

MIN_THINKING_TOKENS = 1024
THINKING_TOKENS = {"low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 32_768}
"""The budget for each effort, for models that think by budget."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
OFF_EFFORTS = ("none", "minimal")


@dataclass(frozen=True, slots=True)
class ModelAbilities:
    """Abilities that the list of models states; None if it doesn't say.

    `thinking` holds the accepted types of thinking, `efforts` the levels of effort.
    """

    max_tokens: int | None = None
    thinking: frozenset[str] | None = None
    efforts: frozenset[str] | None = None
    has_schemas: bool | None = None

    @property
    def takes_sampling(self) -> bool:
        """Models that think only as they see fit take no temperature."""
        return self.thinking is None or "enabled" in self.thinking or "adaptive" not in self.thinking


@dataclass(frozen=True, slots=True)
class MessagesBody:
    """A body, and the one without hints that a model may refuse."""

    full: JSON
    plain: JSON


def build_messages_body(engine: str, request: Request, abilities: ModelAbilities, recall: Recall) -> MessagesBody:
    """Build the body of a request. Raises EngineRefused for what the API can't do."""
    if request.prompt is not None:
        raise refuse_prompt(engine)
    refuse_extras(engine, request.extra, TAKEN_EXTRAS)
    messages = _messages(ask_to_continue(request), recall)
    body: JSON = {
        "model": request.model,
        "stream": True,
        "max_tokens": _max_tokens(request, abilities),
        "messages": messages,
    }
    if system := _system(request.messages):
        body["system"] = system
    if request.sampling.stop:
        body["stop_sequences"] = list(request.sampling.stop)
    body |= _tools(request, messages)
    if output := _output_format(engine, request, abilities):
        body["output_config"] = output
    if request.purpose == "answer":
        _mark_prefix(body)
    return MessagesBody(_with_hints(body, request, abilities), body)


def _max_tokens(request: Request, abilities: ModelAbilities) -> int:
    limit = abilities.max_tokens
    wanted = request.sampling.max_tokens or limit or DEFAULT_MAX_TOKENS
    return wanted if limit is None else min(wanted, limit)


def _system(messages: Sequence[PromptMessage]) -> list[JSON]:
    """Return the instructions; the API has them apart from the conversation."""
    said = [message for message in messages if message.role in ("system", "developer")]
    return [{"type": "text", "text": text} for each in said for text in read_content(each) if isinstance(text, str)]


def _messages(said: Sequence[PromptMessage], recall: Recall) -> list[JSON]:
    """Return the conversation: user and assistant in turns, results of tools with the user."""
    messages: list[JSON] = []
    for each in said:
        if each.role in ("system", "developer"):
            continue
        role = "assistant" if each.role == "assistant" else "user"
        if not (blocks := _blocks(each, recall)):
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    if messages and messages[0]["role"] == "assistant":  # the user begins
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": "…"}]})
    return messages


def _blocks(said: PromptMessage, recall: Recall) -> list[JSON]:
    blocks = [_block(part) for part in read_content(said)]
    if said.role == "tool":
        result: JSON = {"type": "tool_result", "tool_use_id": said.tool_call_id or ""}
        return [result | ({"content": blocks} if blocks else {})]
    for number, call in enumerate(map(read_call, said.tool_calls)):
        thoughts = list(recall(call.id))
        blocks = [*thoughts, *blocks] if number == 0 else [*blocks, *thoughts]
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments})
    return blocks


def _block(part: str | InlineImage) -> JSON:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image", "source": {"type": "base64", "media_type": part.media_type, "data": part.data}}


def _tools(request: Request, messages: list[JSON]) -> JSON:
    """Return `tools` and `tool_choice`. Tools of the history are named even if none may be called now."""
    choice = read_tool_choice(request.tool_choice)
    tools: list[JSON] = []
    for tool in map(read_tool, request.tools):
        shown: JSON = {
            "name": tool.name,
            "input_schema": close_schema(tool.parameters) if tool.strict else tool.parameters,
        }
        shown |= {"description": tool.description} if tool.description else {}
        tools.append(shown | ({"strict": True} if tool.strict else {}))
    if not tools:
        used = {block["name"] for each in messages for block in each["content"] if block["type"] == "tool_use"}
        if not used:
            return {}
        return {
            "tools": [{"name": name, "input_schema": {"type": "object"}} for name in sorted(used)],
            "tool_choice": {"type": "none"},
        }
    one: JSON = {"disable_parallel_tool_use": True} if request.extra.get("parallel_tool_calls") is False else {}
    match choice:
        case "auto":
            return {"tools": tools} | ({"tool_choice": {"type": "auto", **one}} if one else {})
        case "none":
            return {"tools": tools, "tool_choice": {"type": "none"}}
        case "required":
            return {"tools": tools, "tool_choice": {"type": "any", **one}}
        case _:
            return {"tools": tools, "tool_choice": {"type": "tool", "name": choice[1:], **one}}


def _output_format(engine: str, request: Request, abilities: ModelAbilities) -> JSON:
    schema = read_schema(request.response_format)
    if schema is None:
        return {}
    if not schema:
        raise EngineRefused(
            f"The engine {engine} makes JSON by a schema alone; send a `json_schema` in `response_format`.",
            param="response_format",
        )
    if abilities.has_schemas is False:
        raise EngineRefused(
            f"The model {request.model} keeps to no JSON schema; choose another model.", param="response_format"
        )
    return {"format": {"type": "json_schema", "schema": close_schema(schema)}}


def _mark_prefix(body: JSON) -> None:
    """Mark what the next request will begin with: tools and instructions, and the last two turns of the user."""
    if body.get("system"):
        body["system"][-1]["cache_control"] = CACHED
    elif body.get("tools"):
        body["tools"][-1]["cache_control"] = CACHED
    turns = [message for message in body["messages"] if message["role"] == "user"]
    for message in turns[-2:]:
        message["content"][-1]["cache_control"] = CACHED


def _with_hints(body: JSON, request: Request, abilities: ModelAbilities) -> JSON:
    """Return the body with the sampling and the thinking that are asked for, as far as the model has them."""
    hints = _thinking(body, request, abilities)
    output: JSON = {**body.get("output_config", {}), **hints.pop("output_config", {})}
    thinks = hints.get("thinking", {}).get("type") in ("adaptive", "enabled")
    if abilities.takes_sampling and not thinks:
        hints |= _sampling(request)
    return {**body, **hints, **({"output_config": output} if output else {})}


def _sampling(request: Request) -> JSON:
    """Return the sampling; of temperature and top_p the API takes one."""
    sampling = request.sampling
    found: JSON = {} if (top_k := request.extra.get("top_k")) is None else {"top_k": top_k}
    if sampling.temperature is not None:
        found["temperature"] = min(sampling.temperature, 1.0)
    elif sampling.top_p is not None:
        found["top_p"] = sampling.top_p
    return found


def _thinking(body: JSON, request: Request, abilities: ModelAbilities) -> JSON:
    """Return `thinking`, and the effort in `output_config`, for the effort that is asked for."""
    effort: Any = request.extra.get("reasoning_effort")
    if effort is None:
        return {}
    types, is_forced = abilities.thinking, body.get("tool_choice", {}).get("type") in ("any", "tool")
    level = _effort_level(effort, abilities)
    levels: JSON = {"output_config": {"effort": level}} if level else {}
    off: JSON = {"thinking": {"type": "disabled"}} if types is None or "disabled" in types else levels
    if effort in OFF_EFFORTS or is_forced:
        return off
    if types is None or "adaptive" in types:
        return {"thinking": {"type": "adaptive", "display": "summarized"}, **levels}
    tokens = min(THINKING_TOKENS.get(effort, THINKING_TOKENS["high"]), body["max_tokens"] // 2)
    if "enabled" not in types or tokens < MIN_THINKING_TOKENS or _lacks_thought(body["messages"]):
        return off
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}, **levels}


def _effort_level(effort: Any, abilities: ModelAbilities) -> str | None:
    """Return the highest level of the model up to `effort`, or its lowest; None if it has none."""
    if abilities.efforts is None:
        return effort if effort in EFFORTS else None
    levels = [level for level in EFFORTS if level in abilities.efforts]
    wanted = EFFORTS.index(effort) if effort in EFFORTS else 0
    within = [level for level in levels if EFFORTS.index(level) <= wanted]
    return within[-1] if within else next(iter(levels), None)


def _lacks_thought(messages: list[JSON]) -> bool:
    """Return whether a tool's result is answered now whose call came without the thought that led to it."""
    if len(messages) < 2 or messages[-1]["content"][0]["type"] != "tool_result":
        return False
    return messages[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking")
