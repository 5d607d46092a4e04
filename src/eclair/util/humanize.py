"""Formats sizes, durations and quotations for people."""

from __future__ import annotations


def format_size(count: int) -> str:
    """Format a number of bytes, such as `98 MB`."""
    amount = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def format_duration(milliseconds: float) -> str:
    """Format a duration, as in `55 ms`, `1.2 s` or `3 min 20 s`."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def format_moment(seconds: float) -> str:
    """Return a moment of a recording as people write it, such as 12:40 or 1:02:05."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def shorten_words(text: str, limit: int) -> str:
    """Return a text on one line, of at most `limit` characters and an ellipsis."""
    shown = " ".join(text.split())
    return shown if len(shown) <= limit else f"{shown[:limit].rstrip()}…"
