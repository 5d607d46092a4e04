"""Detects walls: paywalls, consent dialogs, missing scripts.

A page with enough text has no wall, whatever banners are on it.
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
"""A paid article with more text is taken to be complete."""

MAX_CONSENT_CHARS = 700
"""A page with more text is not a consent dialog."""

MAX_SCRIPT_PAGE_CHARS = 250
"""A page with more text doesn't depend on scripts."""

_CONSENT_HOST = re.compile(r"^(?:consent|cmp|privacy|choices|guce)\.")
_NEEDS_SCRIPT = re.compile(r"javascript", re.IGNORECASE)
_PAYWALL = re.compile(r"paywall|piano-|subscriber-only|premium-wall|regwall", re.IGNORECASE)


@cache
def _paywall_words() -> re.Pattern[str]:
    return re.compile(merge_patterns(lambda lexicon: lexicon.web_pages.paywall), re.IGNORECASE)


@cache
def _consent_words() -> re.Pattern[str]:
    return re.compile(merge_patterns(lambda lexicon: lexicon.web_pages.consent), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WallSigns:
    """Signs of a wall, found before the page's text is known."""

    is_paid: bool
    asks_consent: bool
    needs_script: bool


def find_signs(tree: Element, nodes: Sequence[Node], url: str) -> WallSigns:
    """Look for signs of a wall in the whole page, invisible elements included."""
    text = _visible_text(tree)
    asks = bool(_CONSENT_HOST.match(urlsplit(url).hostname or "")) or _is_consent_dialog(tree, text)
    return WallSigns(_is_declared_paid(nodes) or _has_paywall_element(tree), asks, _needs_script(tree, text))


def detect_wall(signs: WallSigns, text: str) -> Wall | None:
    """Decide about a wall by the signs and the page's extracted text."""
    if len(text) <= MAX_TEASER_CHARS and (signs.is_paid or _paywall_words().search(text[-600:])):
        return "pay"
    if len(text) <= MAX_CONSENT_CHARS and signs.asks_consent and (len(text) < 100 or _consent_words().search(text)):
        return "consent"
    return "script" if len(text) <= MAX_SCRIPT_PAGE_CHARS and signs.needs_script else None


def _is_declared_paid(nodes: Sequence[Node]) -> bool:
    """Return whether metadata declares the article not to be free, or only in part."""
    values = [node.get("isAccessibleForFree") for node in article_nodes(nodes)]
    return any(value is False or (isinstance(value, str) and value.lower().endswith("false")) for value in values)


def _has_paywall_element(tree: Element) -> bool:
    """Return whether an element named like a paywall offers the rest for money."""
    return any(
        _PAYWALL.search(f"{element.get('class') or ''} {element.get('id') or ''}")
        and _paywall_words().search(_visible_text(element))
        for element in tree.iter("div", "section", "aside", "p", "form")
    )


def _is_consent_dialog(tree: Element, text: str) -> bool:
    """Return whether all visible text is a consent question with buttons."""
    return (
        len(text) <= 3 * MAX_CONSENT_CHARS
        and bool(_consent_words().search(text))
        and any(True for _ in tree.iter("button", "form"))
    )


def _needs_script(tree: Element, text: str) -> bool:
    """Return whether the page says that it needs scripts, or has nothing else."""
    if any(_NEEDS_SCRIPT.search(element.text_content()) for element in tree.iter("noscript")):
        return True
    return not text and any(True for _ in tree.iter("script"))


def _visible_text(tree: Element) -> str:
    """Return the visible text of the body."""
    parts: list[str] = []
    for element in tree.iter():
        if isinstance(element.tag, str) and element.tag not in ("script", "style", "noscript", "template", "title"):
            parts.append(element.text or "")
        parts.append(element.tail or "")
    return " ".join(" ".join(parts).split())
