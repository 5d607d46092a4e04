"""The small internet is what it says of itself: pages are served, names resolve, questions can be answered from it."""

from __future__ import annotations

from collections import Counter

import pytest

from eclair.network.client import Unreachable, WebClient
from tests.web.conftest import CONTEXT
from tests.web.internet import Internet, Weather
from tests.web.page_values import flat
from tests.web.questions import questions


async def test_pages_are_served_under_many_names(world: Internet, browser: WebClient) -> None:
    for url in [next(iter(world.pages)), world.url("en.lexikon.example", "/wiki/Harrowmere")]:
        async with browser.get(url, CONTEXT) as reply:
            assert reply.status == 200
            assert await reply.body() == world.pages[url].body
        async with browser.get(url, CONTEXT, headers={"If-None-Match": reply.headers["ETag"]}) as again:
            assert again.status == 304
    with pytest.raises(Unreachable):
        async with browser.get("http://www.example.org/", CONTEXT):
            pass
    assert world.asked[0].path in next(iter(world.pages))


def test_there_are_sixty_questions_and_their_answers_stand_on_the_right_pages() -> None:
    world = Internet(1)
    asked = questions(world)
    assert len({each.text for each in asked}) == 60
    assert Counter(each.sort for each in asked) == {
        "plain": 36,
        "contradicted": 6,
        "changed": 6,
        "timeless": 6,
        "unsupported": 6,
    }
    for each in asked:
        keys = [world.pages[url].key for url in each.pages]
        assert bool(keys) == each.supported
        if each.contradicted:
            assert [key for key in keys if each.answer[0] in key] != keys
        for answer in each.answer:
            assert any(answer in key for key in keys), (each, keys)
        assert not any(wrong in key for key in keys for wrong in each.wrong)
        found = {page.url for page in world.find(each.text, 8, each.language)}
        assert found & set(each.pages) or not each.supported, each.text


def test_the_same_day_makes_the_same_pages_and_the_same_seed_the_same_weather() -> None:
    assert Internet(1).pages == Internet(1).pages
    urls = [f"http://a.example/{n}" for n in range(2000)]
    weather = Weather(0.02, 0.8, 0.1, seed=3)
    assert [weather.failure(url) for url in urls] == [Weather(failures=0.1, seed=3).failure(url) for url in urls]
    failing = [url for url in urls if weather.failure(url) is not None]
    assert 0.07 < len(failing) / len(urls) < 0.13
    assert all(0.02 <= weather.latency(url) <= 0.8 for url in urls)


def test_what_is_known_of_a_page_stands_on_it() -> None:
    for each in Internet(1).pages.values():
        if each.kind in ("news", "brief", "shop", "forum", "wiki", "injected"):
            text = flat(each.body.decode().replace("&#x27;", "'"))
            assert each.key in text
            assert all(lost in text or "16" in lost or "20" in lost for lost in each.lost), each
