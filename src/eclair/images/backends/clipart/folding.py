"""Words as they are compared; the package's build imports this file by itself."""

from __future__ import annotations

import re
import unicodedata

_SAME = str.maketrans({"ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "æ": "ae", "Æ": "ae", "œ": "oe", "ı": "i", "đ": "d"})
WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


def fold_words(text: str) -> str:
    """The words without case and accents, a space between them: `L'Été` becomes `l ete`."""
    apart = unicodedata.normalize("NFKD", text.translate(_SAME))
    return " ".join(WORD.findall("".join(each for each in apart if not unicodedata.combining(each)).casefold()))
