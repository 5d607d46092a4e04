"""The package that an office document is: its parts, their relations and its properties."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape

from eclair.provenance.text_marks import MADE_BY_AI

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
RELATIONSHIPS = f"{OFFICE}/relationships"

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TIME = (1980, 1, 1, 0, 0, 0)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DEFAULTS = {
    "rels": "application/vnd.openxmlformats-package.relationships+xml",
    "xml": "application/xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
}


def clean(text: str) -> str:
    """Escape text for XML, without the characters that XML can't hold."""
    return escape(_CONTROLS.sub("", text))


def write_package(parts: Iterable[tuple[str, str]], media: Iterable[tuple[str, bytes]] = ()) -> bytes:
    """Write a package of XML parts, in their order, and files beside them. The same content gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts:
            archive.writestr(_entry(name), _XML + text)
        for name, data in media:
            archive.writestr(_entry(name), data)
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def content_types(overrides: Mapping[str, str]) -> str:
    """Write the types of a package's parts, its properties included."""
    named = {
        **overrides,
        "/docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
        "/docProps/custom.xml": "application/vnd.openxmlformats-officedocument.custom-properties+xml",
    }
    inner = "".join(f'<Default Extension="{name}" ContentType="{kind}"/>' for name, kind in _DEFAULTS.items())
    inner += "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in named.items())
    return f'<Types xmlns="{PACKAGE}/content-types">{inner}</Types>'


def relations(*found: tuple[str, str, str, bool]) -> str:
    """Write relations: id, kind, target, and whether that is outside of the package."""
    inner = "".join(
        f'<Relationship Id="{id}" Type="{kind}" Target="{clean(target)}"{external}/>'
        for id, kind, target, is_external in found
        for external in [' TargetMode="External"' if is_external else ""]
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{inner}</Relationships>'


def package_relations(document: str) -> str:
    """Write the relations of a package to its document and its properties."""
    return relations(
        ("document", f"{RELATIONSHIPS}/officeDocument", document, False),
        ("core", f"{PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml", False),
        ("custom", f"{RELATIONSHIPS}/custom-properties", "docProps/custom.xml", False),
    )


def core_properties(title: str, at: datetime, notice: str | None) -> str:
    """Write title and time (in UTC), and the notice that AI made the text, unless a person did."""
    marked = (
        f"<cp:keywords>AI-generated</cp:keywords><dc:description>{clean(notice)}</dc:description>" if notice else ""
    )
    return (
        f'<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{clean(title)}</dc:title><dc:creator>Éclair</dc:creator>{marked}"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{at:%Y-%m-%dT%H:%M:%SZ}</dcterms:created></cp:coreProperties>'
    )


def custom_properties(*, made_by_ai: bool) -> str:
    """Write the IPTC's Digital Source Type of a text that AI made."""
    mark = (
        '<property fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}" pid="2" name="DigitalSourceType">'
        f"<vt:lpwstr>{MADE_BY_AI}</vt:lpwstr></property>"
    )
    return (
        f'<Properties xmlns="{OFFICE}/custom-properties" xmlns:vt="{OFFICE}/docPropsVTypes">'
        f"{mark if made_by_ai else ''}</Properties>"
    )
