"""Recognizes queries for news, and turns entries into hits and pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlsplit

from eclair.schema.documents import Block
from eclair.schema.documents import Page as Sheet
from eclair.schema.web import WebHit, WebPage
from eclair.storage.feeds import EntryHit
from eclair.text.language import is_small_word, language_names
from eclair.text.lexicon.loader import merge_words
from eclair.text.search_terms import normalize_spelling, parse_query

MAX_SNIPPET_CHARS = 400


@cache
def _news_words() -> frozenset[str]:
    return frozenset(normalize_spelling(word) for word in merge_words(lambda lexicon: lexicon.news))


def asks_for_news(text: str) -> bool:
    """Return whether a query has no content words but those for news, such as `Nachrichten heute`."""
    content = [
        word for word in parse_query(text) if not any(is_small_word(word.word, code) for code in language_names())
    ]
    news = _news_words()
    return bool(content) and all(
        any(known.startswith(word.word) for known in news) if word.is_prefix else word.word in news for word in content
    )


def as_hits(found: Iterable[EntryHit], limit: int) -> list[WebHit]:
    """Return at most `limit` hits in the given order, one per page."""
    kept: dict[str, WebHit] = {}
    for each in found:
        entry = each.entry
        snippet = (
            entry.summary
            if len(entry.summary) <= MAX_SNIPPET_CHARS
            else entry.summary[:MAX_SNIPPET_CHARS].rsplit(" ", 1)[0] + "…"
        )
        day = None if entry.published is None else datetime.fromtimestamp(entry.published / 1000, UTC).date()
        kept.setdefault(entry.url, WebHit(entry.url, entry.title, " ".join(snippet.split()), day, ("newsroom",)))
        if len(kept) == limit:
            break
    return list(kept.values())


def as_page(found: EntryHit) -> WebPage:
    """Return an entry as the page that it links to, with as much text as the feed has."""
    entry = found.entry
    blocks: list[Block] = []
    text = ""
    for paragraph in (entry.text or entry.summary or entry.title).split("\n\n"):
        start = len(text) + 2 if text else 0
        text = f"{text}\n\n{paragraph}" if text else paragraph
        blocks.append(Block("paragraph", start, len(text)))
    return WebPage(
        url=entry.url,
        fetched=found.at,
        title=entry.title,
        site=(urlsplit(entry.url).hostname or "").removeprefix("www."),
        pages=(Sheet(1, text, tuple(blocks)),),
        media="text/plain",
        author=entry.author,
        language=entry.language,
        published=None if entry.published is None else datetime.fromtimestamp(entry.published / 1000, UTC).date(),
    )
