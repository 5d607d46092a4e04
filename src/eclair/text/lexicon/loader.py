"""Load the rules of a language from `<code>.json`, once, on first use.

To add a language, add its file: every section must be there, `{}`, `[]` or `""` where a rule has nothing for it. Most
rules read a text whose language is unknown, so they match what any language lists; `merge_words` and `merge_patterns`
give them that. Words are looked up case-folded unless a section says otherwise; patterns are regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import orjson

Words = Sequence[str]
Patterns = Sequence[str]

_NO_WORDS: Words = ()
_NO_LISTS: Mapping[str, Words] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """Marks of a language: its small words, its rare letters, and the characters of a script that it alone uses."""

    words: Words = _NO_WORDS
    letters: str = ""
    script: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """Words that say little by themselves, inflectional `endings`, and elided articles such as `l` or `dell`.

    Elided articles stand before an apostrophe. Where every noun is capitalized, `words_before_names` tell a name.
    `first_words` such as `mostly` often begin a sentence, and are no names for their capital letter.
    """

    stop_words: Words = _NO_WORDS
    endings: Words = _NO_WORDS
    elisions: Words = _NO_WORDS
    capitalizes_nouns: bool = False
    words_before_names: Words = _NO_WORDS
    first_words: Words = _NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceRules:
    """Full stops that end no sentence, and the words that decide it.

    They stand after abbreviations, before a number (`No. 5`), and in ordinals (`am 3. Mai`), which are recognized by
    the articles before and the nouns after them. `openers` begin a sentence rather than go on after an initial.
    """

    abbreviations: Words = _NO_WORDS
    numbered_abbreviations: Words = _NO_WORDS
    openers: Words = _NO_WORDS
    ordinal_nouns: Words = _NO_WORDS
    ordinal_articles: Words = _NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation:
    """Words that negate.

    `ambiguous` ones mean something else in another language, so they count only if the language is known. Before a
    limiter (`not only`) a negation denies nothing.
    """

    words: Words = _NO_WORDS
    ambiguous: Words = _NO_WORDS
    limiters: Words = _NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberWords:
    """Number words by value, scales (`million`) by factor, units by symbol, and suffixes of ordinals and decades.

    `ambiguous` ones are another word in another language. Suffixes are those of `3rd` and `1990s`. `joiners` stand
    within a number of two words (`treinta y cinco`), `joined_ones` are the 1 of such a number (`veintiuno`, `vingt et
    un`), and `hundred_joiners` stand only after hundreds and thousands (`two hundred and six`). `multiples` multiply a
    number before them (`deux cents`); hundreds and thousands among the `words` do, too. `ordinals` are words by value,
    `ones` phrases such as `a year` by unit. Shares are `halves` and patterns in which `{part}` is a number,
    `{denominator}` one of `denominators`, `{ordinal}` one of `ordinals`, and `{whole}` the number that the part is
    taken of: `one in four`. An hour of the afternoon is followed by one of `past_noon`.
    """

    words: Mapping[str, Words] = field(default_factory=lambda: _NO_LISTS)
    ambiguous: Words = _NO_WORDS
    scales: Mapping[str, Words] = field(default_factory=lambda: _NO_LISTS)
    units: Mapping[str, Words] = field(default_factory=lambda: _NO_LISTS)
    unit_prepositions: Words = _NO_WORDS
    percent_phrases: Words = _NO_WORDS
    joiners: Words = _NO_WORDS
    joined_ones: Words = _NO_WORDS
    hundred_joiners: Words = _NO_WORDS
    multiples: Mapping[str, Words] = field(default_factory=lambda: _NO_LISTS)
    ordinals: Mapping[str, Words] = field(default_factory=lambda: _NO_LISTS)
    ones: Mapping[str, Words] = field(default_factory=lambda: _NO_LISTS)
    denominators: Mapping[str, Words] = field(default_factory=lambda: _NO_LISTS)
    halves: Words = _NO_WORDS
    shares: Patterns = ()
    noon: Words = _NO_WORDS
    past_noon: Words = _NO_WORDS
    ordinal_suffixes: Words = _NO_WORDS
    decade_suffixes: Words = _NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class DateWords:
    """Names of the twelve months, suffixes of a day, and what may stand before a month or year.

    The first name of a month is the one to write; what stands before a month includes its space. The days of a week
    are named in `QueryWords`; `weekdays` are those from Monday to Friday, and `until` stands between the first and the
    last of several days.
    """

    months: Sequence[Words] = ()
    day_suffixes: Words = _NO_WORDS
    month_prefixes: Words = _NO_WORDS
    year_prefixes: Words = _NO_WORDS
    weekday_abbreviations: Sequence[Words] = ()
    weekdays: Words = _NO_WORDS
    weekend: Words = _NO_WORDS
    until: Words = _NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryWords:
    """Words of questions that are rewritten in a search query, without accents.

    `times` are phrases by span (`today`, `last_week`, ...); `last` goes with a weekday, in either order. `filler` asks
    without saying for what. A question that opens with one of `conjunctions`, or has one of `pronouns` and is short,
    goes on from the question before.
    """

    date_format: str
    weekdays: Words
    last: Words
    filler: Words
    conjunctions: Words
    pronouns: Words
    times: Mapping[str, Words]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebIntent:
    """Patterns, without accents, of questions that depend on the day, and of `small_talk`, which asks nothing.

    The day, the news, the present, a price, or who holds an office now (`who_is` before one of `offices`). `forms`
    are whole questions: on the weather, a result, what holds now, a price. `timeless` ones only look like these.
    `tasks` begin a request that asks for no facts, such as `translate`, after any of the `courtesies`.
    """

    today: Patterns = ()
    news: Patterns = ()
    current: Patterns = ()
    price: Patterns = ()
    offices: Patterns = ()
    who_is: Patterns = ()
    small_talk: Patterns = ()
    weather_forms: Patterns = ()
    result_forms: Patterns = ()
    current_forms: Patterns = ()
    price_forms: Patterns = ()
    timeless: Patterns = ()
    who: Patterns = ()
    tasks: Patterns = ()
    courtesies: Patterns = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeDocument:
    """Patterns, without accents, of requests that concern all of a document: to sum up, compare, list all.

    `nouns` (`summary`) count at the start of a request, after one of `openings` too, or after one of `determiners`;
    not before one of `not_nouns_before`. `{these}` in `patterns` stands for the phrases under `these`. The
    `request_words` say only that the whole is asked for; they are compared by their stems. Such a request compares
    documents if it has one of `comparisons`, and lists what `dates` and the like name if it has one of `listings`.
    `across_files` ask the same of each of several files.
    """

    nouns: Patterns = ()
    not_nouns_before: Patterns = ()
    openings: Patterns = ()
    determiners: Patterns = ()
    these: Patterns = ()
    patterns: Patterns = ()
    comparisons: Patterns = ()
    listings: Patterns = ()
    dates: Patterns = ()
    deadlines: Patterns = ()
    amounts: Patterns = ()
    percentages: Patterns = ()
    emails: Patterns = ()
    phones: Patterns = ()
    links: Patterns = ()
    across_files: Patterns = ()
    request_words: Words = _NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputationWords:
    """Patterns, without accents, of questions that are computed from a table.

    `most` and `fewest` ask for the group with the largest or smallest sum, `largest` and `smallest` for one value.
    `per` stands before what is grouped by, `more_than`, `less_than`, `since` and `until` before a bound. `rows` name
    the rows themselves; `years`, `quarters` and `months` parts of a date to group by.
    """

    sum: Patterns = ()
    average: Patterns = ()
    smallest: Patterns = ()
    largest: Patterns = ()
    most: Patterns = ()
    fewest: Patterns = ()
    count: Patterns = ()
    different: Patterns = ()
    per: Patterns = ()
    more_than: Patterns = ()
    less_than: Patterns = ()
    since: Patterns = ()
    until: Patterns = ()
    rows: Patterns = ()
    years: Patterns = ()
    quarters: Patterns = ()
    months: Patterns = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFacts:
    """Patterns, without accents, of questions for a fact of one kind.

    An amount of `money`, a `year`, a time of day (`clock`), or a number of the things in the group (`count`); at the
    start of a question, who has an office (`person`), or if there is something at all (`existence`). `currencies` are
    patterns of money's names besides those of `NumberWords.units`. `words` only ask, so that no source needs them.
    A question that begins with one of `question_words` isn't answered by yes or no, unless `yes_no` opens it; one that
    begins with one of `requests` asks the assistant to do something.
    """

    money: Patterns = ()
    year: Patterns = ()
    clock: Patterns = ()
    count: Patterns = ()
    person: Patterns = ()
    existence: Patterns = ()
    currencies: Patterns = ()
    words: Words = _NO_WORDS
    question_words: Words = _NO_WORDS
    yes_no: Patterns = ()
    requests: Patterns = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Words by which two sentences are compared.

    `agents` stand before who does it in the passive, whose auxiliaries are `passives`; `prepositions` before other
    roles; `contractions` such as `al:a` join one with an article. `conjunctions`, of which the first is `and`, and
    `contrasts` begin a clause, `contrast_adverbs` stand in one, and `fillers` say nothing in it. Each of `opposites`
    lists words, and after a colon their contraries; each of `counterparts` one party to a contract and the other.
    `subjects` are pronouns that stand for the subject of the clause before; words that are also articles aren't among
    them. `totals` ask for a sum, `exclusions` for what is left without something. `attributions` name a source within
    a sentence; `source_words` say nothing but that it is one. `comparatives` compare two figures. Each of `synonyms`
    lists words that mean the same in a table, such as abbreviations. One of `reflexives` makes a verb passive. Where
    an object may stand first, articles of `either_case` don't tell it from a subject as `object_articles` do, and one
    of `clitics` repeats it. `articles`, or possessives in their place, begin a phrase; `copulas` say what somebody is.
    """

    articles: Words = _NO_WORDS
    copulas: Words = _NO_WORDS
    agents: Words = _NO_WORDS
    passives: Words = _NO_WORDS
    prepositions: Words = _NO_WORDS
    contractions: Words = _NO_WORDS
    conjunctions: Words = _NO_WORDS
    contrasts: Words = _NO_WORDS
    contrast_adverbs: Words = _NO_WORDS
    fillers: Words = _NO_WORDS
    opposites: Words = _NO_WORDS
    counterparts: Words = _NO_WORDS
    subjects: Words = _NO_WORDS
    totals: Words = _NO_WORDS
    comparatives: Words = _NO_WORDS
    synonyms: Words = _NO_WORDS
    reflexives: Words = _NO_WORDS
    either_case: Words = _NO_WORDS
    object_articles: Words = _NO_WORDS
    clitics: Words = _NO_WORDS
    exclusions: Words = _NO_WORDS
    attributions: Words = _NO_WORDS
    source_words: Words = _NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPatterns:
    """Patterns of sentences that make no claim which a passage could support, and of requests for such.

    Greetings, bare answers (`yes`), opinions, closings, disclaimers about the writer or about what follows, and
    denials: that the passages, or the writer, don't tell something. `preambles` say only that the sources tell what
    follows. A letter begins with one of `salutations` and ends with one of `farewells`. A question that has one of
    `drafting` or `translating` asks for a text rather than for facts.
    """

    greetings: Patterns = ()
    answers: Patterns = ()
    disclaimers: Patterns = ()
    preambles: Patterns = ()
    denials: Patterns = ()
    opinions: Patterns = ()
    closings: Patterns = ()
    salutations: Patterns = ()
    farewells: Patterns = ()
    drafting: Patterns = ()
    translating: Patterns = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPagePatterns:
    """Patterns on web pages: of a paywall, of a consent dialog, and of the words beside a page's date.

    Without case and accents: `orders` to a model that reads the page, and `addresses` to it, after which orders come;
    what costs nothing is `free`, and who wins has one of the `outcomes`. `states` are words of which a contrary can't
    hold too, such as `open`.
    """

    paywall: Patterns = ()
    consent: Patterns = ()
    dateline: Patterns = ()
    orders: Patterns = ()
    addresses: Patterns = ()
    states: Words = _NO_WORDS
    free: Patterns = ()
    outcomes: Patterns = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FactLabels:
    """Labels of facts that a page states in its markup, such as a price; English where a language has none."""

    price: str = "Price"
    in_stock: str = "in stock"
    sold_out: str = "sold out"
    opening_hours: str = "Opening hours"
    closed: str = "closed"
    date: str = "Date"
    place: str = "Place"


@dataclass(frozen=True, slots=True)
class TableWords:
    """Words that say what was computed from a table; English where a language has none.

    `query` is all of it; `{}` stands for a column in operations, for a condition in `filters`, elsewhere for a count.
    """

    query: str = "{value}{group} over {rows} rows of {table}{filters}"
    group: str = " by {}"
    filters: str = " where {}"
    conjunction: str = "and"
    disjunction: str = "or"
    part: str = "{part} of {column}"
    year: str = "year"
    quarter: str = "quarter"
    month: str = "month"
    day: str = "day"
    sum: str = "Sum of {}"
    average: str = "Average {}"
    smallest: str = "Smallest {}"
    largest: str = "Largest {}"
    count: str = "Number of rows"
    count_with: str = "Number of rows with {}"
    distinct: str = "Number of different values of {}"
    rows: str = "Rows"
    no_number: str = "no number"
    left_out: str = "{} rows without a number were left out."
    ties: str = "{} rows have this value."
    first_groups: str = "The first {} of {} groups are shown."
    no_date: str = "(no date)"
    empty: str = "(empty)"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebReplies:
    """Replies in place of an answer: nothing was found on the web, or no page that was found could be read."""

    nothing_found: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNumbers:
    """Words of a printed page number: `page` before it, `of` before the count."""

    page: Words = _NO_WORDS
    of: Words = _NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRequests:
    """Patterns, of text without case and accents, of a request for a picture.

    `draw` asks for one by itself, `make` only with one of `pictures` after it, and with `diagrams` nothing does.
    """

    draw: Patterns = ()
    make: Patterns = ()
    pictures: Patterns = ()
    diagrams: Patterns = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWords:
    """Fixed words of a research report."""

    contents: str
    sources: str
    title: str
    site: str
    date: str
    nothing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """Rules of one language.

    `code` is its ISO 639-1 code. `name` is its English name; empty for a language that is known only so that it isn't
    taken for another. `deliberation` has patterns, of text without case and accents, for what asks to think a question
    through; `location` has patterns of words that ask for a place; `news` the words of a query for nothing but news;
    `title_labels` what models write before a title; `nothing_found` the reply where no document answers;
    `not_stated` what stands above the sentences closest to a question that no source answers clearly; `no_difference`
    the reply where two documents that are compared say the same.
    """

    code: str
    name: str
    identification: Identification
    grammar: Grammar
    sentences: SentenceRules
    negation: Negation
    numbers: NumberWords
    dates: DateWords
    queries: QueryWords | None
    web_intent: WebIntent
    deliberation: Patterns
    picture_requests: PictureRequests
    whole_document: WholeDocument
    computation: ComputationWords
    asked_facts: AskedFacts
    location: Patterns
    comparison: Comparison
    claims: ClaimPatterns
    web_pages: WebPagePatterns
    fact_labels: FactLabels
    table_words: TableWords
    web_replies: WebReplies
    news: Words
    title_labels: Words
    page_numbers: PageNumbers
    nothing_found: str
    not_stated: str
    no_difference: str
    report: ReportWords | None


def _folder() -> Traversable:
    return resources.files("eclair.text.lexicon")


@cache
def lexicon_codes() -> frozenset[str]:
    """Return the codes of the languages that have a file."""
    files = (entry.name for entry in _folder().iterdir())
    return frozenset(name.removesuffix(".json") for name in files if name.endswith(".json"))


@cache
def load_lexicon(code: str) -> Lexicon | None:
    """Return the rules of a language; None where it has no file."""
    if code not in lexicon_codes():
        return None
    table: dict[str, Any] = orjson.loads(_folder().joinpath(f"{code}.json").read_bytes())
    return Lexicon(
        code=code,
        name=table["name"],
        identification=Identification(**table["identification"]),
        grammar=Grammar(**table["grammar"]),
        sentences=SentenceRules(**table["sentences"]),
        negation=Negation(**table["negation"]),
        numbers=NumberWords(**table["numbers"]),
        dates=DateWords(**table["dates"]),
        queries=QueryWords(**table["queries"]) if table["queries"] else None,
        web_intent=WebIntent(**table["web_intent"]),
        deliberation=table["deliberation"],
        picture_requests=PictureRequests(**table["picture_requests"]),
        whole_document=WholeDocument(**table["whole_document"]),
        computation=ComputationWords(**table["computation"]),
        asked_facts=AskedFacts(**table["asked_facts"]),
        location=table["location"],
        comparison=Comparison(**table["comparison"]),
        claims=ClaimPatterns(**table["claims"]),
        web_pages=WebPagePatterns(**table["web_pages"]),
        fact_labels=FactLabels(**table["fact_labels"]),
        table_words=TableWords(**table["table_words"]),
        web_replies=WebReplies(**table["web_replies"]),
        news=table["news"],
        title_labels=table["title_labels"],
        page_numbers=PageNumbers(**table["page_numbers"]),
        nothing_found=table["nothing_found"],
        not_stated=table["not_stated"],
        no_difference=table["no_difference"],
        report=ReportWords(**table["report"]) if table["report"] else None,
    )


def choose_phrase(language: str | None, phrase: Callable[[Lexicon], str]) -> str:
    """Return a phrase in a language; in English if it lacks the phrase or isn't known."""
    lexicons = (load_lexicon(code) for code in (language, "en") if code is not None)
    return next(found for lexicon in lexicons if lexicon is not None and (found := phrase(lexicon)))


@cache
def load_lexicons() -> tuple[Lexicon, ...]:
    """Return the rules of all languages, by code."""
    return tuple(lexicon for code in sorted(lexicon_codes()) if (lexicon := load_lexicon(code)) is not None)


def words_in(language: str | None, rule: Callable[[Lexicon], Iterable[str]]) -> frozenset[str]:
    """Return the words that a language lists under a rule; without a list of its own, the longer ones of all."""
    lexicon = load_lexicon(language) if language is not None else None
    own = frozenset(rule(lexicon)) if lexicon is not None else frozenset[str]()
    return own or frozenset(word for word in merge_words(rule) if len(word) > 2)


def merge_words(rule: Callable[[Lexicon], Iterable[str]]) -> frozenset[str]:
    """Return the words that any language lists under a rule."""
    return frozenset(word for lexicon in load_lexicons() for word in rule(lexicon))


def merge_patterns(rule: Callable[[Lexicon], Patterns]) -> str:
    """Return a regular expression, without a group around it, for what any language lists under a rule."""
    return "|".join(dict.fromkeys(pattern for lexicon in load_lexicons() for pattern in rule(lexicon)))


def merge_literals(rule: Callable[[Lexicon], Iterable[str]]) -> str:
    """Return a regular expression for the literal words that any language lists under a rule, longest first."""
    return "|".join(re.escape(word) for word in sorted(merge_words(rule), key=lambda word: (-len(word), word)))
