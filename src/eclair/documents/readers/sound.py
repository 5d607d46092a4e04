"""Opens recordings. The speech in them is recognized by other processes; `speech_pages` makes pages of it."""

from __future__ import annotations

from collections.abc import Iterator

from eclair.documents.readers.base import ReadPiece, SourceFile
from eclair.sandbox.protocol import Rejected
from eclair.schema.documents import Opened


def read(source: SourceFile) -> Iterator[ReadPiece]:
    if source.depth:
        raise Rejected(f"{source.name} is a recording in another file; take it out and send it by itself.")
    yield Opened(source.media, None)
