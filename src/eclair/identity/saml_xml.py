"""Typed access to the XML of SAML, which may be hostile. lxml has no types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Protocol, cast

etree: Any = import_module("lxml.etree")

MAX_XML_BYTES = 8 << 20


class SamlElement(Protocol):
    """The part of an lxml element that is used here. A comment's `tag` isn't a string."""

    tag: object
    text: str | None

    @property
    def attrib(self) -> Mapping[str, str]: ...

    def get(self, key: str) -> str | None: ...

    def find(self, path: str) -> SamlElement | None: ...

    def findall(self, path: str) -> list[SamlElement]: ...

    def iter(self, *tags: str) -> Iterator[SamlElement]: ...

    def getparent(self) -> SamlElement | None: ...

    def xpath(self, path: str) -> Any: ...

    def __iter__(self) -> Iterator[SamlElement]: ...


def parse_xml(text: bytes) -> SamlElement:
    """Parse XML without entities or a document type, and fetch nothing for it. Raises ValueError."""
    if len(text) > MAX_XML_BYTES:
        raise ValueError("it is too long")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True)
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"it is no XML: {error}") from None
    information = root.getroottree().docinfo
    if information.doctype or information.internalDTD is not None:
        raise ValueError("it has a document type")
    return cast("SamlElement", root)


def text_of(element: SamlElement | None) -> str:
    """Return the whole text of an element: a comment in it, which signatures leave out, doesn't cut it short."""
    parts: list[str] = [] if element is None else element.xpath("text()")
    return "".join(parts).strip()
