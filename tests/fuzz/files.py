"""Files of others: documents, pictures, exports, feeds, marked pictures and models."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import warnings
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson

from eclair.documents.document_parser import Parser
from eclair.documents.limits import Limits
from eclair.documents.readers.file_type import PPTX, XLSX, sniff
from eclair.errors import EclairError, InvalidInput, ModelMissing, NotFound, TooLarge, UnreadableFile
from eclair.models.gguf.header import read_header
from eclair.provenance.certificates import KnownSigners
from eclair.provenance.provenance_report import Origin
from eclair.provenance.service import Provenance
from eclair.provenance.worker import inspect_file
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.schema.documents import Page
from eclair.settings import Settings
from eclair.web.feeds import feed_protocol
from eclair.web.feeds.feed_protocol import FindFeedLinks, ReadFeed, ReadOpml
from eclair.web.feeds.worker import handle
from tests.documents import files as samples
from tests.documents import photos
from tests.documents.conftest import look
from tests.fuzz.target import Attempt, check_sentence
from tests.models.gguf_files import gguf
from tests.provenance import made
from tests.transfer.support import NOW, sample, staged, zipped
from tests.web.publisher import rss

LIBRARY_TYPES = (PPTX, XLSX)
"""Libraries read these step by step, and raise whatever they like on what is damaged."""

URL = "https://news.example.org/feeds/all"


# Documents and pictures


def documents(_: Path) -> dict[str, bytes]:
    noted = photos.exif(place=(48.8, 2.3), serial="7", owner="Ada")
    return {
        "a.pdf": samples.pdf([samples.page_of_text(1), samples.page_of_text(2)], outline=[("One", 1), ("Two", 2)]),
        "a.docx": samples.docx(
            samples.word_paragraph("Kopf", "berschrift1")
            + samples.word_paragraph("eins", depth=0)
            + samples.word_table([["a", "b"], ["c", "d"]])
        ),
        "a.odt": samples.odf("text", "<text:h text:outline-level='1'>Titel</text:h><text:p>Hallo<text:s/></text:p>"),
        "a.ods": samples.odf(
            "spreadsheet",
            "<table:table table:name='T'><table:table-row><table:table-cell table:number-columns-repeated='3'>"
            "<text:p>1</text:p></table:table-cell></table:table-row></table:table>",
        ),
        "a.odp": samples.odf("presentation", "<draw:page><draw:frame><text:p>Folie</text:p></draw:frame></draw:page>"),
        "a.xlsx": samples.xlsx({"S": [["a", "b"], [1, 2.5]], "T": [[True, None]]}, {"B2": "0.00%"}),
        "a.pptx": samples.pptx([("T", ["a", "b"], "n")]),
        "a.epub": samples.epub({"1.xhtml": "<h1>One</h1><p>Text</p>", "2.xhtml": "<p>Two</p>"}),
        "a.eml": samples.eml({"a.txt": b"attached", "b.csv": b"a;b\n1;2\n"}),
        "a.zip": samples.zipped({"a.txt": b"text", "b.md": b"# x", "c.zip": samples.zipped({"d.html": b"<p>deep"})}),
        "a.rtf": rb"{\rtf1\ansi\deff0{\fonttbl{\f0 Arial;}}Hallo \b Welt\b0\par{\pict\pngblip 8950}\u252?x}",
        "a.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "WordDocument\0".encode("utf-16-le") + bytes(512),
        "a.html": b"<html><head><title>T</title><body><table><tr><td>1<td>2</table><ul><li>a<li>b</ul><pre>x</pre>",
        "a.md": b"# h\n\n- a\n- b\n\n|a|b|\n|-|-|\n|1|2|\n\n```py\nx\n```\n[^1]: note\n",
        "a.csv": b'a;b;c\n1;2;3\n"4;5";6;7\n',
        "a.json": b'{"a": [1, 2, {"b": null}], "c": "d"}',
        "a.xml": b"<?xml version='1.0' encoding='utf-8'?><!DOCTYPE a [<!ENTITY e 'x'>]><a b='c'>&e;<d/></a>",
        "a.py": b"def f():\n    return 'x'\n",
        "a.txt": "Grüße\n\nZwei Absätze.\n".encode("utf-16"),
        "a.jpg": photos.encoded(photos.quarters(32), "JPEG", exif=noted),
        "a.svg": photos.SVG.format(more="<text>x</text><image href='data:image/png;base64,iVBORw0KGgo='/>").encode(),
    }


def pictures(_: Path) -> dict[str, bytes]:
    noted = photos.exif(orientation=6, place=(48.8, 2.3))
    return {**photos.every(noted), "grid.heic": photos.heic(columns=2, turned=1, noted=noted)}


@contextlib.asynccontextmanager
async def _parser(folder: Path) -> AsyncGenerator[tuple[Parser, Path]]:
    parser = Parser(Limits(seconds=20, memory_mb=1500, pages=50, unpacked=64 << 20, members=100))
    try:
        yield parser, folder / "file"
    finally:
        await parser.close()


def _check_refusal(error: EclairError, path: Path, name: str) -> None:
    check_sentence(error.message)
    assert name in error.message, error.message
    if isinstance(error.__cause__, SandboxError):  # else its reader raised, died, or never ended
        borne = ("memory", "crash") if sniff(path, name) in LIBRARY_TYPES else ("memory",)
        assert error.__cause__.fault in borne, error.__cause__.fault


@contextlib.asynccontextmanager
async def reading(folder: Path) -> AsyncGenerator[Attempt]:
    async with _parser(folder) as (parser, path):

        async def attempt(name: str, data: bytes) -> bool:
            path.write_bytes(data)
            try:
                async for piece in parser.read(path, name):
                    if isinstance(piece, Page):
                        look(piece)
            except (UnreadableFile, TooLarge) as error:
                _check_refusal(error, path, name)
                return False
            return True

        yield attempt


@contextlib.asynccontextmanager
async def decoding(folder: Path) -> AsyncGenerator[Attempt]:
    async with _parser(folder) as (parser, path):

        async def attempt(name: str, data: bytes) -> bool:
            path.write_bytes(data)
            try:
                prepared = await parser.prepare_image(path, name, 64)
            except (UnreadableFile, TooLarge, NotFound) as error:
                _check_refusal(error, path, name)
                return False
            assert prepared.data
            return True

        yield attempt


# Exports of other programs


def exports(_: Path) -> dict[str, bytes]:
    names = ("chatgpt", "claude", "openwebui", "librechat", "librechat_tree")
    own = {
        "eclair": 1,
        "conversation": {
            "id": "conv_" + "a" * 26,
            "title": "T",
            "created": NOW,
            "leaf": "msg_" + "b" * 26,
            "tags": ["x"],
        },
        "messages": [
            {
                "id": "msg_" + letter * 26,
                "conversation": "conv_" + "a" * 26,
                "parent": parent,
                "role": role,
                "parts": [{"kind": "text", "text": "Hello"}],
                "created": NOW,
            }
            for letter, parent, role in (("a", None, "user"), ("b", "msg_" + "a" * 26, "assistant"))
        ],
    }
    seeds = {f"{name}.json": sample(name) for name in names} | {"eclair.json": orjson.dumps(own)}
    return {**seeds, "all.zip": zipped({**seeds, "chat.html": b"<html>"})}


@contextlib.asynccontextmanager
async def importing(folder: Path) -> AsyncGenerator[Attempt]:
    async def attempt(name: str, data: bytes) -> bool:
        try:
            preview, found = staged(folder, data, name)
        except (InvalidInput, TooLarge) as error:
            check_sentence(error.message)
            return False
        assert preview.conversations == len(found) > 0
        for one in found:
            seen: set[str] = set()
            for message in one.messages:
                assert message.parent is None or message.parent in seen
                seen.add(message.id)
        return True

    yield attempt


# Feeds


def feeds(_: Path) -> dict[str, bytes]:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Log</title><link href="https://a.example.org/"/>'
        '<entry><title type="html">A &lt;i&gt;b&lt;/i&gt;</title><link href="one"/><id>tag:1</id>'
        "<author><name>Ada</name></author><published>2026-11-01T00:00:00Z</published><summary>Said.</summary></entry></feed>"
    )
    item = {"id": "7", "url": "https://j.example.org/7", "title": "Dijk", "content_html": "<p>De dijk.</p>"}
    dated = {**item, "date_published": "2026-11-23T10:00:00+01:00", "authors": [{"name": "Jan"}]}
    outline = '<outline type="rss" text="T" xmlUrl="https://a.example.org/f" htmlUrl="https://a.example.org"/>'
    return {
        "rss.feed": rss(("One", "Text &amp;amp; more"), ("Two", "&lt;p&gt;Text&lt;/p&gt;"), at=1_764_000_000).encode(),
        "atom.feed": atom.encode(),
        "json.feed": json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [dated]}).encode(),
        "list.opml": f'<opml version="2.0"><body><outline text="F">{outline}</outline></body></opml>'.encode(),
        "page.html": b'<html><base href="/x"><link rel="alternate" type="application/rss+xml" href="f" title="Feed">',
    }


@contextlib.asynccontextmanager
async def feeding(_: Path) -> AsyncGenerator[Attempt]:
    async def attempt(name: str, data: bytes) -> bool:
        kind = Path(name).suffix
        request = ReadOpml(data) if kind == ".opml" else FindFeedLinks(data, URL) if kind == ".html" else None
        try:
            (found,) = handle(request or ReadFeed(data, URL, "", NOW))
        except Rejected as rejected:
            check_sentence(rejected.message + ".")
            return False
        results = feed_protocol.PROTOCOL.results
        assert results.read(io.BytesIO(results.encode(found))) == found
        return True

    yield attempt


# Marks of provenance


def marked(folder: Path) -> dict[str, bytes]:
    marks = Provenance.configured(Settings(data_dir=folder / "marks"))
    forms = {"a.png": "PNG", "a.jpg": "JPEG", "a.webp": "WEBP", "a.avif": "AVIF", "a.tiff": "TIFF"}

    async def mark_all() -> list[bytes]:
        origin = Origin("created", "FLUX.1 schnell")
        found = [await marks.mark(made.encoded(made.photo(40, 30), form), origin) for form in forms.values()]
        await marks.close()
        return found

    pdf = samples.pdf([samples.page_of_text(1)])
    return {**dict(zip(forms, asyncio.run(mark_all()), strict=True)), "a.pdf": pdf}


@contextlib.asynccontextmanager
async def inspecting(folder: Path) -> AsyncGenerator[Attempt]:
    path = folder / "file"

    async def attempt(_: str, data: bytes) -> bool:
        path.write_bytes(data)
        try:
            with warnings.catch_warnings(action="ignore"):  # Pillow warns of what is odd in a file
                report = inspect_file(path, KnownSigners())
        except Rejected as rejected:
            check_sentence(rejected.message + ".")
            return False
        assert report.watermark.state in ("found", "absent", "unread")
        return True

    yield attempt


# Models


def models(_: Path) -> dict[str, bytes]:
    return {"tiny.gguf": gguf(weights=bytes(64)), "other.gguf": gguf("Other", architecture="qwen3", context=0)}


@contextlib.asynccontextmanager
async def loading(folder: Path) -> AsyncGenerator[Attempt]:
    path = folder / "model.gguf"

    async def attempt(_: str, data: bytes) -> bool:
        path.write_bytes(data)
        try:
            header = read_header(path)
        except ModelMissing as error:
            check_sentence(error.message)
            return False
        assert header.context is None or header.context > 0
        return True

    yield attempt
