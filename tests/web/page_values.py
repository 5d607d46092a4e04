"""A page of the small internet, and what is known of it: plain values, and the frame of HTML around an article."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import Literal

from tests.web.story_texts import Language

Kind = Literal["news", "brief", "shop", "forum", "wiki", "report", "wall", "odd", "injected", "feed"]
Dated = Literal["json", "meta", "time", "url", "none"]

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Made:
    """A page that is served at `url`. `key` is a sentence that a reader must keep, in single spaces; `lost` what it
    must not keep.

    `day` is what it says of its own date, `dated` how; `story` is the event that it reports, where it does.
    """

    url: str
    body: bytes
    title: str = ""
    language: Language | None = None
    day: date | None = None
    dated: Dated = "none"
    key: str = ""
    lost: tuple[str, ...] = ()
    kind: Kind = "news"
    story: str | None = None
    author: str | None = None
    wall: Literal["pay", "consent", "script"] | None = None
    media: str = HTML
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


MONTHS: dict[Language, tuple[str, ...]] = {
    "de": (
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}


def flat(text: str) -> str:
    """The text with single spaces."""
    return " ".join(text.split())


def written(day: date, language: Language) -> str:
    """The day as people write it."""
    month = MONTHS[language][day.month - 1]
    return f"{day.day}{'.' if language == 'de' else ''} {month} {day.year}"


_MENU: dict[Language, tuple[str, ...]] = {
    "de": ("Startseite", "Politik", "Wirtschaft", "Sport", "Kultur", "Wetter", "Anzeigen", "Abo"),
    "fr": ("Accueil", "Politique", "Économie", "Sports", "Culture", "Météo", "Annonces", "S'abonner"),
    "en": ("Home", "Politics", "Business", "Sport", "Culture", "Weather", "Classifieds", "Subscribe"),
}
FOOT: dict[Language, str] = {
    "de": "Impressum und Datenschutz: Alle Rechte vorbehalten, Nachdruck nur mit Genehmigung der Redaktion.",
    "fr": "Mentions légales : tous droits réservés, reproduction interdite sans accord de la rédaction.",
    "en": "Terms of use: all rights reserved, no reprint without the permission of the editors.",
}
"""What stands at the bottom of every page, which no reader keeps."""


def framed(
    title: str, body: str, language: Language, *, site: str, head: str = "", related: tuple[tuple[str, str], ...] = ()
) -> bytes:
    """A whole page in HTML with the furniture of a newspaper: menu, related links, advertisement, foot."""
    menu = "".join(f'<li><a href="/{escape(word.lower())}">{escape(word)}</a></li>' for word in _MENU[language])
    links = "".join(f'<li><a href="{escape(url)}">{escape(text)}</a></li>' for url, text in related)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)} | {site}</title>'
        f'<meta property="og:site_name" content="{site}"><meta property="og:title" content="{escape(title)}">'
        f"<style>body{{font:1rem serif}}nav li{{display:inline}}</style>{head}</head><body>"
        f'<header><div class="logo">{site}</div><nav><ul>{menu}</ul></nav></header>'
        f"<main>{body}</main>"
        f'<aside class="related"><ul>{links}</ul></aside><div class="advertisement"><a href="/ad">Ad</a></div>'
        f"<footer><p>{escape(FOOT[language])}</p></footer>"
        '<script>window.dataLayer=[];var tracked="this text is a script";</script></body></html>'
    ).encode()
