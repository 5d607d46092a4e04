"""A page as a picture, of what has a fixed form: pages of PDFs and images, in archives too."""

from __future__ import annotations

import io
from typing import Any, cast

import numpy as np
from PIL import Image

from eclair.documents.readers.base import Source
from eclair.sandbox.protocol import Rejected

WIDEST = 4000


def picture(source: Source, page: int, width: int) -> bytes:
    """PNG of that page. Raises Rejected of kind `missing` where it has no picture."""
    width = max(16, min(width, WIDEST))
    if source.media == "application/pdf":
        image = _of_pdf(source, page, width)
    elif source.media.startswith("image/"):
        from eclair.documents.photos.open import frame

        image = frame(source, page)
    elif source.media == "application/zip":
        from eclair.documents.readers.zip import member_of

        with member_of(source, page) as (member, number):
            return picture(member, number, width)
    else:
        raise Rejected(f"{source.name} has no fixed form, and so no pictures of its pages; read its text.", "missing")
    if image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _of_pdf(source: Source, page: int, width: int) -> Image.Image:
    from eclair.documents.readers.pdf import open_pdf, render

    with open_pdf(source) as document:
        if not 1 <= page <= len(document):
            raise Rejected(f"{source.name} has no page {page}; it has {len(document):,}.", "missing")
        sheet = cast("Any", document[page - 1])
        wide, high = cast("tuple[float, float]", sheet.get_size())
        pixels = render(sheet, min(width / wide, WIDEST * 2 / high))
        return Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1]))
