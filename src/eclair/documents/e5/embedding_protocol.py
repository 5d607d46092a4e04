"""Requests to the process that embeds texts, and its results, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclair.util.frames import Codec


@dataclass(frozen=True, slots=True)
class EmbedTexts:
    """Embed texts as queries or passages. Urgent ones wait for no others; `number` tells the request."""

    number: int
    texts: tuple[str, ...]
    kind: Literal["query", "passage"]
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of request `number`, a row for each text, as 32-bit floats in the machine's own order."""

    number: int
    rows: int
    columns: int
    data: bytes


REQUESTS = Codec(EmbedTexts)
RESULTS = Codec(Vectors)
