"""Detects a file's type by content; the extension only tells text types apart."""

from __future__ import annotations

import codecs
import re
import zipfile
from pathlib import Path

from eclair.documents.readers.base import damaged_file, locked_file
from eclair.sandbox.descriptors import open_input
from eclair.sandbox.protocol import Rejected

HEAD_BYTES = 1 << 16

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
)
_SOUNDS: tuple[tuple[bytes, str], ...] = (
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"caff", "audio/x-caf"),
    (b"#!AMR", "audio/amr"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "audio/x-ms-wma"),
    (b"FLV\x01", "video/x-flv"),
    (b"\0\0\1\xba", "video/mpeg"),
    *((bytes([0xFF, second]), "audio/mpeg") for second in (0xFA, 0xFB, 0xF2, 0xF3, 0xE2, 0xE3, 0xFC, 0xFD)),
    *((bytes([0xFF, second]), "audio/aac") for second in (0xF0, 0xF1, 0xF8, 0xF9)),
)
_RIFF_SOUNDS = {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_ISO_IMAGES = {b"jxl ", b"jpx ", b"jp2 ", b"crx ", b"mif1", b"msf1"}
"""Brands of ISO files that are images which nothing here reads."""
SOUND_TYPES = frozenset(
    {media for _, media in _SOUNDS}
    | set(_RIFF_SOUNDS.values())
    | {"audio/mp4", "video/mp4", "video/quicktime", "audio/aiff", "audio/basic", "video/mp2t"}
)
"""Types of recordings, films among them."""
_RTF = b"{\\rtf"
_UNSUPPORTED: tuple[tuple[bytes, str], ...] = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it and send the files in it"),
    (b"Rar!", "a RAR archive; unpack it and send the files in it"),
    (b"\x1f\x8b", "a gzip archive; unpack it and send the files in it"),
    (b"BZh", "a bzip2 archive; unpack it and send the files in it"),
    (b"\xfd7zXZ", "an xz archive; unpack it and send the files in it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive; unpack it and send the files in it"),
    (b"\x7fELF", "a program; send a document"),
    (b"MZ", "a program; send a document"),
    (b"\xca\xfe\xba\xbe", "a program; send a document"),
    (b"SQLite format 3", "a database; export what you need as CSV and send that"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_KINDS: tuple[tuple[str, str], ...] = (
    ("WordDocument", "application/msword"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
)
_MAIL = re.compile(
    rb"(?:(?:From|To|Subject|Date|Received|Return-Path|Delivered-To|MIME-Version|Message-ID|Content-Type|X-[\w-]+|"
    rb"DKIM-Signature|Reply-To|Cc|ARC-[\w-]+|Authentication-Results|Thread-[\w-]+):[^\n]*\n(?:[ \t][^\n]*\n)*){3}",
    re.IGNORECASE,
)
_PROLOG = rb"\s*+(?:<\?xml[^>]*+>\s*+)?"
_COMMENTS = rb"(?:<!--(?:[^-]++|-(?!->))*+-->\s*+)*+"
_HTML = re.compile(_PROLOG + _COMMENTS + rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_SVG = re.compile(
    _PROLOG + _COMMENTS + rb"(?:<!DOCTYPE\s+svg[^>\[]*+(?:\[.*?\]\s*+)?>\s*+)?" + _COMMENTS + rb"<(?:\w+:)?svg[\s>]",
    re.S,
)
_EXTENSIONS = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".json": "application/json",
    ".jsonl": "application/json",
    ".xml": "application/xml",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".eml": "message/rfc822",
}
_CODE = re.compile(
    r"\.(?:py|js|ts|jsx|tsx|svelte|vue|java|kts?|scala|[ch]|cc|cpp|hpp|cs|go|rs|rb|php|pl|lua|r|jl|swift|m|sh|bash|zsh|"
    r"fish|ps1|bat|sql|css|scss|less|ya?ml|toml|ini|cfg|conf|make|mk|cmake|tf|proto|graphql|hs|ml|exs?|erl|clj|lisp|el|"
    r"vim|dart|zig|nim|f90|asm|s|gradle|diff|patch)"
)
EUROPEAN_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1257", "iso8859_2", "iso8859_5", "iso8859_7", "koi8_r"]
"""Legacy encodings of old European files."""


def sniff(path: Path, name: str) -> str:
    """Return the file's media type. Raises Rejected for an empty, locked or unsupported file."""
    with open_input(path) as file:
        head = file.read(HEAD_BYTES)
    if not head.strip(b"\0 \t\r\n"):
        raise Rejected(f"{name} is empty; send one with something in it.")
    if (picture := _image_type(head)) is not None:
        return picture
    if head.startswith(_RTF):
        return "application/rtf"
    if b"%PDF-" in head[:1024]:
        return "application/pdf"
    if head[:4] in (b"PK\3\4", b"PK\5\6"):
        return _zip_type(path, name)
    if head.startswith(_OLE):
        return _ole_type(path, name)
    for magic, what in _UNSUPPORTED:
        if head.startswith(magic):
            raise Rejected(f"{name} is {what}.")
    if (sound := sound_type(head)) is not None:
        return sound
    if head[4:8] == b"ftyp":
        raise Rejected(f"{name} is an image of a kind that is not read; save it as PNG or JPEG and send that.")
    return _text_type(head, name)


def image_type(head: bytes) -> str | None:
    """Return the type of an image by its first HEAD_BYTES; None for other files."""
    return _image_type(head) or ("image/svg+xml" if _SVG.match(head.removeprefix(codecs.BOM_UTF8)) else None)


def sound_type(head: bytes) -> str | None:
    """Return the type of a recording or a film by its first HEAD_BYTES; None for other files."""
    if head[:4] in (b"RIFF", b"RF64"):
        return _RIFF_SOUNDS.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _ISO_IMAGES:
            return None
        return "audio/mp4" if brand[:3] in (b"M4A", b"M4B") else "video/quicktime" if brand == b"qt  " else "video/mp4"
    if head[:4] == b".snd" and len(head) > 24:
        return "audio/basic"
    if head[:1] == b"G" and head[188:189] == b"G" and head[376:377] == b"G":
        return "video/mp2t"
    return next((media for magic, media in _SOUNDS if head.startswith(magic)), None)


def _image_type(head: bytes) -> str | None:
    for magic, media in _MAGIC:
        if head.startswith(magic) and (media != "image/bmp" or head[6:10] == b"\0\0\0\0"):
            return media
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return _iso_media_type(head) if head[4:8] == b"ftyp" else None


def _iso_media_type(head: bytes) -> str | None:
    """Detect images in an ISO media container; its brands tell the codec."""
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(int.from_bytes(head[:4]), 256), 4))}
    if brands & {b"avif", b"avis"}:
        return "image/avif"
    if brands & {b"heic", b"heix", b"heim", b"heis"}:
        return "image/heic"
    return None


def _zip_type(path: Path, name: str) -> str:
    try:
        with open_input(path) as file, zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if "mimetype" in names:
                with archive.open("mimetype") as member:
                    kind = member.read(100).decode("ascii", "replace").strip().removesuffix("-template")
                if kind in (ODT, ODS, ODP, EPUB):
                    return kind
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise damaged_file(name) from error
    if "[Content_Types].xml" in names:
        for folder, media in (("word/", DOCX), ("ppt/", PPTX), ("xl/", XLSX)):
            if any(each.startswith(folder) for each in names):
                return media
    return "application/zip"


def _ole_type(path: Path, name: str) -> str:
    """Detect older Office files by the directory of their compound file."""
    with open_input(path) as file:
        data = file.read(64 << 20)
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise locked_file(name)
    for stream, media in _OLE_KINDS:
        if (stream + "\0").encode("utf-16-le") in data:
            return media
    raise Rejected(f"{name} is of a type that cannot be read here; save it as PDF or DOCX and send that.")


def _text_type(head: bytes, name: str) -> str:
    extension = Path(name).suffix.lower()
    coding = detect_encoding(head)
    if coding is None:
        raise Rejected(f"{name} is not a document that can be read here; save it as PDF, DOCX or text and send that.")
    plain = head if not coding.startswith("utf-16") else head.decode(coding, "ignore").encode()
    plain = plain.removeprefix(codecs.BOM_UTF8)
    if _HTML.match(plain):
        return "text/html"
    if _SVG.match(plain):
        return "image/svg+xml"
    if _MAIL.match(plain.replace(b"\r\n", b"\n")):
        return "message/rfc822"
    if plain.lstrip().startswith(b"<?xml"):
        return "application/xml"
    if extension == ".eml" or (extension in (".html", ".htm", ".xhtml") and b"<" not in plain):
        return "text/plain"
    if _CODE.fullmatch(extension):
        return "text/x-code"
    if extension in _EXTENSIONS:
        return _EXTENSIONS[extension]
    return "text/csv" if _looks_like_csv(plain.decode("utf-8", "replace")) else "text/plain"


def _looks_like_csv(text: str) -> bool:
    """Return whether the first lines have the same number of separators, at least three."""
    rows = text.splitlines()[:20]
    if len(text) >= HEAD_BYTES // 2:
        rows = rows[:-1]
    return len(rows) >= 3 and any(
        (count := rows[0].count(mark)) >= 2 and all(row.count(mark) == count for row in rows) for mark in ";\t,|"
    )


def detect_encoding(head: bytes) -> str | None:
    """Return a text's encoding by its first bytes; None for binary files."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    nuls = head.count(0)
    if nuls > len(head) // 4:
        for coding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
            if zeros.count(0) > len(zeros) * 0.8:
                return coding
        return None
    odd = sum(head.count(bytes([value])) for value in (*range(9), *range(14, 27), *range(28, 32)))
    if odd > max(8, len(head) // 50):
        return None
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(head)
    broken = text.count("\ufffd")
    return "utf-8" if broken == 0 or broken < sum(char > "\x7f" for char in text) / 2 else _legacy_encoding(head)


def _legacy_encoding(head: bytes) -> str:
    from charset_normalizer import from_bytes

    letters = bytes(byte for byte in head if byte >= 128)
    if len(letters) > len(head) * 0.1:
        best = from_bytes(head[:HEAD_BYTES], cp_isolation=EUROPEAN_ENCODINGS).best()
        return best.encoding if best is not None else "cp1252"
    best = from_bytes(head[:HEAD_BYTES], cp_isolation=["cp1252", "cp1250", "cp1257"]).best()
    return best.encoding if best is not None else "cp1252"
