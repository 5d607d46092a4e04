"""Sources that contradict each other are found, and those that only differ aren't; the newest value counts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from eclair.schema.messages import Passage
from eclair.web.contradictions import difference_notices, find_contradiction, find_differences
from tests.web.statements import HELD_OUT, HELD_OUT_NONE, SECOND, SECOND_NONE, TUNED, TUNED_NONE, Pair


def passage(number: int, text: str, published: str | None = None) -> Passage:
    url = f"https://{number}.example/"
    return Passage(number, f"page_{number}", "Page", 1, "", (), 0, len(text), text, url=url, published=published)


async def contradict(pair: Pair) -> bool:
    question, *said = pair
    return await find_contradiction(question, [passage(at, text) for at, text in enumerate(said, 1)]) is not None


@pytest.mark.parametrize(
    ("real", "unreal"),
    [(TUNED, TUNED_NONE), (HELD_OUT, HELD_OUT_NONE), (SECOND, SECOND_NONE)],
    ids=["tuned", "held out", "second"],
)
async def test_contradictions_are_real(real: Sequence[Pair], unreal: Sequence[Pair]) -> None:
    assert [pair for pair in real if not await contradict(pair)] == []
    assert [pair for pair in unreal if await contradict(pair)] == []


async def test_the_newest_of_three_prices_counts() -> None:
    days = ("2025-03-02", "2026-11-23", "2024-01-09")
    prices = ("62", "91", "55")
    said = [
        passage(number, f"Line 7 costs {price} million euros.", day)
        for number, (price, day) in enumerate(zip(prices, days, strict=True), 1)
    ]
    found = await find_differences("What does Line 7 cost?", said)
    assert (found.superseded_files, found.contradiction) == ({"page_1", "page_3"}, None)
    first, second = difference_notices(found, [each for each in said if each.file not in found.superseded_files])
    assert first.code == second.code == "superseded"
    assert "[2] of 2026-11-23 says “Line 7 costs 91 million euros.”" in first.message
    assert "1.example of 2025-03-02 said" in first.message
    assert (await find_differences("What did Line 7 cost in 2025?", said)).superseded == ()


async def test_sources_of_the_same_days_contradict_each_other() -> None:
    said = [
        passage(1, "Line 7 costs 62 million euros.", "2026-11-20"),
        passage(2, "Line 7 costs 91 million euros.", "2026-11-23"),
    ]
    found = await find_differences("What does Line 7 cost?", said)
    (notice,) = difference_notices(found, said)
    assert notice.code == "contradicted"
    assert notice.message.startswith("Sources contradict each other: [2] says “Line 7 costs 91")
