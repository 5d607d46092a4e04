"""Tiny GGUF files: a header that says what a test wants, and a little noise for weights."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Value = str | int | bool | list[str] | list[int]


def header(values: Mapping[str, Value], version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(values)) + b"".join(map(_pair, values.items()))


def gguf(name: str = "Tiny", *, architecture: str = "llama", context: int = 4096, weights: bytes = b"") -> bytes:
    """A file whose tokens take 2 layers x 2 heads x (8 + 8) x 2 bytes = 128 bytes of keys and values each."""
    values: dict[str, Value] = {
        "general.architecture": architecture,
        "general.name": name,
        "general.license": "apache-2.0",
        "general.languages": ["en", "fr"],
        f"{architecture}.context_length": context,
        f"{architecture}.block_count": 2,
        f"{architecture}.embedding_length": 32,
        f"{architecture}.attention.head_count": 4,
        f"{architecture}.attention.head_count_kv": 2,
        "tokenizer.ggml.tokens": ["a"] * 5000,
    }
    return header(values) + weights


def _pair(pair: tuple[str, Value]) -> bytes:
    return _text(pair[0]) + _typed(pair[1])


def _typed(value: Value) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case str():
            return struct.pack("<I", 8) + _text(value)
        case list():
            kind = 8 if value and isinstance(value[0], str) else 4
            items = [_text(item) if isinstance(item, str) else struct.pack("<I", item) for item in value]
            return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(items)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()
