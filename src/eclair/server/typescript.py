"""Writes the page's types from our own: `python -m eclair.server.typescript > ui/src/api/events.ts`.

Knows dataclasses, literals, tuples and optional values, which is all that messages and events are made of;
and the codes of the error tree.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from dataclasses import MISSING, fields
from inspect import cleandoc
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from eclair import errors
from eclair.schema import events, messages

VALUES = (
    messages.Part,
    messages.Energy,
    messages.Cost,
    messages.Usage,
    messages.Fault,
    messages.Remark,
    messages.Step,
    messages.Attachment,
    messages.LibraryName,
    messages.PageBreak,
    messages.Passage,
    messages.Citation,
    messages.Doubt,
    messages.Wish,
    messages.Message,
    messages.Conversation,
    messages.Hit,
    messages.Change,
)
CLOSED = (
    "Role",
    "PartKind",
    "Status",
    "FinishReason",
    "StepKind",
    "Outcome",
    "RemarkCode",
    "ChangeKind",
    "Mode",
    "Web",
    "EnergyKind",
)
_NAMES: dict[Any, str] = {getattr(messages, name): name for name in CLOSED}
_PLAIN: dict[Any, str] = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def generate() -> str:
    """The whole of `events.ts`."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "// Generated from events.py, messages.py and errors.py by `python -m eclair.server.typescript`; do not edit."
    yield ""
    for name in CLOSED:
        yield f"export type {name} = {_literal(getattr(messages, name))};"
    yield "/** What an error or a failed answer can be called. */"
    yield "export type ErrorCode ="
    *codes, last = _codes(errors.EclairError)
    yield from (f'  | "{code}"' for code in codes)
    yield f'  | "{last}";'
    union = get_args(events.Event)
    for shape in (*VALUES, *union):
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
    """The code of the error and of each that is under it."""
    yield kind.code
    for below in kind.__subclasses__():
        yield from _codes(below)


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


if __name__ == "__main__":
    sys.stdout.write(generate())
