"""Reads the parts of a request that are in OpenAI's format, for engines that speak another one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from eclair.errors import EngineRefused
from eclair.llm.base import JSON, PromptMessage

NEUTRAL_VALUES: Mapping[str, tuple[Any, ...]] = {
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "parallel_tool_calls": (True,),
    "min_p": (0,),
    "repetition_penalty": (1,),
    "n": (1,),
}
"""Values of a field that ask for nothing."""


@dataclass(frozen=True, slots=True)
class CallInHistory:
    """A tool call of an earlier answer."""

    id: str
    name: str
    arguments: JSON


@dataclass(frozen=True, slots=True)
class CallableTool:
    """A tool that the model may call."""

    name: str
    description: str | None
    parameters: JSON
    strict: bool


@dataclass(frozen=True, slots=True)
class InlineImage:
    """An image as base64."""

    media_type: str
    data: str


def refuse_extras(engine: str, extra: JSON, taken: Collection[str]) -> None:
    """Raise EngineRefused for the first field that asks for something and isn't among those `taken`."""
    for name, value in extra.items():
        if name not in taken and value is not None and value not in NEUTRAL_VALUES.get(name, ()):
            raise EngineRefused(f"The engine {engine} has no `{name}`; leave it out.", param=name)


def refuse_prompt(engine: str) -> EngineRefused:
    """Return the error for a plain text to be continued."""
    return EngineRefused(f"The engine {engine} does not continue plain text; ask it in a chat.", param="prompt")


def read_call(call: JSON) -> CallInHistory:
    """Read a tool call of the history. Raises EngineRefused if its arguments are no JSON object."""
    function: Any = call.get("function")
    try:
        name, text = str(function["name"]), function.get("arguments") or "{}"
        arguments: Any = orjson.loads(text) if isinstance(text, str) else text
    except (TypeError, KeyError, AttributeError, orjson.JSONDecodeError):
        arguments, name = None, ""
    if not isinstance(arguments, dict):
        raise EngineRefused(
            "A tool call in the conversation has no name, or arguments that are no JSON object; send it as it came.",
            param="messages.tool_calls",
        )
    return CallInHistory(str(call.get("id") or ""), name, arguments)  # pyright: ignore[reportUnknownArgumentType]


def read_tool(tool: JSON) -> CallableTool:
    """Read the definition of a function. Raises EngineRefused for another tool."""
    function = tool.get("function")
    found = cast("JSON", function) if isinstance(function, dict) else {}
    if not isinstance(found.get("name"), str):
        raise EngineRefused("Only tools of the type function, with a name, can be called.", param="tools")
    given: JSON = found.get("parameters") or {}
    parameters: JSON = {"type": "object", "properties": {}, **given}
    return CallableTool(found["name"], found.get("description"), parameters, found.get("strict") is True)


def read_tool_choice(choice: str | JSON | None) -> str:
    """Return `auto`, `none`, `required`, or `=` and the name of a function. Raises EngineRefused."""
    match choice:
        case None | "auto" | "none" | "required":
            return choice or "auto"
        case "any":
            return "required"
        case {"type": "function", "function": {"name": str(name)}}:
            return f"={name}"
        case _:
            raise EngineRefused("The `tool_choice` is not one this engine knows.", param="tool_choice")


def read_schema(response_format: JSON | None) -> JSON | None:
    """Return the JSON schema of the answer; None for text, and an empty one for any JSON. Raises EngineRefused."""
    match response_format:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {}
        case {"type": "json_schema", "json_schema": {"schema": {**schema}}}:
            return dict(schema)
        case _:
            raise EngineRefused("The `response_format` is not one this engine knows.", param="response_format")


def read_content(said: PromptMessage) -> list[str | InlineImage]:
    """Return the texts and images of a message, without empty texts. Raises EngineRefused for another part."""
    found: list[str | InlineImage] = [
        InlineImage(image.media_type, base64.b64encode(image.data).decode()) for image in said.images
    ]
    parts = said.content if isinstance(said.content, list) else [{"type": "text", "text": said.content or ""}]
    for part in parts:
        match part:
            case {"type": "text", "text": str(text)}:
                found += [text] if text else []
            case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
                found.append(_read_data_url(url))
            case _:
                kind = part.get("type")
                raise EngineRefused(
                    f"This engine takes texts and images, no part of the type {kind}.", param="messages"
                )
    return found


def _read_data_url(url: str) -> InlineImage:
    head, _, data = url.partition(",")
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        head = ""
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise EngineRefused("An image comes as a base64 data: URL here.", param="messages")
    return InlineImage(head.removeprefix("data:").removesuffix(";base64"), data)
