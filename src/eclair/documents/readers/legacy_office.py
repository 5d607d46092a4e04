"""Reads RTF, older Office files and Outlook messages with kreuzberg."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import kreuzberg

from eclair.documents.readers.base import (
    ContentPart,
    Opened,
    ReadPiece,
    SourceFile,
    UnreadPart,
    collapse_spaces,
    paginate,
)
from eclair.documents.readers.text import markdown
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.protocol import Rejected

MAX_FILE_BYTES = 100 << 20
_COMMENT = re.compile(r"<!--(?:[^<-]++|-(?!->)|<(?!!--))*+-->")


def read(source: SourceFile) -> Iterator[ReadPiece]:
    with open_input(source.path) as file:
        data = file.read()
    if len(data) > MAX_FILE_BYTES:
        raise Rejected(
            f"{source.name} is larger than {MAX_FILE_BYTES >> 20} MB; save it in a newer format or in parts.",
            "too_large",
        )
    plain = source.media == "application/msword"
    config = kreuzberg.ExtractionConfig(
        use_cache=False, enable_quality_processing=False, output_format="plain" if plain else "markdown"
    )
    try:
        result = kreuzberg.extract_bytes_sync(data, source.media, config)
    except kreuzberg.KreuzbergError as error:
        raise Rejected(
            f"{source.name} is locked or damaged, or too old; save it as DOCX or PDF and send that."
        ) from error
    yield Opened(source.media, None)
    if plain:  # in its Markdown of these, paragraphs run into each other
        yield from paginate(ContentPart("paragraph", collapse_spaces(row)) for row in result.content.split("\n"))
    else:
        yield from paginate(markdown(_COMMENT.sub("", result.content)))
    metadata: dict[str, Any] = dict(result.metadata)
    if attached := metadata.get("attachments"):
        yield UnreadPart(f"What is attached to {source.name} was not read ({', '.join(attached)}); send it by itself.")
