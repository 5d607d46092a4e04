"""Find a claim that joins what different clauses of a span say, such as the name of one with the figure of another."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

from eclair.citations.claims import DENIALS
from eclair.citations.evidence import Claim, EvidenceSentence
from eclair.citations.opposites import are_opposites, are_synonyms
from eclair.citations.roles import fillers
from eclair.citations.weekdays import weekday_keys
from eclair.citations.worded_figures import read_facts
from eclair.text.facts import Facts
from eclair.text.lexicon.loader import load_lexicon, words_in
from eclair.text.terms import MIN_COMPOUND_PART_CHARS, MIN_STEM_CHARS, Term, fold_text, is_content_word, strip_ending
from eclair.text.written_dates import Date
from eclair.text.written_numbers import ORDINAL, Number

MAX_SHORT_ITEMS = 4
"""A clause with no more to itself says one thing, so that half of it isn't what it says."""

MAX_ELLIPTIC_ITEMS = 3
MAX_DENIED_ITEMS = 2
YEARS = range(1500, 2101)

_KINDS = dict.fromkeys(("s", "min", "h", "d", "wk", "mo", "yr"), "time") | {"share": "%"}
_CLAUSE_END = re.compile(r"[;:—–]|,(?!\d)| - ")


@dataclass(frozen=True, slots=True)
class Clause:
    """The words, figures and negation between two marks or conjunctions, and what sets it against another clause.

    `counted` is the word right after a number, by the number's place. With `goes_on`, a pronoun stands for something of
    the clause before, whose words are among `words`, too.
    """

    words: dict[str, Term]
    numbers: list[Number]
    dates: list[Date]
    counted: dict[int, str]
    is_negated: bool
    contrasts: tuple[Term, ...]
    goes_on: bool = False

    @property
    def is_contrast(self) -> bool:
        return bool(self.contrasts)

    @property
    def denies_another(self) -> bool:
        """Tell whether it says no more than for what the clause before isn't so: `…, cats not`."""
        return self.is_negated and self.size <= MAX_DENIED_ITEMS

    @property
    def size(self) -> int:
        return len(self.words) + len(self.numbers) + len(self.dates)


@dataclass(frozen=True, slots=True)
class _Share:
    """The words and figures of a clause that the compared one lacks: those a claim takes, and those it omits."""

    clause: Clause
    taken: dict[str, Term]
    omitted: dict[str, Term]
    taken_figures: list[Number | Date]
    omitted_figures: list[Number | Date]

    @property
    def is_complete(self) -> bool:
        return not self.omitted_figures and all(map(_is_filler, self.omitted.values()))

    @property
    def takes_first(self) -> bool:
        """Tell whether the claim has the first word or figure of what only this clause has."""
        said = [*self.taken.values(), *self.taken_figures]
        return min((item.start for item in said), default=math.inf) < min(
            (item.start for item in (*self.omitted.values(), *self.omitted_figures)), default=math.inf
        )

    @property
    def size(self) -> int:
        words = [term for term in (*self.taken.values(), *self.omitted.values()) if not _is_filler(term)]
        return len(words) + len(self.taken_figures) + len(self.omitted_figures)


def find_mixed_clause(claim: Claim, span: Sequence[EvidenceSentence], language: str | None) -> str | None:
    """Return the part of the claim that belongs to another clause than the rest; None if nothing does.

    Empty where it lacks a negation, since there is no word of the claim to name.
    """
    clauses = _clauses_of(span, language)
    if (denied := _find_wrongly_denied(claim, clauses, language)) is not None:
        return denied
    for one, other in combinations(clauses, 2):
        found = _find_mixture(claim, one, other, clauses)
        if found is not None:
            return _as_claimed(found, claim.facts)
    return None


def _find_wrongly_denied(claim: Claim, clauses: Sequence[Clause], language: str | None) -> str | None:
    """Return what a clause of the claim denies, where the span denies it of something else: dogs and cats exchanged."""
    denied = [clause for clause in clauses if clause.denies_another and clause.words]
    plain = [clause for clause in clauses if not clause.is_negated]
    said = EvidenceSentence(0, 0, len(claim.text), claim.text, claim.facts, frozenset(), claim.facts.numbers)
    for clause in split_clauses(said, claim.language or language) if denied else ():
        words = clause.words.keys()
        is_denied = any(words & other.words.keys() for other in denied)
        if clause.denies_another and words and not is_denied and any(words <= other.words.keys() for other in plain):
            return next(iter(clause.words.values())).text
    return None


def is_partly_negated(claim: Claim, span: Sequence[EvidenceSentence], language: str | None) -> bool:
    """Tell whether a span denies in one clause and not in another, on which a claim rests at least in part.

    So it does in `dogs are allowed, but cats are not`; `find_mixed_clause` compares the negation then.
    """
    clauses = _clauses_of(span, language)
    is_set_apart = any(clause.is_contrast or clause.denies_another for clause in clauses)
    if not is_set_apart or len(clauses) < 2:
        return False
    shares = [_share(claim, clause, [other for other in clauses if other is not clause]) for clause in clauses]
    resting = [share for share in shares if _takes(share)]
    if all(share.is_complete for share in shares):
        return False
    if any(share.is_complete and not share.clause.is_negated for share in resting):
        return True
    return len({share.clause.is_negated for share in resting}) == 2


def _clauses_of(span: Sequence[EvidenceSentence], language: str | None) -> list[Clause]:
    """Return the clauses of a span; one that goes on with a pronoun has the words of the one before."""
    clauses: list[Clause] = []
    for sentence in span:
        for clause in split_clauses(sentence, language):
            if clause.goes_on and clauses:
                clauses.append(replace(clause, words={**clauses[-1].words, **clause.words}))
            else:
                clauses.append(replace(clause, goes_on=False))
    return clauses


def split_clauses(sentence: EvidenceSentence, language: str | None) -> list[Clause]:
    """Split a sentence at marks and before conjunctions, into clauses that have something to say."""
    marks = {found.end() for found in _CLAUSE_END.finditer(sentence.text)}
    beginnings = {term.start for term in sentence.facts.terms if term.key in _conjunctions(language)}
    clauses: list[Clause] = []
    start, opened = 0, 0
    days = weekday_keys(sentence.text)
    for end in [*sorted(marks | beginnings), len(sentence.text)]:
        clause = _clause(sentence.facts, start, end, language, days)
        is_opening = sentence.text[end - 1 : end] == "," and clause.size == 1
        if is_opening and not clause.is_negated and not clause.is_contrast:
            opened = end
            continue  # goes with what it opens: `In 1998, the lake froze`
        if start < opened and sentence.text[end - 1 : end] == "," and _is_name(sentence.facts, opened, end, days):
            continue  # `The mayor, Ann Lee, thanked the crew`
        if end in beginnings and clause.goes_on and not clause.numbers and not clause.dates:
            continue  # `it falls for students and pensioners to 50 euros`
        start = end
        if clause.size or clause.is_negated:
            clauses.append(clause)
    return clauses


def _is_name(facts: Facts, start: int, end: int, days: Mapping[int, str]) -> bool:
    """Tell whether a part of a sentence is the name of somebody."""
    terms = [term for term in facts.terms if start <= term.start < end]
    figures = [*facts.numbers, *facts.dates]
    return (
        bool(terms)
        and all(term.is_capitalized and term.start not in days for term in terms)
        and not any(start <= figure.start < end for figure in figures)
    )


def split_joined(text: str, language: str | None) -> list[str]:
    """Split a sentence at `and`: into clauses, but also into the items of a list."""
    joining = _joining(language)
    return [part.strip() for part in joining.split(text)] if joining is not None else [text]


def _clause(facts: Facts, start: int, end: int, language: str | None, days: Mapping[int, str]) -> Clause:
    figures = [*facts.numbers, *facts.dates]
    terms = [term for term in facts.terms if start <= term.start < end]
    negations = {facts.terms[at].start for at in facts.negations}
    joining = _conjunctions(language) | _contrasts(language)
    words = [term for term in terms if term.key not in joining]
    led = [figure.end for figure in figures if words and start <= figure.start < end and _leads(figure, words)]
    opening = next((term for term in words if term.start >= max(led, default=start)), None)
    return Clause(
        words={
            days.get(term.start, strip_ending(term.key)): term
            for term in terms
            if (is_content_word(term) or (term.is_capitalized and not term.starts_sentence))
            and term.key not in _contrasts(language)
            and term.key not in DENIALS
            and not any(figure.start <= term.start < figure.end for figure in figures)
        },
        numbers=[number for number in facts.numbers if start <= number.start < end],
        dates=[date for date in facts.dates if start <= date.start < end],
        counted={
            figure.start: strip_ending(term.key)
            for figure in figures
            for term in terms
            if term.start == figure.end + 1 and is_content_word(term) and not _is_filler(term)
        },
        is_negated=any(start <= at < end for at in negations) or (len(terms) > 1 and terms[-1].key in DENIALS),
        contrasts=tuple(term for term in terms if term.key in _contrasts(language)),
        # Further back it may be an object: `Roth opposed the plan, Moll supported it`.
        goes_on=opening is not None and opening.key in subject_pronouns(language),
    )


def _leads(figure: Number | Date, terms: Sequence[Term]) -> bool:
    """Tell whether a clause begins with a figure, as `in 1961 it was rebuilt` does but for one small word."""
    before = [term for term in terms if term.start < figure.start]
    return len(before) <= 1 and not any(map(is_content_word, before))


def _as_claimed(text: str, facts: Facts) -> str:
    """Return what a span says as the claim writes it, which may inflect a word or write a number otherwise."""
    stated = read_facts(text)
    figure = next((figure.text for figure in (*facts.numbers, *facts.dates) if _is_claimed(figure, stated)), None)
    word = strip_ending(fold_text(text))
    return figure or next((term.text for term in facts.terms if strip_ending(term.key) == word), text)


def _find_mixture(claim: Claim, one: Clause, other: Clause, clauses: Sequence[Clause]) -> str | None:
    mine, theirs = _share(claim, one, [other]), _share(claim, other, [one])
    if (figure := _find_other_case(claim, mine, theirs)) is not None:
        return figure
    if not _takes(mine) or not _takes(theirs):
        return _find_foreign_negation(claim, mine, theirs)
    if (contrary := _find_contrary(mine, theirs) or _find_contrary(theirs, mine)) is not None:
        return contrary
    if (figure := _find_other_figure(mine, theirs)) is not None:
        return figure
    if mine.is_complete or theirs.is_complete:
        return _find_foreign_negation(claim, mine, theirs)
    if one.is_negated != other.is_negated:
        negated = mine if one.is_negated else theirs
        if not claim.facts.negations and (len(negated.taken) == 1 or negated.clause.is_contrast):
            return ""
    return _find_crossing(mine, theirs)


def _takes(share: _Share) -> bool:
    return bool(share.taken or share.taken_figures)


def _share(claim: Claim, clause: Clause, others: Sequence[Clause]) -> _Share:
    """Split what only this clause has into what the claim says and what it doesn't."""
    days = weekday_keys(claim.text)
    claimed = {days.get(term.start, strip_ending(term.key)) for term in claim.facts.terms}
    known = {*clause.words}.union(*(other.words for other in others))
    free = [term for term in claim.facts.terms if strip_ending(term.key) not in known and is_content_word(term)]
    claimed |= {word for word, term in clause.words.items() if any(_is_same_thing(term, other) for other in free)}
    elsewhere = {word for other in others for word in other.words}
    elsewhere |= {
        word
        for word, term in clause.words.items()
        if any(are_synonyms(term, same) for other in others for same in other.words.values())
    }
    own = {word: term for word, term in clause.words.items() if word not in elsewhere}
    figures: list[Number | Date] = [
        number
        for number in clause.numbers
        if not any(number.matches(same) for other in others for same in other.numbers)
    ]
    figures += [
        date for date in clause.dates if not any(date.matches(same) for other in others for same in other.dates)
    ]
    taken = [figure for figure in figures if _is_claimed(figure, claim.facts)]
    return _Share(
        clause,
        {word: term for word, term in own.items() if word in claimed},
        {word: term for word, term in own.items() if word not in claimed},
        taken,
        [figure for figure in figures if figure not in taken],
    )


def _is_same_thing(term: Term, claimed: Term) -> bool:
    """Tell whether a word of a claim is a part of a clause's compound, or a synonym: `Senioren`, `Seniorengruppe`."""
    short, long = sorted((strip_ending(term.key), strip_ending(claimed.key)), key=len)
    is_part = len(short) > MIN_COMPOUND_PART_CHARS and short in long and len(long) - len(short) >= MIN_STEM_CHARS
    return is_part or are_synonyms(term, claimed)


def _is_claimed(figure: Number | Date, facts: Facts) -> bool:
    if isinstance(figure, Number):
        in_dates = {float(value) for date in facts.dates for reading in date.readings for value in reading if value}
        return any(figure.matches(number) for number in facts.numbers) or not figure.values.isdisjoint(in_dates)
    years = {float(reading[0]) for reading in figure.readings if reading[0] is not None}
    return any(figure.matches(date) for date in facts.dates) or any(
        not number.values.isdisjoint(years) for number in facts.numbers
    )


def _find_foreign_negation(claim: Claim, mine: _Share, theirs: _Share) -> str | None:
    """Compare the claim's negation with that of the clause it rests on, where the other denies something else."""
    one, other = mine.clause, theirs.clause
    is_contrast = (
        one.is_contrast
        or other.is_contrast
        or one.denies_another
        or other.denies_another
        or bool(one.words.keys() & other.words.keys())
    )
    if one.is_negated == other.is_negated:
        return None
    negated, plain = (mine, theirs) if one.is_negated else (theirs, mine)
    if not is_contrast and (_takes(negated) or not claim.facts.negations):
        return None
    if not claim.facts.negations:
        return "" if _takes(negated) and negated.is_complete and not plain.is_complete else None
    rests_on_plain = (plain.is_complete or not _takes(negated)) and not (_takes(negated) and negated.is_complete)
    if not rests_on_plain or not _takes(plain):
        return None
    return claim.facts.terms[claim.facts.negations[0]].text


def _find_contrary(one: _Share, other: _Share) -> str | None:
    """Return a word of a clause of which the claim says half, where the other clause has its contrary."""
    if one.is_complete:
        return _find_exchanged(one, other)
    left_out = [*other.omitted.values(), *other.clause.contrasts]
    return next((term.text for term in one.taken.values() if any(are_opposites(term, word) for word in left_out)), None)


def _find_exchanged(one: _Share, other: _Share) -> str | None:
    """Return a word that `one` ends with, where the claim says the rest of `other` and leaves out its contrary.

    `Fires are banned on the lawn, on the beach allowed` doesn't say that fires are allowed on the lawn.
    """
    left_out = [term for term in other.omitted.values() if not _is_filler(term)]
    if not other.taken or other.omitted_figures or len(left_out) != 1:
        return None
    return next((term.text for term in one.taken.values() if are_opposites(term, left_out[0])), None)


def _find_other_figure(one: _Share, other: _Share) -> str | None:
    """Return the figure of `one` that the claim has for a case which `other`, a few words later, gives another figure.

    `The shop closes at 6 pm, on Fridays at 4 pm` doesn't say that it closes at 6 pm on Fridays.
    """
    is_case = bool(other.taken) and not other.omitted and not other.taken_figures and len(other.omitted_figures) == 1
    if not is_case or other.clause.is_negated or other.clause.size > MAX_ELLIPTIC_ITEMS or other.clause.goes_on:
        return None
    figure = other.omitted_figures[0]
    if isinstance(figure, Number) and figure.text.isdecimal() and not _is_year(figure):
        return None  # the parts of an address
    return next((each.text for each in one.taken_figures if _is_same_kind(each, figure)), None)


def _find_other_case(claim: Claim, mine: _Share, theirs: _Share) -> str | None:
    """Return the figure that a claim has for another case than a clause which goes on with a pronoun.

    `The fee is 85 euros; it is 50 euros for students` says neither that the fee is 50 euros nor that it is 85 euros
    for students.
    """
    if not theirs.clause.goes_on or any(term.key in subject_pronouns(claim.language) for term in claim.facts.terms):
        return None
    has_case = not all(map(_is_filler, theirs.taken.values()))
    if has_case:
        taken, left = mine.taken_figures, [] if theirs.taken_figures else theirs.omitted_figures
    elif all(map(_is_filler, theirs.omitted.values())):
        return None
    else:
        taken, left = theirs.taken_figures, [] if mine.taken_figures else mine.omitted_figures
    return next((figure.text for figure in taken if any(_is_same_kind(figure, other) for other in left)), None)


def _is_filler(term: Term) -> bool:
    return term.key in fillers()


def _find_crossing(mine: _Share, theirs: _Share) -> str | None:
    """Return the words that the claim takes from one clause in place of those that the other has there."""
    is_parallel = (
        mine.clause.is_contrast
        or theirs.clause.is_contrast
        or min(mine.size, theirs.size) <= MAX_ELLIPTIC_ITEMS
        or bool(mine.clause.words.keys() & theirs.clause.words.keys())
    )
    for one, other in ((mine, theirs), (theirs, mine)):
        for figure in one.taken_figures:
            counted = one.clause.counted.get(figure.start)
            for omitted in other.omitted_figures if is_parallel else ():
                if _is_label(omitted, other.clause):
                    continue
                other_counted = other.clause.counted.get(omitted.start, counted)
                if _is_same_kind(figure, omitted) and (counted is None or counted == other_counted):
                    return figure.text
    for one, other in ((mine, theirs), (theirs, mine)):
        if is_other_name(one, other):
            return next(term.text for term in one.taken.values() if term.is_capitalized)
    is_short = max(mine.size, theirs.size) <= MAX_SHORT_ITEMS
    is_turned = min(mine.size, theirs.size) <= MAX_ELLIPTIC_ITEMS and mine.takes_first != theirs.takes_first
    if (is_short or is_turned) and mine.taken and theirs.taken:
        return next(iter(mine.taken.values())).text
    return None


def _is_label(figure: Number | Date, clause: Clause) -> bool:
    """Tell whether a figure is a part of a name, as the number of a house is."""
    is_bare = isinstance(figure, Number) and figure.unit is None and figure.text.isdecimal() and not _is_year(figure)
    return is_bare and any(word.is_capitalized and word.end == figure.start - 1 for word in clause.words.values())


def is_other_name(one: _Share, other: _Share) -> bool:
    """Tell whether a claim takes only the names of `one`, and says of them what `other` says of its own."""
    names, other_names = _names(one.taken), _names(other.omitted)
    said, other_said = len(one.taken) - len(names), len(other.taken) - len(_names(other.taken))
    return bool(
        names and other_names and not _names(other.taken) and said == 0 and other_said + len(other.taken_figures) > 0
    )


def _names(words: dict[str, Term]) -> list[Term]:
    return [term for term in words.values() if term.is_capitalized and not term.starts_sentence]


def _is_same_kind(figure: Number | Date, other: Number | Date) -> bool:
    """Tell whether two figures could stand in each other's place: both years, or numbers of the same unit."""
    if isinstance(figure, Date) or isinstance(other, Date):
        return _is_year(figure) and _is_year(other)
    if _is_year(figure) or _is_year(other):
        return _is_year(figure) and _is_year(other)
    units = {_kind(figure), _kind(other)}
    return len(units) == 1 or (None in units and units.isdisjoint(("%", ORDINAL)))


def _kind(number: Number) -> str | None:
    return _KINDS.get(number.unit, number.unit) if number.unit is not None else None


def _is_year(figure: Number | Date) -> bool:
    return isinstance(figure, Date) or (figure.unit is None and all(value in YEARS for value in figure.values))


@cache
def _contrasts(language: str | None) -> frozenset[str]:
    listed = words_in(language, lambda lexicon: (*lexicon.comparison.contrasts, *lexicon.comparison.contrast_adverbs))
    return frozenset(map(fold_text, listed))


@cache
def _conjunctions(language: str | None) -> frozenset[str]:
    """Words that begin a clause."""
    listed = words_in(language, lambda lexicon: (*lexicon.comparison.conjunctions, *lexicon.comparison.contrasts))
    return frozenset(map(fold_text, listed))


@cache
def _joining(language: str | None) -> re.Pattern[str] | None:
    """Match `and` alone, without the other conjunctions."""
    lexicon = load_lexicon(language) if language is not None else None
    listed = lexicon.comparison.conjunctions[:1] if lexicon is not None else ()
    return re.compile(rf"\b{re.escape(listed[0])}\b", re.IGNORECASE) if listed else None


@cache
def subject_pronouns(language: str | None) -> frozenset[str]:
    return frozenset(map(fold_text, words_in(language, lambda lexicon: lexicon.comparison.subjects)))
