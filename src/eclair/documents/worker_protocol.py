"""What the reading process and its parent say to each other: JSON behind its length in four bytes.

A document may have taken the process over, so that nothing but plain values is ever read from it.
"""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal, get_args

import orjson

from eclair.documents.limits import Limits
from eclair.schema.documents import About, Block, Opened, Page, Prepared, Remarked, Shed, Word

LENGTH = struct.Struct(">I")
LARGEST = 64 << 20
"""Bytes of one message."""

PREPARED = b"S"
"""With which a picture begins that was prepared for a model."""


@dataclass(frozen=True, slots=True)
class Served:
    """How a file came that is a page of the web: from where, as what (RFC 6838), in which encoding if that was said,
    and on which day (ISO 8601, UTC)."""

    url: str
    media: str
    charset: str | None
    day: str


@dataclass(frozen=True, slots=True)
class Order:
    """Read a file from the page behind `after`, or make a picture of page `page` so many pixels `width`, or prepare it
    for a model that uses so many pixels of its longer `side`. `labels` is the network that names what is in photos."""

    path: str
    name: str
    limits: Limits
    after: int = 0
    page: int = 0
    width: int = 0
    side: int = 0
    served: Served | None = None
    labels: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """The file cannot be read: the sentence for people, and which error it is."""

    kind: Literal["unreadable", "large", "missing"]
    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """All of it has been read."""


Message = Opened | Page | Remarked | About | Fault | Done


def frame(data: bytes) -> bytes:
    return LENGTH.pack(len(data)) + data


def encode_order(order: Order) -> bytes:
    return frame(orjson.dumps(asdict(order)))


def decode_order(data: bytes) -> Order:
    fields: dict[str, Any] = orjson.loads(data)
    fields["limits"] = Limits(**fields["limits"])
    fields["served"] = Served(**fields["served"]) if fields["served"] is not None else None
    return Order(**fields)


def encode_prepared(prepared: Prepared) -> bytes:
    head = orjson.dumps([prepared.media, prepared.width, prepared.height, prepared.shed])
    return PREPARED + LENGTH.pack(len(head)) + head + prepared.data


def decode_prepared(data: bytes) -> Prepared:
    """Raises ValueError and TypeError where that is no such picture."""
    start = len(PREPARED) + LENGTH.size
    if len(data) < start or not data.startswith(PREPARED):
        raise ValueError("no such picture")
    (length,) = LENGTH.unpack(data[len(PREPARED) : start])
    media, width, height, shed = orjson.loads(data[start : start + length])
    if media not in ("image/jpeg", "image/png") or not set(shed) <= {*get_args(Shed)}:
        raise ValueError("no such picture")
    return Prepared(media, int(width), int(height), tuple(shed), data[start + length :])


def encode(message: Message) -> bytes:
    match message:
        case Opened():
            body = ["opened", message.media, message.pages]
        case Page():
            body = [
                "page",
                message.number,
                message.text,
                [[b.kind, b.start, b.end, b.level, b.ref] for b in message.blocks],
                [value for word in message.words for value in word],
                message.width,
                message.height,
                message.label,
                message.member,
                message.read,
            ]
        case Remarked():
            body = ["remarked", message.message]
        case About():
            day = message.published.isoformat() if message.published is not None else None
            body = ["about", message.title, message.author, message.language, day, message.wall]
        case Fault():
            body = ["fault", message.kind, message.message]
        case Done():
            body = ["done"]
    return frame(orjson.dumps(body))


def decode(data: bytes) -> Message:
    """Raises ValueError, TypeError or KeyError where that is no message."""
    kind, *fields = orjson.loads(data)
    match kind:
        case "opened":
            return Opened(*fields)
        case "page":
            number, text, blocks, words, width, height, label, member, read = fields
            return Page(
                number,
                text,
                tuple(Block(*block) for block in blocks),
                tuple(map(Word._make, zip(*[iter(words)] * 6, strict=True))),
                width,
                height,
                label,
                member,
                read,
            )
        case "remarked":
            return Remarked(*fields)
        case "about":
            title, author, language, day, wall = fields
            return About(title, author, language, date.fromisoformat(day) if day is not None else None, wall)
        case "fault":
            return Fault(*fields)
        case "done":
            return Done()
        case _:
            raise ValueError("no such message")
