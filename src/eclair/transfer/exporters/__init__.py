"""Export formats, one module each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eclair.transfer.export_view import ExportedConversation
from eclair.transfer.exporters import docx, html, json, markdown, pdf

ExportFormat = Literal["markdown", "json", "html", "docx", "pdf"]


DOCX_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@dataclass(frozen=True, slots=True)
class Exporter:
    """An export format. `render` takes time proportional to the text; run it in a thread.

    If it `is_typeset`, it renders what `typesetter` then lays out.
    """

    suffix: str
    media_type: str
    render: Callable[[ExportedConversation], bytes]
    embeds_images: bool = False
    is_typeset: bool = False


EXPORTERS: dict[ExportFormat, Exporter] = {
    "markdown": Exporter("md", "text/markdown; charset=utf-8", markdown.render),
    "json": Exporter("json", "application/json", json.render),
    "html": Exporter("html", "text/html; charset=utf-8", html.render, embeds_images=True),
    "docx": Exporter("docx", DOCX_MEDIA_TYPE, docx.render, embeds_images=True),
    "pdf": Exporter("pdf", "application/pdf", pdf.render, embeds_images=True, is_typeset=True),
}
