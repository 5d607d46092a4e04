"""Check an answer's sentences against its passages: cited, doubted, or neither.

Words decide first, then, where they aren't enough, the meaning, in another language too (`index`). Last come facts that
can be compared to the letter: a number, date, name or negation that differs makes a doubt, however alike the sentences
are (`differences`). A passage is text and nothing else: no instruction in it is followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from eclair.citations.claims import makes_claim, normalize_words, strip_answer_word, strip_markdown, strip_preamble
from eclair.citations.computations import states_result
from eclair.citations.drafts import asks_for_text, is_in_letter
from eclair.citations.evidence import Doubtful, Supported, Verdict
from eclair.citations.index import TABLE_SUPPORT, UNDECIDED_SUPPORT, EvidenceIndex
from eclair.citations.question_fit import (
    is_other_kind,
    judge_answer,
    judge_yes,
    names_choice,
    read_said,
    says_only_figures,
)
from eclair.errors import UpstreamError
from eclair.schema.messages import Passage
from eclair.text.intent import MAX_QUESTION_CHARS
from eclair.text.sentences import MAX_SENTENCE_CHARS, has_question_mark

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

MAX_CONTEXT_CHARS = 200
"""Read along with a short sentence, of the question and of the answer before it."""

EMBEDDING_BATCH_SIZE = 8
"""Small, so that the embedding of a question needn't wait long for its turn."""

CLEAR_SUPPORT = 0.9
"""Support by words from which the meaning needn't be compared."""


class SentenceEmbedder(Protocol):
    """Turns texts into unit vectors, [texts, dimensions]; never blocks the event loop. Raises UpstreamError."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[float32]: ...


class CitationChecker:
    """Checks the sentences of one answer against its passages.

    `question` is the person's message: a sentence that only repeats its words claims nothing. Without an embedder words
    alone decide, so paraphrases and translations are doubted. `read_openings` returns the beginnings of the passages'
    files by their ids, for the names there.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        embedder: SentenceEmbedder | None,
        question: str = "",
        read_openings: Callable[[], Awaitable[Mapping[str, str]]] | None = None,
    ) -> None:
        self._read_openings = read_openings
        self._passages = tuple(passages)
        self._embedder = embedder
        self._question = question[:MAX_QUESTION_CHARS]
        self._question_words = normalize_words(self._question)
        self._is_draft = asks_for_text(self._question)
        self._index: asyncio.Task[EvidenceIndex] | None = None
        self._vectors: asyncio.Task[list[NDArray[float32]]] | None = None
        self._before: asyncio.Task[list[NDArray[float32]]] | None = None

    def follow(self, before: CitationChecker) -> None:
        """Take over the vectors of a checker whose passages are the first of this one's, so that none is made twice."""
        if self._passages[: len(before._passages)] == before._passages:
            self._before = before._vectors

    async def warm(self) -> None:
        """Index and embed the passages ahead of the first sentence that needs it. Raises UpstreamError."""
        await self._indexed()
        if self._embedder:
            await self._embedded(self._embedder)

    async def check(self, sentence: str, before: str = "") -> Verdict | None:
        """Judge a sentence of Markdown, which follows `before` in the answer.

        Returns None for one that claims nothing, such as a greeting, a question or a heading. If the embedder fails,
        words alone decide from then on.
        """
        sentence = sentence[:MAX_SENTENCE_CHARS]
        answer_word, asks = None, has_question_mark(self._question)
        is_opening = not before.strip()
        if is_first := asks and is_opening:
            sentence, answer_word = strip_answer_word(sentence)
        if not makes_claim(sentence):
            return None
        sentence = strip_preamble(sentence)
        repeats = f" {normalize_words(sentence)} " in f" {self._question_words} "
        if repeats and not (is_opening and names_choice(self._question, sentence)):
            return None
        is_draft = self._is_draft or is_in_letter(before, sentence)
        if not self._passages:
            return None if is_draft else Doubtful("", None)
        index = await self._indexed()
        context = f"{self._question[-MAX_CONTEXT_CHARS:]} {before[-MAX_CONTEXT_CHARS:]}"
        claim = index.weigh_claim(strip_markdown(sentence), strip_markdown(context))
        spans = index.rank_by_words(claim)
        if not (spans and spans[0].support >= CLEAR_SUPPORT):
            cosines = await self._compare(claim.text)
            spans = index.rank_by_meaning(claim, cosines) if cosines is not None else spans
        is_answer = asks and (repeats or (answer_word is None and (is_first or says_only_figures(claim))))
        said = read_said(self._question, claim) if is_answer else None
        verdict = index.judge(claim, spans, cites_figures=said is None or not said.is_elliptic)
        if is_first and answer_word == "yes" and not repeats:
            verdict = judge_yes(index, claim, verdict)
        elif is_answer and is_first and (figure := is_other_kind(self._question, claim)) is not None:
            verdict = Doubtful(figure, None)
        elif said is not None:
            compared = await self._compare(f"{self._question[-MAX_CONTEXT_CHARS:]} {claim.text}")
            verdict = judge_answer(index, self._question, said, compared, verdict)
        verdict = self._cite_computation(claim.text, verdict)
        if not is_draft and isinstance(verdict, Supported):
            unknown_parts = index.find_unknown_parts(strip_markdown(sentence), claim.language, verdict)
            if await self._has_unknown(index, unknown_parts):
                verdict = Doubtful("", verdict.passage, verdict)
        return None if is_draft and isinstance(verdict, Doubtful) else verdict

    async def _compare(self, text: str) -> list[float] | None:
        """Return the cosines of a text to the sentences of the index; None without meaning."""
        if self._embedder is None:
            return None
        try:
            batches = await self._embedded(self._embedder)
            vector = (await self._embedder.embed([text], "query"))[0]
        except UpstreamError:
            self._embedder = None
            return None
        return [cosine for batch in batches for cosine in (batch @ vector).tolist()]

    async def _has_unknown(self, index: EvidenceIndex, parts: Sequence[str]) -> bool:
        """Tell whether one of the parts of a sentence has nothing near to it in the passages."""
        for part in parts:
            weighed = index.weigh_claim(part, "")
            cosines = await self._compare(weighed.text)
            spans = index.rank_by_meaning(weighed, cosines) if cosines is not None else index.rank_by_words(weighed)
            if not spans or spans[0].support < UNDECIDED_SUPPORT:
                return True
        return False

    def _cite_computation(self, claim: str, verdict: Verdict | None) -> Verdict | None:
        """Cite what was computed by what it was computed from."""
        computed = [passage for passage in self._passages if passage.computation is not None]
        if isinstance(verdict, Supported):
            found = next((passage for passage in computed if passage.number == verdict.passage), None)
            quote = verdict.quote
        else:
            found = next((each for each in computed if states_result(claim, each.text, self._question)), None)
            quote = found.text if found is not None else ""
        if found is None:
            return verdict
        page, label = found.named_at(found.start)
        return Supported(found.number, found.start, found.end, quote, TABLE_SUPPORT, page, label, found.computation)

    async def _indexed(self) -> EvidenceIndex:
        self._index = self._index or asyncio.create_task(self._make_index())
        return await asyncio.shield(self._index)

    async def _make_index(self) -> EvidenceIndex:
        openings = await self._read_openings() if self._read_openings is not None else None
        return await asyncio.to_thread(EvidenceIndex, self._passages, openings)

    async def _embedded(self, embedder: SentenceEmbedder) -> list[NDArray[float32]]:
        self._vectors = self._vectors or asyncio.create_task(self._embed(embedder))
        return await asyncio.shield(self._vectors)

    async def _embed(self, embedder: SentenceEmbedder) -> list[NDArray[float32]]:
        texts = [sentence.text for sentence in (await self._indexed()).sentences]
        known = await self._read_before()
        begin = sum(map(len, known))
        batches = [texts[at : at + EMBEDDING_BATCH_SIZE] for at in range(begin, len(texts), EMBEDDING_BATCH_SIZE)]
        return [*known, *[await embedder.embed(batch, "query") for batch in batches]]

    async def _read_before(self) -> list[NDArray[float32]]:
        """Return the vectors taken over; none if they could not be made."""
        if self._before is None:
            return []
        try:
            return await asyncio.shield(self._before)
        except UpstreamError:
            return []
