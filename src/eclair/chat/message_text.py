"""Checks a message before it is stored, and derives a title from it."""

from __future__ import annotations

from eclair.errors import InvalidInput, TooLarge

MAX_TITLE_CHARS = 60


def check_message(text: str, max_kb: int) -> None:
    """Raise InvalidInput or TooLarge for a message that can't be stored or displayed."""
    if not text.strip():
        raise InvalidInput("The message is empty; write something to send.", param="text")
    check_text(text, max_kb)


def check_text(text: str, max_kb: int) -> None:
    """Raise InvalidInput or TooLarge for a text that can't be stored or displayed; it may be empty."""
    if "\0" in text:
        raise InvalidInput("The message holds a NUL character; remove it and send again.", param="text")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput("The message holds half a character (a lone surrogate).", param="text") from None
    if size > max_kb * 1024:
        raise TooLarge(
            f"The message is {size // 1024:,} KiB; the limit is {max_kb:,} KiB (ECLAIR_MAX_MESSAGE_KB).",
            param="text",
        )


def title_from(text: str) -> str:
    """Derive a title from a message: its first line, cut at a word."""
    line = next(line.strip() for line in text.splitlines() if line.strip())
    if len(line) <= MAX_TITLE_CHARS:
        return line
    head = line[:MAX_TITLE_CHARS]
    return (head.rsplit(" ", 1)[0] if " " in head else head).rstrip(",.;:") + "…"
