"""Reads HTML as the sandbox does, without a process or a server."""

from __future__ import annotations

from pathlib import Path

from eclair.documents.limits import Limits
from eclair.documents.parse_protocol import ServedPage
from eclair.documents.readers.base import SourceFile, UnpackBudget
from eclair.schema.documents import About, Page
from eclair.web.pages.article import read_article

TODAY = "2026-11-28"


def read_html(folder: Path, page: str, url: str = "https://example.org/page") -> tuple[About, str]:
    """Return what a page says of itself, and its text."""
    file = folder / "page.html"
    file.write_bytes(page.encode())
    limits = Limits()
    source = SourceFile(file, file.name, "text/html", limits, UnpackBudget(limits.unpacked))
    about, text = About("", None, None, None, None), ""
    for piece in read_article(source, ServedPage(url, "text/html", "utf-8", TODAY)):
        if isinstance(piece, Page):
            text += piece.text + "\n"
        else:
            about = piece
    return about, text
