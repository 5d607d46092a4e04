"""The process in which pages of the web are read: that of documents (`documents.worker`), which reads articles too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eclair.documents import worker_protocol
from eclair.documents.readers import open_source
from eclair.documents.readers import read as read_document
from eclair.documents.readers.base import Fault, Room, Source
from eclair.documents.readers.file_type import HEAD, encoding_of
from eclair.documents.worker import main
from eclair.schema.documents import Opened
from eclair.web.pages import article

HTML = ("text/html", "application/xhtml+xml")


def read(order: worker_protocol.Order) -> Iterator[worker_protocol.Message]:
    """An article where it is one, else the pages of a document. Raises Fault."""
    path, served = Path(order.path), order.served
    if served is not None and served.media in HTML and _is_text(path):
        source = Source(path, order.name, "text/html", order.limits, Room(order.limits.unpacked))
    else:
        source = open_source(path, order.name, order.limits, order.after)
    if served is None or source.media != "text/html":
        yield from read_document(source)
        return
    yield Opened("text/html", None)
    yield from article.read(source, served)


def _is_text(path: Path) -> bool:
    """Whether a page that was served as HTML may be some. Raises Fault where there is nothing."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip(b"\0 \t\r\n"):
        raise Fault("unreadable", "it is empty")
    return encoding_of(head) is not None and not head.startswith((b"%PDF-", b"PK\3\4", b"{\\rtf"))


if __name__ == "__main__":
    main(read)
