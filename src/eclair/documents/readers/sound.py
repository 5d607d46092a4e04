"""Opens recordings. The speech in them is recognized by other processes; `speech_pages` makes pages of it."""

from __future__ import annotations

from collections.abc import Iterator

from eclair.documents.readers.base import ReadPiece, SourceFile
from eclair.schema.documents import Opened, SoundMember


def read(source: SourceFile) -> Iterator[ReadPiece]:
    yield SoundMember(source.name, source.media) if source.depth else Opened(source.media, None)
