"""Index sentences of passages by words, and judge claims by them.

Words decide first: the sentence of a passage, or two in a row, that has most of the claim's words. Where that isn't
enough, their meanings are compared. Differences in facts are found by `differences`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import nlargest

from eclair.citations.claims import makes_claim
from eclair.citations.clauses import split_joined
from eclair.citations.differences import (
    ComparisonContext,
    Difference,
    date_parts,
    find_difference,
    is_stated,
    numbers_in_dates,
)
from eclair.citations.evidence import (
    Claim,
    Doubtful,
    EvidenceSentence,
    EvidenceSpan,
    Supported,
    Verdict,
    split_passage,
)
from eclair.citations.nearness import Nearness, count_figures, logistic
from eclair.citations.roles import fillers
from eclair.citations.source_facts import (
    SourceFacts,
    opening_names,
    read_source,
    says_only_where,
    source_words,
    without_attribution,
)
from eclair.citations.tables import TableFinding, check_table, claim_keys, read_tables
from eclair.citations.worded_figures import read_facts
from eclair.schema.messages import Passage
from eclair.text.language import capitalizes_nouns, identify_language, is_foreign_word
from eclair.text.terms import Term, is_content_word, share_word, split_terms
from eclair.text.written_numbers import is_certain, roman_numerals

MIN_SUPPORT = 0.5
UNDECIDED_SUPPORT = 0.25
"""From here on meaning and words are so near that a claim which differs in no fact isn't doubted, though not cited."""

TABLE_SUPPORT = 0.95
STATED_SUPPORT = 0.9

MAX_SUPPORT_GAP = 0.12
"""A span this much below the best is still considered when the best differs in a fact."""

MIN_SAME_LANGUAGE_OVERLAP = 0.7
"""Below this the claim may be in another language than the passage, where the languages aren't known."""

MIN_CONTENT_WORDS = 3
"""A claim with fewer is matched by its numbers too."""

NUMBER_WEIGHT = 2.0
CONTEXT_WEIGHT = 0.5

IMPLIED_NAME_WEIGHT = 0.5
"""Weight of a name that stands only elsewhere in the passage: the sentence may say "he"."""

OPENING_NAME_WEIGHT = 0.25
"""Weight of a name that stands only where the file begins: the sentence may say "the tenant"."""

MIN_PART_WORDS = 3
MIN_UNKNOWN_WORDS = 2
MIN_UNKNOWN_SHARE = 2 / 3
"""From here on, half of a claim is about something else than the passages."""

MAX_CANDIDATES = 4
"""Sentences considered by words, and again by meaning."""

MIN_PAIR_GAIN = 0.06
"""Overlap that a second sentence must add to be quoted too."""


class EvidenceIndex:
    """The sentences of the passages, by the stems and numbers in them."""

    def __init__(self, passages: tuple[Passage, ...], openings: Mapping[str, str] | None = None) -> None:
        """`openings` are the beginnings of the passages' files, by the files' ids; passages may begin theirs, too."""
        self.passages = passages
        self.sentences: list[EvidenceSentence] = []
        self._languages = [identify_language(passage.text) for passage in passages]
        self._sentences_by_stem: dict[str, list[int]] = defaultdict(list)
        self._titles: list[frozenset[str]] = []
        self._openings: list[frozenset[str]] = []
        """The stems of the names at the beginning of each passage's file, which the passage needn't repeat."""
        self._sources: list[SourceFacts] = []
        self._tables = [read_tables(passage.text) for passage in passages]
        self.headings: list[tuple[Term, ...]] = []
        """The words of the headings above each sentence."""
        self._terms: dict[str, Term] = {}
        """Each word of the sentences and headings once, by its key."""
        self._capitalized_stems = set[str]()
        self._lowercase_stems = set[str]()
        begun = {passage.file: passage.text for passage in passages if passage.start == 0 and passage.member is None}
        names = {file: opening_names(text) for file, text in (begun | dict(openings or {})).items()}
        for number, passage in enumerate(passages):
            source = read_source(passage)
            self._sources.append(source)
            self._titles.append(source.stems | source.site_stems)
            self._openings.append(names.get(passage.file, frozenset()) if passage.member is None else frozenset())
            heading = split_terms(" . ".join(passage.heading))
            self._terms |= {term.key: term for term in heading}
            for start, end in split_passage(passage):
                self._add_sentence(number, start, end, passage.text[start:end])
                self.headings.append(heading)
        passages_after = [sentence.passage for sentence in self.sentences[1:]]
        self._is_followed = [
            sentence.passage == after for sentence, after in zip(self.sentences, [*passages_after, None], strict=False)
        ]

    def _add_sentence(self, passage: int, start: int, end: int, text: str) -> None:
        facts = read_facts(text, self._languages[passage])
        stems = frozenset(term.stem for term in facts.terms if is_content_word(term))
        numbers = (*facts.numbers, *roman_numerals(text))
        values = {value for number in numbers for value in number.values | number.base_values} | date_parts(facts)
        for stem in stems | {_number_stem(value) for value in values}:
            self._sentences_by_stem[stem].append(len(self.sentences))
        self._terms |= {term.key: term for term in facts.terms}
        for term in facts.terms:
            if term.is_capitalized and not term.starts_sentence:
                self._capitalized_stems.add(term.stem)
            elif not term.is_capitalized:
                self._lowercase_stems.add(term.stem)
        self.sentences.append(EvidenceSentence(passage, start, end, text, facts, stems, numbers))

    def weigh_claim(self, text: str, context: str) -> Claim:
        """Weigh the words of a sentence, rare ones most; `context` fills in one that says little, as "In 1943."."""
        language = identify_language(text)
        facts, dropped, is_about_source = read_facts(text, language), frozenset[str](), False
        for source in self._sources:
            facts, named = without_attribution(text, facts, source)
            dropped |= named
            is_about_source = is_about_source or says_only_where(facts, dropped, source)
        words = [term for term in facts.terms if is_content_word(term)]
        figures = (*facts.dates, *facts.numbers)
        is_bare = bool(figures) and all(
            term.key in source_words() or any(figure.start <= term.start < figure.end for figure in figures)
            for term in words
        )
        words = [
            term
            for term in words
            if term.stem in self._sentences_by_stem
            or not any(number.start <= term.start < number.end for number in facts.numbers)
        ]
        weights = dict.fromkeys((term.stem for term in words), 1.0)
        stems = list(weights)
        if len(stems) < MIN_CONTENT_WORDS:
            for number in facts.numbers:
                keys = (_number_stem(value) for value in (*number.values, *number.base_values))
                known = next((key for key in keys if key in self._sentences_by_stem), None)
                weights[known or _number_stem(min(number.values))] = NUMBER_WEIGHT
            for date in facts.dates:
                weights |= {
                    _number_stem(float(year)): NUMBER_WEIGHT for year, _, _ in date.readings if year is not None
                }
        if len(weights) < 2:
            terms = [term for term in read_facts(context).terms if is_content_word(term)]
            weights |= {term.stem: CONTEXT_WEIGHT for term in terms if term.stem not in weights}
            text = f"{context} {text}".strip()
        for stem, weight in weights.items():
            frequency = len(self._sentences_by_stem.get(stem, ())) + 0.5
            weights[stem] = weight * min(3.0, math.log(1 + len(self.sentences) / frequency))
        names = frozenset(term.stem for term in facts.terms if term.is_capitalized)
        return Claim(text, facts, language, weights, names, is_about_source, is_bare)

    def rank_by_words(self, claim: Claim) -> list[EvidenceSpan]:
        """Return the spans that have most of the claim's words, best first."""
        return self._rank_spans(claim, None)

    def rank_by_meaning(self, claim: Claim, cosines: Sequence[float]) -> list[EvidenceSpan]:
        """Return the spans that share most of the claim's words or meaning, best first.

        `cosines` has one value for each sentence of the index.
        """
        return self._rank_spans(claim, Nearness(cosines))

    @property
    def title_stems(self) -> frozenset[str]:
        """The stems by which an answer may name a passage."""
        return frozenset[str]().union(*self._titles)

    def has_word(self, word: Term) -> bool:
        """Tell whether a sentence or a heading has the word or an inflection of it."""
        return any(share_word(word, other) for other in self._terms.values())

    def find_unknown_parts(self, text: str, language: str | None, nearest: Supported) -> list[str]:
        """Return what a sentence joins by `and` to the rest in words that no passage has.

        Figures are compared anyway. None of one in another language than the nearest passage, or about a table.
        """
        at = next(at for at, passage in enumerate(self.passages) if passage.number == nearest.passage)
        is_foreign = language is None or language != self._languages[at]
        if is_foreign or nearest.computation is not None or "|" in nearest.quote:
            return []
        parts = split_joined(text, language)
        return [part for part in parts if makes_claim(part) and self._is_unknown(part)] if len(parts) > 1 else []

    def _is_unknown(self, part: str) -> bool:
        """Tell whether at least two words, and two thirds of all, are unknown, and there are no figures."""
        facts = read_facts(part)
        words = {term.stem: term for term in facts.terms if is_content_word(term) and term.key not in fillers()}
        if facts.numbers or facts.dates or len(words) < MIN_UNKNOWN_WORDS or len(facts.terms) < MIN_PART_WORDS:
            return False
        titles = self.title_stems
        unknown = [stem for stem in words if stem not in self._sentences_by_stem and stem not in titles]
        if len(unknown) < max(MIN_UNKNOWN_WORDS, MIN_UNKNOWN_SHARE * len(words)):
            return False
        left = [stem for stem in unknown if not self.has_word(words[stem])]
        return len(left) >= max(MIN_UNKNOWN_WORDS, MIN_UNKNOWN_SHARE * len(words))

    def language_of(self, sentence: int) -> str | None:
        return self._languages[self.sentences[sentence].passage]

    def nearest(self, claim: Claim) -> Supported | None:
        """Return the place of the passages that has most of a claim's words."""
        spans = self.rank_by_words(claim)
        return self.cite(spans[0]) if spans else None

    def judge(self, claim: Claim, spans: list[EvidenceSpan], *, cites_figures: bool) -> Verdict | None:
        """Return the best evidence: of the tables, or of the spans; None for what only the source's name bears out.

        With `cites_figures` a bare figure is cited wherever it stands, as it may be where nothing was asked.
        """
        from_tables = self._judge_tables(claim)
        if isinstance(from_tables, Supported):
            return from_tables
        verdict = self._judge_spans(claim, spans)
        if verdict is None:
            return from_tables
        if isinstance(verdict, Doubtful):
            if claim.is_about_source:
                return None
            if cites_figures and claim.is_bare and (stating := self._find_stating(claim)) is not None:
                return self.cite(stating)
        is_row = isinstance(verdict, Supported) and "|" in verdict.quote
        return from_tables if from_tables is not None and (is_row or isinstance(verdict, Doubtful)) else verdict

    def _judge_tables(self, claim: Claim) -> Verdict | None:
        """Return what the passages' tables say of the claim; None if it isn't about them."""
        keys = claim_keys(claim.text) if any(self._tables) else frozenset[str]()
        doubt: Doubtful | None = None
        for passage, tables in zip(self.passages, self._tables, strict=True):
            findings = [finding for table in tables if (finding := check_table(claim, keys, table)) is not None]
            supporting = next((finding for finding in findings if finding.differs is None), None)
            if supporting is not None and self._knows_names(claim):
                return self._cite_table(passage, supporting)
            if findings and supporting is None and doubt is None:
                doubt = Doubtful(findings[0].differs or "", passage.number)
        return doubt

    def _knows_names(self, claim: Claim) -> bool:
        """Tell whether the passages state the names and dates of a claim."""
        dates = [date for sentence in self.sentences for date in sentence.facts.dates]
        if not all(any(date.matches(other) for other in dates) for date in claim.facts.dates):
            return False
        if capitalizes_nouns(claim.language) or claim.language is None:
            return True
        names = [term for term in claim.facts.terms if term.is_capitalized and is_content_word(term)]
        titles = self.title_stems
        return all(
            term.starts_sentence or term.stem in self._sentences_by_stem or term.stem in titles for term in names
        )

    def _cite_table(self, passage: Passage, finding: TableFinding) -> Supported:
        begin, quote = passage.start + finding.start, passage.text[finding.start : finding.end]
        page, label = passage.named_at(begin)
        end = passage.start + finding.end
        return Supported(passage.number, begin, end, quote, TABLE_SUPPORT, page, label, finding.computation)

    def _judge_spans(self, claim: Claim, spans: list[EvidenceSpan]) -> Verdict | None:
        """Return the best span that differs in no fact; if none, what differs from the best; None if undecided."""
        if spans and UNDECIDED_SUPPORT <= spans[0].support < MIN_SUPPORT:
            difference = self._find_difference(claim, spans[0])
            if difference is None or not difference.is_certain:
                return None
            return Doubtful(difference.about, self._passage_number(spans[0]))
        if not spans or spans[0].support < MIN_SUPPORT:
            number = self._passage_number(spans[0]) if spans else None
            return Doubtful(self._find_unstated_fact(claim), number, self.cite(spans[0]) if spans else None)
        best = spans[0]
        differences: list[Difference] = []
        for span in spans:
            if span is not best and not _is_rival(span, best):
                continue
            difference = self._find_difference(claim, span)
            if difference is None:
                return self.cite(span)
            differences.append(difference)
        if not all(difference.is_certain for difference in differences):
            return None
        return Doubtful(differences[0].about, self._passage_number(best))

    def _find_stating(self, claim: Claim) -> EvidenceSpan | None:
        """The first sentence that states all dates and numbers of a claim."""
        for index, sentence in enumerate(self.sentences):
            parts = date_parts(sentence.facts)
            if all(is_stated(number, sentence.numbers, parts) for number in claim.facts.numbers) and all(
                any(date.matches(other) for other in sentence.facts.dates) for date in claim.facts.dates
            ):
                return EvidenceSpan(index, index, 1.0, STATED_SUPPORT)
        return None

    def _overlaps(self, claim: Claim) -> tuple[list[float], list[float]]:
        """The weighted share of the claim's words in each sentence, and in each with the next of its passage."""
        total = sum(claim.weights.values()) or 1.0
        alone, pairs = [0.0] * len(self.sentences), [0.0] * len(self.sentences)
        for stem, weight in claim.weights.items():
            holders = set(self._sentences_by_stem.get(stem, ()))
            begins = {
                begin for holder in holders for begin in (holder - 1, holder) if begin >= 0 and self._is_followed[begin]
            }
            for holder in holders:
                alone[holder] += weight / total
            for begin in begins:
                pairs[begin] += weight / total
            if stem in claim.names:
                for index, share in self._imply(stem, holders).items():
                    alone[index] += 0 if index in holders else share * weight / total
                    pairs[index] += 0 if index in begins else share * weight / total
        return alone, pairs

    def _imply(self, stem: str, holders: set[int]) -> dict[int, float]:
        """The sentences that may mean the name though they lack it, and its weight there.

        Their passage has it in its text or title, or their file at its beginning.
        """
        passages = {self.sentences[holder].passage for holder in holders}
        passages |= {number for number, title in enumerate(self._titles) if stem in title}
        shares: dict[int, float] = {}
        for index, sentence in enumerate(self.sentences):
            if sentence.passage in passages:
                shares[index] = IMPLIED_NAME_WEIGHT
            elif stem in self._openings[sentence.passage]:
                shares[index] = OPENING_NAME_WEIGHT
        return shares

    def _rank_spans(self, claim: Claim, nearness: Nearness | None) -> list[EvidenceSpan]:
        alone, pairs = self._overlaps(claim)
        every = range(len(self.sentences))
        candidates = set(nlargest(MAX_CANDIDATES, every, alone.__getitem__))
        if nearness is not None:
            candidates.update(nlargest(MAX_CANDIDATES, every, nearness.cosines.__getitem__))
        spans: dict[tuple[int, int], EvidenceSpan] = {}
        for index in candidates:
            first, last, overlap = index, index, alone[index]
            for begin in (index - 1, index):
                if begin >= 0 and pairs[begin] > overlap + (MIN_PAIR_GAIN if first == last else 0):
                    first, last, overlap = begin, begin + 1, pairs[begin]
            if first < last and max(alone[first], alone[last]) > overlap - MIN_PAIR_GAIN:
                continue  # the other sentence says it alone
            if nearness is None:
                support = logistic(14 * overlap - 8)
            else:
                stated = self.sentences[first : last + 1]
                support = nearness.estimate_support(
                    first, last, overlap, count_figures(claim.facts, stated, self._sources[stated[0].passage].numbers)
                )
            span = EvidenceSpan(first, last, overlap, support)
            spans[first, last] = max(span, spans.get((first, last), span), key=_support_order)
        return sorted(spans.values(), key=_support_order, reverse=True)

    def _passage_number(self, span: EvidenceSpan) -> int:
        return self.passages[self.sentences[span.first].passage].number

    def cite(self, span: EvidenceSpan) -> Supported:
        """Return the span as support of a claim."""
        first, last = self.sentences[span.first], self.sentences[span.last]
        passage = self.passages[first.passage]
        begin, quote = passage.start + first.start, passage.text[first.start : last.end]
        support = round(span.support, 3)
        return Supported(passage.number, begin, passage.start + last.end, quote, support, *passage.named_at(begin))

    def _find_unstated_fact(self, claim: Claim) -> str:
        """The first date or number of a claim that no passage states at all; empty if each is stated."""
        numbers = [number for sentence in self.sentences for number in sentence.numbers]
        dates = [date for sentence in self.sentences for date in sentence.facts.dates]
        parts = numbers_in_dates(self.sentences)
        for date in claim.facts.dates:
            if not any(date.matches(other) for other in dates):
                return date.text
        for number in claim.facts.numbers:
            if is_certain(number) and not number.is_spelled_out and not is_stated(number, numbers, parts):
                return number.text
        return ""

    def _find_difference(self, claim: Claim, span: EvidenceSpan) -> Difference | None:
        sentences = self.sentences[span.first : span.last + 1]
        passage = sentences[0].passage
        language = self._languages[passage]
        if language is None:
            is_translated = False
        elif claim.language is None:
            is_translated = span.overlap < MIN_SAME_LANGUAGE_OVERLAP and self._has_foreign_words(claim, language)
        else:
            is_translated = claim.language != language
        context = ComparisonContext(
            span=sentences,
            passage=[sentence for sentence in self.sentences if sentence.passage == passage],
            all_sentences=self.sentences,
            language=language or claim.language,
            implied_names=self._titles[passage] | self._openings[passage],
            title_numbers=self._sources[passage].numbers,
            title_stems=self._titles[passage],
            capitalized_stems=self._capitalized_stems,
            lowercase_stems=self._lowercase_stems,
            is_translated=is_translated,
            overlap=span.overlap,
        )
        return find_difference(claim, context)

    def _has_foreign_words(self, claim: Claim, language: str) -> bool:
        """Tell whether a claim has small words that neither the language nor a passage has."""
        return any(
            is_foreign_word(term.text.lower(), language) and term.key not in self._terms for term in claim.facts.terms
        )


def _is_rival(span: EvidenceSpan, best: EvidenceSpan) -> bool:
    """Tell whether a span elsewhere may be the one meant although `best` has more of the words."""
    is_elsewhere = span.first > best.last or span.last < best.first
    return (
        is_elsewhere
        and span.support >= max(MIN_SUPPORT, best.support - MAX_SUPPORT_GAP)
        and span.overlap >= best.overlap - MAX_SUPPORT_GAP / 2
    )


def _support_order(span: EvidenceSpan) -> tuple[float, float]:
    return span.support, span.overlap


def _number_stem(value: float) -> str:
    """The stem that stands for a number."""
    return f"#{value:g}"
