"""Writes transcripts as subtitles: SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Caption(Protocol):
    """A text, from `start` to `end` in seconds."""

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...

    @property
    def text(self) -> str: ...


def write_srt(segments: Iterable[Caption]) -> str:
    """Return the segments as SubRip."""
    blocks = [
        f"{number}\n{_time(segment.start, ',')} --> {_time(segment.end, ',')}\n{_caption(segment)}\n"
        for number, segment in enumerate(segments, 1)
    ]
    return "\n".join(blocks)


def write_vtt(segments: Iterable[Caption]) -> str:
    """Return the segments as WebVTT."""
    blocks = [
        f"{_time(segment.start, '.')} --> {_time(segment.end, '.')}\n{_caption(segment)}\n" for segment in segments
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _caption(segment: Caption) -> str:
    return segment.text.replace("-->", "→")


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
