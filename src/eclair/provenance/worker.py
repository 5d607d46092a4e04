"""The process in which one file is marked or looked at: bounded, without a network, and gone afterwards.

Standard input has a line of JSON that says what is to be done, then the picture where one is to be marked; standard
output gets the picture, or a report as JSON, or a fault: a sentence without its subject.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import orjson
from pydantic import TypeAdapter

from eclair.provenance import c2pa, image_files, xmp
from eclair.provenance.certificates import Known
from eclair.provenance.report import Report
from eclair.provenance.worker_protocol import FAULT, PICTURE, REPORT, SECONDS, Order
from eclair.sandbox.images import Unfit
from eclair.sandbox.worker import enter

MEMORY = 3 << 30

_ORDER = TypeAdapter(Order)


def main() -> None:
    out = enter(MEMORY, SECONDS)
    order = _ORDER.validate_json(sys.stdin.buffer.readline())
    try:
        out.write(_answer(order))
    except Unfit as fault:
        out.write(FAULT + str(fault).encode())
    except MemoryError:
        out.write(FAULT + b"takes too much memory; make it smaller")
    except Exception as error:  # libraries raise whatever they like on damaged files
        sys.excepthook(type(error), error, error.__traceback__)
        out.write(FAULT + b"is damaged and cannot be read")
    out.flush()


def _answer(order: Order) -> bytes:
    if order.what == "mark":
        picture, media = image_files.written(
            sys.stdin.buffer.read(), order.packet.encode(), order.form, order.quality, order.watermarked
        )
        return PICTURE + media.encode() + b"\n" + picture
    found = report(Path(order.path), order.known)
    return REPORT + orjson.dumps(asdict(found))


def report(path: Path, known: Known) -> Report:
    """What the marks of a file say. Raises Unfit where it is of no kind that bears any."""
    signed = c2pa.read(path, known)
    media, packet, watermark = image_files.looked_at(path)
    note = xmp.read(packet if media is not None else xmp.search(path))
    if media is None and signed.state == "unread" and note.state == "absent":
        raise Unfit(
            "is damaged, or of a kind that bears none of the marks that are looked for; choose a picture, a film, a "
            "recording or a PDF"
        )
    return Report(media, signed, note, watermark)
