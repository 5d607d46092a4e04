"""Frames: typed messages between two processes, as JSON with raw bytes beside it.

A frame is the lengths of its header and payloads (two big-endian 32-bit numbers), the header, and the payloads. The
header is JSON: the name of a dataclass, its fields, and the length of each payload. A field that holds bytes has the
index of its payload in the header.

A reader trusts nothing but the form: every value is checked against the annotations of the dataclass. This module needs
only the standard library, as the environment with PyTorch may have nothing else.
"""

from __future__ import annotations

import functools
import json
import struct
import types
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

try:
    import orjson
except ImportError:
    orjson = None

if TYPE_CHECKING:
    import asyncio  # takes time that processes do without

T = TypeVar("T")
OtherT = TypeVar("OtherT")

LENGTHS = struct.Struct(">II")
MAX_FRAME_BYTES = 64 << 20
DECODE_IN_THREAD_BYTES = 1 << 20
"""Larger frames are decoded in a thread."""

_Check = Callable[[Any, Sequence[bytes]], Any]
"""Returns a JSON value as its type, given the frame's payloads. Raises FrameError."""


class FrameError(ValueError):
    """The other process sent something that is not a frame of this codec."""


class Codec(Generic[T]):
    """Encodes and decodes messages of the given dataclasses, told apart by name.

    Fields may be str, int, float, bool, bytes, date, None, Literal, tuples, NamedTuples, str-keyed dicts, unions and
    dataclasses; other annotations raise TypeError.
    """

    def __init__(self, *kinds: type[T], max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._checks = {kind.__name__: _check(kind) for kind in kinds}
        self.max_frame_bytes = max_frame_bytes

    def including(self, kind: type[OtherT]) -> Codec[T | OtherT]:
        """Return this codec with one more kind of message."""
        codec = Codec[T | OtherT](kind, max_frame_bytes=self.max_frame_bytes)
        codec._checks.update(self._checks)
        return codec

    def encode(self, message: T) -> bytes:
        payloads: list[bytes] = []
        values = _dumps(message, payloads)
        lengths = _dumps([len(payload) for payload in payloads], payloads)
        header = b'["%s",%s,%s]' % (type(message).__name__.encode(), values, lengths)
        return b"".join([LENGTHS.pack(len(header), sum(map(len, payloads))), header, *payloads])

    def decode(self, header: bytes, payloads: bytes) -> T:
        """Decode a frame. Raises FrameError."""
        try:
            name, values, lengths = _loads(header)
            checked: T = self._checks[name](values, _split(payloads, lengths))
        except FrameError:
            raise
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise FrameError(f"not a frame: {error}") from error
        return checked

    def read(self, stream: BinaryIO) -> T | None:
        """Return the next message, None at the end of the stream. Raises FrameError."""
        start = stream.read(LENGTHS.size)
        if len(start) < LENGTHS.size:
            return None
        header, payloads = self._lengths(start)
        return self.decode(stream.read(header), stream.read(payloads))

    async def receive(self, stream: asyncio.StreamReader) -> T:
        """Return the next message. Raises FrameError, or IncompleteReadError or ConnectionError at the end."""
        header, payloads = self._lengths(await stream.readexactly(LENGTHS.size))
        data = await stream.readexactly(header), await stream.readexactly(payloads)
        if header + payloads > DECODE_IN_THREAD_BYTES:
            import asyncio

            return await asyncio.to_thread(self.decode, *data)
        return self.decode(*data)

    def _lengths(self, start: bytes) -> tuple[int, int]:
        header, payloads = LENGTHS.unpack(start)
        if header + payloads > self.max_frame_bytes:
            raise FrameError(f"a frame of {header + payloads:,} bytes; the limit is {self.max_frame_bytes:,}")
        return header, payloads


def _dumps(value: object, payloads: list[bytes]) -> bytes:
    """Return the value as JSON; its bytes go to `payloads`."""

    def other(value: object) -> object:
        if isinstance(value, bytes):
            payloads.append(value)
            return len(payloads) - 1
        if isinstance(value, tuple):  # a named one
            return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if isinstance(value, date):
            return value.isoformat()
        if is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        raise TypeError(f"{type(value).__name__} cannot be sent")

    return orjson.dumps(value, other) if orjson else json.dumps(value, default=other).encode()


def _loads(data: bytes) -> Any:
    return orjson.loads(data) if orjson else json.loads(data)


def _split(data: bytes, lengths: Any) -> list[bytes]:
    payloads: list[bytes] = []
    start = 0
    for length in lengths:
        if type(length) is not int or not 0 <= length <= len(data) - start:
            raise FrameError("a payload is cut off")
        payloads.append(data[start : start + length])
        start += length
    if start != len(data):
        raise FrameError("bytes that belong to no payload")
    return payloads


@functools.cache
def _check(kind: Any) -> _Check:
    """Return the check for a type. Raises TypeError for one that cannot be sent."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _dataclass_check(kind)
    if origin in (Union, types.UnionType):
        return _union_check(arguments)
    if origin is Literal:
        return _literal_check(arguments)
    if origin is tuple:
        return _tuple_check(arguments)
    if origin is dict and arguments[0] is str:
        return _dict_check(arguments[1])
    if isinstance(kind, type) and issubclass(kind, tuple):
        return _named_tuple_check(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    raise TypeError(f"{kind} cannot be sent")


def _exact(*kinds: type) -> _Check:
    def check(value: Any, _: Sequence[bytes]) -> Any:
        if type(value) not in kinds:
            raise FrameError(f"{str(value)[:80]!r} is not {kinds[0].__name__}")
        return value

    return check


def _float(value: Any, _: Sequence[bytes]) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise FrameError(f"{str(value)[:80]!r} is not a number")


def _bytes(value: Any, payloads: Sequence[bytes]) -> bytes:
    if type(value) is not int or not 0 <= value < len(payloads):
        raise FrameError("no such payload")
    return payloads[value]


def _date(value: Any, _: Sequence[bytes]) -> date:
    return date.fromisoformat(value)


_SCALARS: dict[Any, _Check] = {
    str: _exact(str),
    int: _exact(int),
    bool: _exact(bool),
    types.NoneType: _exact(types.NoneType),
    float: _float,
    bytes: _bytes,
    date: _date,
}


def _dataclass_check(kind: Any) -> _Check:
    hints = get_type_hints(kind)
    checks = [(field.name, _check(hints[field.name])) for field in fields(kind)]

    def check(value: Any, payloads: Sequence[bytes]) -> Any:
        if type(value) is not dict or len(value) != len(checks):  # pyright: ignore[reportUnknownArgumentType]
            raise FrameError(f"not the fields of {kind.__name__}")
        return kind(**{name: read(value[name], payloads) for name, read in checks})

    return check


def _literal_check(allowed: tuple[Any, ...]) -> _Check:
    def check(value: Any, _: Sequence[bytes]) -> Any:
        if type(value) not in (str, int) or value not in allowed:
            raise FrameError(f"{str(value)[:80]!r} is not one of {allowed}")
        return value

    return check


def _union_check(kinds: tuple[Any, ...]) -> _Check:
    optional = types.NoneType in kinds
    checks = [_check(kind) for kind in kinds if kind is not types.NoneType]

    def check(value: Any, payloads: Sequence[bytes]) -> Any:
        if optional and value is None:
            return None
        for read in checks[:-1]:
            try:
                return read(value, payloads)
            except (ValueError, TypeError, KeyError):
                continue
        return checks[-1](value, payloads)

    return check


def _tuple_check(kinds: tuple[Any, ...]) -> _Check:
    if len(kinds) == 2 and kinds[1] is ...:
        read = _check(kinds[0])

        def check_all(value: Any, payloads: Sequence[bytes]) -> Any:
            return tuple([read(each, payloads) for each in _list(value)])

        return check_all
    checks = [_check(kind) for kind in kinds]

    def check(value: Any, payloads: Sequence[bytes]) -> Any:
        return tuple([read(each, payloads) for read, each in zip(checks, _list(value), strict=True)])

    return check


def _named_tuple_check(kind: Any) -> _Check:
    read = _tuple_check(tuple(get_type_hints(kind).values()))

    def check(value: Any, payloads: Sequence[bytes]) -> Any:
        return kind(*read(value, payloads))

    return check


def _dict_check(kind: Any) -> _Check:
    read = _check(kind)

    def check(value: Any, payloads: Sequence[bytes]) -> Any:
        if type(value) is not dict:
            raise FrameError(f"{str(value)[:80]!r} is not an object")
        return {name: read(each, payloads) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]

    return check


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise FrameError(f"{str(value)[:80]!r} is not a list")
    return value  # pyright: ignore[reportUnknownVariableType]
