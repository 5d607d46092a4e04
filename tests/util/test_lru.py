from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from eclair.util.lru import LruCache


def test_the_value_used_longest_ago_is_forgotten() -> None:
    cache = LruCache[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    cache.remove("a")
    cache.remove("never there")
    assert (cache.get("a"), len(cache)) == (None, 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12))))
def test_values_never_weigh_more_than_the_capacity(puts: list[tuple[int, int]]) -> None:
    cache = LruCache[int, int](20, lambda value: value)
    kept: OrderedDict[int, int] = OrderedDict()
    for key, value in puts:
        cache.put(key, value)
        kept.pop(key, None)
        kept[key] = value
        while sum(kept.values()) > 20:
            kept.popitem(last=False)
        assert len(cache) == len(kept)
    assert {key: cache.get(key) for key in range(6)} == {key: kept.get(key) for key in range(6)}
