"""Files of assistants: Éclair's own JSON, and the forms in which OpenAI has its GPTs and assistants.

Of a foreign file what Éclair has too is taken, and the rest is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

import orjson
from pydantic import ValidationError

from eclair.assistants.assistant_fields import AssistantFields
from eclair.errors import InvalidInput
from eclair.schema.assistants import (
    MAX_ASSISTANT_DESCRIPTION_CHARS,
    MAX_ASSISTANT_INSTRUCTIONS_CHARS,
    MAX_ASSISTANT_NAME_CHARS,
    MAX_STARTER_CHARS,
    MAX_STARTERS,
    AssistantProfile,
)

MAX_ASSISTANT_FILE_BYTES: Final = 1 << 20
FORMAT: Final = "eclair.assistant"
VERSION: Final = 1

_WEB_TOOLS: Final = ("search_web", "read_page")
_DOCUMENT_TOOLS: Final = ("search_documents", "read_document")
_TOOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "browser": _WEB_TOOLS,
    "web_browsing": _WEB_TOOLS,
    "web_search": _WEB_TOOLS,
    "web_search_preview": _WEB_TOOLS,
    "dalle": ("draw_picture",),
    "image_generation": ("draw_picture",),
    "python": ("run_python",),
    "code_interpreter": ("run_python",),
    "canvas": ("open_canvas", "edit_canvas"),
    "canmore": ("open_canvas", "edit_canvas"),
    "file_search": _DOCUMENT_TOOLS,
    "retrieval": _DOCUMENT_TOOLS,
    "myfiles_browser": _DOCUMENT_TOOLS,
}
"""Tools of Éclair by the names that OpenAI gives what does the same."""


@dataclass(frozen=True, slots=True)
class ImportedAssistant:
    """An assistant of a file, and by their names there the things that it has and Éclair doesn't take over."""

    profile: AssistantProfile
    left_out: tuple[str, ...] = ()


def export_assistant(profile: AssistantProfile) -> bytes:
    """Return an assistant as a file. Its libraries aren't in it: their ids mean nothing elsewhere."""
    fields = {name: value for name, value in asdict(profile).items() if name != "libraries" and value not in (None, ())}
    document = {"format": FORMAT, "version": VERSION, **fields}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_assistant_file(data: bytes) -> ImportedAssistant:
    """Read a file of an assistant. Raises InvalidInput."""
    if len(data) > MAX_ASSISTANT_FILE_BYTES:
        raise InvalidInput("A file of an assistant has 1 MB at most; this one is larger.")
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidInput("This file is no JSON; choose the JSON file of an assistant.") from error
    if not isinstance(found, dict):
        raise InvalidInput("This file holds no assistant; choose the JSON file of one.")
    document = cast("dict[str, Any]", found)
    if document.get("format") == FORMAT:
        return _read_own(document)
    return _read_foreign(document)


def _read_own(document: Mapping[str, Any]) -> ImportedAssistant:
    if document.get("version") != VERSION:
        raise InvalidInput("This file was made by a newer Éclair; update this one first.")
    fields = {name: value for name, value in document.items() if name not in ("format", "version", "libraries")}
    left_out = ("libraries",) if document.get("libraries") else ()
    return ImportedAssistant(_check(fields), left_out)


def _read_foreign(document: Mapping[str, Any]) -> ImportedAssistant:
    """Read a GPT, with or without its envelope, or an assistant of OpenAI's API."""
    gizmo = _mapping(document.get("gizmo")) or document
    display = _mapping(gizmo.get("display")) or gizmo
    name = _string(display.get("name")) or _string(gizmo.get("name"))
    instructions = _string(gizmo.get("instructions")) or _string(document.get("instructions"))
    if not name or not (instructions or _string(display.get("description"))):
        raise InvalidInput("This file holds no assistant: it lacks a name, or instructions. Choose the file of one.")
    offered = [*_tools(gizmo), *_tools(document)] if gizmo is not document else _tools(document)
    names = [name for name, _ in offered]
    starters = _strings(display.get("prompt_starters")) or _strings(gizmo.get("conversation_starters"))
    tools = tuple(dict.fromkeys(tool for name in names for tool in _TOOLS.get(name, ())))
    states_tools = any(key in each for each in (gizmo, document) for key in ("tools", "capabilities"))
    description = " ".join(_string(display.get("description")).split())
    fields = {
        "name": " ".join(name.split())[:MAX_ASSISTANT_NAME_CHARS].strip(),
        "description": description[:MAX_ASSISTANT_DESCRIPTION_CHARS].strip(),
        "instructions": instructions[:MAX_ASSISTANT_INSTRUCTIONS_CHARS],
        "web": "auto" if "search_web" in tools else None,
        "tools": tools if states_tools else None,
        "starters": [" ".join(each.split())[:MAX_STARTER_CHARS] for each in starters if each.strip()][:MAX_STARTERS],
    }
    left_out = list(_list_unsupported((document, gizmo, display), offered))
    if len(instructions) > MAX_ASSISTANT_INSTRUCTIONS_CHARS:
        left_out.insert(0, f"instructions after {MAX_ASSISTANT_INSTRUCTIONS_CHARS:,} characters")
    return ImportedAssistant(_check(fields), tuple(dict.fromkeys(left_out)))


def _list_unsupported(parts: Sequence[Mapping[str, Any]], offered: Sequence[tuple[str, str]]) -> Iterable[str]:
    """List what a foreign file has and Éclair doesn't take over."""
    for kind, name in offered:
        if kind not in _TOOLS:
            yield f"{kind}: {name}" if name else kind
    for part in parts:
        for field in ("files", "file_ids", "knowledge", "tool_resources", "actions"):
            if part.get(field):
                yield field
        for field in ("profile_picture_url", "profile_picture", "logo_url"):
            if part.get(field):
                yield "profile_picture"
        for field in ("model", "temperature", "top_p", "reasoning_effort"):
            value = part.get(field)
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                yield f"{field}: {value}"
        if isinstance(part.get("response_format"), dict):
            yield "response_format"


def _tools(part: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the tools that a part of a file offers: the kind of each, and a function's name."""
    found: list[tuple[str, str]] = []
    tools = part.get("tools")
    for each in cast("list[Any]", tools) if isinstance(tools, list) else []:
        tool = {"type": each} if isinstance(each, str) else _mapping(each)
        kind = _string(tool.get("type"))
        if kind:
            found.append((kind, _string(_mapping(tool.get("function")).get("name"))))
    capabilities = part.get("capabilities")
    if isinstance(capabilities, list):
        found += [(each, "") for each in _strings(cast("list[Any]", capabilities))]
    found += [(name, "") for name, value in _mapping(capabilities).items() if value is True]
    return found


def _check(fields: Mapping[str, Any]) -> AssistantProfile:
    try:
        return AssistantFields.model_validate(fields).profile()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"The file's field {where!r} can't be used: {reason}.", param=where) from error


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _strings(value: Any) -> list[str]:
    return [each for each in cast("list[Any]", value) if isinstance(each, str)] if isinstance(value, list) else []
