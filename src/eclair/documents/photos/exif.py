"""Reads a photo's metadata, and tells what identifies people or places."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from eclair.schema.documents import Shed

_TAKEN = "%Y:%m:%d %H:%M:%S"
_SERIALS = (Base.CameraSerialNumber, Base.BodySerialNumber, Base.LensSerialNumber, Base.ImageUniqueID)
_NAMES = (Base.Artist, Base.Copyright, Base.CameraOwnerName, Base.HostComputer, Base.XPAuthor)
_IN_XMP: tuple[tuple[Shed, bytes], ...] = (
    ("place", rb"exif:GPSL|photoshop:City|Iptc4xmpCore:Location|LocationCreated"),
    ("serial", rb"SerialNumber|ImageUniqueID"),
    ("name", rb"dc:creator|xmpRights:Owner|PersonInImage|photoshop:AuthorsPosition"),
)


@dataclass(frozen=True, slots=True)
class PhotoMetadata:
    """Time, place (degrees north and east) and camera of a photo, and what its metadata reveals."""

    taken: datetime | None = None
    place: tuple[float, float] | None = None
    camera: str = ""
    reveals: tuple[Shed, ...] = ()


def read_metadata(exif: bytes, beside: bytes = b"") -> PhotoMetadata:
    """Read Exif, and the XMP and IPTC `beside` it."""
    tags = Image.Exif()
    try:
        tags.load(exif)
        inner, gps = tags.get_ifd(IFD.Exif), tags.get_ifd(IFD.GPSInfo)
        tags = dict(tags)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, EOFError, AttributeError, struct.error):
        tags, inner, gps = {}, {}, {}
    every = {**tags, **inner}
    place = _place(gps)
    reveals: list[Shed] = []
    if place is not None or gps.get(GPS.GPSDestLatitude):
        reveals.append("place")
    if any(_text(every.get(tag)) for tag in _SERIALS):
        reveals.append("serial")
    if any(_text(every.get(tag)) for tag in _NAMES):
        reveals.append("name")
    for shed, names in _IN_XMP:
        if shed not in reveals and re.search(names, beside):
            reveals.append(shed)
    taken = _moment(every.get(Base.DateTimeOriginal) or every.get(Base.DateTimeDigitized))
    return PhotoMetadata(taken, place, _camera(tags), tuple(reveals))


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.strptime(_text(value), _TAKEN)
    except ValueError:
        return None


def _camera(tags: dict[int, Any]) -> str:
    maker, model = _text(tags.get(Base.Make)), _text(tags.get(Base.Model))
    return model if model.casefold().startswith(maker.casefold()) else f"{maker} {model}".strip()


def _place(gps: dict[int, Any]) -> tuple[float, float] | None:
    try:
        north = _degrees(gps[GPS.GPSLatitude]) * (-1 if _text(gps.get(GPS.GPSLatitudeRef)).upper() == "S" else 1)
        east = _degrees(gps[GPS.GPSLongitude]) * (-1 if _text(gps.get(GPS.GPSLongitudeRef)).upper() == "W" else 1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    sound = abs(north) <= 90 and abs(east) <= 180 and (north, east) != (0.0, 0.0)
    return (round(north, 6), round(east, 6)) if sound else None


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = (float(Fraction(part)) for part in parts)
    return degrees + minutes / 60 + seconds / 3600


def _text(value: Any) -> str:
    """Return a value as one short printable line."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return " ".join("".join(char if char.isprintable() else " " for char in value).split())[:80]
