"""TypeScript types for the web app, generated from the server's own.

`python -m eclair.server.typescript > ui/src/api/events.ts` writes messages, events and error codes. It supports
dataclasses, literals, tuples and optional values, which is all they are made of.

`python -m eclair.server.typescript openapi` writes the OpenAPI document of /api, reduced to what types need;
`hatch_build.py types` turns it into ui/src/api/schema.ts. `make generate` runs both.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import MISSING, fields
from inspect import cleandoc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from fastapi import FastAPI

from eclair import errors
from eclair.app import open_app
from eclair.schema import agents, elicitations, events, images, messages
from eclair.server.lazy_routes import add_routes, build_all_routers
from eclair.server.ollama.errors import is_ollama_path
from eclair.settings import Settings

EXPORTED_TYPES = (
    messages.Part,
    messages.Energy,
    messages.Cost,
    messages.Usage,
    messages.Fault,
    messages.AnswerComparison,
    messages.Rating,
    messages.AnswerNotice,
    messages.Step,
    elicitations.FieldOption,
    elicitations.ElicitationField,
    elicitations.Elicitation,
    messages.CallProgress,
    messages.Call,
    messages.Attachment,
    messages.LibraryName,
    messages.PageBreak,
    events.SectionNote,
    messages.Passage,
    messages.Citation,
    messages.Doubt,
    messages.ComputedFigure,
    agents.AgentBudget,
    agents.ReadingNote,
    agents.SubAgent,
    images.ImageRequest,
    messages.Message,
    messages.Conversation,
    messages.Hit,
    messages.PassageHit,
    messages.NameHit,
    messages.Change,
)
LITERAL_TYPES = (
    "Role",
    "PartKind",
    "Status",
    "FinishReason",
    "StepKind",
    "StepOutcome",
    "CallAccess",
    "CallDecision",
    "CallOutcome",
    "CallFaultCode",
    "NoticeCode",
    "ChangeKind",
    "NameKind",
    "Mode",
    "Web",
    "EnergyKind",
)
_LITERALS: dict[str, Any] = {
    **{name: getattr(messages, name) for name in LITERAL_TYPES},
    "AgentEnding": agents.AgentEnding,
    "ElicitationAction": elicitations.ElicitationAction,
    "FieldKind": elicitations.FieldKind,
    "TextFormat": elicitations.TextFormat,
}
_NAMES: dict[Any, str] = {literal: name for name, literal in _LITERALS.items()}
_PLAIN: dict[Any, str] = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def generate() -> str:
    """Return the content of `events.ts`."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "// Generated from schema/ and errors.py by `python -m eclair.server.typescript`; do not edit."
    yield ""
    for name, literal in _LITERALS.items():
        yield f"export type {name} = {_literal(literal)};"
    yield "/** What an error or a failed answer can be called. */"
    yield "export type ErrorCode ="
    *codes, last = dict.fromkeys(_codes(errors.EclairError))
    yield from (f'  | "{code}"' for code in codes)
    yield f'  | "{last}";'
    union = get_args(events.Event)
    for shape in (*EXPORTED_TYPES, *union):
        yield ""
        yield from _interface(shape)
    yield ""
    yield "export type Event ="
    yield from (f"  | {event.__name__}" for event in union[:-1])
    yield f"  | {union[-1].__name__};"
    yield ""
    ends = ", ".join(f'"{_default(event, "type")}"' for event in events.END)
    yield "/** The types of a run's last event. */"
    yield f"export const END: ReadonlySet<string> = new Set([{ends}]);"


def _codes(kind: type[errors.EclairError]) -> Iterator[str]:
    """Yield the code of an error class and of all its subclasses."""
    yield kind.code
    for subclass in kind.__subclasses__():
        yield from _codes(subclass)


def _interface(shape: type[Any]) -> Iterator[str]:
    documented = shape.__doc__ or ""
    if documented and not documented.startswith(f"{shape.__name__}("):
        first, *rest = cleandoc(documented).splitlines()
        if rest:
            yield f"/** {first}"
            yield from (f" * {line}".rstrip() for line in rest)
            yield " */"
        else:
            yield f"/** {first} */"
    yield f"export interface {shape.__name__} {{"
    hints = get_type_hints(shape)
    for spec in fields(shape):
        yield f"  readonly {spec.name}: {_type(hints[spec.name])};"
    yield "}"


def _type(hint: Any) -> str:
    if hint in _NAMES:
        return _NAMES[hint]
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin = get_origin(hint)
    if origin is Literal:
        return _literal(hint)
    if origin in (Union, types.UnionType):
        return " | ".join(_type(member) for member in get_args(hint))
    if origin is tuple:
        return f"readonly {_type(get_args(hint)[0])}[]"
    return hint.__name__


def _literal(hint: Any) -> str:
    return " | ".join(f'"{value}"' for value in get_args(hint))


def _default(shape: type[Any], name: str) -> object:
    return next(spec.default for spec in fields(shape) if spec.name == name and spec.default is not MISSING)


async def openapi() -> dict[str, Any]:
    """Return the OpenAPI document of /api, from a temporary installation."""
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), embedded=False, scripted=True)
        async with open_app(settings) as app:
            api = FastAPI()
            for router in build_all_routers(app):
                add_routes(api, router)
            return reduce_document(api.openapi())


def reduce_document(document: dict[str, Any]) -> dict[str, Any]:
    """Keep the paths of /api but Ollama's, their successful responses, and the schemas these use.

    Operation ids, summaries, descriptions and tags are dropped.
    """
    paths = {
        path: methods
        for path, methods in document["paths"].items()
        if path.startswith("/api/") and not is_ollama_path(path)
    }
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        for name in ("operationId", "summary", "description", "tags"):
            operation.pop(name, None)
        operation["responses"] = {code: reply for code, reply in operation["responses"].items() if code < "300"}
        for frame in _frames(operation["responses"]):
            frame.pop("type")  # FastAPI calls every stream a string, in addition to the model of its frames
    schemas: dict[str, Any] = document["components"]["schemas"]
    bodies = [operation.get("requestBody") for methods in paths.values() for operation in methods.values()]
    for name in _used(paths, schemas) - _used(bodies, schemas):  # a response has every field, even those with a default
        if "properties" in schemas[name]:
            schemas[name]["required"] = list(schemas[name]["properties"])
    used = {name: schemas[name] for name in sorted(_used(paths, schemas))}
    info = document["info"]
    return _drop_titles({"openapi": document["openapi"], "info": info, "paths": paths, "components": {"schemas": used}})


def _frames(replies: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the schemas of the frames of server-sent events."""
    for reply in replies.values():
        frame = reply.get("content", {}).get("text/event-stream", {}).get("schema", {})
        if "anyOf" in frame:
            yield frame


def _used(part: Any, schemas: dict[str, Any]) -> set[str]:
    """Find the schemas that a part of the document uses, directly or indirectly."""
    used: set[str] = set()
    waiting = _references(part)
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting.extend(_references(schemas[name]))
    return used


def _references(part: Any) -> list[str]:
    """List the schemas that a part of the document refers to."""
    return re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(part))


def _drop_titles(document: dict[str, Any]) -> dict[str, Any]:
    """Drop titles, which only repeat names; properties called `title` stay."""

    def keep(found: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in found.items() if name != "title" or isinstance(value, dict)}

    return json.loads(json.dumps(document), object_hook=keep)


if __name__ == "__main__":
    if sys.argv[1:] == ["openapi"]:
        json.dump(asyncio.run(openapi()), sys.stdout)
    else:
        sys.stdout.write(generate())
