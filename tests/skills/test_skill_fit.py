"""The choice of a skill for models that call no tools: how often it is right, in the languages of the Union.

Measured with multilingual-e5-small on 2026-11-30: of 96 messages that call for a packaged skill 74 got it and 4 got
another; of 104 that call for none 1 got one, and so did 1 of the 468 questions on documents in `bench/answers/report`
(52 before such questions were among the everyday tasks, and had to be closer to a skill than other messages).
Similarity to the description alone, with the best threshold, gave a skill to 14 of 60 messages that call for none, for
60 right ones of 64: a question is close to any description in its language.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from eclair.documents.embeddings import E5Embedder
from eclair.errors import EngineUnavailable
from eclair.schema.skills import Skill, SkillHead
from eclair.skills import skill_fit
from eclair.skills.packaged_skills import list_packaged
from eclair.skills.skill_fit import SkillFit, find_named

QUESTIONS: dict[str, Any] = orjson.loads(Path(__file__).with_name("skill_questions.json").read_bytes())
FITTING: dict[str, list[str]] = QUESTIONS["fitting"]
OTHER: list[str] = QUESTIONS["other"]
ON_DOCUMENTS: list[str] = QUESTIONS["on_documents"]
MIN_RIGHT = 70
MAX_WRONG = 6
MAX_NEEDLESS = 4


def skill(name: str) -> Skill:
    return Skill(
        id=name, owner="me", head=SkillHead(name=name, description="x"), files=(), created=1, changed=1, is_on=True
    )


async def test_most_questions_get_the_skill_that_they_call_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skill_fit, "EMBEDDING_TIMEOUT_S", 60.0)  # it starts while others have the processor
    embedder = E5Embedder()
    fit = SkillFit(embedder)
    try:
        chosen = [(name, await fit.choose(list_packaged(), text)) for name, texts in FITTING.items() for text in texts]
        needless = [text for text in OTHER if await fit.choose(list_packaged(), text) is not None]
        asked = [text for text in ON_DOCUMENTS if await fit.choose(list_packaged(), text) is not None]
    finally:
        await embedder.close()
    right = [name for name, found in chosen if found is not None and found.name == name]
    wrong = [(name, found.name) for name, found in chosen if found is not None and found.name != name]
    assert len(right) >= MIN_RIGHT
    assert len(wrong) <= MAX_WRONG, wrong
    assert len(needless) <= MAX_NEEDLESS, needless
    assert asked == []


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Use /report for this", "report"),
        ("Write a report", None),
        ("Use plain-letter, please", "plain-letter"),
        ("a very-plain-letter", None),
        ("PLAIN-LETTER: Dear all", "plain-letter"),
        ("see /reports", None),
        ("", None),
    ],
)
async def test_a_skill_is_found_by_its_name(question: str, found: str | None) -> None:
    named = await SkillFit(None).choose([skill("report"), skill("plain-letter")], question)
    assert (named.name if named is not None else None) == found
    assert find_named([], question) is None


async def test_without_an_embedder_that_answers_none_is_chosen() -> None:
    class Down:
        name = "down"

        async def embed(self, texts: Sequence[str], kind: str, **_: object) -> Any:
            raise EngineUnavailable("down")

        async def wake(self) -> None: ...

        async def close(self) -> None: ...

    assert await SkillFit(Down()).choose([skill("report")], "Write a report") is None
