"""EPUB: its chapters in their order, each beginning a page."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote
from zipfile import ZipFile

from eclair.documents.readers import html
from eclair.documents.readers.base import Break, Opened, Part, Piece, Remarked, Source, damaged, flow, locked
from eclair.documents.readers.zip_xml import opened, taken, tree

_PACKAGE = "{http://www.idpf.org/2007/opf}"


def read(source: Source) -> Iterator[Piece]:
    with opened(source) as archive:
        names = set(archive.namelist())
        if "META-INF/rights.xml" in names:
            raise locked(source.name)
        chapters = _chapters(archive, source)
        yield Opened(source.media, None)
        missing = [name for name in chapters if name not in names]
        yield from flow(_parts(archive, [name for name in chapters if name in names], source))
        if missing:
            yield Remarked(f"{source.name} lacks {len(missing)} of its chapters; save it anew or send another copy.")


def _chapters(archive: ZipFile, source: Source) -> list[str]:
    try:
        container = tree(archive, "META-INF/container.xml", source)
        root = next(element.get("full-path", "") for element in container.iter() if element.tag.endswith("}rootfile"))
        package = tree(archive, root, source)
    except (KeyError, StopIteration) as error:
        raise damaged(source.name) from error
    places = {
        item.get("id", ""): posixpath.normpath(posixpath.join(posixpath.dirname(root), unquote(item.get("href", ""))))
        for item in package.iter(_PACKAGE + "item")
    }
    return [places[name] for item in package.iter(_PACKAGE + "itemref") if (name := item.get("idref", "")) in places]


def _parts(archive: ZipFile, chapters: list[str], source: Source) -> Iterator[Part | Break]:
    for chapter in chapters:
        yield Break()
        yield from html.parts(iter([taken(archive, chapter, source).decode("utf-8", "replace")]))
