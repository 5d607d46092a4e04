"""Exports of a canvas as a file: its text as it is, or a document, presentation or table made of its Markdown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eclair.errors import InvalidInput
from eclair.provenance.service import Provenance
from eclair.provenance.text_marks import front_matter
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.transfer import canvas_sheets, canvas_slides
from eclair.transfer.canvas_view import ExportedCanvas, list_tables
from eclair.transfer.exporters import DOCX_MEDIA_TYPE, docx, html, pdf
from eclair.transfer.typesetter import typeset

CanvasFormat = Literal["source", "markdown", "html", "docx", "pdf", "pptx", "xlsx", "csv"]

PROSE = frozenset({"", "markdown", "md", "text", "txt", "plain", "plaintext"})
"""Languages of texts that are documents."""
SUFFIXES = {
    "": "txt",
    "markdown": "md",
    "plaintext": "txt",
    "text": "txt",
    "plain": "txt",
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "react": "jsx",
    "mermaid": "mmd",
    "bash": "sh",
    "shell": "sh",
    "rust": "rs",
    "ruby": "rb",
    "kotlin": "kt",
    "csharp": "cs",
    "c++": "cpp",
    "c#": "cs",
}
"""Endings of files where a language's name is none."""

_OFFICE = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True, slots=True)
class CanvasExporter:
    """A format. `render` takes time proportional to the text; run it in a thread."""

    suffix: str
    media_type: str
    render: Callable[[ExportedCanvas], bytes]


def _markdown(canvas: ExportedCanvas) -> bytes:
    head = "\n".join([*front_matter(canvas.models), "", ""]) if canvas.models else ""
    return f"{head}{canvas.text.rstrip()}\n".encode()


CANVAS_EXPORTERS: dict[CanvasFormat, CanvasExporter] = {
    "source": CanvasExporter("", "text/plain; charset=utf-8", lambda canvas: canvas.text.encode()),
    "markdown": CanvasExporter("md", "text/markdown; charset=utf-8", _markdown),
    "html": CanvasExporter("html", "text/html; charset=utf-8", html.render_canvas),
    "docx": CanvasExporter("docx", DOCX_MEDIA_TYPE, docx.render_canvas),
    "pdf": CanvasExporter("pdf", "application/pdf", pdf.render_canvas),
    "pptx": CanvasExporter("pptx", f"{_OFFICE}.presentationml.presentation", canvas_slides.render),
    "xlsx": CanvasExporter("xlsx", f"{_OFFICE}.spreadsheetml.sheet", canvas_sheets.render_xlsx),
    "csv": CanvasExporter("csv", "text/csv; charset=utf-8", canvas_sheets.render_csv),
}


async def load_canvas(storage: Storage, principal: Principal, id: str, number: int | None = None) -> ExportedCanvas:
    """Load a version of a canvas, by default the current one, with the models that wrote it. Raises NotFound."""
    canvas = await storage.canvases.get_canvas(principal, id)
    version, text = await storage.canvases.get_version(principal, id, number or canvas.current)
    known = {each.number: each for each in await storage.canvases.list_versions(principal, id)}
    models: set[str] = set()
    at = version
    while True:
        if at.author == "model":
            models.add(at.model or "AI")
        if at.parent is None or at.parent not in known or at.parent >= at.number:
            break
        at = known[at.parent]
    return ExportedCanvas(canvas.title, canvas.language, text, tuple(sorted(models)), int(time.time() * 1000))


async def render_canvas(canvas: ExportedCanvas, format: CanvasFormat, provenance: Provenance) -> tuple[str, bytes]:
    """Render a canvas; returns the file's name and its bytes. A PDF that a model wrote is signed by `provenance`.

    Raises InvalidInput for a format that the canvas doesn't have, TooLarge, and SettingsError without a certificate.
    """
    exporter = CANVAS_EXPORTERS[format]
    if format == "source":
        return f"{canvas.name}.{SUFFIXES.get(canvas.language, canvas.language)}", canvas.text.encode()
    if canvas.language not in PROSE:
        raise InvalidInput(
            "Only texts are exported as documents; export this canvas as it is (source).", param="format"
        )
    if format in ("xlsx", "csv") and not list_tables(canvas.text):
        raise InvalidInput("This canvas has no table; export it in another format.", param="format")
    data = await asyncio.to_thread(exporter.render, canvas)
    if format == "pdf":
        data = await typeset(data)
        if canvas.models:
            data = await provenance.sign_file(data, exporter.media_type, canvas.models)
    return f"{canvas.name}.{exporter.suffix}", data
