"""Tells whether a question wants the web: because it has an address in it, or depends on the time, or on facts that a
model is not likely to know.

A rule for English, German, French, Spanish, Italian, Dutch, Polish and Portuguese; numbers and addresses count in any
language. It reads letters without case and accents. Where it is wrong the person decides, by the switch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal
from urllib.parse import urlsplit

from eclair.text.facts import fold

LOOKED_AT = 2000
"""Characters of a question that are looked at: whoever pastes more asks about that."""

ADDRESSES = 3
"""Addresses of a question that are read."""

KNOWN = 2
"""Years that a model's knowledge is behind, about: it is asked in vain for what happened since."""

Why = Literal["address", "news", "current", "price", "office", "recent"]

ONE_DAY, DAYS, MONTH, YEAR = 2, 14, 45, 400
"""Days that a source may be old where a question is about today, about what is new, about this month, this year."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a question wants of the web. `days` is how old a source may be, None where that does not matter."""

    why: Why
    days: int | None = None


_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w@./-])www\.[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"'`\\^{}|]*)?", re.IGNORECASE)

_TODAY = (
    r"today|tonight|right now|yesterday|tomorrow|this morning|breaking|live score|weather",
    r"heut(?:e|ige[nrs]?)|gestern|morgen fruh|gerade eben|eilmeldung|wetter",
    r"aujourd.hui|hier|demain|meteo|en ce moment",
    r"hoy|ayer|manana|tiempo hace|oggi|ieri|domani|vandaag|gisteren|weer wordt|hoje|ontem|amanha",
    r"dzis(?:iaj)?|wczoraj|jutro|pogoda",
)
_NEWS = (
    r"news|headlines?|latest|newest|most recent|recently|this week|last week|what happened|what.s new|announced",
    r"nachrichten|schlagzeilen|neu(?:e)?ste[nrsm]?|jungste[nrsm]?|kurzlich|diese woche|letzte woche|was ist passiert",
    r"was gibt es neues|actualites?|nouvelles|derniere?s? (?:nouvelles|infos|version|annonce)|recemment|cette semaine",
    r"que s.est.il passe|noticias|ultim[ao]s?|recientemente|esta semana|que ha pasado|que paso",
    r"notizie|ultim[aeio]|recentemente|questa settimana|cosa e successo|nieuws|laatste|onlangs|deze week",
    r"wiadomosci|najnowsz\w+|ostatnio|w tym tygodniu|co sie stalo|o que aconteceu",
)
_CURRENT = (
    r"current(?:ly)?|at the moment|nowadays|as of now|still (?:valid|in force|open|alive)|up.to.date|this month",
    r"aktuell\w*|derzeit\w*|momentan|zurzeit|zur zeit|gegenwartig\w*|noch gultig|diesen monat|in diesem monat",
    r"actuel(?:le)?(?:ment|s)?|en vigueur|ce mois|actual(?:mente)?|vigente|este mes|attual\w*|questo mese|in vigore",
    r"op dit moment|huidige|deze maand|obecn\w+|aktualn\w+|w tym miesiacu|atual(?:mente)?|neste mes",
)
_PRICE = (
    r"price of|how much (?:does|do|is|are) .{1,60}(?:cost|now)|exchange rate|stock price|share price|interest rate",
    r"was kostet|was kosten|wie teuer|preis (?:von|fur)|wechselkurs|aktienkurs|leitzins|inflationsrate|benzinpreis\w*",
    r"combien coute|prix (?:de|du|des)|taux de change|cours de l|cuanto cuesta|precio de|tipo de cambio",
    r"quanto costa|prezzo d|tasso di cambio|hoeveel kost|prijs van|wisselkoers|ile kosztuje|cena|kurs (?:euro|dolara)",
    r"quanto custa|preco d",
)
_OFFICE_NOUNS = (
    r"president|prime minister|chancellor|minister|ceo|head of|king|queen|pope|mayor|chair(?:man|woman)?|governor",
    r"coach",
    r"prasident\w*|bundeskanzler\w*|kanzler\w*|minister\w*|chef\w*|vorsitzende\w*|burgermeister\w*|konig\w*|papst",
    r"premier ministre|chancelier|ministre|maire|roi|reine|pape|pdg|presidente|primer ministro|canciller|ministro",
    r"alcalde|rey|papa|cancelliere|sindaco|re|minister.president|burgemeester|koning|paus|prezydent|premier|papiez",
    r"primeiro.ministro|rei|prefeito",
)
_WHO = (
    r"who(?: is|.s| are)|wer (?:ist|sind)|qui (?:est|sont)|quien(?:es)? (?:es|son)|chi (?:e|sono)|wie is|kto jest"
    r"|quem (?:e|sao)"
)


def _any(*groups: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(groups)})\b")


_RULES: tuple[tuple[Why, int | None, re.Pattern[str]], ...] = (
    ("news", ONE_DAY, _any(*_TODAY)),
    ("news", DAYS, _any(*_NEWS)),
    ("price", MONTH, _any(*_PRICE)),
    ("current", MONTH, _any(*_CURRENT)),
    ("office", YEAR, re.compile(rf"\b(?:{_WHO})\b.{{0,40}}\b(?:{'|'.join(_OFFICE_NOUNS)})\b")),
)
_YEAR = re.compile(r"(?<![\d.,-])(1\d\d\d|20\d\d)(?![\d-]|[.,]\d)")


def addresses(question: str) -> list[str]:
    """The addresses of pages in a question, each once, in their order, as many as are read."""
    found = [match[0] for match in _ADDRESS.finditer(question)]
    found += [f"https://{match[0]}" for match in _BARE.finditer(_ADDRESS.sub(" ", question))]
    cleaned = (_trimmed(url) for url in found)
    return list(dict.fromkeys(url for url in cleaned if _has_host(url)))[:ADDRESSES]


def without_addresses(question: str) -> str:
    return " ".join(_BARE.sub(" ", _ADDRESS.sub(" ", question)).split())


_CHAT = re.compile(
    r"(?:hello|hi|hey|thanks|thank you|ok(?:ay)?|great|good (?:morning|evening|night)|hallo|danke"
    r"|guten (?:morgen|abend|tag)|servus|moin|super|bonjour|bonsoir|salut|merci|hola|gracias|buenos dias"
    r"|ciao|grazie|buongiorno|dank je|bedankt"
    r"|goedemorgen|czesc|dziekuje|dzien dobry|ola|obrigad[oa]|bom dia)\b(?: \w+){0,3}"
)


def chats(question: str) -> bool:
    """Whether nothing is asked, as in a greeting or thanks."""
    words = " ".join(re.findall(r"\w+", fold(question[:LOOKED_AT])))
    return not words or _CHAT.fullmatch(words) is not None


def wish(question: str, today: date) -> Wish | None:
    """What the question wants of the web; None where it can do without."""
    if addresses(question):
        return Wish("address")
    return timely(question, today)


def timely(question: str, today: date) -> Wish | None:
    """The same without looking for addresses."""
    text = fold(without_addresses(question[:LOOKED_AT]))
    newest = max((int(year) for year in _YEAR.findall(text)), default=None)
    if newest is not None and newest <= today.year - KNOWN:
        return None
    for why, days, rule in _RULES:
        if rule.search(text):
            return Wish(why, days)
    return Wish("recent") if newest is not None and newest <= today.year + 1 else None


def subject(question: str) -> str:
    """What a question is about, without addresses and without the words that only say that it is about what is new."""
    text = fold(without_addresses(question[:LOOKED_AT]))
    for _, _, rule in _RULES:
        text = rule.sub(" ", text)
    return " ".join(text.split())


def _trimmed(url: str) -> str:
    """Without what ends the sentence in which it stands."""
    url = url.rstrip(".,;:!?…'\"*_»”’")
    while url.endswith((")", "]")) and url.count(url[-1]) > url.count("(" if url[-1] == ")" else "["):
        url = url[:-1].rstrip(".,;:!?…")
    return url


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False
