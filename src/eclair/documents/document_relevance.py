"""Decides whether found passages may answer a question or are irrelevant.

The thresholds were measured on questions that a document answers and on others (bench/retrieve.py), so that less than
one percent of the answerable ones are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from eclair.documents.document_search import FoundChunk
from eclair.schema.messages import Passage
from eclair.text.facts import content_stems
from eclair.text.intent.whole_document import request_stems
from eclair.text.language import identify_language
from eclair.text.lexicon.loader import choose_phrase

CALIBRATED_EMBEDDER = "multilingual-e5-small"
"""The thresholds hold for this embedder; with others, words alone decide."""

SHARED_WORDS_WEIGHT = 0.15
"""Bonus on the cosine for all of the question's words."""

MIN_SCORE_SAME_LANGUAGE, MIN_SCORE_CROSS_LANGUAGE = 0.845, 0.755
"""Minimum of cosine plus bonus, for a passage in the question's language and in another or unknown one.

Across languages cosines are lower, and there are no shared words to help.
"""

MIN_WORD_SHARE = 0.2
"""Minimum share of the question's words in a passage in its language, if words alone decide."""

MIN_WORD_SHARE_UNRANKED = 0.5
"""The same for a passage that has no cosine: it was found by a name or number."""

MIN_QUESTION_WORDS = 2
"""With fewer content words, relevance can't be judged."""

Cosines = Mapping[tuple[str, int], float]
"""Cosines to the question, by a passage's file and start."""


def passage_cosines(found: Sequence[FoundChunk]) -> Cosines:
    """Return the cosines of chunks that were found by meaning."""
    return {(each.file, each.chunk.start): each.score for each in found if each.match != "words"}


def may_answer(question: str, passages: Sequence[Passage], cosines: Cosines | None) -> bool:
    """Return whether any passage may answer the question; True if that can't be judged.

    Without cosines words alone decide, and passages in another language count as relevant. The names of the passages'
    files count as words of them.
    """
    words = frozenset(content_stems(question)) - request_stems()
    if len(words) < MIN_QUESTION_WORDS:
        return True
    language = identify_language(question)
    for passage in passages:
        names = (PurePath(name).stem for name in (passage.name, passage.member) if name is not None)
        stems = content_stems(" ".join((*names, *passage.heading, passage.text)))
        share = len(words.intersection(stems)) / len(words)
        is_same_language = language is not None and language == identify_language(passage.text)
        if cosines is None:
            is_relevant = not is_same_language or share >= MIN_WORD_SHARE
        elif (cosine := cosines.get((passage.file, passage.start))) is not None:
            is_relevant = cosine + SHARED_WORDS_WEIGHT * share >= (
                MIN_SCORE_SAME_LANGUAGE if is_same_language else MIN_SCORE_CROSS_LANGUAGE
            )
        else:
            is_relevant = share >= MIN_WORD_SHARE_UNRANKED
        if is_relevant:
            return True
    return False


def reply_language(question: str, passages: Sequence[Passage]) -> str | None:
    """Return the language of a question, where it isn't sure that of the passages; None if neither is known."""
    return identify_language(question) or identify_language("\n".join(passage.text for passage in passages))


def nothing_found_text(language: str | None) -> str:
    """Return the sentence that no document answers, in a language or else in English."""
    return choose_phrase(language, lambda lexicon: lexicon.nothing_found)
