"""What the built-in picture model is shown of a prompt: the thing that is wished for, and its words one by one."""

from __future__ import annotations

import re

MOST = 4
"""Words that the model takes besides the whole."""

_KIND = r"(?:picture|image|icon|symbol|emoji|drawing|photo|bild|symbolbild|icône|symbole|dessin)"
_LEAD = re.compile(
    rf"""(?:
    (?:please|bitte|s'il\ te\ plaît)
    | (?:draw|paint|show|make|create|generate|zeichne|male|mach|mache|erstelle|dessine|fais|crée)
    | (?:me|moi|mir)
    | (?:an?|the|ein|eine|einen|der|die|das|den|une?|les?|la)
    | {_KIND}(?=\s*(?:of|for|von|vom|für|einer|eines|de|d'|pour|:))
    | (?:of|for|von|vom|für|einer|eines|de|pour)
    )(?:[\s:]+|-(?=moi)) | (?:l'|d')""",
    re.IGNORECASE | re.VERBOSE,
)
_HELD = """
    a an the of in on with and or for to at by is are as its his her me please
    ein eine einen einem einer eines der die das den dem des und oder mit im am an auf von vom für zum zur als ist
    un une des le la les l d de du et ou avec en au aux dans sur pour par est
"""
_PLAIN = frozenset(_HELD.split())


def subject(prompt: str) -> str:
    """The prompt without what leads up to the thing: "draw me a picture of a cat" is "cat"."""
    left = " ".join(prompt.replace("’", "'").split())
    while (lead := _LEAD.match(left)) is not None:
        left = left[lead.end() :].lstrip()
    return left or prompt


def words(text: str) -> list[str]:
    """The first `MOST` words, in small letters, that say something; words that only hold a sentence together do not."""
    found = re.findall(r"[^\W_]+", text.lower())
    return [word for word in found if word not in _PLAIN][:MOST]
