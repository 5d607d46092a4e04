"""Find a claim that says of one what the passage says of another: `the diocese writes` for `the clerk writes`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from eclair.citations.evidence import Claim, EvidenceSentence
from eclair.citations.opposites import are_synonyms
from eclair.citations.roles import fillers
from eclair.citations.weekdays import is_weekday
from eclair.text.language import capitalizes_nouns
from eclair.text.lexicon.loader import Comparison, Lexicon, Words, load_lexicon, words_in
from eclair.text.terms import Term, fold_text, is_content_word, share_word

MIN_SHARED_WORDS = 2
"""A claim with fewer words of a sentence, besides who does it, isn't about the same deed."""

MAX_ACTOR_WORDS = 4
MAX_LABEL_WORDS = 4
MAX_ALIAS_DISTANCE = 5
"""Words between two names of the same: `the mayor of the town is Ann Lee`."""

MIN_TOPIC_SENTENCES = 3
"""From so many sentences of a passage on, somebody may be what it calls `the ship`."""

_TIMES = ("min", "h", "d", "wk", "mo", "yr")
_CLAUSE_MARK = re.compile(r"[;:–—]")
_LABEL_MARK = re.compile(r"[:(]")


@dataclass(frozen=True, slots=True)
class _Words:
    """The small words of a language that tell who does something; `small` are all of them, and words of times."""

    articles: frozenset[str]
    copulas: frozenset[str]
    prepositions: frozenset[str]
    agents: frozenset[str]
    passives: frozenset[str]
    pronouns: frozenset[str]
    joining: frozenset[str]
    small: frozenset[str]
    capitalizes_nouns: bool

    def is_said(self, term: Term) -> bool:
        """Tell whether a word says who or what, rather than when or how."""
        return term.key not in self.small and is_content_word(term)

    def is_led(
        self, terms: Sequence[Term], position: int, small: frozenset[str], *, past_articles: bool = True
    ) -> bool:
        """Tell whether one of the small words leads the phrase that a word ends, before its articles."""
        at = position
        while at > 0 and _touch(terms[at - 1], terms[at]) and self.is_said(terms[at - 1]):
            at -= 1
        while past_articles and at > 0 and _touch(terms[at - 1], terms[at]) and terms[at - 1].key in self.articles:
            at -= 1
        return at > 0 and _touch(terms[at - 1], terms[at]) and terms[at - 1].key in small


@dataclass(frozen=True, slots=True)
class _Deed:
    """A sentence, where it has the claim's words, and the claim's words that it lacks: who is said to do it."""

    sentence: EvidenceSentence
    places: dict[int, int]
    actor: tuple[int, ...]


def find_other_actor(
    claim: Claim,
    span: Sequence[EvidenceSentence],
    passage: Sequence[EvidenceSentence],
    title: frozenset[str],
    language: str | None,
) -> str | None:
    """Return the actor of a claim where a sentence of the span says the same of another; None if none does.

    The passage must name the claimed actor elsewhere, since another word may be a synonym, and must not use both words
    for the same: `the mayor, Ann Lee`, or `The Aurora sails in May. The ship carries coal`.
    """
    words = _words(language)
    terms = claim.facts.terms
    deeds = [deed for sentence in span if (deed := _read_deed(terms, sentence, words)) is not None]
    for deed in deeds:
        is_nearest = len(deed.actor) == min(len(other.actor) for other in deeds)
        if not is_nearest or not _is_one_phrase(terms, deed) or not _is_known(terms, deed, passage):
            continue
        mine = [terms[at] for at in deed.actor]
        theirs = _find_counterpart(terms, deed, words)
        is_topic = any(term.stem in title for term in (*mine, *theirs))
        if theirs and not is_topic and not _may_be_same(mine, theirs, deed.sentence, passage, words):
            return mine[-1].text
    return None


def _read_deed(terms: Sequence[Term], sentence: EvidenceSentence, words: _Words) -> _Deed | None:
    """Compare a claim with a sentence that lacks some of its words; None if it lacks none or nearly all."""
    stated = sentence.facts.terms
    said = [at for at, term in enumerate(terms) if words.is_said(term)]
    by_stem = {term.stem: place for place, term in reversed(tuple(enumerate(stated)))}
    places: dict[int, int] = {}
    for at in said:
        place = by_stem.get(terms[at].stem)
        if place is None:
            place = next((place for place, other in enumerate(stated) if _is_same(terms[at], other)), None)
        if place is not None:
            places[at] = place
    actor = tuple(at for at in said if at not in places)
    return _Deed(sentence, places, actor) if actor and len(places) >= MIN_SHARED_WORDS else None


def _is_one_phrase(terms: Sequence[Term], deed: _Deed) -> bool:
    return len(deed.actor) <= MAX_ACTOR_WORDS and all(
        at not in deed.places and _touch(terms[at], terms[at + 1]) for at in range(deed.actor[0], deed.actor[-1])
    )


def _is_known(terms: Sequence[Term], deed: _Deed, passage: Sequence[EvidenceSentence]) -> bool:
    """Tell whether the rest of the passage has who is said to do it, and no sentence says all of the claim."""
    every = (*deed.places, *deed.actor)
    others = [sentence for sentence in passage if sentence is not deed.sentence]
    return all(_has(others, terms[at]) for at in deed.actor) and not any(
        all(_has([sentence], terms[at]) for at in every) for sentence in others
    )


def _find_counterpart(terms: Sequence[Term], deed: _Deed, words: _Words) -> list[Term]:
    """Return the words of the sentence in whose place the claim has its own; none where that isn't clear."""
    first, last = deed.actor[0], deed.actor[-1]
    before = [at for at in deed.places if at < first]
    after = [at for at in deed.places if at > last]
    is_agent = any(term.key in words.passives for term in terms) and words.is_led(terms, first, words.agents)
    if not is_agent and words.is_led(terms, first, words.prepositions | words.agents):
        return []
    if is_agent and before:
        place = deed.places[max(before)]
        return _actor_before(deed, place, words) or _agent(deed, words)
    if not before and after:
        place = deed.places[min(after)]
        found = _actor_before(deed, place, words) or _agent(deed, words)
        return found or (_after(deed, place, words) if words.capitalizes_nouns else [])
    if before and not after:
        place = deed.places[max(before)]
        is_turned = len(before) > 1 and deed.places[max(before[:-1])] > place
        return _actor_before(deed, place, words) if is_turned else _after(deed, place, words)
    return []


def _actor_before(deed: _Deed, place: int, words: _Words) -> list[Term]:
    """Return the subject before a verb: from the comma before it, else from where its clause begins."""
    terms, text = deed.sentence.facts.terms, deed.sentence.text
    begin = place
    while begin > 0 and not _parts_clauses(text, terms[begin - 1], terms[begin], words):
        begin -= 1
    comma = next((at for at in range(place, begin, -1) if "," in text[terms[at - 1].end : terms[at].start]), begin)
    for start in dict.fromkeys((comma, begin)):
        if any(terms[at].key in words.pronouns for at in range(start, place)):
            return []
        if any(at in deed.places.values() and not _is_marked(terms, at, words) for at in range(start, place)):
            return []
        if found := [terms[at] for at in range(start, place) if _may_act(deed, at, words)]:
            return found
    return []


def _after(deed: _Deed, place: int, words: _Words) -> list[Term]:
    """Return what stands right after a verb, up to the next word that the claim has too."""
    terms = deed.sentence.facts.terms
    found: list[Term] = []
    for at in range(place + 1, len(terms)):
        if at in deed.places.values() or terms[at].key in words.pronouns or not _touch(terms[at - 1], terms[at]):
            break
        if (found and not words.is_said(terms[at])) or (words.is_said(terms[at]) and _is_marked(terms, at, words)):
            break
        if _may_act(deed, at, words):
            found.append(terms[at])
    return found


def _agent(deed: _Deed, words: _Words) -> list[Term]:
    """Return by whom it is done in a sentence in the passive."""
    terms = deed.sentence.facts.terms
    if not any(term.key in words.passives for term in terms):
        return []
    return [
        term
        for at, term in enumerate(terms)
        if at not in deed.places.values() and words.is_said(term) and words.is_led(terms, at, words.agents)
    ]


def _may_act(deed: _Deed, at: int, words: _Words) -> bool:
    """Tell whether a word of a sentence that the claim lacks may be who does it."""
    terms = deed.sentence.facts.terms
    term = terms[at]
    if at in deed.places.values() or not words.is_said(term) or is_weekday(term.text):
        return False
    figures = (*deed.sentence.facts.numbers, *deed.sentence.facts.dates)
    if any(figure.start <= term.start < figure.end for figure in figures):
        return False
    is_noun = term.is_capitalized or not words.capitalizes_nouns
    return is_noun and not _is_marked(terms, at, words) and _is_determined(terms, at, words)


def _is_marked(terms: Sequence[Term], at: int, words: _Words) -> bool:
    return words.is_led(terms, at, words.prepositions | words.agents)


def _is_determined(terms: Sequence[Term], at: int, words: _Words) -> bool:
    """Tell whether an article leads a word or it is a name, as adverbs are neither."""
    is_name = terms[at].is_capitalized and (at > 0 or words.capitalizes_nouns or _follows_name(terms, at))
    return not words.articles or is_name or words.is_led(terms, at, words.articles, past_articles=False)


def _follows_name(terms: Sequence[Term], at: int) -> bool:
    return at + 1 < len(terms) and terms[at + 1].is_capitalized


def _parts_clauses(text: str, before: Term, term: Term, words: _Words) -> bool:
    return before.key in words.joining or _CLAUSE_MARK.search(text, before.end, term.start) is not None


# Other words for the same person or thing


def _may_be_same(
    mine: Sequence[Term],
    theirs: Sequence[Term],
    sentence: EvidenceSentence,
    passage: Sequence[EvidenceSentence],
    words: _Words,
) -> bool:
    """Tell whether the passage may mean the same by two words."""
    if any(_is_same(one, other) for one in mine for other in theirs):
        return True
    if any(_are_aliases(mine, theirs, each, words) for each in passage):
        return True
    if any(_has([each], one) and _has([each], other) for each in passage for one in mine[-1:] for other in theirs[-1:]):
        return False
    place = next(at for at, each in enumerate(passage) if each is sentence)
    is_name, is_their_name = _is_name(mine, passage, words), _is_name(theirs, passage, words)
    if is_name and is_their_name:
        return False
    if _has_alias(mine, passage, words) or _has_alias(theirs, passage, words):
        return False
    if not is_their_name and (
        len(_naming(mine, passage)) >= MIN_TOPIC_SENTENCES or _goes_on(mine, place, passage, words)
    ):
        return True
    if is_name:
        return False
    if not is_their_name:
        return False
    after = next((at for at in _naming(mine, passage) if at > place), 0)
    is_topic = len(_naming(theirs, passage)) >= MIN_TOPIC_SENTENCES
    return is_topic or _goes_on(theirs, after, passage, words)


def _naming(phrase: Sequence[Term], passage: Sequence[EvidenceSentence]) -> list[int]:
    """Return the sentences that have the last word of a phrase."""
    return [at for at, each in enumerate(passage) if _has([each], phrase[-1])]


def _goes_on(phrase: Sequence[Term], place: int, passage: Sequence[EvidenceSentence], words: _Words) -> bool:
    """Tell whether the sentence before has a phrase; those that begin with a pronoun go on from the one before them."""
    at = place - 1
    while at > 0 and passage[at].facts.terms and passage[at].facts.terms[0].key in words.pronouns:
        at -= 1
    return at >= 0 and _has([passage[at]], phrase[-1])


def _is_name(phrase: Sequence[Term], passage: Sequence[EvidenceSentence], words: _Words) -> bool:
    if words.capitalizes_nouns:
        return len(phrase) > 1 and all(term.is_capitalized for term in phrase[-2:])
    return phrase[-1].is_capitalized and any(
        term.stem == phrase[-1].stem and term.is_capitalized and not term.starts_sentence
        for each in passage
        for term in each.facts.terms
    )


def _are_aliases(mine: Sequence[Term], theirs: Sequence[Term], sentence: EvidenceSentence, words: _Words) -> bool:
    """Tell whether a sentence has two phrases side by side: `Mayor Ann Lee`, `the mayor is Ann Lee`."""
    terms = sentence.facts.terms
    places = [
        [at for at, term in enumerate(terms) if any(_is_same(term, one) for one in each)] for each in (mine, theirs)
    ]
    return any(
        abs(one - other) <= MAX_ALIAS_DISTANCE and _joins(sentence, min(one, other), max(one, other), words)
        for one in places[0]
        for other in places[1]
        if one != other
    )


def _joins(sentence: EvidenceSentence, first: int, last: int, words: _Words) -> bool:
    terms = sentence.facts.terms
    between = sentence.text[terms[first].end : terms[last].start]
    small = words.articles | words.copulas
    are_small = all(term.is_capitalized or term.key in small for term in terms[first + 1 : last])
    return are_small and ")" not in between and ";" not in between


def _has_alias(phrase: Sequence[Term], passage: Sequence[EvidenceSentence], words: _Words) -> bool:
    """Tell whether a passage says of somebody who or what they are: `Tenant: Ann Lee`, `Ann Lee (architect)`."""
    return any(
        _is_same(term, phrase[-1]) and _is_labelled(sentence, at, words)
        for sentence in passage
        for at, term in enumerate(sentence.facts.terms)
    )


def _is_labelled(sentence: EvidenceSentence, at: int, words: _Words) -> bool:
    terms, text = sentence.facts.terms, sentence.text
    after = text[terms[at].end : terms[at + 1].start] if at + 1 < len(terms) else ""
    while at > 0 and _touch(terms[at - 1], terms[at]) and terms[at - 1].is_capitalized:
        at -= 1
    before = text[terms[at - 1].end : terms[at].start] if at > 0 else ""
    return _LABEL_MARK.search(f"{before}{after}") is not None


# Roles and their holders


def find_other_holder(
    claim: Claim, passage: Sequence[EvidenceSentence], every: Sequence[EvidenceSentence], language: str | None
) -> str | None:
    """Return the name that a claim gives a role which the passage gives to others: `the chair is Ann Lee`."""
    terms = claim.facts.terms
    words = _words(language)
    copula = next((at for at, term in enumerate(terms) if term.key in words.copulas), None)
    if copula is None or claim.facts.negations or claim.facts.numbers:
        return None
    sides = [[term for term in side if words.is_said(term)] for side in (terms[:copula], terms[copula + 1 :])]
    for role, name in (sides, sides[::-1]):
        is_person = all(term.is_capitalized for term in name)
        if not role or not name or not is_person or len(role) + len(name) > MAX_LABEL_WORDS + MAX_ACTOR_WORDS:
            continue
        if any(_is_held_by(name, run, every) for run in _holders(role, every, words)):
            return None
        held = list(_holders(role, passage, words))
        if held and _has(every, name[-1]):
            return name[-1].text
    return None


def _holders(role: Sequence[Term], sentences: Sequence[EvidenceSentence], words: _Words) -> Iterator[list[Term]]:
    """Yield the names that stand beside a role; those that a mark or a verb joins to it, if there are any."""
    loose: list[list[Term]] = []
    is_joined = False
    for sentence in sentences:
        terms = sentence.facts.terms
        for at in range(len(terms) - len(role) + 1):
            row = terms[at : at + len(role)]
            if not all(_is_same(mine, other) for mine, other in zip(role, row, strict=True)):
                continue
            for run, is_firm in _names_beside(sentence, at, at + len(role), words):
                is_joined |= is_firm
                if is_firm:
                    yield run
                else:
                    loose.append(run)
    if not is_joined:
        yield from loose


def _names_beside(sentence: EvidenceSentence, first: int, end: int, words: _Words) -> Iterator[tuple[list[Term], bool]]:
    terms, text = sentence.facts.terms, sentence.text
    before = text[terms[first - 1].end : terms[first].start] if first else ""
    after = text[terms[end - 1].end : terms[end].start] if end < len(terms) else ""
    if "(" in before:
        yield _run_before(terms, first - 1), True
    elif ":" in after:
        yield _run_after(terms, end, words), True
    elif end < len(terms) and terms[end].key in words.copulas:
        yield _run_after(terms, end + 1, words), True
    elif after == " " and end < len(terms) and terms[end].is_capitalized:
        yield _run_after(terms, end, words), True
    elif "," in after and end < len(terms) and terms[end].is_capitalized:
        yield _run_after(terms, end, words), False
    elif "," in before:
        yield _run_before(terms, first - 1), False


def _run_after(terms: Sequence[Term], at: int, words: _Words) -> list[Term]:
    """Return the capitalized words from one on, across commas and `and`."""
    run: list[Term] = []
    for term in terms[at:]:
        if not term.is_capitalized and term.key not in words.joining:
            break
        run.append(term)
    return run


def _run_before(terms: Sequence[Term], at: int) -> list[Term]:
    run: list[Term] = []
    while at >= 0 and terms[at].is_capitalized:
        run.append(terms[at])
        at -= 1
        if at >= 0 and not _touch(terms[at], terms[at + 1]):
            break
    return run


def _is_held_by(name: Sequence[Term], run: Sequence[Term], every: Sequence[EvidenceSentence]) -> bool:
    """Tell whether a run of names has somebody: by last name, unless another first name goes with it elsewhere."""
    if not any(_is_same(name[-1], term) for term in run):
        return not run
    is_same = all(any(_is_same(one, term) for term in run) for one in name)
    return is_same or not any(
        all(_is_same(one, term) for one, term in zip(name, sentence.facts.terms[at:], strict=False))
        for sentence in every
        for at in range(len(sentence.facts.terms) - len(name) + 1)
    )


def _touch(before: Term, after: Term) -> bool:
    return after.start - before.end <= 1


def _is_same(one: Term, other: Term) -> bool:
    return share_word(one, other) or are_synonyms(one, other)


def _has(sentences: Sequence[EvidenceSentence], word: Term) -> bool:
    return any(
        word.stem in sentence.stems or any(_is_same(word, term) for term in sentence.facts.terms)
        for sentence in sentences
    )


@cache
def _words(language: str | None) -> _Words:
    def listed(rule: Callable[[Lexicon], Words]) -> frozenset[str]:
        return frozenset(map(fold_text, words_in(language, rule)))

    lexicon = load_lexicon(language) if language is not None else None
    comparison = lexicon.comparison if lexicon is not None else Comparison()
    units: Mapping[str, Words] = lexicon.numbers.units if lexicon is not None else {}
    articles = frozenset(map(fold_text, comparison.articles))
    copulas = frozenset(map(fold_text, comparison.copulas))
    prepositions = listed(lambda lexicon: lexicon.comparison.prepositions) - articles
    agents = listed(lambda lexicon: lexicon.comparison.agents)
    passives = listed(lambda lexicon: lexicon.comparison.passives)
    pronouns = listed(lambda lexicon: lexicon.comparison.subjects)
    joining = listed(
        lambda lexicon: (
            *lexicon.comparison.conjunctions,
            *lexicon.comparison.contrasts,
            *lexicon.comparison.contrast_adverbs,
        )
    )
    times = frozenset(fold_text(word) for unit in _TIMES for word in units.get(unit, ()))
    return _Words(
        articles=articles,
        copulas=copulas,
        prepositions=prepositions,
        agents=agents,
        passives=passives,
        pronouns=pronouns,
        joining=joining,
        small=articles | copulas | prepositions | agents | passives | pronouns | joining | times | fillers(),
        capitalizes_nouns=capitalizes_nouns(language),
    )
