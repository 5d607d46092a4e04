"""Writes and reads IPTC metadata as XMP: the Digital Source Type of a picture.

`image_files` knows where it is in a picture; other files are searched for it, as XMP intends.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from eclair.provenance.provenance_report import IptcMetadata, Origin, origin_kind
from eclair.sandbox.descriptors import open_input

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

MAX_PACKET_BYTES = 4 << 20
MAX_VALUE_CHARS = 200
"""Longer values are cut."""

_START, _END = b"<x:xmpmeta", b"</x:xmpmeta>"


def write_packet(origin: Origin) -> bytes:
    """Return the XMP packet that states a picture's origin."""
    said = (
        f" Iptc4xmpExt:DigitalSourceType={quoteattr(origin.digital_source_type)}"
        f" Iptc4xmpExt:AISystemUsed={quoteattr(origin.model)}"
        f" xmp:CreatorTool={quoteattr(origin.tool)}"
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{IPTC}" xmlns:xmp="{XMP}"{said}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def read_packet(data: bytes | None) -> IptcMetadata:
    """Read a packet; `absent` if there is none, or none that states an origin."""
    if data is None or len(data) > MAX_PACKET_BYTES:
        return IptcMetadata("absent")
    start, end = data.find(b"<"), data.rfind(b">")
    try:
        root = ElementTree.fromstring(data[start : end + 1])  # noqa: S314 - in a bounded process
    except (ElementTree.ParseError, ValueError, LookupError):
        return IptcMetadata("absent")
    source = _value(root, f"{{{IPTC}}}DigitalSourceType")
    if source is None:
        return IptcMetadata("absent")
    tool = _value(root, f"{{{XMP}}}CreatorTool")
    return IptcMetadata("found", origin_kind(source), source.rstrip("/").rpartition("/")[2], tool)


def find_packet(path: Path) -> bytes | None:
    """Return the first packet in a file of any type."""
    with open_input(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_START)
        end = data.find(_END, start, start + MAX_PACKET_BYTES) if start >= 0 else -1
        return data[start : end + len(_END)] if end >= 0 else None


def _value(root: ElementTree.Element, name: str) -> str | None:
    """Return a property's value from an attribute, an element, or the element it refers to."""
    for element in root.iter():
        if value := element.get(name):
            return value[:MAX_VALUE_CHARS]
        if element.tag == name and (value := element.get(f"{{{RDF}}}resource") or (element.text or "").strip()):
            return value[:MAX_VALUE_CHARS]
    return None
