"""Turns a question into search queries: by rules, or by a capable model.

The rules drop filler, replace words such as `yesterday` by a date, and add words of the previous question to a
follow-up. The lexicon has the words for that in some languages; in others only stop words are dropped.
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
from eclair.text.intent import MAX_QUESTION_CHARS
from eclair.text.intent.web import strip_addresses
from eclair.text.language import capitalizes_nouns, identify_language, is_small_word
from eclair.text.lexicon.loader import DateWords, QueryWords, load_lexicons, merge_words
from eclair.text.terms import fold_text
from eclair.web.question import WebQuestion

MAX_QUERIES = 3
"""Queries per question."""
MAX_QUERY_WORDS = 12
"""Names are kept first."""
MAX_CARRIED_WORDS = 6
"""Words of the previous question that are added to a follow-up."""
MAX_FOLLOW_UP_WORDS = 2
"""A question of at most this many words that has a pronoun, such as `he`, continues the previous one."""

_PROMPT = """\
Today is {today}. Write web search queries that find what the last question below asks for: one, or up to three where \
it asks several things. Keywords and names as they stand on a good page, in the language of the question; no filler. \
Write dates out instead of words like "yesterday". "days" is how many days old a page may be, null where its age does \
not matter. Answer with JSON alone, such as \
{{"queries": [{{"text": "…", "language": "{language}", "days": null}}]}}

{questions}"""

_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|https?://\S+", re.DOTALL)
_QUOTED = re.compile(r"„([^“”„]{2,80})[“”]|“([^“”]{2,80})”|\"([^\"\n]{2,80})\"|«\s?([^«»]{2,80}?)\s?»")
_WORD = re.compile(r"[\w#+&@%€$£][\w'’.:/+#&-]*")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _TimeSpan:
    """A resolved time expression: the text to search for, and how old a page may be."""

    text: str
    days: int | None


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """A language's words, folded. `time_phrases` are split into words, longest first, each with its kind."""

    date: str
    months: tuple[str, ...]
    weekdays: dict[str, int]
    last: frozenset[str]
    filler: frozenset[str]
    conjunctions: frozenset[str]
    pronouns: frozenset[str]
    time_phrases: tuple[tuple[tuple[str, ...], str], ...]

    def format_day(self, when: date) -> str:
        return self.date.format(day=when.day, month=self.months[when.month - 1], year=when.year)

    def format_month(self, when: date) -> str:
        return f"{self.months[when.month - 1]} {when.year}"


@dataclass(frozen=True, slots=True)
class _ParsedQuestion:
    """A question's content words, the names among them, and the time that it is about."""

    words: tuple[str, ...]
    names: tuple[str, ...]
    span: _TimeSpan | None
    is_follow_up: bool


def derive_queries(question: str, before: Sequence[str], language: str | None, today: date) -> tuple[WebQuery, ...]:
    """Derive queries by rules: one in the question's language, and one of its names in English if it has several.

    `before` are the previous questions, the latest last. Empty if there is nothing to search for.
    """
    code = language or identify_language(question) or _guess_language(question)
    parsed = _parse_question(question, code, today)
    words, span = list(parsed.words), parsed.span
    if parsed.is_follow_up and before:
        earlier = _parse_question(before[-1], code, today)
        have = {fold_text(word) for word in words}
        words = [word for word in earlier.words if fold_text(word) not in have][:MAX_CARRIED_WORDS] + words
        span = span or earlier.span
    if not words and span is None:
        return ()
    days = span.days if span is not None else None
    written = [span.text] if span is not None and span.text else []
    queries = [WebQuery(" ".join([*words, *written]), code, days)]
    if len(parsed.names) > 1 and code not in (None, "en"):
        year = [str(today.year)] if written and days is not None else []
        queries.append(WebQuery(" ".join([*parsed.names, *year]), "en", days))
    return tuple(query for query in queries if query.text)


def parse_search(text: str, language: str | None, days: int | None, today: date) -> tuple[WebQuery, ...]:
    """Derive the queries of an explicit search. `days` is how old a page may be.

    Raises InvalidInput for a bad language or age, and where there is nothing to search for.
    """
    if language is not None and not re.fullmatch("[a-z]{2}", language):
        raise InvalidInput(f"{language!r} isn't a language code; write two letters, such as de.", param="language")
    if days is not None and not 0 <= days <= 36_500:
        raise InvalidInput("The number of days must be from 0 to 36,500.", param="days")
    made = derive_queries(text, (), language, today)
    if not made:
        raise InvalidInput("There is nothing to search for in that; name what you look for.", param="q")
    return tuple(query if days is None else replace(query, days=days) for query in made)


class _GeneratedQuery(BaseModel):
    text: Annotated[str, Field(min_length=2, max_length=200)]
    language: Annotated[str | None, Field(pattern="^[a-z]{2}$")] = None
    days: Annotated[int | None, Field(ge=0, le=36_500)] = None


class _GeneratedQueries(BaseModel):
    queries: Annotated[list[OnErrorOmit[_GeneratedQuery]], Field(min_length=1)]


class QueryWriter:
    """Implements `QueryMaker`: queries by a capable model, or else by rules."""

    def __init__(self, ask: AskModel) -> None:
        self._ask = ask

    async def write(
        self, question: WebQuestion, engine: Engine, model: Model, today: date, timeout_s: float
    ) -> tuple[WebQuery, ...]:
        """Write the queries of a question, whose URLs are left out."""
        text, before = strip_addresses(question.text), question.before
        language = identify_language(text)
        if not model.can_plan:
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
    """Have the model write queries; fall back on the rules if it gives none within `timeout_s`."""
    code = language or identify_language(question)
    questions = "\n".join(f"Question: {each[:MAX_QUESTION_CHARS]}" for each in (*before[-2:], question))
    text = _PROMPT.format(today=today.isoformat(), language=code or "en", questions=questions)
    sampling = replace(model.sampling, temperature=0.2, max_tokens=300, stop=())
    extra: JSON = {} if model.reasoning in (None, "never") else {"reasoning_effort": FLASH_EFFORT}
    messages = (PromptMessage("user", text),)
    request = Request(model.id, messages, sampling=sampling, extra=extra, reasoning=model.reasoning, purpose="queries")
    reply = ""
    try:
        async with asyncio.timeout(timeout_s), aclosing(ask(principal, engine, model, request)) as pieces:
            async for piece in pieces:
                reply += piece.text if isinstance(piece, Text) else ""
        made = parse_queries(reply, code)
    except (TimeoutError, EclairError) as error:
        log.info("queries are derived by rules: %s", error or "no answer in time")
        made = ()
    return made or derive_queries(question, before, language, today)


def parse_queries(reply: str, language: str | None) -> tuple[WebQuery, ...]:
    """Parse the queries in a model's reply; empty if there are none."""
    try:
        generated = _GeneratedQueries.model_validate_json(reply[reply.find("{") : reply.rfind("}") + 1]).queries
    except ValidationError:
        return ()
    queries = (WebQuery(" ".join(each.text.split()), each.language or language, each.days) for each in generated)
    return tuple(dict.fromkeys(query for query in queries if query.text))[:MAX_QUERIES]


def _parse_question(question: str, code: str | None, today: date) -> _ParsedQuestion:
    text = _NOT_PROSE.sub(" ", question[:MAX_QUESTION_CHARS]).replace("’", "'")
    phrases = [f'"{next(filter(None, match.groups()))}"' for match in _QUOTED.finditer(text)]
    words = list(_split_words(_QUOTED.sub(" \n ", text)))
    names = _find_names(text, words, caps=capitalizes_nouns(code))
    has_conjunction, has_pronoun, span = False, False, None
    news: list[str] = []
    vocabulary = _vocabularies().get(code or "")
    if vocabulary is not None:
        has_conjunction = bool(words) and fold_text(words[0]) in vocabulary.conjunctions
        has_pronoun = any(fold_text(word) in vocabulary.pronouns for word in words)
        words, news, span = _extract_times(words, vocabulary, today)
        words = [word for word in words if fold_text(word) not in vocabulary.filler]
    content = [word for word in map(_strip_affixes, words) if _is_content_word(word, code)] or news
    names = [word for word in content if word in names]
    kept = _limit_words(content, names)
    is_short = len(kept) + len(phrases) <= MAX_FOLLOW_UP_WORDS
    is_follow_up = not (kept or phrases) or (is_short and (has_conjunction or has_pronoun))
    return _ParsedQuestion((*phrases, *kept), tuple(dict.fromkeys(names))[:MAX_QUERY_WORDS], span, is_follow_up)


def _guess_language(question: str) -> str | None:
    """Return the one language that has most of the question's time expressions, if there is such a language."""
    words = [fold_text(word) for word in _split_words(question[:MAX_QUESTION_CHARS])]
    found = {
        code: sum(
            tuple(words[at : at + len(phrase)]) == phrase
            for phrase, _ in vocabulary.time_phrases
            for at in range(len(words))
        )
        for code, vocabulary in _vocabularies().items()
    }
    best = max(found, key=lambda code: found[code])
    return best if found[best] and list(found.values()).count(found[best]) == 1 else None


def _is_content_word(word: str, code: str | None) -> bool:
    """Return whether a word is longer than a letter, and no stop word of the language."""
    is_letter = len(word) == 1 and not (word.isdigit() or word.isupper())
    return bool(word) and not is_letter and not (code is not None and is_small_word(word, code))


def _split_words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match[0].rstrip(".:/'’&-")
        if word:
            yield word


def _strip_affixes(word: str) -> str:
    """Remove an elided article, or English 's."""
    return re.sub(r"['’]s$", "", _elision().sub("", word))


@cache
def _elision() -> re.Pattern[str]:
    elisions = "|".join(map(re.escape, merge_words(lambda lexicon: lexicon.grammar.elisions)))
    return re.compile(rf"\A(?:{elisions})['’](?=\w)", re.IGNORECASE)


def _extract_times(
    words: list[str], vocabulary: _Vocabulary, today: date
) -> tuple[list[str], list[str], _TimeSpan | None]:
    """Split off time expressions: return the other words, the words for news, and the nearest time."""
    folded = [fold_text(word) for word in words]
    kept: list[str] = []
    found: list[_TimeSpan] = []
    news: list[str] = []
    at = 0
    while at < len(words):
        phrase, kind = next(
            (
                (phrase, kind)
                for phrase, kind in vocabulary.time_phrases
                if tuple(folded[at : at + len(phrase)]) == phrase
            ),
            ((), ""),
        )
        if kind:
            found.append(_resolve_time(kind, vocabulary, today))
            news += words[at : at + len(phrase)] if kind == "news" else []
            at += len(phrase)
        elif (day := _find_last_weekday(folded, at, vocabulary, today)) is not None:
            found.append(_TimeSpan(vocabulary.format_day(day), (today - day).days + 1))
            at += 2
        else:
            kept.append(words[at])
            at += 1
    return kept, news, min(found, key=lambda span: 36_500 if span.days is None else span.days, default=None)


def _find_last_weekday(folded: list[str], at: int, vocabulary: _Vocabulary, today: date) -> date | None:
    """Return the day that `last Monday` means, with the two words in either order."""
    first, second = folded[at], folded[at + 1] if at + 1 < len(folded) else ""
    third = folded[at + 2] if at + 2 < len(folded) else ""
    name = (
        first
        if second in vocabulary.last
        else second
        if first in vocabulary.last and third not in vocabulary.last
        else ""
    )
    number = vocabulary.weekdays.get(name)
    return None if number is None else today - timedelta(days=(today.weekday() - number - 1) % 7 + 1)


def _resolve_time(kind: str, vocabulary: _Vocabulary, today: date) -> _TimeSpan:
    match kind:
        case "today":
            return _TimeSpan(vocabulary.format_day(today), 1)
        case "yesterday":
            return _TimeSpan(vocabulary.format_day(today - timedelta(days=1)), 2)
        case "before_yesterday":
            return _TimeSpan(vocabulary.format_day(today - timedelta(days=2)), 3)
        case "tomorrow":
            return _TimeSpan(vocabulary.format_day(today + timedelta(days=1)), 7)
        case "this_week" | "news":
            return _TimeSpan("", 7)
        case "last_week":
            return _TimeSpan("", 14)
        case "this_month":
            return _TimeSpan(vocabulary.format_month(today), 31)
        case "last_month":
            return _TimeSpan(vocabulary.format_month(today.replace(day=1) - timedelta(days=1)), 62)
        case "this_year":
            return _TimeSpan(str(today.year), 366)
        case "last_year":
            return _TimeSpan(str(today.year - 1), None)
        case _:
            return _TimeSpan("", 366)


def _find_names(text: str, words: list[str], *, caps: bool) -> set[str]:
    """Return the words that are names: capitalized in the middle of a sentence.

    Where every noun is capitalized (`caps`), a name is two such words in a row, or has several capital letters.
    """
    firsts = {match[1] for match in re.finditer(r"(?:^|[.?!:¿¡\n])[^\S\n]*+([\w'-]+)", text)}
    capital = [word[0].isupper() and (word not in firsts or _is_spelled_like_name(word)) for word in words]
    return {
        _strip_affixes(word)
        for at, word in enumerate(words)
        if capital[at]
        and (not caps or _is_spelled_like_name(word) or any(capital[max(at - 1, 0) : at] + capital[at + 1 : at + 2]))
    }


def _is_spelled_like_name(word: str) -> bool:
    """Return whether only a name is spelled like this: `EZB`, `iPhone`, `A320`."""
    return sum(letter.isupper() for letter in word) > 1 or (word[0].isupper() and any(c.isdigit() for c in word))


def _limit_words(words: list[str], names: list[str]) -> list[str]:
    """Keep MAX_QUERY_WORDS different words in their order: names and numbers first, then the longest."""
    unique = list(dict.fromkeys(words))
    preferred = set(names)
    best = sorted(unique, key=lambda word: (word not in preferred, not word[0].isdigit(), -len(word)))[:MAX_QUERY_WORDS]
    return [word for word in unique if word in set(best)]


@cache
def _vocabularies() -> dict[str, _Vocabulary]:
    return {
        lexicon.code: _build_vocabulary(lexicon.queries, lexicon.dates)
        for lexicon in load_lexicons()
        if lexicon.queries is not None
    }


def _build_vocabulary(words: QueryWords, dates: DateWords) -> _Vocabulary:
    times = [(tuple(fold_text(phrase).split()), kind) for kind, phrases in words.times.items() for phrase in phrases]
    return _Vocabulary(
        date=words.date_format,
        months=tuple(names[0] for names in dates.months),
        weekdays={fold_text(name): number for number, name in enumerate(words.weekdays)},
        last=frozenset(map(fold_text, words.last)),
        filler=frozenset(map(fold_text, words.filler)),
        conjunctions=frozenset(map(fold_text, words.conjunctions)),
        pronouns=frozenset(map(fold_text, words.pronouns)),
        time_phrases=tuple(sorted(times, key=lambda each: -len(each[0]))),
    )
