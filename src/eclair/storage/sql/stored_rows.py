"""Rows as values: what a damaged row holds is refused, and a list that has one shows the others."""

from __future__ import annotations

import functools
import json
import types
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson
from pydantic import ValidationError

T = TypeVar("T")

Fits = Callable[[Any], bool]


class MalformedRow(ValueError):
    """A row whose values have other types than they were stored with."""


DECODING_ERRORS = (json.JSONDecodeError, zlib.error, UnicodeDecodeError, ValidationError, MalformedRow)
"""Raised where stored JSON, compressed text or a row can't be decoded; outside data is decoded before it comes here."""


def row_decoder(build: Callable[[Any], T]) -> Callable[[Any], T]:
    """Return a function that builds a value from a row. Raises MalformedRow for what was never stored so.

    Its fields must have the types that they declare.
    """

    @functools.wraps(build)
    def decode(row: Any) -> T:
        try:
            value = build(row)
        except (AttributeError, TypeError, ValueError, LookupError, zlib.error) as error:
            raise MalformedRow(str(error)) from error
        for name, fits in _checks(type(value)):
            if not fits(getattr(value, name)):
                raise MalformedRow(name)
        return value

    return decode


def decode_list(text: Any) -> tuple[Any, ...]:
    """Decode a stored JSON list. Raises MalformedRow."""
    found = orjson.loads(text)
    if not isinstance(found, list):
        raise MalformedRow("no list")
    return tuple(cast(list[Any], found))


def decode_object(text: Any) -> dict[str, Any]:
    """Decode a stored JSON object. Raises MalformedRow."""
    found = orjson.loads(text)
    if not isinstance(found, dict):
        raise MalformedRow("no object")
    return cast(dict[str, Any], found)


def require_json(text: Any) -> str:
    """Return stored JSON as it is. Raises MalformedRow."""
    if not isinstance(text, str):
        raise MalformedRow("no text")
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedRow(str(error)) from error
    return text


def decode_rows(rows: Iterable[Any], decode: Callable[[Any], T], note: Callable[[], None]) -> list[T]:
    """Decode the rows of a list, and call `note` for each that is damaged and left out."""
    found: list[T] = []
    for row in skip_unreadable(rows, note):
        try:
            found.append(decode(row))
        except DECODING_ERRORS:
            note()
    return found


def skip_unreadable(rows: Iterable[Any], note: Callable[[], None]) -> Iterator[Any]:
    """Yield the rows whose texts are UTF-8; call `note` for each other."""
    remaining = iter(rows)
    while True:
        try:
            yield next(remaining)
        except StopIteration:
            return
        except UnicodeDecodeError:
            note()


@functools.cache
def _checks(kind: type) -> tuple[tuple[str, Fits], ...]:
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    return tuple((field.name, _fits(hints[field.name])) for field in fields(kind))


def _fits(hint: Any) -> Fits:
    """Return what tells whether a value is of a type; a container's items are looked at too."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        allowed = frozenset(arguments)
        return lambda value: isinstance(value, str) and value in allowed
    if origin in (Union, types.UnionType):
        kinds = [_fits(each) for each in arguments]
        return lambda value: any(fits(value) for fits in kinds)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        if arguments[0] not in (str, int, float):  # larger values are checked by what decodes them
            return lambda value: type(value) is tuple
        item = _fits(arguments[0])

        def is_tuple_of(value: Any) -> bool:
            return type(value) is tuple and all(map(item, cast(tuple[Any, ...], value)))

        return is_tuple_of
    if hint is float:
        return lambda value: type(value) in (float, int)
    if isinstance(hint, type):
        return lambda value: type(value) is hint
    return _anything


def _anything(value: object) -> bool:
    return True
