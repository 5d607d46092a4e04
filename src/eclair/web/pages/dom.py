"""A page as a tree of elements, and what trafilatura takes for its content.

Nothing else sees lxml, which has no types.
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
_WHOLE = Extractor(output_format="python", fast=False, comments=False, tables=True)


class Element(Protocol):
    """What is used of an element of lxml. Of comments, `tag` is no text."""

    tag: object
    text: str | None
    tail: str | None

    def get(self, name: str) -> str | None: ...
    def iter(self, *tags: str) -> Iterator[Element]: ...
    def iterancestors(self, *tags: str) -> Iterator[Element]: ...
    def getparent(self) -> Element | None: ...
    def text_content(self) -> str: ...
    def drop_tree(self) -> None: ...
    def __iter__(self) -> Iterator[Element]: ...
    def __len__(self) -> int: ...


def parse_html(page: str) -> Element:
    """The page's root, with a body, without comments. Raises Rejected where there is nothing in it."""
    parser = _html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
    try:
        tree = _html.document_fromstring(page.encode("utf-8", "replace"), parser=parser, ensure_head_body=True)
    except _etree.ParserError:
        raise Rejected("it is empty") from None
    return cast(Element, tree)


def serialize(tree: Element) -> str:
    return cast(str, _etree.tostring(tree, encoding="unicode", method="html"))


def extract_content(tree: Element, *, fast: bool) -> Element | None:
    """The page's content in trafilatura's few tags; None where none can be told from the rest. The tree is used up."""
    document = bare_extraction(cast(Any, tree), options=_FAST if fast else _WHOLE)
    return cast(Element, document.body) if isinstance(document, Document) else None
