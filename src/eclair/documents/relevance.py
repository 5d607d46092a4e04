"""Whether what was found has to do with a question at all, or is only the nearest of what has not.

Something is always nearest. How near it must be was measured on questions that a document answers and on others
(bench/retrieve.py), so that less than one in a hundred of those that it does is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eclair.documents.search import FoundChunk
from eclair.schema.messages import Passage
from eclair.text.facts import content_stems
from eclair.text.intent.whole_document import request_stems
from eclair.text.language import identify_language
from eclair.text.lexicon.loader import load_lexicon

CALIBRATED_EMBEDDER = "multilingual-e5-small"
"""The embedder whose cosines are known; beside others words alone decide."""

SHARED_WORDS_WEIGHT = 0.15
"""What having all of the question's words adds to a cosine."""

MIN_SCORE_SAME_LANGUAGE, MIN_SCORE_CROSS_LANGUAGE = 0.845, 0.755
"""The least that both together come to where a passage fits: in the question's language, and where it is in another or
that cannot be told. Across languages a cosine tells less, and there are no words to help."""

MIN_WORD_SHARE = 0.2
"""The least share of the question's words in a passage in its language, where they alone decide."""

MIN_WORD_SHARE_UNRANKED = 0.5
"""The same of a passage that others are nearer than: a name or a number led to it."""

MIN_QUESTION_WORDS = 2
"""Words below which a question tells too little of what it is about."""

Cosines = Mapping[tuple[str, int], float]
"""How near passages are to a question, by their file and start."""


def passage_cosines(found: Sequence[FoundChunk]) -> Cosines:
    return {(each.file, each.chunk.start): each.score for each in found if each.match != "words"}


def may_answer(question: str, passages: Sequence[Passage], cosines: Cosines | None) -> bool:
    """Whether any of these may answer the question; where that cannot be told, one may. Without cosines words alone
    decide, and what is in another language may fit."""
    asked = frozenset(content_stems(question)) - request_stems()
    if len(asked) < MIN_QUESTION_WORDS:
        return True
    language = identify_language(question)
    for passage in passages:
        said = content_stems(" ".join((*passage.heading, passage.text)))
        share = len(asked.intersection(said)) / len(asked)
        alike = language is not None and language == identify_language(passage.text)
        if cosines is None:
            fit = not alike or share >= MIN_WORD_SHARE
        elif (cosine := cosines.get((passage.file, passage.start))) is not None:
            fit = cosine + SHARED_WORDS_WEIGHT * share >= (
                MIN_SCORE_SAME_LANGUAGE if alike else MIN_SCORE_CROSS_LANGUAGE
            )
        else:
            fit = share >= MIN_WORD_SHARE_UNRANKED
        if fit:
            return True
    return False


def nothing_found_text(language: str | None) -> str:
    """The sentence that no document answers, in a language; in English where it is not known there."""
    lexicons = (load_lexicon(code) for code in (language, "en") if code is not None)
    return next(lexicon.nothing_found for lexicon in lexicons if lexicon is not None and lexicon.nothing_found)
