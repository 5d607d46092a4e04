"""Find how a claim differs from similar sentences: date, number, name, negation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise, permutations

from eclair.citations.actors import find_other_actor, find_other_holder
from eclair.citations.claims import normalize_words
from eclair.citations.clauses import YEARS, find_mixed_clause, is_partly_negated, subject_pronouns
from eclair.citations.evidence import Claim, EvidenceSentence
from eclair.citations.opposites import find_counterpart, find_opposite, has_denied_opposite
from eclair.citations.roles import find_swapped_role
from eclair.citations.weekdays import find_differing_day, is_weekday, names_day
from eclair.text.facts import Facts, negation_scope
from eclair.text.language import capitalizes_nouns
from eclair.text.lexicon.loader import merge_words
from eclair.text.terms import MIN_STEM_CHARS, Term, fold_text, is_content_word, strip_ending
from eclair.text.written_numbers import ORDINAL, Number, is_certain

REPEAT_OVERLAP = 0.85
"""From this share of its words on, a claim repeats a span rather than joins it with another."""

FREE_OVERLAP = 0.5
"""With a smaller share of its words in a span, a claim is in words of its own."""

MAX_DAY = 31
MIN_COMPOUND_END_CHARS = 5
MIN_SPELLED_OUT_CHARS = 6
"""Words of an initialism that aren't capitalized; shorter ones have some initials by chance."""


@dataclass(frozen=True, slots=True)
class ComparisonContext:
    """Everything a claim is compared with: the sentences of a span, of its whole passage, and all there are.

    `language` is the passage's; `title_numbers` and `title_stems` are those of its name and headings, `implied_names`
    these stems and those of the names at the beginning of its file.
    `capitalized_stems` are written with a capital within sentences, `lowercase_stems` without. `is_translated` says
    that the claim is in another language than the passage; `overlap` is the share of its words in the span.
    """

    span: Sequence[EvidenceSentence]
    passage: Sequence[EvidenceSentence]
    all_sentences: Sequence[EvidenceSentence]
    language: str | None
    implied_names: frozenset[str]
    title_numbers: Sequence[Number]
    title_stems: frozenset[str]
    capitalized_stems: set[str]
    lowercase_stems: set[str]
    is_translated: bool
    overlap: float

    def is_name(self, term: Term, after: Term | None = None) -> bool:
        """Tell whether a capitalized word is a name; `after` is the next, since first and last name go together."""
        if term.stem in self.lowercase_stems or (term.starts_sentence and term.key in first_words()):
            return False
        is_initialism = len(term.text) > 1 and term.text.isupper()
        if not term.starts_sentence or term.stem in self.capitalized_stems or is_initialism:
            return True
        return after is not None and after.is_capitalized and not capitalizes_nouns(self.language)


@dataclass(frozen=True, slots=True)
class Difference:
    """The part of a claim that differs from a span; empty if there is no word of the claim to name.

    It isn't certain where a claim says the same in its own words: `nothing is paid` for `free`.
    """

    about: str
    is_certain: bool


def find_difference(claim: Claim, context: ComparisonContext) -> Difference | None:
    """Return how the claim differs from the span; None if it doesn't."""
    is_free = context.overlap < FREE_OVERLAP
    if (date := _find_differing_date(claim, context)) is not None:
        return Difference(date, True)
    if (number := _find_differing_number(claim, context)) is not None:
        others = [other for sentence in context.span for other in sentence.numbers]
        is_comparable = any(number.has_kind_of(other) for other in others)
        return Difference(number.text, not (number.is_spelled_out and not is_comparable and is_free))
    if (day := find_differing_day(claim.text, [sentence.text for sentence in context.span])) is not None:
        is_range = len(day.days) > 1 and not day.is_group
        return Difference(day.text, is_range or not is_free)
    if context.is_translated:
        negation = _find_differing_negation(claim, context)
        return None if negation is None else Difference(negation, True)
    if _is_repeated(claim, context.span):
        return None
    name = _find_differing_name(claim, context) or _find_other_subject(claim, context)
    if name is not None:
        return Difference(name, not (is_free and capitalizes_nouns(context.language)))
    holder = find_other_holder(claim, context.passage, context.all_sentences, context.language)
    actor = holder or find_other_actor(claim, context.span, context.passage, context.title_stems, context.language)
    if actor is not None:
        return Difference(actor, True)
    opposite = find_opposite(claim, context.span) or find_counterpart(claim, context.span)
    if opposite is not None:
        return Difference(opposite.text, True)
    if has_denied_opposite(claim, context.span):
        return None
    if not is_partly_negated(claim, context.span, context.language):
        negation = _find_differing_negation(claim, context)
        if negation is not None:
            return Difference(negation, not is_free)
    about = find_mixed_clause(claim, context.span, context.language)
    if about is None:
        about = _find_foreign_figure(claim, context.span)
    if about is None:
        about = find_swapped_role(claim, context.span, context.language)
    return None if about is None else Difference(about, not is_free)


def _is_repeated(claim: Claim, span: Sequence[EvidenceSentence]) -> bool:
    """Tell whether the span has the claim's words and digits, all of them and in their order.

    Across a semicolon only where the claim has one, too: what begins there is said of the next words.
    """
    stated = " ".join(sentence.text for sentence in span)
    parts = (stated,) if ";" in claim.text else stated.split(";")
    return any(f" {normalize_words(claim.text)} " in f" {normalize_words(part)} " for part in parts)


def is_stated(number: Number, stated: Sequence[Number], date_numbers: set[float]) -> bool:
    """Tell whether a number is among those stated, or is part of a date."""
    return any(number.matches(other) for other in stated) or not number.values.isdisjoint(date_numbers)


def numbers_in_dates(sentences: Sequence[EvidenceSentence]) -> set[float]:
    """Return the years and days of the dates in sentences."""
    return set[float]().union(*(date_parts(sentence.facts) for sentence in sentences))


def date_parts(facts: Facts) -> set[float]:
    """Return the years and days of dates, which another sentence may state alone."""
    parts = (value for date in facts.dates for year, _, day in date.readings for value in (year, day))
    return {float(value) for value in parts if value is not None}


def _find_differing_date(claim: Claim, context: ComparisonContext) -> str | None:
    dates = [date for sentence in context.span for date in sentence.facts.dates]
    passage_dates = [date for sentence in context.passage for date in sentence.facts.dates]
    stated = {value for sentence in context.span for number in sentence.numbers for value in number.values}
    for date in claim.facts.dates:
        if any(date.matches(other) for other in dates):
            continue
        years = {value for reading in date.readings for value in reading if value is not None and value > MAX_DAY}
        if not dates and ((years and years <= stated) or any(date.matches(other) for other in passage_dates)):
            continue
        return date.text
    return None


def _find_differing_number(claim: Claim, context: ComparisonContext) -> Number | None:
    stated = [number for sentence in context.span for number in sentence.numbers]
    date_numbers = numbers_in_dates(context.span)
    unused, unmatched = list(stated), list[Number]()
    for number in claim.facts.numbers:
        match = next((other for other in unused if number.matches(other)), None)
        if match and _counts_another(claim, number, match, context.span) and _counts_same(claim, number, context.span):
            return number
        if match:
            unused.remove(match)
        elif is_certain(number) and number.values.isdisjoint(date_numbers):
            unmatched.append(number)
    has_other_number = any(
        is_certain(other)
        and (not other.is_spelled_out or other.unit == "share")
        and not is_stated(other, unmatched, set())
        for other in unused
    )
    in_passage = [number for sentence in context.passage for number in sentence.numbers]
    for number in unmatched:
        if _is_change(claim, number, context.span):
            continue
        if _names_same(claim, number, context) or is_stated(number, context.title_numbers, set()):
            continue
        rivals = unused if number.unit == "share" else stated
        if number.is_spelled_out and not any(_could_differ(number, other) for other in rivals):
            continue
        if number.unit == ORDINAL and 1.0 in number.values and not _has_same_noun(claim, number, context.span):
            continue
        is_measured = any(number.has_kind_of(other) and not number.matches(other) for other in unused)
        if is_measured or _counts_same(claim, number, context.span):
            return number
        if not has_other_number and is_stated(number, in_passage, numbers_in_dates(context.passage)):
            continue
        if not context.is_translated and context.overlap < REPEAT_OVERLAP and _joins_another(claim, number, context):
            continue
        return number
    return None


def _find_foreign_figure(claim: Claim, span: Sequence[EvidenceSentence]) -> str | None:
    """Return the amount that a claim takes from one sentence for what the next says with another amount."""
    words = frozenset(stem for stem in claim.weights if stem[0] != "#")
    claimed = claim.facts.numbers
    for one, other in permutations(span, 2):
        if not words & one.stems < words & other.stems:
            continue
        for number in claimed:
            left = [each for each in other.numbers if not any(each.matches(mine) for mine in claimed)]
            is_foreign = is_stated(number, one.numbers, set()) and not is_stated(number, other.numbers, set())
            if number.unit is not None and is_foreign and any(number.unit == each.unit for each in left):
                return number.text
    return None


def _is_change(claim: Claim, number: Number, span: Sequence[EvidenceSentence]) -> bool:
    """Tell whether a claim compares, and a number is the difference of two in a row: `by 500` for `from 900 to 400`."""
    if not any(term.key in comparatives() for term in claim.facts.terms):
        return False
    pairs = [
        (one, other)
        for sentence in span
        for one, other in pairwise(sorted(sentence.numbers, key=lambda each: each.start))
        if None in (one.unit, other.unit) or one.unit == other.unit
    ]
    return any(
        number.matches(replace(other, values=frozenset((abs(left - right),)), unit=other.unit or one.unit))
        for one, other in pairs
        for left in one.values
        for right in other.values
    )


def _could_differ(number: Number, stated: Number) -> bool:
    """Tell whether a number in words says something else than one that is stated, rather than what that doesn't."""
    if number.unit == ORDINAL:
        return stated.unit == ORDINAL
    if number.unit == "share":
        return stated.unit in ("share", "%")
    return number.has_kind_of(stated) or (is_certain(stated) and stated.unit not in ("share", ORDINAL))


def _has_same_noun(claim: Claim, ordinal: Number, span: Sequence[EvidenceSentence]) -> bool:
    """Tell whether a span has an ordinal before the same word: `first floor` may differ, `at first` doesn't."""
    noun = _word_after(claim.facts, ordinal)
    return noun is not None and any(
        other.unit == ORDINAL and (word := _word_after(sentence.facts, other)) is not None and word.stem == noun.stem
        for sentence in span
        for other in sentence.numbers
    )


def _counts_same(claim: Claim, number: Number, span: Sequence[EvidenceSentence]) -> bool:
    """Tell whether a span has another number of the same things: `three photos` for `twelve photos`."""
    noun = _word_after(claim.facts, number)
    return noun is not None and any(
        is_certain(other) and (word := _word_after(sentence.facts, other)) is not None and word.stem == noun.stem
        for sentence in span
        for other in sentence.numbers
        if not number.matches(other) and (number.unit == other.unit or number.has_kind_of(other))
    )


def _counts_another(claim: Claim, number: Number, match: Number, span: Sequence[EvidenceSentence]) -> bool:
    """Tell whether a span's number is of other things than a claim's: `two rooms` beside `2nd floor`."""
    if ORDINAL in (number.unit, match.unit):
        return number.unit != match.unit
    noun = _word_after(claim.facts, number)
    if number.unit is None and match.unit is not None:
        return noun is not None
    counted = next((_word_after(sentence.facts, match) for sentence in span if match in sentence.numbers), None)
    return noun is not None and counted is not None and counted.stem != noun.stem


def _word_after(facts: Facts, number: Number) -> Term | None:
    """The content word right after a number that isn't a year."""
    if number.unit is None and number.text.isdecimal() and float(number.text) in YEARS:
        return None
    word = next((term for term in facts.terms if 0 <= term.start - number.end <= 2), None)
    return word if word is not None and is_content_word(word) else None


def _names_same(claim: Claim, number: Number, context: ComparisonContext) -> bool:
    """Tell whether a number only names something, which the passage calls so too: `line 7` of `tramline 7`."""
    word = _word_before(claim.facts, number)
    return word is not None and any(
        other.matches(number)
        and (named := _word_before(sentence.facts, other)) is not None
        and (named.stem == word.stem or named.key.endswith(word.key))
        for sentence in context.passage
        for other in sentence.numbers
    )


def _word_before(facts: Facts, number: Number) -> Term | None:
    """The content word right before a number that has no unit."""
    if number.unit is not None or number.is_spelled_out:
        return None
    return next((term for term in facts.terms if term.end == number.start - 1 and is_content_word(term)), None)


def _joins_another(claim: Claim, number: Number, context: ComparisonContext) -> bool:
    """Tell whether a sentence beyond the span has the number, and words of the claim that the span lacks."""
    here = frozenset[str]().union(*(sentence.stems for sentence in context.span))
    missing = {stem for stem in claim.weights if stem not in here}
    return any(
        sentence not in context.span
        and is_stated(number, sentence.numbers, numbers_in_dates([sentence]))
        and missing & sentence.stems
        for sentence in context.all_sentences
    )


def _find_differing_name(claim: Claim, context: ComparisonContext) -> str | None:
    here = frozenset[str]().union(*(sentence.stems for sentence in context.span))
    in_passage = frozenset[str]().union(*(sentence.stems for sentence in context.passage), context.implied_names)
    has_other_name = any(
        term.is_capitalized and is_content_word(term) and term.stem not in claim.weights and context.is_name(term)
        for sentence in context.span
        for term in sentence.facts.terms
    )
    terms = claim.facts.terms
    names_days = any(names_day(sentence.text) for sentence in context.span)
    for position, term in enumerate(terms):
        if (
            not term.is_capitalized
            or not is_content_word(term)
            or (term.starts_sentence and term.key in first_words())
            or any(number.start <= term.start < number.end for number in claim.facts.numbers)
        ):
            continue
        if term.starts_sentence and term.stem in context.lowercase_stems:
            continue
        if names_days and is_weekday(term.text):
            continue  # compared as a day
        if _is_swapped_name(terms, position, context.span):
            return term.text
        if term.stem in here or _has_inflection(term, here) or not context.is_name(term, _term_at(terms, position + 1)):
            continue
        if _is_acronym(term, context.passage) or _is_initialism(term, context.span):
            continue
        if _ends_compound(term, context.passage):
            continue
        if capitalizes_nouns(context.language) and not _is_name_by_position(terms, position):
            continue
        if not has_other_name and (term.stem in in_passage or _has_inflection(term, in_passage)):
            continue
        return term.text
    return None


def _find_other_subject(claim: Claim, context: ComparisonContext) -> str | None:
    """Return the name that a claim puts in place of the one in a sentence, from the sentence beside it."""
    terms = claim.facts.terms
    words = {at: term for at, term in enumerate(terms) if is_content_word(term)}
    if len(context.span) < 2 or capitalizes_nouns(context.language):
        return None
    for sentence in context.span:
        if sentence.facts.terms[:1] and sentence.facts.terms[0].key in subject_pronouns(context.language):
            continue  # its subject is in the sentence before
        lacking = {
            at: term
            for at, term in words.items()
            if term.stem not in sentence.stems and not _is_title(terms, at, sentence, context.span)
        }
        others = [term for term in sentence.facts.terms if term.is_capitalized and context.is_name(term)]
        are_names = all(
            term.is_capitalized and context.is_name(term, _term_at(terms, at + 1)) for at, term in lacking.items()
        )
        if lacking and are_names and any(term.stem not in claim.weights for term in others):
            return next(iter(lacking.values())).text
    return None


def _is_title(terms: Sequence[Term], at: int, sentence: EvidenceSentence, span: Sequence[EvidenceSentence]) -> bool:
    """Tell whether a name of a sentence has the word before it in another, as `Captain` stands before `Jo Marsh`."""
    name = _stem_at(terms, at + 1)
    return name in sentence.stems and any({terms[at].stem, name} <= other.stems for other in span)


def _has_inflection(term: Term, stems: frozenset[str]) -> bool:
    """Tell whether one of the stems is an inflection of the name: they share most of their beginning."""
    shared = max(4, math.ceil(len(term.stem) * 0.7))
    return len(term.stem) >= 4 and any(stem[:shared] == term.stem[:shared] for stem in stems)


def _is_swapped_name(terms: Sequence[Term], position: int, sentences: Sequence[EvidenceSentence]) -> bool:
    """Tell whether the sentences have another capitalized word between the same neighbors.

    False where they have the name itself.
    """
    name, before, after = terms[position], _stem_at(terms, position - 1), _stem_at(terms, position + 1)
    is_swapped = False
    for sentence in sentences:
        others = sentence.facts.terms
        for at, other in enumerate(others):
            same_before, same_after = _stem_at(others, at - 1) == before, _stem_at(others, at + 1) == after
            if other.stem == name.stem or _is_part_of(name, other):
                return False
            if same_before and same_after and other.is_capitalized:
                is_swapped |= not _has_inflection(other, frozenset((name.stem,)))
    return is_swapped


def _is_part_of(name: Term, other: Term) -> bool:
    """Tell whether a compound contains the word, as `Seniorengruppe` does `Senioren`."""
    part = strip_ending(name.key)
    return len(part) > MIN_COMPOUND_END_CHARS and part in other.key and len(other.key) - len(part) >= MIN_STEM_CHARS


def _is_acronym(term: Term, sentences: Sequence[EvidenceSentence]) -> bool:
    """Tell whether it is the initials of capitalized words in a row, as EU is of European Union."""
    if not term.text.isupper() or len(term.text) < 2:
        return False
    return any(
        term.text in "".join(word.text[0] for word in sentence.facts.terms if word.is_capitalized)
        for sentence in sentences
    )


def _is_initialism(term: Term, span: Sequence[EvidenceSentence]) -> bool:
    """Tell whether it is the initials of long words in a row, as AI is of artificial intelligence."""
    if not term.text.isupper() or len(term.text) < 2:
        return False
    for sentence in span:
        words = sentence.facts.terms
        for at in range(len(words) - len(term.key) + 1):
            row = words[at : at + len(term.key)]
            if all(
                word.key[0] == initial and len(word.key) >= MIN_SPELLED_OUT_CHARS
                for word, initial in zip(row, term.key, strict=True)
            ):
                return True
    return False


def _ends_compound(term: Term, sentences: Sequence[EvidenceSentence]) -> bool:
    """Tell whether a compound ends with the word, as `Straßenbahnlinie` does with `Linie`."""
    return len(term.key) >= MIN_COMPOUND_END_CHARS and any(
        other.key != term.key and other.key.endswith(term.key)
        for sentence in sentences
        for other in sentence.facts.terms
    )


def _is_name_by_position(terms: Sequence[Term], position: int) -> bool:
    """Guess whether a capitalized word is a name where every noun is capitalized.

    It is taken for one at the beginning, after a preposition, and after another capitalized word.
    """
    if position == 0:
        return True
    before = terms[position - 1]
    is_opening = before.starts_sentence and (not is_content_word(before) or before.key in first_words())
    return (before.is_capitalized and not is_opening) or before.key in _words_before_names()


@cache
def first_words() -> frozenset[str]:
    """Return words that begin a sentence without being names."""
    listed = merge_words(
        lambda lexicon: (
            *lexicon.grammar.first_words,
            *lexicon.grammar.stop_words,
            *lexicon.sentences.openers,
            *lexicon.identification.words,
            *lexicon.negation.words,
        )
    )
    return frozenset(map(fold_text, listed))


@cache
def comparatives() -> frozenset[str]:
    """Return words by which two figures are compared."""
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.comparison.comparatives)))


@cache
def _words_before_names() -> frozenset[str]:
    return merge_words(lambda lexicon: lexicon.grammar.words_before_names)


def _term_at(terms: Sequence[Term], position: int) -> Term | None:
    return terms[position] if 0 <= position < len(terms) else None


def _stem_at(terms: Sequence[Term], position: int) -> str:
    return terms[position].stem if 0 <= position < len(terms) else ""


NegationAt = tuple[Facts, int]
"""The facts of a sentence, and the position of a negation among its terms."""


def _find_differing_negation(claim: Claim, context: ComparisonContext) -> str | None:
    """Return the claim's negation that the span lacks; empty where the span has one that the claim lacks."""
    mine = claim.facts
    theirs = [(sentence.facts, at) for sentence in context.span for at in sentence.facts.negations]
    if context.is_translated:
        return mine.terms[mine.negations[0]].text if mine.negations and not theirs else None
    unmatched = [at for at in mine.negations if not _pop_first(theirs, partial(_has_same_neighbor, (mine, at)))]
    for at in unmatched:
        denied = negation_scope(mine, at, 5)
        if context.overlap >= REPEAT_OVERLAP or not _pop_first(theirs, partial(_denies_any, denied)):
            return mine.terms[at].text
    neighbors = {(_stem_at(mine.terms, at), _stem_at(mine.terms, at + 1)) for at in range(-1, len(mine.terms))}
    for facts, at in theirs:
        denied = negation_scope(facts, at, 3)
        if (_stem_at(facts.terms, at - 1), _stem_at(facts.terms, at + 1)) in neighbors:
            return ""
        if len(denied) > 1 and denied <= claim.weights.keys() and not mine.negations:
            return ""
    return None


def _has_same_neighbor(one: NegationAt, other: NegationAt) -> bool:
    """Tell whether two negations have the same word before or after them."""
    (mine, at), (theirs, there) = one, other
    return _stem_at(mine.terms, at - 1) == _stem_at(theirs.terms, there - 1) or (
        _stem_at(mine.terms, at + 1) == _stem_at(theirs.terms, there + 1)
    )


def _denies_any(stems: set[str], negation: NegationAt) -> bool:
    facts, at = negation
    return bool(stems & negation_scope(facts, at, 6))


def _pop_first(negations: list[NegationAt], fits: Callable[[NegationAt], bool]) -> bool:
    """Remove the first negation that fits; tell whether there was one."""
    for negation in negations:
        if fits(negation):
            negations.remove(negation)
            return True
    return False
