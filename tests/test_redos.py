"""No text makes a regular expression of Éclair take more than linear time; `bench/redos.py` does the trying."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from bench.redos import MAX_GROWTH, SOURCE, Pattern, all_patterns, steady_growth, worst_growth

from eclair.documents.readers.file_type import image_type

LIMIT_S = 1.0
"""The time for the patterns of one place, which share it: those of a function for each language differ by words."""
MIN_LIMIT_S = 0.1
PACKAGES = sorted({path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in SOURCE.rglob("*.py")})


@pytest.mark.parametrize("package", PACKAGES)
def test_every_pattern_is_linear(package: str) -> None:
    patterns = [pattern for pattern in all_patterns() if re.split(r"[/:.]", pattern.at)[0] == package]
    alike = Counter(pattern.at for pattern in patterns)
    found = [steady_growth(pattern, max(LIMIT_S / alike[pattern.at], MIN_LIMIT_S)) for pattern in patterns]
    assert [str(growth) for growth in found if growth is not None and growth.exponent > MAX_GROWTH] == []


def test_the_patterns_are_found() -> None:
    assert len(all_patterns()) > 200
    assert {"documents", "text", "web"} < {pattern.at.partition("/")[0] for pattern in all_patterns()}


@pytest.mark.parametrize(
    ("regex", "method"),
    [
        (r"(?:<!--.*?-->\s*)*<html", "match"),  # exponential
        (r"(a+)+b", "search"),
        (r"(\w+)=", "findall"),  # quadratic, since it begins at each character
        (r"x\s*y?\s*z", "match"),
        (r"hello\W*(?:[^\W\d]+\W*){0,3}\Z", "match"),
        (r"<a>.*?</a>", "findall"),
    ],
)
def test_slow_patterns_are_found(regex: str, method: str) -> None:
    growth = worst_growth(Pattern("here", re.compile(regex, re.DOTALL), method))
    assert growth is not None
    assert growth.exponent > MAX_GROWTH


@pytest.mark.parametrize("regex", [r"(?<!\w)(\w++)=", r"x\s*+y?\s*+z", r"[a-z]+@[a-z]{1,20}\b"])
def test_linear_patterns_pass(regex: str) -> None:
    growth = worst_growth(Pattern("here", re.compile(regex), "match"))
    assert growth is None or growth.exponent <= MAX_GROWTH


@pytest.mark.parametrize(("end", "media"), [(b"<svg>", "image/svg+xml"), (b"text", None)])
def test_comments_before_an_image_are_skipped(end: bytes, media: str | None) -> None:
    assert image_type(b"<!---->" * 200 + end) == media
