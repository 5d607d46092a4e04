"""Reads e-mail: sender, recipients, subject, text and attachments."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
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
from eclair.documents.readers.embedded import find_name, open_member, read_member, unique_names
from eclair.documents.readers.text import paragraphs
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.protocol import Rejected
from eclair.schema.documents import Page

HEADERS = ("Subject", "From", "To", "Cc", "Date")


def read(source: SourceFile) -> Iterator[ReadPiece]:
    yield Opened(source.media, None)
    message = _message(source)
    number = 0
    for page in paginate(_parts(message)):
        number = page.number
        yield page
    for name, part in _attachments(message).items():
        for piece in _read_attachment(part, name, source, number):
            if isinstance(piece, Page):
                number = piece.number
            yield piece


@contextmanager
def open_named(source: SourceFile, member: str) -> Generator[tuple[SourceFile, str]]:
    """Return the attachment that `member` begins with, and the name inside of it. Raises Rejected."""
    attached = _attachments(_message(source))
    found = find_name(attached, member)
    if found is None:
        raise Rejected(f"{source.name} has no attachment {member}.", "missing")
    name, rest = found
    with _unpacked(attached[name], source) as path:
        yield open_member(source, path, name), rest


def _message(source: SourceFile) -> EmailMessage:
    with open_input(source.path) as file:
        message = message_from_binary_file(file, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def _attachments(message: EmailMessage) -> dict[str, MIMEPart]:
    """Return the attachments by their names as people see them."""
    parts = list(message.iter_attachments())
    names = unique_names(single_line(part.get_filename() or "attachment") for part in parts)
    return dict(zip(names, parts, strict=True))


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


def _read_attachment(part: MIMEPart, name: str, source: SourceFile, before: int) -> Iterator[ReadPiece]:
    if source.depth >= source.limits.nesting:
        yield UnreadPart(f"{name} in {source.name} lies too deep in it and was not read; send it by itself.")
        return
    with _unpacked(part, source) as path:
        yield from read_member(source, path, name, before)


@contextmanager
def _unpacked(part: MIMEPart, source: SourceFile) -> Generator[Path]:
    """Write an attachment to a file of its own. Raises Rejected over budget."""
    payload = part.get_payload(decode=True)
    if part.get_content_type() == "message/rfc822":
        data = b"".join(bytes(each) for each in part.iter_parts())
    else:
        data = payload if isinstance(payload, bytes) else b""
    source.unpack_budget.spend(len(data), source.name)
    with tempfile.NamedTemporaryFile(prefix="attached-") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)
