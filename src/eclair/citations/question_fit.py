"""Judge the first sentence of an answer together with its question, of which it says only what is new.

`85 euros` claims nothing by itself: question and answer make the statement. So the sentences and rows that state what
is new are looked for. One of them must fit the question about as well as any other does; where another fits it better
and has another figure of the same kind, the answer gives the wrong one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclair.citations.clauses import Clause, split_clauses
from eclair.citations.evidence import Claim, Doubtful, EvidenceSentence, EvidenceSpan, Supported, Verdict
from eclair.citations.index import EvidenceIndex
from eclair.citations.unanswered import is_unanswered
from eclair.text.facts import extract_facts, negation_scope
from eclair.text.intent.asked_fact import CURRENCIES, asked_kind, states_money
from eclair.text.language import capitalizes_nouns, identify_language
from eclair.text.terms import Term, is_content_word, share_word, split_terms, strip_ending
from eclair.text.written_dates import Date
from eclair.text.written_numbers import Number, is_certain

STATED_SUPPORT = 0.9
MAX_ELLIPTIC_WORDS = 2
"""An answer of a figure with no more words after it isn't a statement by itself."""

MAX_NAME_WORDS = 4

CARRIED_WEIGHT, HEADING_WEIGHT = 0.7, 0.5
"""Weights of a word that stands only in the sentence before, or in the heading."""

COSINE_WEIGHT = 5.0
MAX_FIT_GAP = 0.3
"""A sentence that fits the question this much less than the best one isn't meant."""

MIN_RIVAL_LEAD = 0.25
MIN_CHOICE_LEAD = 0.1
"""Enough where the question itself gives the other figure."""

MIN_CLAUSE_LEAD = 0.2
MIN_CLAUSE_SHARE = 0.6
MAX_MISSING_SHARE = 0.45
"""An answer of yes claims what its question asks; with more of its words missing, nothing supports it."""

DENIAL_REACH = 4
"""Words on either side of a negation that it may deny."""

_PARTS = re.compile(r"[?;,]")
"""Between the parts of a question that asks for several things."""
_CELL = re.compile(r"(?:^|\|)[^|\w]*$")
_CELL_END = re.compile(r"[^|\w]*(?:\||$)")


@dataclass(frozen=True, slots=True)
class Said:
    """Figures and words of an answer beyond its question, and words that it repeats of that.

    With `is_choice` there are none: the figures or names are those of the question that the answer chose.
    """

    numbers: tuple[Number, ...]
    dates: tuple[Date, ...]
    words: tuple[Term, ...]
    is_elliptic: bool = True
    repeated: tuple[Term, ...] = ()
    is_choice: bool = False

    @property
    def has_figures(self) -> bool:
        return bool(self.numbers or self.dates)


def read_said(question: str, claim: Claim) -> Said | None:
    """Return what an answer says beyond its question; None if that is too much to compare."""
    said = _said(question, claim)
    words = [term for term in claim.facts.terms if is_content_word(term)]
    if said.has_figures:
        first = min(figure.start for figure in (*said.numbers, *said.dates))
        is_share = any(number.unit in ("%", "share") for number in said.numbers)  # `30 % of the houses are empty`
        has_subject = len(words) + is_share > MAX_ELLIPTIC_WORDS or any(word.start < first for word in said.words)
        return replace(said, is_elliptic=not said.words or not has_subject)
    is_name = 0 < len(said.words) <= MAX_NAME_WORDS and all(
        term.is_capitalized for term in (said.words if said.is_choice else words)
    )
    return said if is_name and not claim.facts.negations else None


def names_choice(question: str, sentence: str) -> bool:
    """Tell whether a sentence that repeats words of its question has a figure or name: `Ben` for `Anna or Ben?`."""
    if any(map(str.isdigit, sentence)):
        return True
    names = _question_names(question)
    return any(term.stem in names for term in split_terms(sentence))


def _question_names(question: str) -> frozenset[str]:
    """Return the stems of the names in a question; none in a language that capitalizes all nouns."""
    if capitalizes_nouns(identify_language(question)):
        return frozenset()
    terms = split_terms(question)
    return frozenset(
        term.stem for term in terms if term.is_capitalized and not term.starts_sentence and is_content_word(term)
    )


def says_only_figures(claim: Claim) -> bool:
    """Tell whether a sentence has no words but those of its figures, as in `It is 85 euros`."""
    figures = (*claim.facts.numbers, *claim.facts.dates)
    words = [term for term in claim.facts.terms if is_content_word(term)]
    return bool(figures) and all(any(each.start <= word.start < each.end for each in figures) for word in words)


def is_other_kind(question: str, claim: Claim) -> str | None:
    """Return the figure of an answer that is of another kind than its question asks for: `10 mg` for a price."""
    if asked_kind(question) != "money" or states_money(claim.text):
        return None
    numbers = [number for number in claim.facts.numbers if number.text not in question]
    return numbers[0].text if numbers and all(number.unit is not None for number in numbers) else None


def judge_answer(
    index: EvidenceIndex, question: str, said: Said, cosines: Sequence[float] | None, verdict: Verdict | None
) -> Verdict | None:
    """Judge the first sentence of an answer, whose `verdict` by itself is known.

    `cosines` are those of question and answer to the sentences of the index.
    """
    if isinstance(verdict, Supported) and verdict.computation is not None:
        return verdict
    asked = [term for term in split_terms(question) if is_content_word(term)]
    if said.is_choice:
        names = _question_names(question)
        asked = [term for term in asked if term.stem not in names] or asked
        meant = [term for term in asked if any(share_word(term, other) for other in said.repeated)]
        asked = meant if meant and said.has_figures else asked
    stating = [at for at, sentence in enumerate(index.sentences) if _states(said, sentence, index.headings[at])]
    if not stating:
        amount = next((number for number in said.numbers if number.unit in CURRENCIES), None)
        return (
            Doubtful(amount.text, verdict.passage)
            if amount is not None and isinstance(verdict, Supported) and said.is_elliptic
            else verdict
        )
    fits = _fits(index, asked, cosines)
    best = max(stating, key=fits.__getitem__)
    rival = _find_rival(index, said, best, fits) if said.is_elliptic else None
    if said.is_choice and (rejected := _find_rejected(index, question, said, best, fits)) is not None:
        figures = [figure.text for figure in (*said.numbers, *said.dates)]
        about = " ".join(figures or [term.text for term in said.words])
        return Doubtful(about, index.passages[index.sentences[rejected].passage].number)
    if rival is not None or (
        said.is_elliptic and _has_better_clause(said, index.sentences[best], asked, index.language_of(best))
    ):
        about = (said.numbers or said.dates)[0].text
        return Doubtful(about, index.passages[index.sentences[best if rival is None else rival].passage].number)
    is_aside = bool(said.dates) and asked_kind(question) == "money"  # a day beside the price asked for
    if said.is_elliptic and said.has_figures and not is_aside:
        part = _answered_part(question, said)
        if part is not None and is_unanswered(index, part, best):
            return Doubtful((said.numbers or said.dates)[0].text, None)
    if _is_open(index, asked, said, verdict) and fits[best] >= max(fits) - MAX_FIT_GAP:
        return index.cite(EvidenceSpan(best, best, 1.0, STATED_SUPPORT))
    return verdict


def _answered_part(question: str, said: Said) -> str | None:
    """Return the parts of a question that an answer repeats words of; None if a figure alone answers one of several."""
    parts = [part for part in _PARTS.split(question) if split_terms(part)]
    if len(parts) < 2:
        return question
    meant = [part for part in parts if any(share_word(a, b) for a in said.repeated for b in split_terms(part))]
    return " ".join(meant) or None


def _is_open(index: EvidenceIndex, asked: Sequence[Term], said: Said, verdict: Verdict | None) -> bool:
    """Tell whether nothing speaks against an answer, or only a name that its question gave.

    The passages must know the name, and state no other figure of it.
    """
    if not isinstance(verdict, Doubtful):
        return verdict is None
    if not verdict.about:
        return said.is_elliptic
    about = split_terms(verdict.about)
    if not about or not all(any(share_word(term, other) for other in asked) for term in about):
        return False
    stems = {term.stem for term in about}
    holders = [sentence for sentence in index.sentences if stems & sentence.stems]
    is_known = bool(holders) or stems <= index.title_stems
    return is_known and not any("|" in each.text or _has_other_figure(said, each) for each in holders)


def judge_yes(index: EvidenceIndex, claim: Claim, verdict: Verdict | None) -> Verdict | None:
    """Judge an answer that begins with yes: it claims all that its question asks."""
    if isinstance(verdict, Doubtful):
        return verdict
    if verdict is None:
        return Doubtful("", None, index.nearest(claim))
    facts = extract_facts(verdict.quote)
    stems = {term.stem for term in claim.facts.terms if is_content_word(term)}
    denied = [negation_scope(facts, at, DENIAL_REACH) & stems for at in facts.negations]
    if not claim.facts.negations and any(2 * len(each) >= len(stems) for each in denied):
        return Doubtful("", verdict.passage, verdict)
    quoted = facts.terms
    titles = index.title_stems
    words = [term for term in claim.facts.terms if is_content_word(term)]
    missing = [
        term for term in words if term.stem not in titles and not any(share_word(term, other) for other in quoted)
    ]
    if len(missing) > MAX_MISSING_SHARE * len(words):
        return Doubtful("", verdict.passage, verdict)
    return verdict


def _said(question: str, claim: Claim) -> Said:
    asked = split_terms(question)
    figures = claim.facts.numbers
    numbers = tuple(number for number in figures if is_certain(number) and number.text.strip() not in question)
    dates = tuple(date for date in claim.facts.dates if date.text not in question)
    spans = [*figures, *claim.facts.dates]
    words = [
        term
        for term in claim.facts.terms
        if is_content_word(term) and not any(figure.start <= term.start < figure.end for figure in spans)
    ]
    repeated = tuple(term for term in words if any(share_word(term, other) for other in asked))
    new = tuple(term for term in words if term not in repeated)
    if numbers or dates or new:
        return Said(numbers, dates, new, repeated=repeated)
    chosen = tuple(filter(is_certain, figures))
    names = _question_names(question) if not (chosen or claim.facts.dates) else frozenset[str]()
    chosen_names = tuple(term for term in words if term.stem in names)
    return Said(chosen, claim.facts.dates, chosen_names, repeated=repeated, is_choice=True)


def _fits(index: EvidenceIndex, asked: Sequence[Term], cosines: Sequence[float] | None) -> list[float]:
    """Return how well each sentence fits: the weighted share of the question's words, less the distance in meaning."""
    hits: list[list[float]] = []
    before: EvidenceSentence | None = None
    for sentence, heading in zip(index.sentences, index.headings, strict=True):
        carried = before.facts.terms if before is not None and _goes_on(before, sentence) else ()
        hits.append([_hit(term, sentence.facts.terms, carried, heading) for term in asked])
        before = sentence
    weights = [math.log(1 + len(hits) / (0.5 + sum(each[at] for each in hits))) for at in range(len(asked))]
    found = [at for at in range(len(asked)) if any(each[at] for each in hits)]
    total = sum(weights[at] for at in found) or 1.0
    shares = [sum(weights[at] * each[at] for at in found) / total for each in hits]
    if not cosines:
        return shares
    nearest = max(cosines)
    return [share - COSINE_WEIGHT * (nearest - cosine) for share, cosine in zip(shares, cosines, strict=True)]


def _goes_on(before: EvidenceSentence, sentence: EvidenceSentence) -> bool:
    """Tell whether a sentence may leave out what the one before says, as the second does in `A is 85. B is 50.`."""
    return before.passage == sentence.passage and "|" not in before.text + sentence.text


def _hit(term: Term, stated: Sequence[Term], carried: Sequence[Term], heading: Sequence[Term]) -> float:
    for words, weight in ((stated, 1.0), (carried, CARRIED_WEIGHT), (heading, HEADING_WEIGHT)):
        if any(share_word(term, other) for other in words):
            return weight
    return 0.0


def _states(said: Said, sentence: EvidenceSentence, heading: Sequence[Term]) -> bool:
    """Tell whether a sentence has all figures of what is said, and its words: most of them beside figures."""
    if not all(any(_is_same(number, other, sentence) for other in sentence.numbers) for number in said.numbers):
        return False
    if not all(any(date.matches(other) for other in sentence.facts.dates) for date in said.dates):
        return False
    here = (*sentence.facts.terms, *heading)
    known = sum(any(share_word(term, other) for other in here) for term in said.words)
    return known >= (0.3 if said.has_figures and said.is_elliptic else 1.0) * len(said.words)


def _is_same(number: Number, other: Number, sentence: EvidenceSentence) -> bool:
    """Tell whether two numbers are the same; an amount of money is no number of something else."""
    if not number.matches(other):
        return False
    if number.unit not in CURRENCIES or other.unit is not None:
        return True
    is_cell = _CELL.search(sentence.text[: other.start]) and _CELL_END.match(sentence.text[other.end :])
    return is_cell is not None and "|" in sentence.text


def _find_rival(index: EvidenceIndex, said: Said, best: int, fits: Sequence[float]) -> int | None:
    """Return the sentence that fits the question clearly better, and has another figure of the same kind."""
    ahead = [at for at, fit in enumerate(fits) if fit >= fits[best] + MIN_RIVAL_LEAD]
    figures = Said(tuple(_with_unit(number, index.sentences[best]) for number in said.numbers), said.dates, ())
    rivals = [at for at in ahead if _has_other_figure(figures, index.sentences[at])]
    return max(rivals, key=fits.__getitem__, default=None)


def _find_rejected(index: EvidenceIndex, question: str, said: Said, best: int, fits: Sequence[float]) -> int | None:
    """Return the sentence that fits the question better than what an answer chose, and states what it rejected.

    If the question gives only what the answer says, any other figure of the same kind is rejected.
    """
    if not said.has_figures:
        first = max(range(len(fits)), key=fits.__getitem__)
        return first if fits[first] >= fits[best] + MIN_RIVAL_LEAD else None
    asked = extract_facts(question)
    numbers = [each for each in asked.numbers if not any(each.matches(mine) for mine in said.numbers)]
    dates = [each for each in asked.dates if not any(each.matches(mine) for mine in said.dates)]
    stating = [
        at
        for at, sentence in enumerate(index.sentences)
        if any(each.matches(other) for each in numbers for other in sentence.numbers)
        or any(each.matches(other) for each in dates for other in sentence.facts.dates)
        or (not (numbers or dates) and _has_other_figure(said, sentence))
    ]
    first = max(stating, key=fits.__getitem__, default=best)
    return first if fits[first] >= fits[best] + MIN_CHOICE_LEAD else None


def _with_unit(number: Number, sentence: EvidenceSentence) -> Number:
    """Return a number as a sentence states it if that has a unit: `21 hours` for an answer of `21`."""
    return next((each for each in sentence.numbers if each.unit is not None and number.matches(each)), number)


def _has_other_figure(said: Said, sentence: EvidenceSentence) -> bool:
    if said.numbers:
        kinds = {_kind(number) for number in said.numbers}
        others = [other for other in sentence.numbers if is_certain(other)]
        is_row = "|" in sentence.text
        return any(_kind(other) in kinds or (is_row and None in kinds) for other in others)
    return bool(said.dates and sentence.facts.dates)


def _kind(number: Number) -> str | None:
    return "money" if number.unit in CURRENCIES else number.unit


def _has_better_clause(said: Said, sentence: EvidenceSentence, asked: Sequence[Term], language: str | None) -> bool:
    """Tell whether another clause of the sentence fits the question better: `pensioners pay 40, students 25`."""
    if len(said.numbers) != 1 or "|" in sentence.text:
        return False
    clauses = [clause for clause in split_clauses(sentence, language) if clause.numbers]
    mine = [clause for clause in clauses if any(said.numbers[0].matches(other) for other in clause.numbers)]
    if len(mine) != 1:
        return False
    kind = _kind(said.numbers[0])
    words = {strip_ending(term.key) for term in asked}
    for clause in clauses:
        if clause is mine[0] or not any(_kind(other) in (kind, None) for other in clause.numbers):
            continue
        has_own = any(word in words for word in clause.words.keys() - mine[0].words.keys())
        theirs, own = _share_asked(clause, words), _share_asked(mine[0], words)
        if has_own and theirs >= MIN_CLAUSE_SHARE and theirs > own + MIN_CLAUSE_LEAD:
            return True
    return False


def _share_asked(clause: Clause, words: set[str]) -> float:
    return sum(word in words for word in clause.words) / max(1, len(clause.words))
