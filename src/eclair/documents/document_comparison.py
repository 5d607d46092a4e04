"""Compares two documents clause by clause: what changed, what only one of them says. No model is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eclair.citations.evidence import split_passage
from eclair.documents.sections import KeySentence
from eclair.schema.messages import Passage
from eclair.text.facts import Facts, extract_facts
from eclair.text.terms import fold_text, is_content_word, split_terms

MIN_ALIGNED_SHARE = 0.3
"""Documents of which fewer clauses correspond are about different things."""

MIN_CLAUSE_LIKENESS = 0.35
MIN_SENTENCE_LIKENESS = 0.5
MIN_SENTENCE_CHARS = 12

_NUMBER = re.compile(r"^\W*(?:[^\W\d]+\.?\s+)?(\d+(?:\.\d+)*|[IVXL]+)\b")
_FIGURES = re.compile(r"\d[\d.,:/]*")


@dataclass(frozen=True, slots=True)
class DocumentClause:
    """Consecutive passages under one heading, with the stems of their words."""

    title: str
    passages: tuple[Passage, ...]
    stems: Counter[str]


@dataclass(frozen=True, slots=True)
class DocumentDifference:
    """A difference in the clause `title`; `before` or `after` is None where only the other document says something.

    It `changes_facts` if figures or dates differ in an otherwise similar sentence.
    """

    title: str
    before: KeySentence | None
    after: KeySentence | None
    changes_facts: bool = False


@dataclass(frozen=True, slots=True)
class DocumentComparison:
    """Counts of the clauses that correspond and of all, and the differences in order, changed facts first."""

    aligned: int
    clauses: int
    differences: tuple[DocumentDifference, ...]

    @property
    def is_meaningful(self) -> bool:
        """True if the documents correspond, as two contracts or versions do."""
        return self.aligned > 0 and self.aligned >= MIN_ALIGNED_SHARE * self.clauses


def compare_documents(before: Sequence[Passage], after: Sequence[Passage]) -> DocumentComparison:
    """Compare the passages of two documents."""
    old, new = _clauses(before), _clauses(after)
    pairs = _align(old, new)
    found: list[DocumentDifference] = []
    for left, right in pairs:
        found += _compare_clauses(left, right)
    aligned = sum(left is not None and right is not None for left, right in pairs)
    facts = [difference for difference in found if difference.changes_facts]
    others = [difference for difference in found if not difference.changes_facts]
    return DocumentComparison(aligned, min(len(old), len(new)), (*facts, *others))


def _clauses(passages: Sequence[Passage]) -> list[DocumentClause]:
    groups: list[list[Passage]] = []
    for passage in passages:
        if groups and passage.heading and groups[-1][-1].heading == passage.heading:
            groups[-1].append(passage)
        else:
            groups.append([passage])
    return [
        DocumentClause(
            group[0].heading[-1] if group[0].heading else "",
            tuple(group),
            Counter(term.stem for passage in group for term in split_terms(passage.text) if is_content_word(term)),
        )
        for group in groups
    ]


def _align(
    old: Sequence[DocumentClause], new: Sequence[DocumentClause]
) -> list[tuple[DocumentClause | None, DocumentClause | None]]:
    """Pair clauses by the same heading, then by the most similar words, in the order of the new document."""
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for right, clause in enumerate(new):
        same = [
            left for left, each in enumerate(old) if left not in taken and clause.title and _same_title(each, clause)
        ]
        if same:
            best = max(same, key=lambda left: _likeness(old[left].stems, clause.stems))
            partner[right] = best
            taken.add(best)
    scored = sorted(
        (
            (_likeness(old[left].stems, new[right].stems) + _numbered_alike(old[left], new[right]), left, right)
            for right in range(len(new))
            if right not in partner
            for left in range(len(old))
            if left not in taken
        ),
        reverse=True,
    )
    for score, left, right in scored:
        if score >= MIN_CLAUSE_LIKENESS and left not in taken and right not in partner:
            partner[right] = left
            taken.add(left)
    pairs: list[tuple[DocumentClause | None, DocumentClause | None]] = []
    rest = [left for left in range(len(old)) if left not in taken]
    for right, clause in enumerate(new):
        left = partner.get(right)
        while rest and left is not None and rest[0] < left:
            pairs.append((old[rest.pop(0)], None))
        pairs.append((old[left] if left is not None else None, clause))
    return [*pairs, *((old[left], None) for left in rest)]


def _same_title(one: DocumentClause, other: DocumentClause) -> bool:
    return _bare(one.title) == _bare(other.title)


def _bare(title: str) -> str:
    """Return a heading without its number, which moves when a clause is added."""
    return " ".join(fold_text(_NUMBER.sub("", title)).split()) or fold_text(title)


def _numbered_alike(one: DocumentClause, other: DocumentClause) -> float:
    mine, theirs = _NUMBER.match(one.title), _NUMBER.match(other.title)
    return 0.1 if mine and theirs and mine[1] == theirs[1] else 0.0


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """Return the share of words that both have, from 0 to 1."""
    total = max(one.total(), other.total())
    return (one & other).total() / total if total else 0.0


# Sentences


@dataclass(frozen=True, slots=True)
class _Statement:
    sentence: KeySentence
    key: str
    stems: Counter[str]


def _compare_clauses(left: DocumentClause | None, right: DocumentClause | None) -> list[DocumentDifference]:
    named = right or left
    title = named.title if named is not None else ""
    old, new = _statements(left), _statements(right)
    same = Counter(each.key for each in old) & Counter(each.key for each in new)
    old, new = _without(old, same), _without(new, same)
    scored = sorted(
        ((_likeness(a.stems, b.stems), i, j) for i, a in enumerate(old) for j, b in enumerate(new)),
        key=lambda pair: (-pair[0], abs(pair[1] - pair[2])),
    )
    partner: dict[int, int] = {}
    for score, i, j in scored:
        if score >= MIN_SENTENCE_LIKENESS and i not in partner.values() and j not in partner:
            partner[j] = i
    found: list[DocumentDifference] = []
    for j, each in enumerate(new):
        before = old[partner[j]] if j in partner else None
        changes = before is not None and _facts_differ(before.sentence.text, each.sentence.text)
        found.append(DocumentDifference(title, before.sentence if before else None, each.sentence, changes))
    gone = [each for i, each in enumerate(old) if i not in partner.values()]
    return [*found, *(DocumentDifference(title, each.sentence, None) for each in gone)]


def _statements(clause: DocumentClause | None) -> list[_Statement]:
    found: list[_Statement] = []
    for passage in clause.passages if clause is not None else ():
        for start, end in split_passage(passage):
            if start < passage.body or end - start < MIN_SENTENCE_CHARS:
                continue
            text = " ".join(passage.text[start:end].split())
            stems = Counter(term.stem for term in split_terms(text) if is_content_word(term))
            sentence = KeySentence(text, passage, passage.start + start, passage.start + end)
            found.append(_Statement(sentence, fold_text(text), stems))
    return found


def _without(statements: Sequence[_Statement], same: Counter[str]) -> list[_Statement]:
    left = same.copy()
    kept: list[_Statement] = []
    for each in statements:
        if left[each.key]:
            left[each.key] -= 1
        else:
            kept.append(each)
    return kept


def _facts_differ(one: str, other: str) -> bool:
    """Tell whether figures, dates or negations differ."""
    mine, theirs = extract_facts(one), extract_facts(other)
    if len(mine.negations) != len(theirs.negations):
        return True
    return _figures(one, mine) != _figures(other, theirs)


def _figures(text: str, facts: Facts) -> Counter[str]:
    figures = Counter(figure.rstrip(".,:/") for figure in _FIGURES.findall(text))
    return figures + Counter(number.text.casefold() for number in facts.numbers if number.is_spelled_out)
