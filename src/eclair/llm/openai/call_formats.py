"""The ways in which models write tool calls as text, parsed. No I/O.

A model whose template knows no calls, or whose server doesn't parse them, writes what its training showed it: JSON
with a name and arguments, or XML.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson

from eclair.llm.base import JSON
from eclair.llm.json_schema import SchemaCheck

NAME_KEYS = ("name", "function", "tool", "tool_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
_OTHER_KEYS = ("type", "id")
_KEYS = {*NAME_KEYS, *ARGUMENT_KEYS, *_OTHER_KEYS}
_FENCE_INFOS = ("json", "tool_call", "tool_code", "xml", "")
_JSON = json.JSONDecoder()
_NAME_END = re.compile(r"[\[{]")
MISTRAL_TAG = "[TOOL_CALLS]"

TAGS = {
    "<tool_call>": "</tool_call>",
    "<function_call>": "</function_call>",
    "<tools>": "</tools>",
    "<function=": "</function>",
    "<invoke name=": "</invoke>",
    "<|python_tag|>": "",
    MISTRAL_TAG: "",
}
"""Tags that open a call, and what closes it; without that it takes the rest of the answer."""


class CallStart(Enum):
    """The start of a text, judged."""

    CALL = auto()
    NONE = auto()
    UNDECIDED = auto()


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call that a model wrote as text; `arguments` are JSON."""

    name: str
    arguments: str


class OfferedTools:
    """The tools of a request, by which written calls are known."""

    def __init__(self, tools: Sequence[JSON]) -> None:
        functions: list[JSON] = [tool["function"] for tool in tools if isinstance(tool.get("function"), dict)]
        self._schemas: dict[str, Any] = {str(each.get("name")): each.get("parameters") or {} for each in functions}

    def may_begin(self, start: str) -> bool:
        """Return whether a tool's name begins so."""
        return any(name.startswith(start) for name in self._schemas)

    def has(self, name: str) -> bool:
        return name in self._schemas

    def call(self, name: Any, arguments: Any) -> WrittenCall | None:
        """Return the call, if there is such a tool and the arguments fit."""
        if isinstance(arguments, str):
            try:
                arguments = orjson.loads(arguments or "{}")
            except orjson.JSONDecodeError:
                return None
        if name not in self._schemas or not isinstance(arguments, dict):
            return None
        if not SchemaCheck(self._schemas[name]).fits(arguments):
            return None
        return WrittenCall(name, orjson.dumps(arguments).decode())

    def property_type(self, name: str, key: str) -> Any:
        """Return the type of a tool's argument; None if its schema doesn't say."""
        properties: Any = self._schemas.get(name, {}).get("properties")
        schema: Any = properties.get(key) if isinstance(properties, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return schema.get("type") if isinstance(schema, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def new_call_id() -> str:
    """Return an id for a call: nine letters and digits, all that Mistral's templates take."""
    return secrets.token_hex(5)[:9]


def judge_start(opener: str, text: str, tools: OfferedTools) -> CallStart:
    """Judge text that begins with `opener`: as a call as far as its name, as none, or as too short to tell."""
    if opener == "```":
        info, line_end, body = text[3:].partition("\n")
        if not line_end:
            return _undecided(any(known.startswith(info.strip()) for known in _FENCE_INFOS))
        return _judge_body(body, tools) if info.strip() in _FENCE_INFOS else CallStart.NONE
    if opener in ("<function=", "<invoke name="):
        return _judge_name(text[len(opener) :], ">", tools)
    body = text.removeprefix(opener) if opener in TAGS else text
    if opener == MISTRAL_TAG and body.strip() and body.lstrip()[0] not in "[{":
        name = _NAME_END.split(body.strip(), maxsplit=1)
        return _judge_name(name[0] + (">" if len(name) > 1 else ""), ">", tools)
    return _judge_body(body, tools)


def _judge_body(body: str, tools: OfferedTools) -> CallStart:
    body = body.lstrip()
    if body.startswith("<"):
        for tag in ("<function=", "<invoke name="):
            if body.startswith(tag):
                return _judge_name(body[len(tag) :], ">", tools)
        return _undecided(any(tag.startswith(body) for tag in ("<function=", "<invoke name=")))
    return _judge_json(body, tools)


def _judge_json(text: str, tools: OfferedTools) -> CallStart:
    rest = text.removeprefix("[").lstrip()
    for mark in '{"':
        if not rest:
            return CallStart.UNDECIDED
        if rest[0] != mark:
            return CallStart.NONE
        rest = rest[1:] if mark == '"' else rest[1:].lstrip().removeprefix("{").lstrip()
    key, closed, rest = rest.partition('"')
    if not closed:
        return _undecided(any(known.startswith(key) for known in _KEYS))
    rest = rest.lstrip().removeprefix(":").lstrip()
    if key not in _KEYS:
        return CallStart.NONE
    if not rest or key not in NAME_KEYS or rest[0] == "{":
        return CallStart.CALL if rest else CallStart.UNDECIDED
    return _judge_name(rest[1:], '"', tools) if rest[0] == '"' else CallStart.NONE


def _judge_name(text: str, end: str, tools: OfferedTools) -> CallStart:
    name, ended, _ = text.partition(end)
    name = name.strip("\"'")
    if ended:
        return CallStart.CALL if tools.has(name) else CallStart.NONE
    return _undecided(tools.may_begin(name))


def _undecided(is_possible: bool) -> CallStart:
    return CallStart.UNDECIDED if is_possible else CallStart.NONE


def parse_calls(opener: str, text: str, tools: OfferedTools) -> list[WrittenCall]:
    """Parse text that begins with `opener`, with or without what closes it; empty if it is anything but calls."""
    body = text
    if opener == "```":
        body = text[3:].partition("\n")[2].rstrip().removesuffix("```")
    elif opener not in ("<function=", "<invoke name="):
        body = text.removeprefix(opener if opener in TAGS else "").rstrip().removesuffix(TAGS.get(opener, ""))
    body = body.strip()
    if body.startswith("<"):
        call = _parse_xml(body, tools)
        return [] if call is None else [call]
    if opener == MISTRAL_TAG and body[:1] not in ("[", "{"):
        found = [_parse_named(piece, tools) for piece in body.split(MISTRAL_TAG)]
        calls = [call for call in found if call is not None]
        return calls if len(calls) == len(found) else []
    return _parse_json(body, tools)


def _parse_named(text: str, tools: OfferedTools) -> WrittenCall | None:
    """Parse `NAME[ARGS]{…}`, as newer models of Mistral write it, with or without the mark between."""
    name, brace, arguments = text.partition("{")
    return tools.call(name.partition("[")[0].strip(), brace + arguments.strip()) if brace else None


def _parse_json(text: str, tools: OfferedTools) -> list[WrittenCall]:
    """Parse calls and arrays of calls, one after the other."""
    if text.startswith("{{") and text.endswith("}}"):  # as a template writes a brace
        text = text[1:-1]
    calls: list[WrittenCall] = []
    at = 0
    while at < len(text):
        try:
            value, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        values: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
        for each in values:
            call = _json_call(each, tools)
            if call is None:
                return []
            calls.append(call)
        while text[at : at + 1] in (" ", "\n", "\r", "\t", ",", ";"):
            at += 1
    return calls


def _json_call(value: Any, tools: OfferedTools) -> WrittenCall | None:
    if not isinstance(value, dict) or not _KEYS.issuperset(value):  # pyright: ignore[reportUnknownArgumentType]
        return None
    call: JSON = value  # pyright: ignore[reportUnknownVariableType]
    if isinstance(inner := call.get("function"), dict):  # OpenAI's own form
        return _json_call(inner, tools)
    name = next((call[key] for key in NAME_KEYS if key in call), None)
    arguments = [call[key] for key in ARGUMENT_KEYS if key in call]
    return tools.call(name, arguments[0]) if isinstance(name, str) and arguments else None


def _parse_xml(text: str, tools: OfferedTools) -> WrittenCall | None:
    """Parse `<function=NAME>…</function>`, with arguments in JSON or as parameters, or `<invoke name="NAME">…`."""
    head, found, body = text.strip().partition(">")
    if not found:
        return None
    name = head.removeprefix("<function=").removeprefix("<invoke name=").strip("\"'")
    body = body.strip()
    for end in ("</function>", "</invoke>"):
        body = body.removesuffix(end).rstrip()
    if body.startswith("{"):
        return tools.call(name, body)
    arguments: JSON = {}
    for piece in body.split("<parameter")[1:]:
        key, found, value = piece.partition(">")
        value, ended, rest = value.partition("</parameter>")
        if not found or not ended or rest.strip():
            return None
        key = key.strip().removeprefix("=").removeprefix("name=").strip("\"'")
        arguments[key] = _xml_value(value, tools.property_type(name, key))
    return tools.call(name, arguments) if not body or arguments else None


def _xml_value(text: str, type: Any) -> Any:
    """Read a parameter: a text as it is but for the line ends around it, anything else as JSON."""
    text = text.removeprefix("\n").removesuffix("\n")
    if type == "string":
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
