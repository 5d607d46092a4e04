"""Reads web pages in a sandbox: HTML as an article, others as documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eclair.documents import worker
from eclair.documents.parse_protocol import ReadDocument
from eclair.documents.readers import open_source
from eclair.documents.readers import read as read_document
from eclair.documents.readers.base import SourceFile, UnpackBudget
from eclair.documents.readers.file_type import HEAD_BYTES, SOUND_TYPES, detect_encoding
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.protocol import Rejected
from eclair.schema.documents import About, Opened, Page, SoundMember, UnreadPart
from eclair.web.pages import HTML_TYPES, article
from eclair.web.pages.orders import mask_orders


def main() -> None:
    worker.main(read)


def read(request: ReadDocument) -> Iterator[Opened | Page | UnreadPart | About]:
    """Yield the article of an HTML page, or the pages of a document. Raises Rejected."""
    path, served = Path(request.path), request.served
    if served is not None and served.media in HTML_TYPES and _is_text(path):
        source = SourceFile(path, request.name, "text/html", request.limits, UnpackBudget(request.limits.unpacked))
    else:
        source = open_source(path, request.name, request.limits, request.after)
    if source.media in SOUND_TYPES:
        raise Rejected("it is a recording, not a page")
    if served is None or source.media != "text/html":
        for piece in read_document(source):
            if isinstance(piece, SoundMember):
                yield UnreadPart(f"In {request.name}: {piece.name} is a recording and was not read.")
            else:
                yield _without_orders(piece) if isinstance(piece, Page) else piece
        return
    yield Opened("text/html", None)
    yield from article.read_article(source, served)


def _without_orders(page: Page) -> Page:
    """Return a page of a document without its orders to a model; all positions stay."""
    return replace(page, text=mask_orders(page.text, keep_length=True))


def _is_text(path: Path) -> bool:
    """Return whether a page served as HTML can be HTML. Raises Rejected for an empty one."""
    with open_input(path) as file:
        head = file.read(HEAD_BYTES)
    if not head.strip(b"\0 \t\r\n"):
        raise Rejected("it is empty")
    return detect_encoding(head) is not None and not head.startswith((b"%PDF-", b"PK\3\4", b"{\\rtf"))
