"""Formats sizes for people."""

from __future__ import annotations


def format_size(count: int) -> str:
    """Format a number of bytes, such as `98 MB`."""
    amount = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
