"""Detect questions that ask for a place.

The place where a photo was taken is told only to a person who asks for it, and to no model on another machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from eclair.schema.documents import PLACE
from eclair.schema.messages import Passage
from eclair.text.lexicon.loader import merge_patterns


def filter_photo_locations(passages: Sequence[Passage], question: str, *, local: bool) -> list[Passage]:
    """Drop where photos were taken unless the question asks for it and the model is on this machine (`local`)."""
    allowed = local and _asks_for_place().search(question) is not None
    return [passage for passage in passages if allowed or passage.label != PLACE]


@cache
def _asks_for_place() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{merge_patterns(lambda lexicon: lexicon.location)})\b", re.IGNORECASE)
