"""Requests to the embedding process and its results, which come in any order."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.util.frames import Codec


@dataclass(frozen=True, slots=True)
class EmbedTexts:
    """Embed texts, which have their prefixes. Urgent requests wait for no others; `number` identifies the request."""

    number: int
    texts: tuple[str, ...]
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of request `number`, one row per text, as 32-bit floats in native byte order, and the texts' tokens."""

    number: int
    rows: int
    columns: int
    tokens: int
    data: bytes


REQUESTS = Codec(EmbedTexts)
RESULTS = Codec(Vectors)
