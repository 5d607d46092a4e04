"""Forced tool calls for engines that force none: the calls become JSON in a prescribed schema, and that is read back.

A server that keeps to a `response_format` but not to `tool_choice` is asked for `{"name", "arguments"}`, or for an
array of such objects where several calls are allowed. No I/O.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson

from eclair.errors import EngineRefused
from eclair.llm.base import JSON, Delta, Finish, Request, Text, ToolCall
from eclair.llm.openai.call_formats import new_call_id

MAX_CALLS = 16
"""Calls at once that a model may be made to write: a small one would repeat itself without end."""

_PIECE = re.compile(r'["\\{}\[\]]|[^"\\{}\[\]]+')


def must_call(request: Request) -> bool:
    """Return whether the request demands a tool call."""
    return bool(request.tools) and (request.tool_choice == "required" or isinstance(request.tool_choice, dict))


def force_calls(request: Request) -> Request:
    """Ask for the calls that a request demands as JSON. Raises EngineRefused if it names a tool that it lacks.

    The tools stay in the prompt, which the model reads and the engine caches.
    """
    wanted = request.tool_choice["function"]["name"] if isinstance(request.tool_choice, dict) else None
    functions: list[JSON] = [tool["function"] for tool in request.tools if wanted in (None, tool["function"]["name"])]
    if not functions:
        raise EngineRefused(f"The tool {wanted!r} of `tool_choice` is not among the `tools`; add it or name another.")
    several = wanted is None and request.extra.get("parallel_tool_calls") is not False
    schema = {"name": "tool_calls", "schema": _calls_schema(functions, several=several), "strict": True}
    extra = {name: value for name, value in request.extra.items() if name not in ("logprobs", "top_logprobs")}
    form = {"type": "json_schema", "json_schema": schema}
    return replace(request, tool_choice="none", response_format=form, extra=extra)


def _calls_schema(functions: list[JSON], *, several: bool) -> JSON:
    """Build the schema of a call of one of the functions, or of several calls."""
    definitions = {str(at): _parameters(function, at) for at, function in enumerate(functions)}
    calls: list[JSON] = [
        {
            "type": "object",
            "properties": {"name": {"const": function["name"]}, "arguments": {"$ref": f"#/$defs/{at}"}},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for at, function in enumerate(functions)
    ]
    call: JSON = calls[0] if len(calls) == 1 else {"anyOf": calls}
    shape: JSON = {"type": "array", "items": call, "minItems": 1, "maxItems": MAX_CALLS} if several else call
    return {**shape, "$defs": definitions}


def _parameters(function: JSON, at: int) -> JSON:
    """Return a function's parameters, whose references point to where they are now."""
    return {"type": "object", **_moved(function.get("parameters") or {}, f"#/$defs/{at}")}


def _moved(schema: Any, root: str) -> Any:
    if isinstance(schema, list):
        return [_moved(each, root) for each in schema]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(schema, dict):
        return schema
    moved: JSON = {}
    for name, value in schema.items():  # pyright: ignore[reportUnknownVariableType]
        if name == "$ref" and isinstance(value, str) and value.startswith("#"):
            moved[name] = root + value[1:]
        elif name == "properties" and isinstance(value, dict):  # llama.cpp takes no `true` there
            moved[name] = {key: {} if each is True else _moved(each, root) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        else:
            moved[name] = _moved(value, root)
    return moved


class ForcedCallParser:
    """Reads calls from their JSON while it grows: the name first, then the arguments as they come.

    The JSON is what `force_calls` prescribes: an object, or an array of objects, with `name` before `arguments`.
    """

    def __init__(self) -> None:
        self._depth = 0
        """Open brackets, without that of the array: 1 is within a call, more is within its arguments."""
        self._in_string = self._is_escaped = False
        self._string: list[str] = []
        """The string that is being read, or was read last, in a call and outside of its arguments."""
        self._key: str | None = None
        self._index = -1

    def convert(self, delta: Delta) -> list[Delta]:
        """Convert a delta of the engine: text becomes calls, everything else stays."""
        match delta:
            case Text(text=text):
                return [*self.feed(text)]
            case Finish(reason="stop") if self._index >= 0:
                return [replace(delta, reason="tool_calls")]
            case _:
                return [delta]

    def feed(self, text: str) -> list[ToolCall]:
        """Return what more of the JSON says."""
        calls: list[ToolCall] = []
        arguments: list[str] = []
        for piece in _PIECE.findall(text):
            was_in_arguments = self._depth > 1
            self._count(piece)
            if was_in_arguments or self._depth > 1:
                arguments.append(piece)
            if arguments and self._depth <= 1:
                calls.append(ToolCall(self._index, None, None, "".join(arguments)))
                arguments = []
            elif not was_in_arguments and (call := self._read_head(piece)) is not None:
                calls.append(call)
        if arguments:
            calls.append(ToolCall(self._index, None, None, "".join(arguments)))
        return calls

    def _count(self, piece: str) -> None:
        """Note strings and brackets."""
        if self._is_escaped:
            self._is_escaped = False
        elif self._in_string:
            self._is_escaped, self._in_string = piece == "\\", piece != '"'
        elif piece == '"':
            self._in_string, self._string = True, []
        elif piece == "{" or (piece == "[" and self._depth):
            self._depth += 1
        elif self._depth and piece in "}]":
            self._depth -= 1

    def _read_head(self, piece: str) -> ToolCall | None:
        """Read a call up to its arguments; return its start once its name is known."""
        if self._depth == 1 and piece == "{" and not self._in_string:
            self._index, self._key = self._index + 1, None
        elif self._in_string and (piece != '"' or self._string):
            self._string.append(piece)
        elif piece == '"' and not self._in_string:
            text: str = orjson.loads('"' + "".join(self._string) + '"')
            if self._key is None:
                self._key = text
                return None
            is_name, self._key = self._key == "name", None
            return ToolCall(self._index, new_call_id(), text, "") if is_name else None
        return None
