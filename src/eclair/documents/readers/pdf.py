"""Reads PDF: words with boxes by pdfium, pages without usable text by OCR."""

from __future__ import annotations

import ctypes
import math
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import repeat
from typing import Any, cast

import numpy as np
import pypdfium2 as pdfium  # pyright: ignore[reportMissingTypeStubs]
import pypdfium2.raw as raw  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from eclair.documents.layout import PageComposer
from eclair.documents.page_lines import PageLines, PlacedWord, TextLine, heading_key, mark_furniture
from eclair.documents.readers.base import Opened, ReadPiece, SourceFile, UnreadPart, clean, damaged_file, locked_file
from eclair.sandbox.descriptors import map_input
from eclair.sandbox.protocol import Rejected

FURNITURE_REACH_PAGES = 3
"""Pages on either side that are compared to find repeating lines."""

MAX_PAGES_AHEAD = 64
"""Pages that are read while an earlier one is in OCR."""

MAX_CONCURRENT_OCR_PAGES = 2
"""In OCR or waiting for it, each as pixels."""

MAX_STAMP_CHARS = 16
"""A scan with at most this many letters has only a stamp on it."""

OCR_DPI = 200

LARGE_PAGE_PT = 1300
"""Longer side from which a lower resolution will do."""

_WORD = re.compile(
    r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]|[^\s\ufffe\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+|\ufffe"
)
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_LIGATURE = re.compile("[ﬀ-ﬆ]")
_BOLD = re.compile(r"bold|black|heavy|semib|demi|cmb|-bd?$", re.IGNORECASE)
_MONO = re.compile(r"mono|courier|consol|typewriter|cm(?:sl)?tt|menlo|inconsolata|fixed", re.IGNORECASE)
_STRANGE = re.compile("[\ue000-\uf8ff\ufffd\x00-\x08\x0e-\x1f]")


def _fast_function(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Wrap a pdfium function that takes microseconds, with less overhead than ctypes.

    It keeps the GIL and takes a pointer as a number, which saves two thirds of the time.
    """
    return ctypes.PYFUNCTYPE(result, *arguments)(ctypes.cast(function, ctypes.c_void_p).value or 0)


_pointer, _int = ctypes.c_void_p, ctypes.c_int
_letter = _fast_function(raw.FPDFText_GetUnicode, ctypes.c_uint, _pointer, _int)
_box = _fast_function(raw.FPDFText_GetLooseCharBox, _int, _pointer, _int, _pointer)
_size = _fast_function(raw.FPDFText_GetFontSize, ctypes.c_double, _pointer, _int)
_weight = _fast_function(raw.FPDFText_GetFontWeight, _int, _pointer, _int)
_matrix = _fast_function(raw.FPDFText_GetMatrix, _int, _pointer, _int, _pointer)
_font = _fast_function(raw.FPDFText_GetFontInfo, ctypes.c_ulong, _pointer, _int, _pointer, ctypes.c_ulong, _pointer)


def read(source: SourceFile) -> Iterator[ReadPiece]:
    with open_pdf(source) as document:
        count = len(document)
        if count > source.limits.pages:
            raise Rejected(
                f"{source.name} has {count:,} pages and the limit is {source.limits.pages:,}; send it in parts.",
                "too_large",
            )
        yield Opened(source.media, count)
        yield from _Reading(source, document).pages()


def open_pdf(source: SourceFile) -> pdfium.PdfDocument:
    """Return the document, which the caller closes. Raises Rejected."""
    try:
        document = pdfium.PdfDocument(map_input(source.path))
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise locked_file(source.name) from error
        raise damaged_file(source.name) from error
    if len(document) == 0:
        document.close()
        raise damaged_file(source.name)
    return document


class _Reading:
    def __init__(self, source: SourceFile, document: pdfium.PdfDocument) -> None:
        self._source = source
        self._document = document
        self._blocks = PageComposer()
        self._titles = _titles(document)
        self._in_ocr: dict[int, Future[tuple[list[TextLine], int]]] = {}

    def pages(self) -> Iterator[ReadPiece]:
        """Yield each page once its neighbors are known, or a notice in its place."""
        waiting = deque[PageLines]()
        near = deque[PageLines](maxlen=2 * FURNITURE_REACH_PAGES + 1)
        for page_lines in self._in_order():
            if isinstance(page_lines, UnreadPart):
                yield page_lines
                continue
            self._blocks.learn(page_lines)
            waiting.append(page_lines)
            near.append(page_lines)
            while waiting and (
                waiting[0].number <= page_lines.number - FURNITURE_REACH_PAGES or page_lines.read == "ocr"
            ):
                yield self._compose(waiting.popleft(), near)
        while waiting:
            yield self._compose(waiting.popleft(), near)

    def _in_order(self) -> Iterator[PageLines | UnreadPart]:
        """Yield each page with its lines, after a notice if it is damaged.

        OCR takes a second per page; meanwhile the pages after it are read.
        """
        ahead = deque[PageLines | UnreadPart]()
        with ThreadPoolExecutor(1) as ocr:
            for number in range(max(0, self._source.after - FURNITURE_REACH_PAGES) + 1, len(self._document) + 1):
                try:
                    ahead.append(self._read_page(number, ocr))
                except pdfium.PdfiumError:
                    ahead.append(UnreadPart(f"Page {number} of {self._source.name} is damaged and was not read."))
                    ahead.append(PageLines(number, [], 612, 792))
                while ahead and self._must_finish(ahead):
                    yield self._with_ocr_result(ahead.popleft())
            while ahead:
                yield self._with_ocr_result(ahead.popleft())

    def _must_finish(self, ahead: deque[PageLines | UnreadPart]) -> bool:
        """Return whether the first page ahead must be completed, even if that means waiting."""
        first = ahead[0]
        pending = self._in_ocr.get(first.number) if isinstance(first, PageLines) else None
        return (
            pending is None
            or pending.done()
            or len(ahead) > MAX_PAGES_AHEAD
            or len(self._in_ocr) >= MAX_CONCURRENT_OCR_PAGES
        )

    def _with_ocr_result(self, page: PageLines | UnreadPart) -> PageLines | UnreadPart:
        """Return the page with the result of its OCR, once that is there."""
        if isinstance(page, PageLines) and (pending := self._in_ocr.pop(page.number, None)) is not None:
            page.lines, page.quarter = pending.result()
            page.read = "ocr"
            if page.quarter % 2:
                page.width, page.height = page.height, page.width
        return page

    def _compose(self, page: PageLines, near: deque[PageLines]) -> ReadPiece:
        mark_furniture(page, [other for other in near if 0 < abs(other.number - page.number) <= FURNITURE_REACH_PAGES])
        return self._blocks.page(page)

    def _read_page(self, number: int, ocr: ThreadPoolExecutor) -> PageLines:
        """Return a page with its lines, or without them while it is in OCR."""
        page = self._document[number - 1]
        try:
            width, height = page.get_size()
            label = self._document.get_page_label(number - 1) or None
            page_lines = PageLines(
                number,
                [],
                round(width, 2),
                round(height, 2),
                clean(label) if label and label != str(number) else None,
                titles=self._titles.get(number, {}),
            )
            text = page.get_textpage()
            try:
                letters = _Letters(page, text)
                if not (number > self._source.after and _needs_ocr(page, letters.text)):
                    page_lines.lines = letters.lines()
                    return page_lines
            finally:
                text.close()
            scale = OCR_DPI / 72 / max(1.0, max(page_lines.width, page_lines.height) / LARGE_PAGE_PT)
            self._in_ocr[number] = ocr.submit(_run_ocr, render(page, scale), 1 / scale)
            return page_lines
        finally:
            page.close()


def _run_ocr(picture: NDArray[np.uint8], scale: float) -> tuple[list[TextLine], int]:
    from eclair.documents.ocr import read_lines  # what OCR takes is loaded when it is needed

    return read_lines(picture, scale)


def render(page: pdfium.PdfPage, scale: float) -> NDArray[np.uint8]:
    """Return the page as pixels at `scale` per point: rows of blue, green, red."""
    bitmap = cast("Any", page).render(scale=scale, fill_color=(255, 255, 255, 255), maybe_alpha=False)
    pixels: NDArray[np.uint8] = np.ascontiguousarray(bitmap.to_numpy()[:, :, :3])
    bitmap.close()
    return pixels


def _titles(document: pdfium.PdfDocument) -> dict[int, dict[str, int]]:
    """Return the entries of the table of contents with their levels, by page."""
    found: dict[int, dict[str, int]] = {}
    try:
        for entry, _ in zip(cast("Iterator[Any]", document.get_toc(max_depth=8)), range(20_000), strict=False):
            place = entry.get_dest()
            index = place.get_index() if place is not None else None
            title = heading_key(entry.get_title() or "")
            if index is not None and title:
                found.setdefault(index + 1, {})[title] = min(entry.level + 1, 6)
    except pdfium.PdfiumError:
        return found
    return found


def _needs_ocr(page: pdfium.PdfPage, text: str) -> bool:
    """Return whether the page shows something but has no usable text, only a stamp, or gibberish."""
    letters = sum(map(str.isalnum, text[:4000]))
    strange = len(_STRANGE.findall(text[:4000]))
    if letters > MAX_STAMP_CHARS:
        return strange > letters * 0.3
    things = cast("Iterator[Any]", page.get_objects(max_depth=3))
    kinds = [thing.type for thing, _ in zip(things, range(200), strict=False)]
    if raw.FPDF_PAGEOBJ_IMAGE in kinds:
        return True
    return letters == 0 and (strange > 3 or len(kinds) > 5)


class _Letters:
    """Letters of a page in pdfium's order, and their positions."""

    def __init__(self, page: pdfium.PdfPage, text: pdfium.PdfTextPage) -> None:
        self._handle = ctypes.cast(cast("Any", text).raw, ctypes.c_void_p).value
        count = text.count_chars()
        whole = text.get_text_range() if count else ""
        if len(whole) != count:  # some letters were left out, or take two places
            whole = "".join(map(_character, map(_letter, repeat(self._handle), range(count))))
        self.text = whole
        self._odd = _LIGATURE.search(whole) is not None or clean(whole) != whole.replace("\r\n", "\n")
        self._page = page

    def lines(self) -> list[TextLine]:
        """Return the page's lines of words."""
        spans, ends = self._spans()
        if not spans:
            return []
        boxes = self._boxes(spans)
        found: list[TextLine] = []
        first = 0
        for last, hyphen in ends:
            if last > first:
                line = self._line(spans[first:last], boxes[first:last], hyphen)
                if line is not None:
                    found.append(line)
            first = last
        return found

    def _spans(self) -> tuple[list[tuple[int, int]], list[tuple[int, bool]]]:
        """Return words as ranges of letters, and after which of them a line ends, hyphenated or not."""
        spans: list[tuple[int, int]] = []
        ends: list[tuple[int, bool]] = []
        text = self.text
        before = 0
        for found in _WORD.finditer(text):
            start, end = found.span()
            if text.find("\n", before, start) >= 0:
                ends.append((len(spans), False))
            before = end
            if text[start] == "\ufffe":
                ends.append((len(spans), True))
            else:
                spans.append((start, end))
        ends.append((len(spans), False))
        return spans, ends

    def _boxes(self, spans: list[tuple[int, int]]) -> list[list[float]]:
        """Return each word's box in points from the page's top left, from its first and last letter."""
        edges = [place for start, end in spans for place in (start, end - 1)]
        corners = np.zeros((len(edges), 4), np.float32)  # left, top, right, bottom
        begin = corners.ctypes.data
        for _ in map(_box, repeat(self._handle), edges, range(begin, begin + 16 * len(edges), 16)):
            pass
        pairs = corners.reshape(-1, 2, 4)
        return self._to_visible(
            pairs[:, :, 0].min(1), pairs[:, :, 3].min(1), pairs[:, :, 2].max(1), pairs[:, :, 1].max(1)
        ).tolist()

    def _to_visible(
        self, left: NDArray[Any], bottom: NDArray[Any], right: NDArray[Any], top: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Convert boxes from the page's coordinates, whose origin is at the bottom, to the visible ones."""
        x0, y0, x1, y1 = cast("tuple[float, float, float, float]", self._page.get_bbox())
        match self._page.get_rotation():
            case 90:
                sides = (bottom - y0, left - x0, top - y0, right - x0)
            case 180:
                sides = (x1 - right, bottom - y0, x1 - left, top - y0)
            case 270:
                sides = (y1 - top, x1 - right, y1 - bottom, x1 - left)
            case _:
                sides = (left - x0, y1 - top, right - x0, y1 - bottom)
        return np.round(np.stack(sides, 1).astype(np.float64), 2)

    def _line(self, spans: list[tuple[int, int]], boxes: list[list[float]], hyphen: bool) -> TextLine | None:
        tokens: list[PlacedWord] = []
        for (start, end), box in zip(spans, boxes, strict=True):
            word = self.text[start:end]
            if self._odd:
                word = clean(word.translate(_LIGATURES))
            if word:
                tokens.append(PlacedWord(word, *box))
        if " . . ." in self.text:
            tokens = _without_leaders(tokens)
        if not tokens:
            return None
        first, last = spans[0][0], spans[-1][1] - 1
        bold, mono = _style(self._handle, first)
        if bold or mono:
            end_bold, end_mono = _style(self._handle, last)
            bold, mono = bold and end_bold, mono and end_mono
        return TextLine(tokens, self._points(first), bold, mono, hyphen)

    def _points(self, index: int) -> float:
        """Return the visible size of a letter."""
        matrix = raw.FS_MATRIX()
        scale = math.hypot(matrix.c, matrix.d) if _matrix(self._handle, index, ctypes.addressof(matrix)) else 1.0
        return max(1.0, min(500.0, _size(self._handle, index) * (scale or 1.0)))


def _without_leaders(tokens: list[PlacedWord]) -> list[PlacedWord]:
    """Return a line's words without the dot leaders of a table of contents."""
    return [
        token
        for at, token in enumerate(tokens)
        if token.text != "."
        or not any(near.text == "." for near in tokens[max(0, at - 1) : at + 2] if near is not token)
    ]


def _character(code: int) -> str:
    if code == 2:
        return "\ufffe"  # a hyphen at the end of a line
    return chr(code) if 0 < code < 0x110000 else "\ufffd"


_NAME = ctypes.create_string_buffer(128)
_FLAGS = ctypes.c_int()
_styles: dict[bytes, tuple[bool, bool]] = {}


def _style(handle: int | None, index: int) -> tuple[bool, bool]:
    """Return whether the letter is bold, and whether its font is monospaced."""
    length = _font(handle, index, ctypes.addressof(_NAME), 128, ctypes.addressof(_FLAGS))
    name = _NAME.raw[: max(0, length - 1)] if length <= 128 else b""
    if name not in _styles:
        if len(_styles) > 1000:
            _styles.clear()
        text = name.decode("utf-8", "replace")
        _styles[name] = (bool(_BOLD.search(text)), bool(_MONO.search(text)))
    bold, mono = _styles[name]
    return bold or _weight(handle, index) >= 700, mono or bool(_FLAGS.value & 1)
