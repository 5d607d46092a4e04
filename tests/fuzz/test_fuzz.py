"""Files, exports, feeds, streams and requests that chance has changed end in a result or in one clear refusal.

`make fuzz` tries more of them, for as long as one likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fuzz.campaign import CORPUS, explore, kept, trying
from tests.fuzz.targets import REFUSED_SEEDS, TARGETS


def refused(seeds: Mapping[str, bytes]) -> list[str]:
    return [name for name in seeds if name in REFUSED_SEEDS]


@pytest.mark.parametrize("target", TARGETS)
def test_whatever_comes_in(target: str, tmp_path: Path) -> None:
    with trying(target, tmp_path) as (seeds, tried):
        assert [name for name, data in seeds.items() if not tried(name, data)] == refused(seeds)
        for path in kept(target):
            tried(path.name.partition("-")[2], path.read_bytes())
        explore(seeds, tried, TARGETS[target].examples)


def test_the_corpus_is_small_and_belongs_to_targets() -> None:
    found = [path for path in CORPUS.rglob("*") if path.is_file() and path.name != "README.md"]
    assert {path.parent.name for path in found} <= set(TARGETS)
    assert sum(path.stat().st_size for path in found) < 1 << 20
