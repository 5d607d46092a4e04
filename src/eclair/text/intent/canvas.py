"""Detect questions that name the canvas, the place beside the conversation where texts are edited."""

from __future__ import annotations

_STEMS = (
    *("canvas", "kanvas", "canevas", "canbhás", "chanbhás", "lienzo", "lærred", "lõuend", "audekl", "drobė"),
    *("drobėj", "kanw", "plátn", "platnu", "platno", "vászn", "vászon", "платно", "καμβά"),
)


def names_canvas(text: str) -> bool:
    """Tell whether a question names the canvas, in any of the page's languages."""
    folded = text.casefold()
    return any(stem in folded for stem in _STEMS)
