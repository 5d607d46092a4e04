"""Find who is taken for whom: the words of a span in a claim, but two of them in each other's place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate, combinations, pairwise

from eclair.citations.evidence import Claim, EvidenceSentence
from eclair.citations.weekdays import weekday_keys
from eclair.text.facts import Facts
from eclair.text.lexicon.loader import Comparison, Lexicon, load_lexicon, merge_words, words_in
from eclair.text.terms import Term, fold_text, is_content_word, strip_ending

MAX_MARKER_DISTANCE = 3
"""Words between a preposition and the word whose role it tells: `by her predecessor Tom Moll`."""

MAX_NAME_STEP = 2
"""From a word of a name to the next one that a claim and a sentence share: `by the council` of `the city council`."""

AGENT = "by"
"""Marks who does it in the passive, in any language."""


@dataclass(frozen=True, slots=True)
class _Markers:
    """The words of a language before a role; `contractions` joins one with an article."""

    agents: frozenset[str]
    passives: frozenset[str]
    prepositions: frozenset[str]
    contractions: dict[str, str]

    def find(self, terms: Sequence[Term], position: int) -> str:
        """Return the nearest preposition before a word that no other content word parts from it, or nothing."""
        for at in range(position - 1, max(-1, position - 1 - MAX_MARKER_DISTANCE), -1):
            key = terms[at].key
            if terms[at + 1].start - terms[at].end > 1:
                return ""  # across a comma
            if key in self.agents and any(term.key in self.passives for term in terms):
                return AGENT
            if key in self.prepositions or key in self.agents:
                return self.contractions.get(key, key)
            if is_content_word(terms[at]) and not terms[position].is_capitalized:
                return ""
        return ""


@dataclass(frozen=True, slots=True)
class _Role:
    """A word that a claim and a sentence share: its place in each, and the preposition before it in each."""

    term: Term
    claimed: int
    stated: int
    claimed_marker: str
    stated_marker: str

    @property
    def keeps_marker(self) -> bool:
        return self.claimed_marker == self.stated_marker != ""

    @property
    def becomes_agent(self) -> bool:
        return self.claimed_marker == AGENT != self.stated_marker

    @property
    def was_agent(self) -> bool:
        return self.stated_marker == AGENT != self.claimed_marker


def find_swapped_role(claim: Claim, span: Sequence[EvidenceSentence], language: str | None) -> str | None:
    """Return a word of the claim that has another's place in a sentence of the span; None if none has."""
    days = weekday_keys(claim.text)
    for sentence in span:
        shared = _shared_roles(claim.facts, sentence.facts, _markers(language))
        roles = [role for role in shared if role.term.start not in days]
        commas = _commas(claim.facts.terms), _commas(sentence.facts.terms)
        reflexives = _reflexives(language)
        is_reflexive = all(
            any(term.key in reflexives for term in facts.terms) for facts in (claim.facts, sentence.facts)
        )
        for one, other in combinations(roles, 2):
            if commas[0][one.claimed] != commas[0][other.claimed] or commas[1][one.stated] != commas[1][other.stated]:
                continue
            if _is_exchanged(one, other):
                return one.term.text
            if is_reflexive or _may_be_object_first(claim.facts.terms, one, other, roles, language):
                continue
            if _is_turned(one, other, roles):
                return one.term.text
    return None


def _shared_roles(mine: Facts, theirs: Facts, markers: _Markers) -> list[_Role]:
    """The content words that each has once, in the order of the claim.

    One that soon follows the word before it in both has that word's role, unless it has its own: `by the city council`.
    """
    claimed = {strip_ending(term.key): at for at, term in enumerate(mine.terms)}
    stated = {strip_ending(term.key): at for at, term in enumerate(theirs.terms)}
    counts = Counter(strip_ending(term.key) for term in theirs.terms)
    own = Counter(strip_ending(term.key) for term in mine.terms)
    found = [
        _Role(mine.terms[at], at, stated[word], markers.find(mine.terms, at), markers.find(theirs.terms, stated[word]))
        for word, at in sorted(claimed.items(), key=lambda each: each[1])
        if counts[word] == own[word] == 1
        and is_content_word(mine.terms[at])
        and mine.terms[at].key not in fillers()
        and not _is_counted(mine, at)
    ]
    for place in range(1, len(found)):
        before, role = found[place - 1 : place + 1]
        steps = role.claimed - before.claimed, role.stated - before.stated
        if all(0 < step <= MAX_NAME_STEP for step in steps) and not role.claimed_marker and not role.stated_marker:
            found[place] = replace(role, claimed_marker=before.claimed_marker, stated_marker=before.stated_marker)
    return found


def _commas(terms: Sequence[Term]) -> list[int]:
    """Count, for each word, the commas and other marks before it."""
    gaps = [after.start - before.end > 1 for before, after in pairwise(terms)]
    return list(accumulate(gaps, initial=0))[: len(terms)]


def _is_counted(facts: Facts, position: int) -> bool:
    """Tell whether a word is of a figure or follows one: `twelve cars`, which may stand anywhere in German."""
    term = facts.terms[position]
    return any(figure.start <= term.start <= figure.end + 1 for figure in (*facts.numbers, *facts.dates))


def _is_exchanged(one: _Role, other: _Role) -> bool:
    """Tell whether two words have each other's prepositions: `from A to B` for `from B to A`."""
    return (
        one.stated_marker != other.stated_marker
        and one.claimed_marker == other.stated_marker
        and other.claimed_marker == one.stated_marker
        and one.term.is_capitalized == other.term.is_capitalized
    )


def _may_be_object_first(
    terms: Sequence[Term], one: _Role, other: _Role, roles: Sequence[_Role], language: str | None
) -> bool:
    """Tell whether a claim may begin with its object: `Die Kosten trägt die Käuferin`, `Los azulejos los elige Ana`."""
    comparison = _comparison(language)
    if comparison is None:
        return False
    articles = [terms[role.claimed - 1].key if role.claimed else "" for role in (one, other)]
    if articles[0] in comparison.either_case and articles[1] not in comparison.object_articles:
        return True
    verbs = [role.claimed for role in roles if one.claimed < role.claimed < other.claimed]
    return any(terms[at - 1].key in comparison.clitics and at - 1 > one.claimed for at in verbs)


def _is_turned(one: _Role, other: _Role, roles: Sequence[_Role]) -> bool:
    """Tell whether two words stand on the wrong sides of a word between them, their verb.

    The passive turns them rightly, if the one who acts gets or loses the `by`.
    """
    between = [
        role
        for role in roles
        if one.claimed < role.claimed < other.claimed and not role.term.is_capitalized and not role.stated_marker
    ]
    if not between or one.keeps_marker or other.keeps_marker:
        return False
    is_reversed = any(other.stated < role.stated < one.stated for role in between)
    is_in_order = any(one.stated < role.stated < other.stated for role in between)
    if is_reversed:
        return not (other.becomes_agent or one.was_agent)
    becomes_agent = other.becomes_agent and not one.becomes_agent
    return is_in_order and (becomes_agent or (other.was_agent and not one.was_agent))


@cache
def fillers() -> frozenset[str]:
    """Return words that say nothing in a clause."""
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.comparison.fillers)))


def _comparison(language: str | None) -> Comparison | None:
    lexicon = load_lexicon(language) if language is not None else None
    return lexicon.comparison if lexicon is not None else None


@cache
def _reflexives(language: str | None) -> frozenset[str]:
    comparison = _comparison(language)
    return frozenset(comparison.reflexives) if comparison is not None else frozenset()


@cache
def _markers(language: str | None) -> _Markers:
    def listed(rule: Callable[[Lexicon], Iterable[str]]) -> frozenset[str]:
        return frozenset(map(fold_text, words_in(language, rule)))

    joined = merge_words(lambda lexicon: lexicon.comparison.contractions if lexicon.code == language else ())
    return _Markers(
        listed(lambda lexicon: lexicon.comparison.agents),
        listed(lambda lexicon: lexicon.comparison.passives),
        listed(lambda lexicon: lexicon.comparison.prepositions),
        {fold_text(word): fold_text(base) for word, _, base in (entry.partition(":") for entry in joined)},
    )
