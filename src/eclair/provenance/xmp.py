"""The note beside a picture: XMP with the IPTC's Digital Source Type, written and read.

Where it lies in which kind of file is `pictures`' affair; other files are searched for it, as XMP means them to be.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from eclair.provenance.report import Made, Metadata, how_of

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

LARGEST = 4 << 20
"""Bytes of a note that is read."""
LONGEST = 200
"""Characters of what it says that are taken."""

_START, _END = b"<x:xmpmeta", b"</x:xmpmeta>"


def packet(made: Made) -> bytes:
    """What says how a picture was made."""
    said = (
        f" Iptc4xmpExt:DigitalSourceType={quoteattr(made.source)}"
        f" Iptc4xmpExt:AISystemUsed={quoteattr(made.model)}"
        f" xmp:CreatorTool={quoteattr(made.tool)}"
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{IPTC}" xmlns:xmp="{XMP}"{said}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def read(data: bytes | None) -> Metadata:
    """What a note says; `absent` where there is none, or none that says where the picture comes from."""
    if data is None or len(data) > LARGEST:
        return Metadata("absent")
    start, end = data.find(b"<"), data.rfind(b">")
    try:
        root = ElementTree.fromstring(data[start : end + 1])  # noqa: S314 - in a bounded process
    except (ElementTree.ParseError, ValueError, LookupError):
        return Metadata("absent")
    source = _value(root, f"{{{IPTC}}}DigitalSourceType")
    if source is None:
        return Metadata("absent")
    tool = _value(root, f"{{{XMP}}}CreatorTool")
    return Metadata("found", how_of(source), source.rstrip("/").rpartition("/")[2], tool)


def search(path: Path) -> bytes | None:
    """The first note in a file of any kind."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_START)
        end = data.find(_END, start, start + LARGEST) if start >= 0 else -1
        return data[start : end + len(_END)] if end >= 0 else None


def _value(root: ElementTree.Element, name: str) -> str | None:
    """A property's value, which may stand in an attribute, in an element, or as what that refers to."""
    for element in root.iter():
        if value := element.get(name):
            return value[:LONGEST]
        if element.tag == name and (value := element.get(f"{{{RDF}}}resource") or (element.text or "").strip()):
            return value[:LONGEST]
    return None
