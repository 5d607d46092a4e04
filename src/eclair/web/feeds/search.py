"""Entries of feeds as answers to a query: which ask for nothing but what is new, and their form as hits and pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from eclair.schema.documents import Block
from eclair.schema.documents import Page as Sheet
from eclair.schema.web import Hit, WebPage
from eclair.storage.feeds import EntryHit
from eclair.text.language import ENGLISH, is_small
from eclair.text.search_terms import spelt, wanted
from eclair.text.sentences import listed

SNIPPET = 400

_NEWS = frozenset(
    spelt(word)
    for word in listed(
        """news latest today headlines happened happening happen current breaking world
        nachrichten neuigkeiten neues neueste neuesten aktuell aktuelle aktuelles heute heutigen schlagzeilen passiert
        geschehen meldungen welt tages
        actualités actualité nouvelles infos aujourd hui jour dernières passe monde titres
        noticias hoy últimas actualidad mundo notizie oggi ultime mondo notícias hoje mundo
        nieuws vandaag laatste actueel wereld nyheter idag dag senaste nyheder seneste nyt uutiset tänään uusimmat
        wiadomości dziś dzisiaj najnowsze aktualności zprávy dnes nejnovější správy najnovšie știri azi astăzi ultimele
        hírek ma friss новини днес последни ειδήσεις σήμερα νέα τελευταία vijesti danas novosti najnovije novice danes
        uudised täna viimased ziņas šodien jaunākās naujienos šiandien naujausios aħbarijiet illum nuacht inniu"""
    )
)


def asks_for_news(text: str) -> bool:
    """Whether a query has no telling word but those that mean what is new, such as `Nachrichten heute`."""
    telling = [word for word in wanted(text) if not any(is_small(word.word, code) for code in ENGLISH)]
    return bool(telling) and all(
        any(known.startswith(word.word) for known in _NEWS) if word.ending else word.word in _NEWS for word in telling
    )


def hits(found: Iterable[EntryHit], limit: int) -> list[Hit]:
    """Each page once, in this order."""
    kept: dict[str, Hit] = {}
    for each in found:
        entry = each.entry
        snippet = entry.summary if len(entry.summary) <= SNIPPET else entry.summary[:SNIPPET].rsplit(" ", 1)[0] + "…"
        day = None if entry.published is None else datetime.fromtimestamp(entry.published / 1000, UTC).date()
        kept.setdefault(entry.url, Hit(entry.url, entry.title, " ".join(snippet.split()), day, ("newsroom",)))
        if len(kept) == limit:
            break
    return list(kept.values())


def page(found: EntryHit) -> WebPage:
    """An entry as the page that it stands for, as far as the feed has it."""
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
