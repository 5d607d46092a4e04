"""What a question is searched for with: by rule, or by the engine where it is large enough to do better.

The rule leaves out what only asks, says the day that `yesterday` is, and takes up the question before where this one
goes on from it. The lexicon has the words for that in some languages; in others only the small words are left out.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from typing import Annotated

from pydantic import BaseModel, Field, OnErrorOmit, ValidationError

from eclair.errors import EclairError, InvalidInput
from eclair.generation.usage import AskModel
from eclair.llm.base import JSON, Engine, PromptMessage, Request, Text
from eclair.llm.reasoning import FLASH_EFFORT
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.schema.web import WebQuery
from eclair.text.intent.web import strip_addresses
from eclair.text.language import capitalizes_nouns, identify_language, is_small_word
from eclair.text.lexicon.loader import DateWords, QueryWords, load_lexicons, merge_words
from eclair.text.terms import fold_text
from eclair.web.question import WebQuestion

MAX_QUERIES = 3
"""Queries of one question."""
WORDS = 12
"""Words of a query, at most; the names go before the others."""
TAKEN_UP = 6
"""Words of the question before that go along."""
READ = 2000
"""Characters of a question that are looked at."""
SHORT = 2
"""Words up to which a question with a word such as `he` is about the one before."""

_ASK = """\
Today is {today}. Write web search queries that find what the last question below asks for: one, or up to three where \
it asks several things. Keywords and names as they stand on a good page, in the language of the question; no filler. \
Write dates out instead of words like "yesterday". "days" is how many days old a page may be, null where its age does \
not matter. Answer with JSON alone, such as \
{{"queries": [{{"text": "…", "language": "{language}", "days": null}}]}}

{questions}"""

_NO_PROSE = re.compile(r"```.*?(?:```|\Z)|https?://\S+", re.DOTALL)
_QUOTED = re.compile(r"„([^“”„]{2,80})[“”]|“([^“”]{2,80})”|\"([^\"\n]{2,80})\"|«\s?([^«»]{2,80}?)\s?»")
_WORD = re.compile(r"[\w#+&@%€$£][\w'’.:/+#&-]*")
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Span:
    """What a word of time comes to: how it is written, and how old a page may be."""

    written: str
    days: int | None


@dataclass(frozen=True, slots=True)
class _Tongue:
    """The words of a language, folded; `times` are its phrases of time, the longest first."""

    date: str
    months: tuple[str, ...]
    weekdays: dict[str, int]
    last: frozenset[str]
    filler: frozenset[str]
    goes_on: frozenset[str]
    refers: frozenset[str]
    times: tuple[tuple[tuple[str, ...], str], ...]

    def day(self, when: date) -> str:
        return self.date.format(day=when.day, month=self.months[when.month - 1], year=when.year)

    def month(self, when: date) -> str:
        return f"{self.months[when.month - 1]} {when.year}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question taken apart: its telling words, what of them are names, the time it is about; whether it goes on from
    the one before."""

    words: tuple[str, ...]
    names: tuple[str, ...]
    when: _Span | None
    goes_on: bool


def derive_queries(question: str, before: Sequence[str], language: str | None, today: date) -> tuple[WebQuery, ...]:
    """The queries of a question after those `before` it, the latest last: one in its own language, and where it has
    names that are the same in English, one there. Empty where there is nothing to search for."""
    code = language or identify_language(question) or _by_times(question)
    asked = _taken_apart(question, code, today)
    words, when = list(asked.words), asked.when
    if asked.goes_on and before:
        earlier = _taken_apart(before[-1], code, today)
        have = {fold_text(word) for word in words}
        words = [word for word in earlier.words if fold_text(word) not in have][:TAKEN_UP] + words
        when = when or earlier.when
    if not words and when is None:
        return ()
    days = when.days if when is not None else None
    written = [when.written] if when is not None and when.written else []
    queries = [WebQuery(" ".join([*words, *written]), code, days)]
    if len(asked.names) > 1 and code not in (None, "en"):
        year = [str(today.year)] if written and days is not None else []
        queries.append(WebQuery(" ".join([*asked.names, *year]), "en", days))
    return tuple(query for query in queries if query.text)


def parse_search(text: str, language: str | None, days: int | None, today: date) -> tuple[WebQuery, ...]:
    """The queries of what a person searches for, who may say its language and how old a page may be. Raises
    InvalidInput where there is nothing to search for."""
    if language is not None and not re.fullmatch("[a-z]{2}", language):
        raise InvalidInput(f"{language!r} is no language; write its code of two letters, such as de.", param="language")
    if days is not None and not 0 <= days <= 36_500:
        raise InvalidInput("The days are from 0 to 36,500.", param="days")
    made = derive_queries(text, (), language, today)
    if not made:
        raise InvalidInput("There is nothing to search for in that; name what you look for.", param="q")
    return tuple(query if days is None else replace(query, days=days) for query in made)


class _Wanted(BaseModel):
    text: Annotated[str, Field(min_length=2, max_length=200)]
    language: Annotated[str | None, Field(pattern="^[a-z]{2}$")] = None
    days: Annotated[int | None, Field(ge=0, le=36_500)] = None


class _Queries(BaseModel):
    queries: Annotated[list[OnErrorOmit[_Wanted]], Field(min_length=1)]


class QueryWriter:
    """Writes the queries of a question: by the model where it is large, else by rule."""

    def __init__(self, ask: AskModel) -> None:
        self._ask = ask

    async def write(
        self, question: WebQuestion, engine: Engine, model: Model, today: date, timeout_s: float
    ) -> tuple[WebQuery, ...]:
        """Write the queries of a question without its addresses."""
        text, before = strip_addresses(question.text), question.before
        language = identify_language(text)
        if model.tier != "capable":
            return derive_queries(text, before, language, today)
        return await generate_queries(
            self._ask, question.principal, engine, model, text, before, language, today, timeout_s=timeout_s
        )


async def generate_queries(
    ask: AskModel,
    principal: Principal,
    engine: Engine,
    model: Model,
    question: str,
    before: Sequence[str],
    language: str | None,
    today: date,
    *,
    timeout_s: float,
) -> tuple[WebQuery, ...]:
    """The queries that the model makes, by the rule where it makes none within so many seconds."""
    code = language or identify_language(question)
    asked = "\n".join(f"Question: {each[:READ]}" for each in (*before[-2:], question))
    text = _ASK.format(today=today.isoformat(), language=code or "en", questions=asked)
    sampling = replace(model.sampling, temperature=0.2, max_tokens=300, stop=())
    extra: JSON = {} if model.reasoning in (None, "never") else {"reasoning_effort": FLASH_EFFORT}
    messages = (PromptMessage("user", text),)
    request = Request(model.id, messages, sampling=sampling, extra=extra, reasoning=model.reasoning, purpose="queries")
    said = ""
    try:
        async with asyncio.timeout(timeout_s), aclosing(ask(principal, engine, model, request)) as pieces:
            async for piece in pieces:
                said += piece.text if isinstance(piece, Text) else ""
        made = parse_queries(said, code)
    except (TimeoutError, EclairError) as error:
        log.info("the queries are made by rule: %s", error or "no answer in time")
        made = ()
    return made or derive_queries(question, before, language, today)


def parse_queries(said: str, language: str | None) -> tuple[WebQuery, ...]:
    """The queries in what a model said; empty where there are none."""
    found = _OBJECT.search(said)
    try:
        wanted = _Queries.model_validate_json(found[0] if found is not None else "").queries
    except ValidationError:
        return ()
    queries = (WebQuery(" ".join(each.text.split()), each.language or language, each.days) for each in wanted)
    return tuple(dict.fromkeys(query for query in queries if query.text))[:MAX_QUERIES]


def _taken_apart(question: str, code: str | None, today: date) -> _Asked:
    text = _NO_PROSE.sub(" ", question[:READ]).replace("’", "'")
    phrases = [f'"{next(filter(None, match.groups()))}"' for match in _QUOTED.finditer(text)]
    words = list(_words(_QUOTED.sub(" \n ", text)))
    names = _names(text, words, caps=capitalizes_nouns(code))
    goes_on, refers, when = False, False, None
    news: list[str] = []
    tongue = _tongues().get(code or "")
    if tongue is not None:
        goes_on = bool(words) and fold_text(words[0]) in tongue.goes_on
        refers = any(fold_text(word) in tongue.refers for word in words)
        words, news, when = _timed(words, tongue, today)
        words = [word for word in words if fold_text(word) not in tongue.filler]
    telling = [word for word in map(_bare, words) if _tells(word, code)] or news
    names = [word for word in telling if word in names]
    kept = _fewer(telling, names)
    short = len(kept) + len(phrases) <= SHORT
    follows = not (kept or phrases) or (short and (goes_on or refers))
    return _Asked((*phrases, *kept), tuple(dict.fromkeys(names))[:WORDS], when, follows)


def _by_times(question: str) -> str | None:
    """The language whose words of time it has, where nothing else tells the language."""
    words = [fold_text(word) for word in _words(question[:READ])]
    found = {
        code: sum(
            tuple(words[at : at + len(phrase)]) == phrase for phrase, _ in tongue.times for at in range(len(words))
        )
        for code, tongue in _tongues().items()
    }
    best = max(found, key=lambda code: found[code])
    return best if found[best] and list(found.values()).count(found[best]) == 1 else None


def _tells(word: str, code: str | None) -> bool:
    """Whether it is more than a letter, and none of the small words of the language."""
    letter = len(word) == 1 and not (word.isdigit() or word.isupper())
    return bool(word) and not letter and not (code is not None and is_small_word(word, code))


def _words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match[0].rstrip(".:/'’&-")
        if word:
            yield word


def _bare(word: str) -> str:
    """Without the article that is elided, or English 's."""
    return re.sub(r"['’]s$", "", _elided().sub("", word))


@cache
def _elided() -> re.Pattern[str]:
    elisions = "|".join(map(re.escape, merge_words(lambda lexicon: lexicon.grammar.elisions)))
    return re.compile(rf"\A(?:{elisions})['’](?=\w)", re.IGNORECASE)


def _timed(words: list[str], tongue: _Tongue, today: date) -> tuple[list[str], list[str], _Span | None]:
    """The words without those of time and news, the words for news, and what they come to; of several times the
    nearest counts."""
    folded = [fold_text(word) for word in words]
    kept: list[str] = []
    found: list[_Span] = []
    news: list[str] = []
    at = 0
    while at < len(words):
        phrase, kind = next(
            ((phrase, kind) for phrase, kind in tongue.times if tuple(folded[at : at + len(phrase)]) == phrase),
            ((), ""),
        )
        if kind:
            found.append(_span(kind, tongue, today))
            news += words[at : at + len(phrase)] if kind == "news" else []
            at += len(phrase)
        elif (day := _last_weekday(folded, at, tongue, today)) is not None:
            found.append(_Span(tongue.day(day), (today - day).days + 1))
            at += 2
        else:
            kept.append(words[at])
            at += 1
    return kept, news, min(found, key=lambda span: 36_500 if span.days is None else span.days, default=None)


def _last_weekday(folded: list[str], at: int, tongue: _Tongue, today: date) -> date | None:
    """The day that `last Monday` is, in either order."""
    first, second = folded[at], folded[at + 1] if at + 1 < len(folded) else ""
    third = folded[at + 2] if at + 2 < len(folded) else ""
    name = first if second in tongue.last else second if first in tongue.last and third not in tongue.last else ""
    number = tongue.weekdays.get(name)
    return None if number is None else today - timedelta(days=(today.weekday() - number - 1) % 7 + 1)


def _span(kind: str, tongue: _Tongue, today: date) -> _Span:
    match kind:
        case "today":
            return _Span(tongue.day(today), 1)
        case "yesterday":
            return _Span(tongue.day(today - timedelta(days=1)), 2)
        case "before_yesterday":
            return _Span(tongue.day(today - timedelta(days=2)), 3)
        case "tomorrow":
            return _Span(tongue.day(today + timedelta(days=1)), 7)
        case "this_week" | "news":
            return _Span("", 7)
        case "last_week":
            return _Span("", 14)
        case "this_month":
            return _Span(tongue.month(today), 31)
        case "last_month":
            return _Span(tongue.month(today.replace(day=1) - timedelta(days=1)), 62)
        case "this_year":
            return _Span(str(today.year), 366)
        case "last_year":
            return _Span(str(today.year - 1), None)
        case _:
            return _Span("", 366)


def _names(text: str, words: list[str], *, caps: bool) -> set[str]:
    """The words that are names: capital where no sentence begins; where every noun is (`caps`), two in a row, or with
    more than one capital letter."""
    firsts = {match[1] for match in re.finditer(r"(?:^|[.?!:¿¡\n])\s*([\w'-]+)", text)}
    capital = [word[0].isupper() and (word not in firsts or _odd(word)) for word in words]
    return {
        _bare(word)
        for at, word in enumerate(words)
        if capital[at] and (not caps or _odd(word) or any(capital[max(at - 1, 0) : at] + capital[at + 1 : at + 2]))
    }


def _odd(word: str) -> bool:
    """Whether it is written as only a name is: `EZB`, `iPhone`, `A320`."""
    return sum(letter.isupper() for letter in word) > 1 or (word[0].isupper() and any(c.isdigit() for c in word))


def _fewer(words: list[str], names: list[str]) -> list[str]:
    """At most WORDS of the words, each once: names and numbers, then the longest, in their order."""
    once = list(dict.fromkeys(words))
    dear = set(names)
    best = sorted(once, key=lambda word: (word not in dear, not word[0].isdigit(), -len(word)))[:WORDS]
    return [word for word in once if word in set(best)]


@cache
def _tongues() -> dict[str, _Tongue]:
    return {
        lexicon.code: _tongue(lexicon.queries, lexicon.dates)
        for lexicon in load_lexicons()
        if lexicon.queries is not None
    }


def _tongue(words: QueryWords, dates: DateWords) -> _Tongue:
    times = [(tuple(fold_text(phrase).split()), kind) for kind, phrases in words.times.items() for phrase in phrases]
    return _Tongue(
        date=words.date_format,
        months=tuple(names[0] for names in dates.months),
        weekdays={fold_text(name): number for number, name in enumerate(words.weekdays)},
        last=frozenset(map(fold_text, words.last)),
        filler=frozenset(map(fold_text, words.filler)),
        goes_on=frozenset(map(fold_text, words.conjunctions)),
        refers=frozenset(map(fold_text, words.pronouns)),
        times=tuple(sorted(times, key=lambda each: -len(each[0]))),
    )
