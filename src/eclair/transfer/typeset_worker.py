"""Lays out one PDF inside a sandbox. Files that the template may read are those in a folder of its own."""

from __future__ import annotations

import base64
import binascii
import io
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import orjson
import typst

from eclair.sandbox.images import decode_image, open_image
from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve
from eclair.transfer.typeset_protocol import (
    CPU_LIMIT_S,
    MAX_FILE_BYTES,
    MEMORY_LIMIT_BYTES,
    PROTOCOL,
    SvgDrawing,
    TypesetDocument,
    TypesetFile,
)

MAX_PIXELS = 40_000_000
DRAWING_PPI = 144.0
STANDARDS: list[typst.PDFStandard] = ["ua-1", "a-2a"]
"""PDF for screen readers and for archives. Neither may lack a character's glyph."""

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
_UNCONVERTED = {
    ("PNG", "1"),
    ("PNG", "L"),
    ("PNG", "P"),
    ("PNG", "RGB"),
    ("PNG", "RGBA"),
    ("JPEG", "L"),
    ("JPEG", "RGB"),
}
"""Formats and modes that a PDF takes as they are."""
_TEMPLATE = (resources.files("eclair.transfer") / "exporters" / "pdf_template.typ").read_bytes()
_DRAWING = b'#set page(width: auto, height: auto, margin: 0pt)\n#image("drawing.svg")'
_MISSING = re.compile(r'the text `"([^`]+)"` could not be displayed')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]{1,6})\}")
_AFTER_NAME = re.compile("\\](?:\u200d|\ufe0f|[\U0001f3fb-\U0001f3ff])+")
"""Joiners and skin tones of emoji."""
_FONTS = typst.Fonts()
"""Fonts of the package, before the system's."""


def main() -> None:
    serve(PROTOCOL, handle, lambda _: ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S, MAX_FILE_BYTES))


def handle(request: TypesetDocument | SvgDrawing) -> Iterator[TypesetFile]:
    """Yield the PDF or the image. Raises Rejected."""
    folder = Path(tempfile.gettempdir())
    if isinstance(request, SvgDrawing):
        yield TypesetFile(_draw(request.data, folder))
        return
    content = orjson.loads(request.content)
    content["pictures"] = [_place(url, folder, number) for number, url in enumerate(content["pictures"])]
    text = orjson.dumps(content).decode()
    try:
        yield TypesetFile(_compile(text, folder, STANDARDS))
        return
    except typst.TypstError as error:
        text = _name_missing(text, error.diagnostic)
    try:
        yield TypesetFile(_compile(text, folder, STANDARDS))
    except typst.TypstError:
        yield TypesetFile(_compile(text, folder, []))


def _compile(content: str, folder: Path, standards: list[typst.PDFStandard]) -> bytes:
    (folder / "document.json").write_text(content, "utf-8")
    compiler = typst.Compiler(_TEMPLATE, root=folder, font_paths=_FONTS, package_path=folder, package_cache_path=folder)
    data = compiler.compile(format="pdf", pdf_standards=standards)
    assert isinstance(data, bytes)
    return data


def _draw(svg: bytes, folder: Path) -> bytes:
    (folder / "drawing.svg").write_bytes(svg)
    compiler = typst.Compiler(_DRAWING, root=folder, font_paths=_FONTS, package_path=folder, package_cache_path=folder)
    try:
        data = compiler.compile(format="png", ppi=DRAWING_PPI)
    except typst.TypstError as error:
        raise Rejected("This drawing can't be read.") from error
    assert isinstance(data, bytes)
    return data


def _name_missing(content: str, diagnostic: str) -> str:
    """Put their names in place of the emoji and signs that no font has. Letters stay, so that they can be copied."""
    missing = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), "".join(_MISSING.findall(diagnostic)))
    for sign in {sign for sign in missing if unicodedata.category(sign) == "So"}:
        name = unicodedata.name(sign, "sign").lower().removeprefix("regional indicator symbol letter ")
        content = content.replace(sign, f"[{name}]")
    return _AFTER_NAME.sub("]", content)


def _place(url: str, folder: Path, number: int) -> str | None:
    """Write a picture of a `data:` address into the folder, and return its name; None if it can't be shown."""
    try:
        data = base64.b64decode(url.partition(",")[2], validate=True)
        image = open_image(io.BytesIO(data), _FORMATS, "", "")
        if image.width * image.height > MAX_PIXELS:
            return None
        format = str(image.format)
        is_kept = (format, image.mode) in _UNCONVERTED
        image = decode_image(image, "")
    except (binascii.Error, Rejected):
        return None
    name = f"{number}.{format.lower() if is_kept else 'png'}"
    if is_kept:
        (folder / name).write_bytes(data)
    else:
        image.convert("RGBA" if image.has_transparency_data else "RGB").save(folder / name, "PNG")
    return name
