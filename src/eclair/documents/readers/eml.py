"""Reads e-mail: sender, recipients, subject, text and attachments."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from email import message_from_binary_file
from email.message import EmailMessage, MIMEPart
from email.policy import default
from pathlib import Path

from eclair.documents.readers import html
from eclair.documents.readers.base import (
    ContentPart,
    Opened,
    ReadPiece,
    SourceFile,
    UnreadPart,
    clean,
    paginate,
    single_line,
)
from eclair.documents.readers.embedded import display_name, read_member
from eclair.documents.readers.text import paragraphs
from eclair.sandbox.descriptors import open_input
from eclair.schema.documents import Page

HEADERS = ("Subject", "From", "To", "Cc", "Date")


def read(source: SourceFile) -> Iterator[ReadPiece]:
    yield Opened(source.media, None)
    with open_input(source.path) as file:
        message = message_from_binary_file(file, policy=default)
    assert isinstance(message, EmailMessage)
    number = 0
    for page in paginate(_parts(message)):
        number = page.number
        yield page
    for part in message.iter_attachments():
        for piece in _read_attachment(part, source, number):
            if isinstance(piece, Page):
                number = piece.number
            yield piece


def _parts(message: EmailMessage) -> Iterator[ContentPart]:
    for name in HEADERS:
        if text := single_line(_header(message, name)):
            yield ContentPart("heading", text, 1) if name == "Subject" else ContentPart("paragraph", f"{name}: {text}")
    body = message.get_body(("plain", "html"))
    if body is None:
        return
    text = _content(body)
    if body.get_content_subtype() == "html":
        yield from html.visible_parts(iter([text]))
    else:
        yield from (part for part in paragraphs(iter(clean(text).split("\n"))) if isinstance(part, ContentPart))


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, IndexError, AttributeError, TypeError):  # what its parser raises on broken ones
        return ""


def _content(part: MIMEPart) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return data.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):  # no such charset, or no name of one
        return data.decode("utf-8", "replace")


def _read_attachment(part: MIMEPart, source: SourceFile, before: int) -> Iterator[ReadPiece]:
    name = display_name(single_line(part.get_filename() or "attachment"))
    if source.depth >= source.limits.nesting:
        yield UnreadPart(f"{name} in {source.name} lies too deep in it and was not read; send it by itself.")
        return
    payload = part.get_payload(decode=True)
    if part.get_content_type() == "message/rfc822":
        data = b"".join(bytes(each) for each in part.iter_parts())
    else:
        data = payload if isinstance(payload, bytes) else b""
    source.unpack_budget.spend(len(data), source.name)
    with tempfile.NamedTemporaryFile(prefix="attached-") as file:
        file.write(data)
        file.flush()
        yield from read_member(source, Path(file.name), name, before)
