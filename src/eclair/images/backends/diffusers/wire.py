"""What the drawing process and its parent say to each other: JSON and bytes, behind the lengths of both."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

LENGTHS = struct.Struct(">II")
LARGEST = 256 << 20
"""Bytes of one message."""

Trouble = Literal["memory", "damaged", "missing", "input", "broken"]
"""Too little memory; weights that are not what they should be; a class that the libraries lack; a request that cannot
be drawn; anything else."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load the model in the folder `path`. `device` is one of torch's, or `auto`; `memory` bounds the process, in
    bytes, where it is not 0. Of a model in parts `files` are their names by what they are for, as JSON."""

    path: str
    name: str
    device: str
    memory: int
    files: str = ""
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw one picture. `blobs` are the pictures that are edited, and behind them the mask if it is `masked`."""

    job: int
    prompt: str
    width: int
    height: int
    seed: int
    steps: int
    guidance: float
    negative: str
    strength: float | None
    masked: bool
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop that job, whether it has begun or not."""

    job: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Alive:
    """It works."""

    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is there: on which device, computing with which numbers, and what is kept off the device meanwhile.
    `stops` says that a job can be stopped, rather than the process ended."""

    device: str
    numbers: str
    offload: str
    stops: bool
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `of` steps; the first blob, if there is one, is the picture so far."""

    job: int
    done: int
    of: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """The picture is the first blob, as PNG."""

    job: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """The job was stopped when it had done so many steps."""

    job: int
    steps: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A job failed, or where it is 0 loading did; `message` is for the middle of a sentence."""

    job: int
    trouble: Trouble
    message: str
    blobs: tuple[bytes, ...] = ()


Order = Load | Draw | Stop
Report = Alive | Loaded | Step | Made | Stopped | Failed
Message = Order | Report

_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Load, Draw, Stop, Alive, Loaded, Step, Made, Stopped, Failed)
}
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "Trouble": (str,),
}


def encode(message: Message) -> bytes:
    values = {name: value for name, value in asdict(message).items() if name != "blobs"}
    lengths = [len(blob) for blob in message.blobs]
    head = json.dumps([type(message).__name__, values, lengths]).encode()
    body = b"".join(message.blobs)
    return LENGTHS.pack(len(head), len(body)) + head + body


def lengths(data: bytes) -> tuple[int, int]:
    """How many bytes of JSON and of blobs follow. Raises ValueError where that is more than a message has."""
    head, body = LENGTHS.unpack(data)
    if head + body > LARGEST:
        raise ValueError("no message is that long")
    return head, body


def decode(head: bytes, body: bytes) -> Message:
    """Raises ValueError where that is no message."""
    try:
        name, values, sizes = json.loads(head)
        kind = _KINDS[name]
        _check(kind, values)
        return kind(**values, blobs=_cut(body, sizes))
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"that is no message: {error}") from error


def _check(kind: type[Message], values: dict[str, Any]) -> None:
    for field in fields(kind):
        if field.name == "blobs":
            continue
        value, name = values[field.name], str(field.type)
        if not isinstance(value, _TYPES[name]) or (name == "int" and isinstance(value, bool)):
            raise TypeError(f"{field.name} is {value!r}")
        if name == "Trouble" and value not in get_args(Trouble):
            raise TypeError(f"{field.name} is {value!r}")


def _cut(body: bytes, sizes: list[int]) -> tuple[bytes, ...]:
    blobs: list[bytes] = []
    at = 0
    for size in sizes:
        if not 0 <= size <= len(body) - at:
            raise ValueError("its blobs are cut off")
        blobs.append(body[at : at + size])
        at += size
    if at != len(body):
        raise ValueError("it has bytes that belong to no blob")
    return tuple(blobs)


def with_job(order: Draw, job: int) -> Draw:
    """The order under that number."""
    return replace(order, job=job)
