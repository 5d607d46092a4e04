"""Words as they are compared: without case, accents and kinds of apostrophe. The archive's words are folded too."""

from __future__ import annotations

import unicodedata

_SAME = str.maketrans(
    {"’": "'", "ʼ": "'", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "æ": "ae", "Æ": "ae", "œ": "oe", "ı": "i", "đ": "d"}
)


def folded(text: str) -> str:
    """`Äpfel` as `apfel`, `Straße` as `strasse`; nothing is told from it but which words are the same."""
    apart = unicodedata.normalize("NFKD", text.translate(_SAME))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()
