"""Recognizes text in images with rapidocr, in reading order.

It turns sideways and upside-down pages upright, and returns lines with a box for each word; `layout` makes blocks of
them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rapidocr
from numpy.typing import NDArray
from rapidocr.ch_ppocr_cls import TextClsOutput

from eclair.documents.charts import find_chart_columns
from eclair.documents.page_lines import PlacedWord, TextLine
from eclair.documents.readers.base import clean

OCR_THREADS = max(1, min(8, (os.cpu_count() or 1) // 2))
"""Half of the machine is left to answers."""

DETECTION_SIDE_PX = 1120
"""Longer side at which text is located; it is read at the picture's own size."""

MAX_ORIENTATION_LINES = 20
"""Lines that vote on which way up the page is."""

MAX_LINES_READ_TWICE = 4

MIN_CONFIDENCE = 0.5
"""Lines below this confidence are dropped."""

_DEGREES = {"℃": "°C", "℉": "°F"}
"""Letters for a degree with its unit. The network often reads a degree sign before one too."""

BgrImage = NDArray[np.uint8]
Corners = NDArray[np.float64]


@dataclass(slots=True)
class _Strip:
    """Part of a line as detected: words with corners in the picture's pixels."""

    words: list[tuple[str, Corners]]
    left: float
    top: float
    right: float
    bottom: float


@cache
def _engine() -> Any:
    models = Path(rapidocr.__file__).parent / "models"
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.return_word_box": True,
            "Global.max_side_len": 4096,
            "Global.text_score": MIN_CONFIDENCE,
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECTION_SIDE_PX,
            "Cls.model_path": str(models / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "Rec.rec_batch_num": 1,  # lines of different lengths in one batch are all padded to the longest
            "EngineConfig.onnxruntime.intra_op_num_threads": OCR_THREADS,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Location of text in a picture: rapidocr's own values, to be handed back to it."""

    picture: BgrImage
    resized: Any
    crops: list[BgrImage]
    places: Any

    @property
    def boxes(self) -> Corners:
        return np.asarray(self.places.boxes, np.float64)


def read_lines(picture: BgrImage, scale: float) -> tuple[list[TextLine], int]:
    """Return the lines of a picture (blue, green, red) in reading order, and its quarter turns to the left.

    Boxes are pixels times `scale` in the upright picture.
    """
    found, quarter = _find_upright(picture)
    result = _recognize(found) if found is not None else None
    if found is None or result is None or result.txts is None:
        return [], 0
    angle = _skew(np.asarray(result.boxes, np.float64))
    strips: list[_Strip] = []
    for text, box, pieces in zip(result.txts, result.boxes, result.word_results, strict=False):
        corners = np.asarray(box, np.float64)
        if words := _words(clean(text), corners, pieces):
            strips.append(_strip(words, corners, angle))
    values, rest = _chart_values(strips)
    lines: list[TextLine] = []
    for row in _reading_order(rest):
        labels = [strip for strip in row if id(strip) in values]
        if others := [strip for strip in row if id(strip) not in values]:
            lines.append(_line(others, scale))
        lines += [_line([label, values[id(label)]], scale, len(label.words)) for label in labels]
    for line, following in pairwise(lines):
        _strip_hyphen(line, following)
    return lines, quarter


def _chart_values(strips: list[_Strip]) -> tuple[dict[int, _Strip], list[_Strip]]:
    """Return the value of each label of a column chart, by the label's id, and the strips that are no such values."""
    texts = [
        PlacedWord(" ".join(text for text, _ in strip.words), strip.left, strip.top, strip.right, strip.bottom)
        for strip in strips
    ]
    found = {label: value for label, value in find_chart_columns(texts) if value is not None}
    values = {id(strips[label]): strips[value] for label, value in found.items()}
    return values, [strip for at, strip in enumerate(strips) if at not in found.values()]


def _line(strips: list[_Strip], scale: float, label_words: int = 0) -> TextLine:
    """Return strips beside each other as a line."""
    size = float(np.median([strip.bottom - strip.top for strip in strips])) * scale * 0.8
    tokens = [
        PlacedWord(_spell_degrees(text), *(_box(corners) * scale).round(2).tolist())
        for strip in strips
        for text, corners in strip.words
    ]
    return TextLine(tokens, max(1.0, round(size, 1)), label_words=label_words)


def _spell_degrees(text: str) -> str:
    for letter, spelled in _DEGREES.items():
        text = text.replace(f"°{letter}", spelled).replace(letter, spelled)
    return text


def _strip_hyphen(line: TextLine, following: TextLine) -> None:
    """Remove the hyphen of a word that continues on the next line; `layout` decides whether it is part of the word."""
    last = line.tokens[-1]
    if len(last.text) > 2 and last.text[-1] == "-" and last.text[-2].isalpha() and following.text[0].isalpha():
        line.tokens[-1] = last._replace(text=last.text[:-1])
        line.hyphen = True


def _find_upright(picture: BgrImage) -> tuple[_Found | None, int]:
    """Locate text in the upright picture; return it with its quarter turns to the left."""
    found, quarter = _detect(picture), 0
    if found is not None:
        boxes = found.boxes
        wide = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=1)
        high = np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1)
        if (high > wide * 1.5).sum() * 2 > len(boxes):
            quarter = 1
            found = _detect(np.rot90(picture, 1))
    if found is not None and _is_upside_down(found):
        quarter += 2
        found = _detect(np.rot90(picture, quarter))
    return found, quarter


def _detect(picture: BgrImage) -> _Found | None:
    picture = np.ascontiguousarray(picture)
    engine = _engine()
    image, resized = engine.preprocess_img(picture)
    try:
        crops, places = engine.detect_and_crop(image, resized)
    except rapidocr.main.RapidOCRError:  # there is none
        return None
    return _Found(picture, resized, crops, places)


def _is_upside_down(found: _Found) -> bool:
    """Return whether the page is upside down, by the vote of its longest lines.

    The vote errs on some pages; where many vote so, some lines are read both ways, and the higher confidence decides.
    """
    crops = sorted(found.crops, key=lambda crop: -crop.shape[1] / crop.shape[0])[:MAX_ORIENTATION_LINES]
    _, classes = _engine().cls_and_rotate([crop.copy() for crop in crops])
    votes = sum(label == "180" for label, _ in classes.cls_res)
    if votes * 5 < len(crops):
        return False
    some = crops[len(crops) // 2 :][:MAX_LINES_READ_TWICE]
    turned = [np.ascontiguousarray(np.rot90(crop, 2)) for crop in some]
    return _mean_confidence(turned) > _mean_confidence(some)


def _mean_confidence(crops: list[BgrImage]) -> float:
    scores: list[float] = list(_engine().recognize_txt(crops).scores)
    return sum(scores) / len(scores)


def _recognize(found: _Found) -> Any:
    engine = _engine()
    read = engine.recognize_txt(found.crops)
    return engine.build_final_output(found.picture, found.places, TextClsOutput(), read, found.crops, found.resized)


def _skew(boxes: NDArray[np.float64]) -> float:
    """Return the angle of the lines in radians, from the longer ones."""
    edges = boxes[:, 1] - boxes[:, 0]
    lengths = np.linalg.norm(edges, axis=1)
    angles = np.arctan2(edges[:, 1], edges[:, 0])[lengths >= np.median(lengths)]
    angle = float(np.median(angles)) if len(angles) else 0.0
    return angle if abs(angle) < math.radians(30) else 0.0


def _strip(words: list[tuple[str, Corners]], corners: Corners, angle: float) -> _Strip:
    """Return a strip at its place on a straightened page."""
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    straight = corners @ turn
    high = float(np.linalg.norm(corners[3] - corners[0]))
    middle = float(straight[:, 1].mean())
    return _Strip(words, float(straight[:, 0].min()), middle - high / 2, float(straight[:, 0].max()), middle + high / 2)


def _words(text: str, corners: Corners, pieces: Sequence[Any] | None) -> list[tuple[str, Corners]]:
    """Return the words of a line with their corners: by the recognized pieces if they match, else by length."""
    if not text.strip():
        return []
    places = _match_pieces(text, pieces) or [(index, index + 1, None) for index in range(len(text))]
    found: list[tuple[str, Corners]] = []
    at = 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        parts = [part for begin, end, part in places if part is not None and begin < at and end > start]
        if parts:
            found.append((word, np.concatenate(parts)))
        else:
            top, bottom = corners[1] - corners[0], corners[2] - corners[3]
            first, last = start / len(text), at / len(text)
            found.append(
                (
                    word,
                    np.stack(
                        (
                            corners[0] + top * first,
                            corners[0] + top * last,
                            corners[3] + bottom * last,
                            corners[3] + bottom * first,
                        )
                    ),
                )
            )
    return found


def _match_pieces(text: str, pieces: Sequence[Any] | None) -> list[tuple[int, int, Corners | None]]:
    """Return which characters of the line each piece is; empty where they don't match the line."""
    found: list[tuple[int, int, Corners | None]] = []
    at = 0
    for piece, _, box in pieces or ():
        start = text.find(piece, at) if piece else -1
        if start < 0 or text[at:start].strip() or box is None:
            return []
        at = start + len(piece)
        found.append((start, at, np.asarray(box, np.float64)))
    return found if not text[at:].strip() else []


def _reading_order(strips: list[_Strip]) -> list[list[_Strip]]:
    """Return strips as lines in reading order: columns of prose one after the other, else top to bottom."""
    for cut in _columns(strips):
        left = [strip for strip in strips if strip.right <= cut]
        right = [strip for strip in strips if strip.left >= cut]
        return _reading_order(left) + _reading_order(right)
    gap = _widest_gap(strips)
    if gap is not None:
        above = [strip for strip in strips if strip.bottom <= gap]
        below = [strip for strip in strips if strip.bottom > gap]
        return _reading_order(above) + _reading_order(below)
    return _rows(strips)


def _columns(strips: list[_Strip]) -> list[float]:
    """Return where a gap runs from top to bottom between two columns wide enough for prose; at most one place."""
    ordered = sorted(strips, key=lambda strip: strip.left)
    reach = 0.0
    for at, strip in enumerate(ordered):
        if (
            at >= 4
            and len(ordered) - at >= 4
            and strip.left > reach
            and all(map(_is_prose, (ordered[:at], ordered[at:])))
        ):
            return [strip.left]
        reach = max(reach, strip.right)
    return []


def _is_prose(strips: list[_Strip]) -> bool:
    """Return whether most strips are as long as lines of prose in a narrow column."""
    return bool(np.median([(strip.right - strip.left) / (strip.bottom - strip.top) for strip in strips]) > 7)


def _widest_gap(strips: list[_Strip]) -> float | None:
    """Return the middle of the highest horizontal gap, if there is more than one line."""
    ordered = sorted(strips, key=lambda strip: strip.top)
    widest, place, reach = 0.0, None, ordered[0].bottom if ordered else 0.0
    for strip in ordered[1:]:
        if strip.top - reach > widest:
            widest, place = strip.top - reach, strip.top - (strip.top - reach) / 2
        reach = max(reach, strip.bottom)
    return place


def _rows(strips: list[_Strip]) -> list[list[_Strip]]:
    """Return lines of strips that are beside each other."""
    rows: list[list[_Strip]] = []
    for strip in sorted(strips, key=lambda strip: strip.top + strip.bottom):
        middle = (strip.top + strip.bottom) / 2
        if rows and rows[-1][0].top < middle < rows[-1][0].bottom:
            rows[-1].append(strip)
        else:
            rows.append([strip])
    return [sorted(row, key=lambda strip: strip.left) for row in rows]


def _box(corners: Corners) -> NDArray[np.float64]:
    return np.concatenate((corners.min(0), corners.max(0)))
