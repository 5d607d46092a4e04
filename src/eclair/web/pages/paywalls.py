"""Whether a page shows less than it has, and why: it wants to be paid, to be agreed to, or it is made by a script.

A wall is said only where little is left of the page, so that a banner beside a whole article is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from eclair.schema.documents import Wall
from eclair.text.lexicon.loader import merge_patterns
from eclair.web.pages.dom import Element
from eclair.web.pages.json_ld import Node, article_nodes

MAX_TEASER_CHARS = 2500
"""Characters of text up to which an article that is not free is taken for its beginning."""

MAX_CONSENT_CHARS = 700
"""Characters up to which a page may be nothing but the question whether one agrees."""

MAX_SCRIPT_PAGE_CHARS = 250
"""Characters up to which a page may be one that a script has yet to make."""

_CONSENT_HOST = re.compile(r"^(?:consent|cmp|privacy|choices|guce)\.")
_NEEDS_SCRIPT = re.compile(r"javascript", re.IGNORECASE)
_PAYWALL = re.compile(r"paywall|piano-|subscriber-only|premium-wall|regwall", re.IGNORECASE)


@cache
def _paid() -> re.Pattern[str]:
    return re.compile(merge_patterns(lambda lexicon: lexicon.web_pages.paywall), re.IGNORECASE)


@cache
def _agreed() -> re.Pattern[str]:
    return re.compile(merge_patterns(lambda lexicon: lexicon.web_pages.consent), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WallSigns:
    """What of a page speaks for a wall, before its text is known."""

    is_paid: bool
    asks_consent: bool
    needs_script: bool


def find_signs(tree: Element, nodes: Sequence[Node], url: str) -> WallSigns:
    """`tree` is the whole page, with what nobody sees."""
    seen = _text(tree)
    asks = bool(_CONSENT_HOST.match(urlsplit(url).hostname or "")) or _asks(tree, seen)
    return WallSigns(_costs(nodes) or _offers(tree), asks, _scripted(tree, seen))


def detect_wall(found: WallSigns, kept: str) -> Wall | None:
    """`kept` is the text that was read of the page."""
    if len(kept) <= MAX_TEASER_CHARS and (found.is_paid or _paid().search(kept[-600:])):
        return "pay"
    if len(kept) <= MAX_CONSENT_CHARS and found.asks_consent and (len(kept) < 100 or _agreed().search(kept)):
        return "consent"
    return "script" if len(kept) <= MAX_SCRIPT_PAGE_CHARS and found.needs_script else None


def _costs(nodes: Sequence[Node]) -> bool:
    """Whether the article is declared not to be free, or to be so in part only."""
    said = [node.get("isAccessibleForFree") for node in article_nodes(nodes)]
    return any(value is False or (isinstance(value, str) and value.lower().endswith("false")) for value in said)


def _offers(tree: Element) -> bool:
    """Whether a part of the page that is called so offers the rest for money."""
    return any(
        _PAYWALL.search(f"{element.get('class') or ''} {element.get('id') or ''}") and _paid().search(_text(element))
        for element in tree.iter("div", "section", "aside", "p", "form")
    )


def _asks(tree: Element, seen: str) -> bool:
    """Whether all that is seen is a question with buttons."""
    return (
        len(seen) <= 3 * MAX_CONSENT_CHARS
        and bool(_agreed().search(seen))
        and any(True for _ in tree.iter("button", "form"))
    )


def _scripted(tree: Element, seen: str) -> bool:
    """Whether it says that it needs a script, or has nothing but scripts."""
    if any(_NEEDS_SCRIPT.search(element.text_content()) for element in tree.iter("noscript")):
        return True
    return not seen and any(True for _ in tree.iter("script"))


def _text(tree: Element) -> str:
    """What is seen of the body."""
    parts: list[str] = []
    for element in tree.iter():
        if isinstance(element.tag, str) and element.tag not in ("script", "style", "noscript", "template", "title"):
            parts.append(element.text or "")
        parts.append(element.tail or "")
    return " ".join(" ".join(parts).split())
