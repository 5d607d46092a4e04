"""Detect questions that are to be thought through: a proof, a derivation, steps, options to weigh."""

from __future__ import annotations

import re
from functools import cache

from eclair.text.lexicon.loader import merge_patterns
from eclair.text.terms import fold_text


def asks_to_deliberate(question: str) -> bool:
    """Return whether the question says, in any language of the lexicons, that it is to be thought through."""
    return _deliberation().search(fold_text(question)) is not None


@cache
def _deliberation() -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{merge_patterns(lambda lexicon: lexicon.deliberation)})", re.DOTALL)
