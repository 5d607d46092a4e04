"""Typed access to lxml's element trees, and content extraction by trafilatura.

lxml has no types, so other modules only use it through this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, cast

from lxml import etree, html  # pyright: ignore
from trafilatura import bare_extraction
from trafilatura.settings import Document, Extractor

from eclair.sandbox.protocol import Rejected

_html: Any = html
_etree: Any = etree  # pyright: ignore[reportUnknownVariableType]
_FAST = Extractor(output_format="python", fast=True, comments=False, tables=True)
_THOROUGH = Extractor(output_format="python", fast=False, comments=False, tables=True)


class Element(Protocol):
    """The part of an lxml element that is used here. A comment's `tag` isn't a string."""

    tag: object
    text: str | None
    tail: str | None

    def items(self) -> list[tuple[str, str]]: ...
    def get(self, name: str) -> str | None: ...
    def iter(self, *tags: str) -> Iterator[Element]: ...
    def iterancestors(self, *tags: str) -> Iterator[Element]: ...
    def getparent(self) -> Element | None: ...
    def text_content(self) -> str: ...
    def drop_tree(self) -> None: ...
    def __iter__(self) -> Iterator[Element]: ...
    def __len__(self) -> int: ...


def parse_html(page: str) -> Element:
    """Parse a page and return its root, with a body and without comments. Raises Rejected for an empty page."""
    parser = _html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
    try:
        tree = _html.document_fromstring(page.encode("utf-8", "replace"), parser=parser, ensure_head_body=True)
    except _etree.ParserError:
        raise Rejected("it is empty") from None
    return cast(Element, tree)


def serialize(tree: Element) -> str:
    return cast(str, _etree.tostring(tree, encoding="unicode", method="html"))


def extract_content(tree: Element, *, fast: bool) -> Element | None:
    """Return the page's content in trafilatura's tags; None if none is found. Consumes the tree."""
    document = bare_extraction(cast(Any, tree), options=_FAST if fast else _THOROUGH)
    return cast(Element, document.body) if isinstance(document, Document) else None
