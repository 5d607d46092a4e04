"""HEIC, as phones save photos (ISO/IEC 23008-12): what is in the file, and the picture put together from its tiles.

The tiles are frames of HEVC, which the FFmpeg that comes with OpenCV decodes. Of what a file may hold, its first
picture is read; depth maps, films and thumbnails are passed over.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST_BOXES = 20_000
"""Boxes, items and tiles of one file. A photo of 48 million pixels has 200 tiles."""

_START = b"\0\0\0\1"
"""Stands before each unit of a stream of HEVC."""

Pixels = NDArray[np.uint8]


class Unsound(Exception):
    """The file is not as the format has it."""


@dataclass(frozen=True, slots=True)
class _Property:
    kind: bytes
    data: bytes


@dataclass(slots=True)
class _Item:
    """A picture, a tile or metadata: where its bytes are, what holds for it, and of which others it is made."""

    kind: bytes = b""
    stretches: list[tuple[int, int, bool]] = field(default_factory=list[tuple[int, int, bool]])
    properties: list[_Property] = field(default_factory=list[_Property])
    made_of: list[int] = field(default_factory=list[int])
    about: list[int] = field(default_factory=list[int])


class _Reader:
    """Numbers out of bytes, one after another. Raises Unsound where they end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._data):
            raise Unsound("it breaks off")
        data, self.at = self._data[self.at : end], end
        return data

    @property
    def left(self) -> int:
        return len(self._data) - self.at


@dataclass(frozen=True, slots=True)
class _Grid:
    """How many tiles there are, and how large what they make is."""

    rows: int
    columns: int
    width: int
    height: int


class Photo:
    """A file's first picture. Raises Unsound."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._items: dict[int, _Item] = {}
        self._inner = b""
        self._first = 0
        meta = next((body for kind, body in _boxes(data) if kind == b"meta"), None)
        if meta is None:
            raise Unsound("it has no picture")
        self._learn(meta[4:])
        self._picture = self._item(self._first)
        self._grid = self._tiles()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height before it is turned."""
        return (self._grid.width, self._grid.height) if self._grid is not None else self._sides(self._picture)

    def exif(self) -> bytes:
        """What the camera noted, as it stands in a TIFF; empty where it noted nothing."""
        for item in self._items.values():
            if item.kind == b"Exif" and self._first in item.about:
                reader = _Reader(self._bytes(item))
                reader.take(reader.number(4))
                return reader.take(reader.left)
        return b""

    def profile(self) -> bytes:
        """The ICC profile of its colours; empty where it has none."""
        tile = self._item(self._picture.made_of[0]) if self._grid is not None else self._picture
        colours = [each.data for item in (self._picture, tile) for each in item.properties if each.kind == b"colr"]
        return next((data[4:] for data in colours if data[:4] in (b"prof", b"rICC")), b"")

    def image(self) -> Image.Image:
        """The picture as it is to be seen."""
        grid = self._grid
        if grid is None:
            (pixels,) = self._decoded([self._picture])
        else:
            tiles = self._decoded([self._item(id) for id in self._picture.made_of])
            high, wide = tiles[0].shape[:2]
            if any(tile.shape != tiles[0].shape for tile in tiles):
                raise Unsound("its tiles differ in size")
            if wide * grid.columns < grid.width or high * grid.rows < grid.height:
                raise Unsound("its tiles do not fill it")
            rows = [np.concatenate(tiles[at : at + grid.columns], axis=1) for at in range(0, len(tiles), grid.columns)]
            pixels = np.concatenate(rows, axis=0)[: grid.height, : grid.width]
        return Image.fromarray(np.ascontiguousarray(_turned(pixels, self._picture)[:, :, ::-1]))

    def _learn(self, meta: bytes) -> None:
        properties: list[_Property] = []
        for kind, body in _boxes(meta):
            match kind:
                case b"pitm":
                    self._first = _Reader(body[4:]).number(2 if body[:1] == b"\0" else 4)
                case b"iinf":
                    self._learn_kinds(body)
                case b"iloc":
                    self._learn_places(body)
                case b"iref":
                    self._learn_links(body)
                case b"idat":
                    self._inner = body
                case b"iprp":
                    parts = dict(_boxes(body))
                    properties = [_Property(each, data) for each, data in _boxes(parts.get(b"ipco", b""))]
                    self._learn_properties(parts.get(b"ipma", b""), properties)
                case _:
                    pass

    def _learn_kinds(self, body: bytes) -> None:
        for kind, entry in _boxes(body[6 if body[:1] == b"\0" else 8 :]):
            if kind == b"infe" and entry[:1] in (b"\2", b"\3"):
                reader = _Reader(entry[4:])
                id = reader.number(2 if entry[:1] == b"\2" else 4)
                reader.take(2)
                self._items.setdefault(id, _Item()).kind = reader.take(4)

    def _learn_places(self, body: bytes) -> None:
        reader = _Reader(body)
        version = reader.number(4) >> 24
        sizes = reader.number(2)
        of_offset, of_length, of_base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
        of_index = sizes & 15 if version else 0
        for _ in range(_few(reader.number(2 if version < 2 else 4))):
            item = self._items.setdefault(reader.number(2 if version < 2 else 4), _Item())
            inner = bool(version) and reader.number(2) & 15 == 1
            reader.take(2)
            base = reader.number(of_base)
            for _ in range(_few(reader.number(2))):
                reader.take(of_index)
                start = base + reader.number(of_offset)
                item.stretches.append((start, reader.number(of_length), inner))

    def _learn_links(self, body: bytes) -> None:
        size = 2 if body[:1] == b"\0" else 4
        for kind, entry in _boxes(body[4:]):
            reader = _Reader(entry)
            item = self._items.setdefault(reader.number(size), _Item())
            others = [reader.number(size) for _ in range(_few(reader.number(2)))]
            if kind == b"dimg":
                item.made_of = others
            elif kind == b"cdsc":
                item.about = others

    def _learn_properties(self, body: bytes, properties: Sequence[_Property]) -> None:
        reader = _Reader(body)
        head = reader.number(4) if body else 0
        wide = bool(head & 1)
        for _ in range(_few(reader.number(4)) if body else 0):
            item = self._items.setdefault(reader.number(2 if head >> 24 == 0 else 4), _Item())
            for _ in range(reader.number(1)):
                place = reader.number(2) & 0x7FFF if wide else reader.number(1) & 0x7F
                if 0 < place <= len(properties):
                    item.properties.append(properties[place - 1])

    def _item(self, id: int) -> _Item:
        if id not in self._items:
            raise Unsound("it has no picture")
        return self._items[id]

    def _bytes(self, item: _Item) -> bytes:
        parts: list[bytes] = []
        for start, length, inner in item.stretches:
            source = self._inner if inner else self._data
            if start + length > len(source):
                raise Unsound("it breaks off")
            parts.append(source[start : start + length] if length else source[start:])
        return b"".join(parts)

    def _tiles(self) -> _Grid | None:
        if self._picture.kind == b"hvc1":
            return None
        if self._picture.kind != b"grid":
            raise Unsound("its picture is of another kind")
        reader = _Reader(self._bytes(self._picture))
        size = 4 if reader.number(2) & 1 else 2
        grid = _Grid(reader.number(1) + 1, reader.number(1) + 1, reader.number(size), reader.number(size))
        if grid.rows * grid.columns != len(self._picture.made_of) or not grid.width * grid.height:
            raise Unsound("tiles of it are missing")
        return grid

    def _sides(self, item: _Item) -> tuple[int, int]:
        reader = _Reader(next((each.data for each in item.properties if each.kind == b"ispe"), b""))
        reader.take(4)
        return reader.number(4), reader.number(4)

    def _decoded(self, items: Sequence[_Item]) -> list[Pixels]:
        """The pixels of each (blue, green, red): frames of one stream."""
        size, stream = 4, bytearray()
        for item in items:
            record = next((each.data for each in item.properties if each.kind == b"hvcC"), None)
            if item.kind != b"hvc1" or record is None:
                raise Unsound("a tile of it is of another kind")
            size, head = _parameters(record)
            stream += head
            reader = _Reader(self._bytes(item))
            while reader.left:
                stream += _START + reader.take(reader.number(size))
        frames = list(_frames(bytes(stream), len(items)))
        if len(frames) < len(items):
            raise Unsound("it cannot be decoded")
        return frames


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kinds and contents of the boxes that stand one after another."""
    reader, count = _Reader(data), 0
    while reader.left >= 8:
        length, kind = reader.number(4), reader.take(4)
        if length == 1:
            length = reader.number(8) - 8
        body = reader.left if length == 0 else length - 8
        count += 1
        if body < 0 or count > MOST_BOXES:
            raise Unsound("its boxes are wrong")
        yield kind, reader.take(min(body, reader.left) if kind == b"mdat" else body)


def _few(count: int) -> int:
    if count > MOST_BOXES:
        raise Unsound("it says that it has more parts than any photo")
    return count


def _parameters(record: bytes) -> tuple[int, bytes]:
    """How many bytes tell a unit's length, and the units that come before the first frame."""
    reader, stream = _Reader(record), bytearray()
    size = (reader.take(22)[21] & 3) + 1
    for _ in range(reader.number(1)):
        reader.take(1)
        for _ in range(reader.number(2)):
            stream += _START + reader.take(reader.number(2))
    return size, bytes(stream)


def _frames(stream: bytes, count: int) -> Iterator[Pixels]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.hevc"
        path.write_bytes(stream)
        film = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            for _ in range(count):
                there, pixels = film.read()
                if not there:
                    return
                yield np.asarray(pixels, np.uint8)
        finally:
            film.release()


def _turned(pixels: Pixels, item: _Item) -> Pixels:
    """As the file says that it is to be turned and mirrored, in its order."""
    for each in item.properties:
        if each.kind == b"irot" and each.data:
            pixels = np.rot90(pixels, each.data[0] & 3)
        elif each.kind == b"imir" and each.data:
            pixels = pixels[:, ::-1] if each.data[0] & 1 else pixels[::-1]
    return pixels
