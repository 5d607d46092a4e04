"""Tell whether a sentence of Markdown makes a claim, and strip it to its words."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from eclair.text.facts import extract_facts
from eclair.text.lexicon.loader import Lexicon, load_lexicons, merge_patterns, merge_words
from eclair.text.sentences import ends_with_question_mark, has_question_mark
from eclair.text.terms import fold_text, is_content_word

DENIALS = frozenset(("non", "no", "nein", "nee", "nie", "nu", "não"))
"""Answers of no."""

_FENCE_OR_HEADING = re.compile(r"\s*(?:#{1,6}\s|```|~~~)")
_CODE = re.compile(r"\s*`[^`]+`[.:]?\s*")
_BOLD_ALONE = re.compile(r"\s*(\*\*|__)([^*_]+)\1\s*:?\s*")
_HEADING_NUMBER = re.compile(r"(?:[^\W\d]++ )?\d{1,2}[.:)](?!\d)|[^\W\d]++ \d\Z|§ ?\d++")
"""A number of a heading, as in `1. Notice`, `Step 2: …`, `Option 2` or `§ 4 Notice`."""
_FULL_STOPS = (".", "!", "。")
_CLAUSE_END = re.compile(r"[;–—]|(?<!\d)[,:]|[,:](?!\d)")
_NON_WORD = re.compile(r"\W*")
_ANNOUNCEMENT = frozenset(":：")
_MARKUP = re.compile(
    r"\[\^?\d{1,3}(?:[,;–-] ?\d{1,3})*\]|!?\[([^\[\]\n]{0,300}+)\]\([^)\s]{0,500}+\)"
    r"|[*_~`]{1,3}(?=\S)|(?<=\S)[*_~`]{1,3}|\n[ \t]*>+"
)


def makes_claim(sentence: str) -> bool:
    """Tell whether a sentence of Markdown claims anything that could be true or false."""
    if _FENCE_OR_HEADING.match(sentence) or _is_bold_heading(sentence) or _CODE.fullmatch(sentence):
        return False
    text = strip_markdown(sentence)
    closing = _closing_marks(text)
    if not _ANNOUNCEMENT.isdisjoint(closing) or has_question_mark(closing) or ends_with_question_mark(text):
        return False
    if _no_claim().match(text):
        return False
    if (rest := _after_denial(text)) is not None:
        return rest != "" and makes_claim(rest)
    if any(map(str.isdigit, text)):
        return True
    return _courtesy().match(text) is None and any(map(is_content_word, extract_facts(text).terms))


def _is_bold_heading(sentence: str) -> bool:
    """Tell whether a sentence is a bold line without a stop at its end and without figures but its number."""
    found = _BOLD_ALONE.fullmatch(sentence)
    if found is None:
        return False
    text = found[2].strip()
    number = _HEADING_NUMBER.match(text)
    rest = text[number.end() :] if number else text
    return not text.endswith(_FULL_STOPS) and not any(map(str.isdigit, rest))


def _after_denial(text: str) -> str | None:
    """Return what a sentence goes on to say after the sources' silence, if anything; None if it isn't about that."""
    for denial, turn in _denials():
        if found := denial.match(text):
            clause = turn.search(text, found.end()) if turn is not None else None
            return text[clause.end() :] if clause is not None else _after_clause(text, found.end())
    return None


def _after_clause(text: str, start: int) -> str:
    """Return the clauses after the first that ends behind `start`, if they have figures."""
    end = _CLAUSE_END.search(text, start)
    rest = text[end.end() :] if end else ""
    return rest if any(map(str.isdigit, rest)) else ""


def _closing_marks(text: str) -> str:
    """Return the characters after the last word, in reverse."""
    found = _NON_WORD.match(text[::-1])
    return found[0] if found else ""


def strip_markdown(markdown: str) -> str:
    """Return the words without Markdown's marks and without footnote marks."""
    return " ".join(_MARKUP.sub(lambda found: found[1] or " ", markdown).split())


def strip_answer_word(sentence: str) -> tuple[str, Literal["yes", "no"] | None]:
    """Take yes or no from the beginning of a sentence; return what is left, and which it was."""
    for word, pattern in _answer_words().items():
        if found := pattern.match(sentence):
            return sentence[found.end() :], word
    return sentence, None


def strip_preamble(sentence: str) -> str:
    """Take from the beginning of a sentence what says only that the sources tell it: `According to the passages, …`."""
    found = _preamble().match(sentence)
    return sentence[found.end() :] if found is not None and sentence[found.end() :].strip() else sentence


def normalize_words(text: str) -> str:
    """Return the words alone, folded, to be compared."""
    return " ".join(re.findall(r"\w+", fold_text(text)))


@cache
def _no_claim() -> re.Pattern[str]:
    """Match a greeting with at most three words and no figures after it, or a bare answer."""
    greetings = merge_patterns(lambda lexicon: lexicon.claims.greetings)
    answers = merge_patterns(lambda lexicon: lexicon.claims.answers)
    return re.compile(rf"\W*+(?:(?:{greetings})\b\W*+(?:[^\W\d]++\W*+){{0,3}}+\Z|(?:{answers})\W*+\Z)", re.IGNORECASE)


@cache
def _denials() -> list[tuple[re.Pattern[str], re.Pattern[str] | None]]:
    """Match that the sources don't tell something, in each language, and where a sentence goes on to tell it.

    That is after `but` and the like, and where a figure follows on a clause after `and`.
    """
    return [
        (re.compile(rf"(?<!\W)\W*+(?:{'|'.join(lexicon.claims.denials)})", re.IGNORECASE), _turn(lexicon))
        for lexicon in load_lexicons()
        if lexicon.claims.denials
    ]


def _turn(lexicon: Lexicon) -> re.Pattern[str] | None:
    contrasts, joining = lexicon.comparison.contrasts, lexicon.comparison.conjunctions
    if not contrasts or not joining:
        return None
    listed = "|".join(map(re.escape, contrasts))
    return re.compile(
        rf"(?:[,;:–—]\s*+(?:{listed})|\b{re.escape(contrasts[0])})\b(?=\W*+\w)"
        rf"|\b{re.escape(joining[0])}\b(?=(?:\W{{1,3}}[^\W\d]++){{2,12}}+\W{{1,3}}\d)",
        re.IGNORECASE,
    )


@cache
def _answer_words() -> dict[Literal["yes", "no"], re.Pattern[str]]:
    """Match yes or no before a comma or the end."""
    words = sorted(merge_words(lambda lexicon: lexicon.claims.answers))
    yes, no = ("|".join(word for word in words if (word in DENIALS) == denies) for denies in (False, True))
    after = r"\b(?:\s*+[,;:!–—]\s*+|\W*+\Z)"
    return {
        "yes": re.compile(rf"(?<!\W)\W*+(?:{yes}){after}", re.IGNORECASE),
        "no": re.compile(rf"(?<!\W)\W*+(?:{no}){after}", re.IGNORECASE),
    }


@cache
def _preamble() -> re.Pattern[str]:
    return re.compile(rf"\W*+(?:{merge_patterns(lambda lexicon: lexicon.claims.preambles)})\s*+", re.IGNORECASE)


@cache
def _courtesy() -> re.Pattern[str]:
    """Match a disclaimer, an opinion, and what begins and ends an answer or a letter."""
    patterns = merge_patterns(
        lambda lexicon: (
            *lexicon.claims.disclaimers,
            *lexicon.claims.opinions,
            *lexicon.claims.closings,
            *lexicon.claims.salutations,
            *lexicon.claims.farewells,
        )
    )
    return re.compile(rf"\W*+(?:{patterns})", re.IGNORECASE)
