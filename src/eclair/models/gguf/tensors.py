"""Reads the tensors of a GGUF file, and writes a new file head.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. `header` reads only the metadata; this reads on
through the vocabulary to the weights. Everything that a file states is bounded before it is used.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from eclair.errors import ModelMissing
from eclair.models.gguf.ggml import GGML_TYPES, GgmlType
from eclair.models.gguf.header import MAGIC, MAX_KEYS, MAX_STRING_BYTES

MAX_TENSORS = 1 << 16
MAX_ARRAY_ITEMS = 1 << 22
MAX_DIMENSIONS = 4
ALIGNMENT = 32

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_UINT32, _TEXT, _LIST = 4, 8, 9


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor. `shape` starts with the width of a row; `offset` is in bytes from file start."""

    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        return self.type.byte_size(self.count)


@dataclass(frozen=True, slots=True)
class GgufContents:
    """The contents of a file.

    `count` is the number of keys, `keys` their bytes with the values; `file_type` is the offset in those of the
    number that states the file's format.
    """

    version: int
    count: int
    keys: bytes
    file_type: int | None
    alignment: int
    tensors: tuple[Tensor, ...]

    @property
    def layers(self) -> int:
        return 1 + max((layer for tensor in self.tensors if (layer := layer_of(tensor.name)) is not None), default=-1)


def layer_of(name: str) -> int | None:
    """Return the number of the layer that a tensor belongs to."""
    parts = name.split(".")
    return (
        int(parts[1]) if parts[0] == "blk" and len(parts) > 2 and parts[1].isdecimal() and len(parts[1]) < 6 else None
    )


def read_tensors(path: Path) -> GgufContents:
    """Read the contents of a file.

    Raises ModelMissing if it isn't GGUF, is truncated, or has unknown formats.
    """
    try:
        with path.open("rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}.") from error
    except (_InvalidGguf, UnicodeDecodeError, struct.error) as error:
        raise ModelMissing(f"The weights in {path} cannot be found ({error}); fetch the model again.") from error


def encode_head(contents: GgufContents, tensors: Sequence[Tensor], file_type: int) -> bytes:
    """Return everything before the weights: the same keys, and these tensors in sequence."""
    keys = bytearray(contents.keys)
    if contents.file_type is not None:
        struct.pack_into("<I", keys, contents.file_type, file_type)
    head = MAGIC + struct.pack("<IQQ", contents.version, len(tensors), contents.count) + keys
    at = 0
    for tensor in tensors:
        name = tensor.name.encode()
        head += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(tensor.shape))
        head += struct.pack(f"<{len(tensor.shape)}QIQ", *tensor.shape, tensor.type.number, at)
        at += pad_size(tensor.size, contents.alignment)
    return bytes(head).ljust(pad_size(len(head), contents.alignment), b"\0")


def pad_size(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


class _InvalidGguf(Exception):
    """The file breaks the format; the message says how."""


def _read(file: BinaryIO, size: int) -> GgufContents:
    if file.read(4) != MAGIC:
        raise _InvalidGguf("it is not a GGUF file")
    version, tensor_count, key_count = _unpack(file, "<IQQ")
    if version not in (2, 3) or key_count > MAX_KEYS or tensor_count > MAX_TENSORS:
        raise _InvalidGguf("its version is not known, or it says that it has more than a model can have")
    began = file.tell()
    file_type, alignment = None, ALIGNMENT
    for _ in range(key_count):
        key, (kind,) = _read_text(file), _unpack(file, "<I")
        if key == "general.file_type" and kind == _UINT32:
            file_type = file.tell() - began
        if key == "general.alignment" and kind == _UINT32:
            (alignment,) = _unpack(file, "<I")
        else:
            _skip(file, kind)
    ended = file.tell()
    if alignment < 8 or alignment > 1 << 16 or alignment & (alignment - 1):
        raise _InvalidGguf(f"an alignment of {alignment} bytes")
    rows = [_tensor(file) for _ in range(tensor_count)]
    data = pad_size(file.tell(), alignment)
    tensors = tuple(Tensor(name, shape, kind, data + offset) for name, shape, kind, offset in rows)
    for tensor in tensors:
        if tensor.offset + tensor.size > size:
            raise _InvalidGguf(f"it ends before {tensor.name} does")
    file.seek(began)
    return GgufContents(version, key_count, file.read(ended - began), file_type, alignment, tensors)


def _tensor(file: BinaryIO) -> tuple[str, tuple[int, ...], GgmlType, int]:
    name, (sides,) = _read_text(file), _unpack(file, "<I")
    if not 1 <= sides <= MAX_DIMENSIONS:
        raise _InvalidGguf(f"{name} has {sides} dimensions")
    shape = _unpack(file, f"<{sides}Q")
    number, offset = _unpack(file, "<IQ")
    kind = GGML_TYPES.get(number)
    if kind is None:
        raise _InvalidGguf(f"{name} has the format number {number}, which is not known")
    if math.prod(shape) > 1 << 40 or shape[0] % kind.block:
        raise _InvalidGguf(f"{name} has a shape that no tensor has")
    return name, shape, kind, offset


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _TEXT:
        _read_text(file)
    elif kind in _SIZES:
        file.seek(_SIZES[kind], os.SEEK_CUR)
    elif kind == _LIST:
        item_type, count = _unpack(file, "<IQ")
        if count > MAX_ARRAY_ITEMS or (item_type != _TEXT and item_type not in _SIZES):
            raise _InvalidGguf("a list of lists, or one that is too long")
        if item_type == _TEXT:
            for _ in range(count):
                _read_text(file)
        else:
            file.seek(_SIZES[item_type] * count, os.SEEK_CUR)
    else:
        raise _InvalidGguf(f"a value of the type {kind}, which is not known")


def _read_text(file: BinaryIO) -> str:
    (length,) = _unpack(file, "<Q")
    if length > MAX_STRING_BYTES:
        raise _InvalidGguf("a text that is too long")
    return file.read(length).decode(errors="replace")


def _unpack(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))
