"""Reads the header of a GGUF file. Weights and vocabulary are skipped.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Everything read is bounded, so that a malicious
file costs neither memory nor time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from eclair.errors import ModelMissing

MAGIC = b"GGUF"
MAX_KEYS = 4096
MAX_STRING_BYTES = 1 << 20
MAX_HEADER_BYTES = 4 << 20
"""Bytes read in all; the header before the vocabulary takes a few thousand."""

MAX_LIST_ITEMS = 4096
"""Longer lists end the reading; the vocabulary is one."""

_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _LIST = 8, 9
_BILLIONS = {"K": 1e-6, "M": 1e-3, "B": 1.0, "T": 1e3}
_SIZE_LABEL = re.compile(
    r"(?:(?P<experts>[1-9]\d{0,3})x)?(?P<size>\d{1,4}(?:\.\d{1,3})?)(?P<unit>[KMBT])"
    r"(?:-A(?P<active>\d{1,4}(?:\.\d{1,3})?)(?P<active_unit>[KMBT]))?"
)


@dataclass(frozen=True, slots=True)
class Header:
    """A model's metadata; None where the file doesn't say.

    `parameters`, and `active` (those used per token), are billions, as its size label says. `kv_bytes_per_token` are
    the bytes of a token's keys and values in f16, if every layer keeps all of them.
    """

    architecture: str
    name: str | None = None
    license: str | None = None
    languages: tuple[str, ...] = ()
    context: int | None = None
    kv_bytes_per_token: int | None = None
    parameters: float | None = None
    active: float | None = None


def read_header(path: Path) -> Header:
    """Read the header of a file. Raises ModelMissing if it isn't GGUF or can't be read."""
    try:
        with path.open("rb") as file:
            values = dict(_values(file))
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}.") from error
    except _InvalidHeader as error:
        raise ModelMissing(f"{path} is not a GGUF file ({error}); choose another.") from error
    architecture = _text(values.get("general.architecture"))
    if not architecture:
        raise ModelMissing(f"{path} is not a GGUF file of a model (it names no architecture); choose another.")
    languages = values.get("general.languages")
    return Header(
        architecture,
        _text(values.get("general.name")),
        _text(values.get("general.license")),
        tuple(word for word in languages if isinstance(word, str)) if isinstance(languages, list) else (),  # pyright: ignore[reportUnknownVariableType]
        _count(values.get(f"{architecture}.context_length")),
        _kv_bytes(values, architecture),
        *_parameters(_text(values.get("general.size_label")) or ""),
    )


class _InvalidHeader(Exception):
    """The file breaks the format; the message says how."""


def _values(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    """Yield keys and values up to the vocabulary, which comes after the metadata."""
    if file.read(4) != MAGIC:
        raise _InvalidHeader("its first bytes are others")
    version = _number(file, "<I")
    if version not in (2, 3):
        raise _InvalidHeader(f"version {version} is not known")
    _number(file, "<Q")
    count = _number(file, "<Q")
    if count > MAX_KEYS:
        raise _InvalidHeader(f"{count} keys are too many")
    for _ in range(count):
        key = _string(file)
        if key.startswith("tokenizer."):
            return
        yield key, _value(file, _number(file, "<I"))


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _TEXT:
        return _string(file)
    if kind in _NUMBERS:
        return _number(file, _NUMBERS[kind])
    if kind != _LIST:
        raise _InvalidHeader(f"type {kind} is not known")
    item_type, count = _number(file, "<I"), _number(file, "<Q")
    if item_type == _LIST or count > MAX_LIST_ITEMS:
        raise _InvalidHeader("a list of lists, or one that is too long")
    return [_value(file, item_type) for _ in range(count)]


def _number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(form, _read_exactly(file, struct.calcsize(form)))[0]


def _string(file: BinaryIO) -> str:
    length = _number(file, "<Q")
    if length > MAX_STRING_BYTES:
        raise _InvalidHeader("a text that is too long")
    return _read_exactly(file, length).decode(errors="replace")


def _read_exactly(file: BinaryIO, count: int) -> bytes:
    if file.tell() + count > MAX_HEADER_BYTES:
        raise _InvalidHeader("its header is too long")
    data = file.read(count)
    if len(data) < count:
        raise _InvalidHeader("it ends within its header")
    return data


def _text(value: Any) -> str | None:
    """Return a text on one line, at most 200 characters."""
    words = " ".join(value.split())[:200] if isinstance(value, str) else ""
    return "".join(letter for letter in words if letter.isprintable()) or None


def _parameters(label: str) -> tuple[float | None, float | None]:
    """Return all and active parameters in billions, as in `1.5B`, `135M`, `8x7B` or `30B-A3B`."""
    if (found := _SIZE_LABEL.fullmatch(label)) is None:
        return None, None
    size = float(found["size"]) * _BILLIONS[found["unit"]]
    if found["experts"]:  # each expert is counted as a model of its own, so this errs on the large side
        return size * int(found["experts"]), None
    return size, float(found["active"]) * _BILLIONS[found["active_unit"]] if found["active"] else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _kv_bytes(values: dict[str, Any], architecture: str) -> int | None:
    """Multiply layers, heads and the widths of a key and a value, two bytes each."""

    def known(name: str) -> Any:
        return values.get(f"{architecture}.{name}")

    layers, width, heads = _count(known("block_count")), _count(known("embedding_length")), _heads(values, architecture)
    query_heads = _count(known("attention.head_count")) or 1
    if layers is None or width is None or heads is None:
        return None
    key = _count(known("attention.key_length")) or width // query_heads
    value = _count(known("attention.value_length")) or width // query_heads
    return (sum(heads) if len(heads) > 1 else heads[0] * layers) * (key + value) * 2


def _heads(values: dict[str, Any], architecture: str) -> list[int] | None:
    """Return the number of KV heads: one number for all layers, or one for each."""
    for name in ("attention.head_count_kv", "attention.head_count"):
        found = values.get(f"{architecture}.{name}")
        heads: list[Any] = found if isinstance(found, list) else [found]  # pyright: ignore[reportUnknownVariableType]
        if heads and all(isinstance(head, int) and head >= 0 for head in heads) and any(heads):
            return heads
    return None
