"""Whether a sentence of Markdown claims anything, and what it says without its marks."""

from __future__ import annotations

import re

from eclair.text.facts import fold, read, tells

_FENCE_OR_HEADING = re.compile(r"\s*(?:#{1,6}\s|```|~~~)")
_BOLD_ALONE = re.compile(r"\s*(\*\*|__)[^*_]+\1\s*:?\s*")
_ASKS = re.compile(r"[?？؟;]\W*\Z")
_ANNOUNCES = re.compile(r"[:：]\W*\Z")
_GREETINGS = (
    "hello|hi|hey|sure|certainly|of course|okay|ok|thanks|thank you|you['’]re welcome|great|sorry|please",
    "hallo|guten (?:tag|morgen|abend)|gerne?|natürlich|klar|selbstverständlich|danke|bitte",
    "bonjour|salut|bien sûr|merci|d['’]accord|hola|claro|por supuesto|gracias",
    "ciao|certo|grazie|bună|desigur|mulțumesc",
)
"""Nothing is claimed by one of these with at most three words after it, no figures among them."""

_ANSWERS = "yes|no|ja|nein|oui|non|sí|si|da|nu|ok"
"""Nothing that a passage could say is claimed by one of these alone."""

_SOURCE = "(?:passage|document|text|source|file|excerpt)s?"
_THE = r"(?:the|this|these|your|none of the)(?: \w+)?"
_QUELLE = r"(?:dokument\w*|text\w*|passagen?|quellen?|datei(?:en)?|ausz[uü]g\w*|abschnitt\w*)"
_EMPTY = (
    r"(?:i|we) (?:do not|don['’]t|cannot|can['’]t|could(?: not|n['’]t)|am (?:not|sorry)|hope|can (?:help|also)|will)\b",
    r"(?:i|we)['’](?:m|ll|d)\b|let me\b|let['’]s\b|feel free\b|if you\b.*\b(?:let me|ask|tell|want|need|like)\b",
    r"here (?:is|are)\b.{0,80}\Z|here['’]s\b.{0,80}\Z",
    rf"(?:unfortunately,? )?{_THE} {_SOURCE} (?:do(?:es)? not|do(?:es)?n['’]t|never|contains? no|says? nothing)\b",
    r"there is (?:no|not enough) (?:information|mention)\b",
    rf"(?:that|this|it) is not (?:mentioned|stated|said|in the {_SOURCE})\b",
    r"ich (?:weiß|kann|konnte|habe|hoffe|werde|finde)\b|(?:es )?tut mir leid\b",
    r"leider (?:kann|konnte|weiß|habe|steht|enth[aä]lt|gibt)\b",
    rf"(?:das|der|die|den|im|in de[nmr]) (?:\w+ )?{_QUELLE} .{{0,40}}\b(?:nicht|keine?\w*|nichts)\b",
    r"hier (?:ist|sind|kommt|folgt)\b.{0,80}\Z|lassen sie\b|wenn (?:sie|du) .*(?:fragen|möchte|brauch|willst)",
    r"je (?:ne|n['’]|suis|peux|vais|regrette)|désolée?\b|n['’]hésitez\b|voici\b.{0,80}\Z",
    r"(?:malheureusement,? )?(?:les?|ces?) (?:documents?|passages?|textes?|extraits?|sources?) (?:ne|n['’])",
    r"no (?:lo )?(?:sé|puedo|encuentro)\b|lo siento\b|(?:el|los|este) (?:documentos?|textos?|pasajes?) no\b",
    r"non (?:lo )?so\b|mi dispiace\b|nu (?:știu|pot)\b|îmi pare rău\b",
)
"""What one says of oneself, of what follows, or of what the passages do not say."""

_NO_CLAIM = re.compile(
    rf"\W*(?:(?:{'|'.join(_GREETINGS)})\b\W*(?:[^\W\d]+\W*){{0,3}}\Z|(?:{_ANSWERS})\W*\Z|{'|'.join(_EMPTY)})",
    re.IGNORECASE,
)


def claims(sentence: str) -> bool:
    """Whether a sentence of Markdown claims anything that could be true or false."""
    if _FENCE_OR_HEADING.match(sentence) or _BOLD_ALONE.fullmatch(sentence):
        return False
    text = plain(sentence)
    if _ASKS.search(text) or _ANNOUNCES.search(text) or _NO_CLAIM.match(text):
        return False
    return any(sign.isdigit() for sign in text) or bool([term for term in read(text).terms if tells(term)])


_MARKUP = re.compile(
    r"\[\^?\d{1,3}(?:[,;–-] ?\d{1,3})*\]|!?\[([^\]\n]{0,300})\]\([^)\s]{0,500}\)"
    r"|[*_~`]{1,3}(?=\S)|(?<=\S)[*_~`]{1,3}|\n[ \t]*>+"
)


def plain(markdown: str) -> str:
    """The words without the marks of Markdown and of footnotes."""
    return " ".join(_MARKUP.sub(lambda found: found[1] or " ", markdown).split())


def bare(text: str) -> str:
    """The words alone, folded, for comparison."""
    return " ".join(re.findall(r"\w+", fold(text)))
