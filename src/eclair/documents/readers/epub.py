"""Reads EPUB: its chapters in order, each on a new page."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote
from zipfile import ZipFile

from eclair.documents.readers import html
from eclair.documents.readers.base import (
    ContentPart,
    NewPage,
    Opened,
    ReadPiece,
    SourceFile,
    UnreadPart,
    damaged_file,
    locked_file,
    paginate,
)
from eclair.documents.readers.zip_xml import open_zip, parse_xml, read_zipped

_PACKAGE = "{http://www.idpf.org/2007/opf}"


def read(source: SourceFile) -> Iterator[ReadPiece]:
    with open_zip(source) as archive:
        names = set(archive.namelist())
        if "META-INF/rights.xml" in names:
            raise locked_file(source.name)
        chapters = _chapters(archive, source)
        yield Opened(source.media, None)
        missing = [name for name in chapters if name not in names]
        yield from paginate(_parts(archive, [name for name in chapters if name in names], source))
        if missing:
            yield UnreadPart(f"{source.name} lacks {len(missing)} of its chapters; save it again or send another copy.")


def _chapters(archive: ZipFile, source: SourceFile) -> list[str]:
    try:
        container = parse_xml(archive, "META-INF/container.xml", source)
        root = next(element.get("full-path", "") for element in container.iter() if element.tag.endswith("}rootfile"))
        package = parse_xml(archive, root, source)
    except (KeyError, StopIteration) as error:
        raise damaged_file(source.name) from error
    places = {
        item.get("id", ""): posixpath.normpath(posixpath.join(posixpath.dirname(root), unquote(item.get("href", ""))))
        for item in package.iter(_PACKAGE + "item")
    }
    return [places[name] for item in package.iter(_PACKAGE + "itemref") if (name := item.get("idref", "")) in places]


def _parts(archive: ZipFile, chapters: list[str], source: SourceFile) -> Iterator[ContentPart | NewPage]:
    for chapter in chapters:
        yield NewPage()
        yield from html.visible_parts(iter([read_zipped(archive, chapter, source).decode("utf-8", "replace")]))
