"""Renders pages of PDFs and images, in archives too, as PNG."""

from __future__ import annotations

import io
from typing import Any, cast

import numpy as np
from PIL import Image

from eclair.documents.readers.base import SourceFile
from eclair.sandbox.protocol import Rejected

MAX_WIDTH_PX = 4000


def render_page(source: SourceFile, page: int, width: int) -> bytes:
    """Return the page as PNG. Raises Rejected of kind `missing` where it has no image."""
    width = max(16, min(width, MAX_WIDTH_PX))
    if source.media == "application/pdf":
        image = _of_pdf(source, page, width)
    elif source.media.startswith("image/"):
        from eclair.documents.photos.open import open_page

        image = open_page(source, page)
    elif source.media == "application/zip":
        from eclair.documents.readers.zip import find_member

        with find_member(source, page) as (member, number):
            return render_page(member, number, width)
    else:
        raise Rejected(f"{source.name} has no fixed form, and so no images of its pages; read its text.", "missing")
    if image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _of_pdf(source: SourceFile, page: int, width: int) -> Image.Image:
    from eclair.documents.readers.pdf import open_pdf, render

    with open_pdf(source) as document:
        if not 1 <= page <= len(document):
            raise Rejected(f"{source.name} has no page {page}; it has {len(document):,}.", "missing")
        sheet = cast("Any", document[page - 1])
        wide, high = cast("tuple[float, float]", sheet.get_size())
        pixels = render(sheet, min(width / wide, MAX_WIDTH_PX * 2 / high))
        return Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1]))
