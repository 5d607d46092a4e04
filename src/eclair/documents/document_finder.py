"""Finds in the whole text of documents, without a model: how two of them differ, and all sentences to be listed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from eclair.documents.document_comparison import compare_documents
from eclair.documents.enumeration import filter_items, find_items
from eclair.documents.listings import comparison_table, describe_differences, item_list
from eclair.documents.reading_budget import reading_budget
from eclair.documents.sections import PASSAGE_OVERHEAD_CHARS, KeySentence, fit_sentences
from eclair.generation.sources import NO_LEAD, Finding, Lead, Note, PassageNumbers
from eclair.schema.events import Notice, StepFinished, StepStarted
from eclair.schema.messages import Passage
from eclair.schema.models import Model
from eclair.text.intent.whole_document import ListedKind
from eclair.text.lexicon.loader import choose_phrase

MAX_DIFFERENCES = 60
MAX_LISTED_ITEMS = 300
MAX_LISTED_CHARS = 10_000_000
"""Of sentences that are listed, and their passages."""

_KIND_NAMES: dict[ListedKind, str] = {
    "dates": "dates",
    "deadlines": "dates or periods",
    "amounts": "amounts of money",
    "percentages": "percentages",
    "emails": "e-mail addresses",
    "phones": "phone numbers",
    "links": "web addresses",
}


class DocumentFinder:
    """Finds in the passages of documents. `passages` are those that it used, numbered; `lead` begins the answer.

    A model that can't plan is not asked: it would leave things out. None is asked if two documents say the same, which
    is said in the `language` of the question.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[Passage]],
        numbers: PassageNumbers,
        model: Model,
        language: str | None,
        clock: Callable[[], float],
    ) -> None:
        self.passages: list[Passage] = []
        self.lead = NO_LEAD
        self._texts = texts
        self._numbers = numbers
        self._model = model
        self._language = language
        self._clock = clock

    async def compare(self) -> AsyncGenerator[Finding, None]:
        """Compare two documents sentence by sentence; yield nothing if they do not correspond."""
        began = self._clock()
        comparison = await asyncio.to_thread(compare_documents, *self._texts)
        if not comparison.is_meaningful:
            return
        names = [text[0].name for text in self._texts]
        found = comparison.differences
        yield StepStarted("compare", "read", f"Comparing every sentence of {names[0]} and {names[1]}")
        yield StepFinished("compare", self._elapsed_ms(began), count=len(found))
        if not found:
            text = choose_phrase(self._language, lambda lexicon: lexicon.no_difference)
            self.lead = Lead((text,), is_complete=True)
            return
        shown = found[:MAX_DIFFERENCES]
        sides = [each for difference in shown for each in (difference.before, difference.after) if each is not None]
        self._use(sides)
        sources = {id(sentence): source_passage(self.passages, sentence) for sentence in sides}
        self.lead = Lead(tuple(comparison_table(names, shown, sources)), is_complete=not self._model.can_plan)
        if self._model.can_plan:
            yield Note(describe_differences(names, shown, sources))
        if len(shown) < len(found):
            yield Notice("partly_read", f"The first {len(shown)} of {len(found):,} differences are shown.")

    async def list_items(
        self, kind: ListedKind, scope_name: str, subject: frozenset[str]
    ) -> AsyncGenerator[Finding, None]:
        """List every sentence that has something of a kind; those on the subject, if any is."""
        began = self._clock()
        found = await asyncio.to_thread(find_items, [passage for text in self._texts for passage in text], kind)
        if not found:
            return
        pages, name = count_pages(self._texts), _KIND_NAMES[kind]
        where = f"all {pages:,} pages" if pages > len(self._texts) else "all"
        yield StepStarted(
            "list", "read", f"Looked through {where} of {scope_name}: {len(found):,} sentences with {name}"
        )
        yield StepFinished("list", self._elapsed_ms(began), count=len(found))
        shown = filter_items(found, subject)[:MAX_LISTED_ITEMS]
        self._use(shown)
        cited = [(item, source_passage(self.passages, item)) for item in shown]
        room = reading_budget(self._model).document_chars
        if self._model.can_plan and sum(2 * len(item.text) + PASSAGE_OVERHEAD_CHARS for item in shown) <= room:
            lines = [f"- {item.text} [{passage.number}]" for item, passage in cited]
            yield Note("\n".join([f"All sentences with {name}:", *lines]))
        else:
            self.lead = Lead(tuple(item_list(cited)), is_complete=True)
        if len(shown) < len(found):
            yield Notice("partly_read", f"{len(shown):,} of {len(found):,} sentences with {name} are listed.")

    def _use(self, sentences: Sequence[KeySentence]) -> None:
        excerpts = fit_sentences([[sentence] for sentence in sentences], MAX_LISTED_CHARS)
        self.passages = self._numbers.assign(excerpts.passages)

    def _elapsed_ms(self, began: float) -> float:
        return round((self._clock() - began) * 1000, 1)


def source_passage(passages: Sequence[Passage], stated: KeySentence) -> Passage:
    """Return the numbered passage that a sentence is from."""
    return next(
        passage
        for passage in passages
        if passage.file == stated.passage.file and passage.start <= stated.start and stated.end <= passage.end
    )


def count_pages(texts: Sequence[Sequence[Passage]]) -> int:
    """Return how many pages the passages are on; none if their files have no pages."""
    return sum(
        len({place.page for passage in text for place in (passage, *passage.breaks) if place.label != ""})
        for text in texts
    )
