"""Writes transcripts as subtitles: SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Iterable

from eclair.speech.recognition_protocol import SpokenSegment


def write_srt(segments: Iterable[SpokenSegment]) -> str:
    """Return the segments as SubRip."""
    blocks = [
        f"{number}\n{_time(segment.start, ',')} --> {_time(segment.end, ',')}\n{_caption(segment)}\n"
        for number, segment in enumerate(segments, 1)
    ]
    return "\n".join(blocks)


def write_vtt(segments: Iterable[SpokenSegment]) -> str:
    """Return the segments as WebVTT."""
    blocks = [
        f"{_time(segment.start, '.')} --> {_time(segment.end, '.')}\n{_caption(segment)}\n" for segment in segments
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def format_moment(seconds: float) -> str:
    """Return a moment of a recording as people write it, such as 12:40 or 1:02:05."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _caption(segment: SpokenSegment) -> str:
    return segment.text.replace("-->", "→")


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
