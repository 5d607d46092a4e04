"""The mark of texts that models wrote: the IPTC's Digital Source Type, in the metadata that each format has.

Exports write it, and `read_text_mark` finds it: in the front matter of Markdown, a field of JSON, the microdata of
HTML, the properties of office documents, and the keywords of a PDF. HTTP replies say it in the header `AI-Disclosure`,
as the draft `draft-abaris-aicdh` of the IETF has it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

import eclair
from eclair.provenance import xmp
from eclair.provenance.provenance_report import (
    DIGITAL_SOURCE_TYPES,
    IPTC_VOCABULARY,
    PRODUCT,
    IptcMetadata,
    origin_kind,
)
from eclair.sandbox.descriptors import open_input

MADE_BY_AI = DIGITAL_SOURCE_TYPES["created"]
SCHEMA_ORG_MADE_BY_AI = "https://schema.org/TrainedAlgorithmicMediaDigitalSource"
SOURCE_FIELD = "digital_source_type"
TOOL_FIELD = "generator"
TOOL = f"{PRODUCT} {eclair.__version__}"

DISCLOSURE_HEADER = (b"ai-disclosure", b"mode=machine-generated")
"""The header of replies that hold text of a model."""

MAX_JSON_BYTES = 64 << 20
MAX_TEXT_BYTES = 4 << 20
"""Of HTML and front matter that are read; the mark is at the beginning."""
MAX_PROPERTIES_BYTES = 1 << 20
PLAIN_HEAD_BYTES = 64 << 10
"""Of a file that may be plain text."""
MAX_VALUE_CHARS = 200

_SCHEMA_ORG = re.compile(r"https?://schema\.org/(\w{1,60})DigitalSource$")
_TERM = re.compile(re.escape(IPTC_VOCABULARY) + r"(\w{1,60})")
_CONTROL = re.compile(r"[^\t\n\f\r\x20-\U0010ffff]")
_OFFICE_PROPERTIES = "docProps/custom.xml"
_OFFICE_DOCUMENTS = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}


def front_matter(models: Iterable[str], reviewer: str | None = None) -> Sequence[str]:
    """Return the lines that begin a Markdown file: its source, program, models, and who answers for it, as YAML."""
    names = orjson.dumps(list(models)).decode()  # JSON's values are YAML
    reviewed = (f"reviewed_by: {orjson.dumps(reviewer).decode()}",) if reviewer else ()
    return ("---", f"{SOURCE_FIELD}: {MADE_BY_AI}", f"{TOOL_FIELD}: {TOOL}", f"models: {names}", *reviewed, "---")


def read_text_mark(path: Path) -> tuple[str, IptcMetadata] | None:
    """Return the media type of a text file or document, and its mark; None for a file of any other kind."""
    with open_input(path) as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
        file.seek(0)
        if head.startswith(b"%PDF-"):
            return "application/pdf", find_term(xmp.find_packet(path))
        if head.startswith(b"PK\x03\x04"):
            return _read_office(file)
        if head[:15].lower().startswith((b"<!doctype html", b"<html")):
            return "text/html", _read_html(file.read(MAX_TEXT_BYTES).decode("utf-8", "replace"))
        if head.startswith(b"{"):
            return _read_json(file)
        if head.startswith((b"---\n", b"---\r\n")):
            return "text/markdown", _read_front_matter(file.read(MAX_TEXT_BYTES).decode("utf-8", "replace"))
    return None


def is_plain_text(path: Path) -> bool:
    """Return whether a file begins as text in UTF-8 does."""
    with open_input(path) as file:
        head = file.read(PLAIN_HEAD_BYTES)
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if len(head) < PLAIN_HEAD_BYTES or error.end < len(head):
            return False
        text = head[: error.start].decode()  # the limit cut a character
    return _CONTROL.search(text) is None


def _found(source: str, tool: str | None = None) -> IptcMetadata:
    """Build the finding for a term of the IPTC's vocabulary, or of schema.org's."""
    if (match := _SCHEMA_ORG.match(source)) is not None:
        source = match[1][:1].lower() + match[1][1:]
    name = source.rstrip("/").rpartition("/")[2][:MAX_VALUE_CHARS]
    return IptcMetadata("found", origin_kind(name), name, tool[:MAX_VALUE_CHARS] if tool else None)


def find_term(metadata: bytes | None) -> IptcMetadata:
    """Find the first term in a file's own metadata, such as a keyword."""
    match = _TERM.search((metadata or b"").decode("utf-8", "replace"))
    return IptcMetadata("absent") if match is None else _found(match[1])


def _read_office(file: BinaryIO) -> tuple[str, IptcMetadata] | None:
    """Read an office document's own properties; None for any other zip."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            media = next((media for name, media in _OFFICE_DOCUMENTS.items() if name in names), None)
            if media is None:
                return None
            if _OFFICE_PROPERTIES not in names:
                return media, IptcMetadata("absent")
            with archive.open(_OFFICE_PROPERTIES) as member:
                return media, find_term(member.read(MAX_PROPERTIES_BYTES))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        return None


class _Microdata(HTMLParser):
    """Finds the first Digital Source Type, and the program that wrote the page."""

    def __init__(self) -> None:
        super().__init__()
        self.source: str | None = None
        self.tool: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            return
        given = dict(attrs)
        name, content = given.get("itemprop") or given.get("name"), given.get("content")
        if name == "digitalSourceType" and self.source is None:
            self.source = content
        elif name == TOOL_FIELD and self.tool is None:
            self.tool = content


def _read_html(text: str) -> IptcMetadata:
    page = _Microdata()
    page.feed(text)
    return IptcMetadata("absent") if not page.source else _found(page.source, page.tool)


def _read_json(file: BinaryIO) -> tuple[str, IptcMetadata] | None:
    """Read a field of a JSON object; None for what is none."""
    data = file.read(MAX_JSON_BYTES + 1)
    try:
        value: Any = orjson.loads(data) if len(data) <= MAX_JSON_BYTES else None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    source, tool = fields.get(SOURCE_FIELD), fields.get(TOOL_FIELD)
    if not isinstance(source, str) or not source:
        return "application/json", IptcMetadata("absent")
    return "application/json", _found(source, tool if isinstance(tool, str) else None)


def _read_front_matter(text: str) -> IptcMetadata:
    fields: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        if line.rstrip() == "---":
            break
        name, separator, value = line.partition(":")
        if separator:
            fields.setdefault(name.strip(), value.strip())
    source = fields.get(SOURCE_FIELD)
    return IptcMetadata("absent") if not source else _found(source, fields.get(TOOL_FIELD))
