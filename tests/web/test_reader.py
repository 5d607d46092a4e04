"""Pages of the small internet are fetched and read as a question would: through the browser, in the reading process."""

from __future__ import annotations

import asyncio

import pytest

from eclair.documents.chunking import Chunker
from eclair.schema.web import WebPage
from eclair.web.pages.fetch import PageUnreadable
from eclair.web.pages.reader import PageReader
from tests.web.conftest import CONTEXT, Clocked
from tests.web.faulty_pages import BAIT
from tests.web.internet import Internet
from tests.web.page_values import Made, flat

WITHIN = 30.0
"""Seconds; the machine may be busy."""

ORDERLY = ("news", "shop", "forum", "wiki", "report")


async def read(reader: PageReader, url: str, within: float = WITHIN) -> WebPage:
    return await reader.read(url, CONTEXT, timeout_s=within)


async def unread(reader: PageReader, url: str, within: float = WITHIN) -> PageUnreadable:
    with pytest.raises(PageUnreadable) as caught:
        await read(reader, url, within)
    assert caught.value.message.endswith("."), caught.value.message
    return caught.value


def check(page: WebPage, made: Made) -> None:
    """The page is what was made."""
    assert (page.url, page.title, page.language) == (
        made.url,
        made.title,
        made.language if made.media[0] == "t" else None,
    )
    assert page.published == made.day, made.url
    assert page.author == made.author
    assert page.wall == made.wall
    assert made.key in flat(page.text), made.url
    for lost in made.lost:
        assert lost not in page.text, made.url


@pytest.mark.parametrize("kind", [*ORDERLY, "injected", "wall", "odd"])
async def test_what_is_known_of_a_page_is_read_of_it(world: Internet, reader: PageReader, kind: str) -> None:
    """A third of those of each kind, all of the odd ones but those that are too large."""
    pages = [each for each in world.pages.values() if each.kind == kind and "riesig" not in each.url]
    pages = [each for each in pages if "kreisbote" not in each.url]
    for made in pages if kind in ("injected", "wall", "odd") else pages[:: 3 if len(pages) > 40 else 1][:14]:
        check(await read(reader, made.url), made)


async def test_an_article_has_its_blocks_and_chunks_know_the_headings_above_them(
    world: Internet, reader: PageReader
) -> None:
    made = world.story("de-bridge-0")[0]
    page = await read(reader, made.url)
    (sheet,) = page.pages
    told = [(block.kind, block.level, sheet.text[block.start : block.end]) for block in sheet.blocks]
    assert told[0] == ("heading", 1, made.title)
    assert ("heading", 2, "Weiteres aus der Gegend") in told
    assert ("list", 0, "• Weidenfurt 1\n• Weidenfurt 2") in told
    chunker = Chunker("page")
    chunks = [*chunker.add(sheet), *chunker.finish()]
    assert any(made.title in chunk.heading and made.key in flat(chunk.text) for chunk in chunks)
    for chunk in chunks:
        assert page.text[chunk.start : chunk.end] == chunk.text


async def test_where_redirects_lead_is_what_is_read(world: Internet, reader: PageReader) -> None:
    made = world.story("en-bridge-0")[0]
    for path in ("/moved", "/moved/1"):
        page = await read(reader, world.mood(path))
        assert (page.url, page.title, page.site) == (made.url, made.title, made.url.split("/")[2].partition(":")[0])


@pytest.mark.parametrize(
    ("path", "outcome", "says"),
    [
        ("/far/8", "failed", "redirected"),
        ("/loop/a", "failed", "redirected"),
        ("/cookie", "failed", "redirected"),
        ("/private", "refused", "169.254.169.254"),
        ("/nowhere", "failed", "unbekannt.example"),
        ("/file", "refused", "http"),
        ("/broken", "failed", "ended early"),
        ("/reset", "failed", "launisch.example"),
        ("/missing", "failed", "no such page"),
        ("/gone", "failed", "no such page"),
        ("/forbidden", "refused", "403"),
        ("/error", "failed", "500"),
        ("/empty", "failed", "empty"),
        ("/blank", "nothing", "no text"),
        ("/json", "failed", "application/json"),
        ("/picture", "failed", "image/png"),
        ("/binary", "failed", "cannot be read"),
        ("/bomb", "failed", "larger than"),
        ("/endless", "failed", "longer than"),
        ("/damaged.pdf", "failed", "cannot be read"),
    ],
)
async def test_what_cannot_be_read_says_why(
    world: Internet, reader: PageReader, path: str, outcome: str, says: str
) -> None:
    fault = await unread(reader, world.mood(path))
    assert (fault.outcome, says in fault.message) == (outcome, True), fault.message


@pytest.mark.parametrize("path", ["/silent", "/drip", "/slow?ms=20000"])
async def test_a_slow_server_costs_no_more_than_the_time_given(world: Internet, reader: PageReader, path: str) -> None:
    assert (await unread(reader, world.mood(path), within=0.4)).outcome == "late"
    assert (await read(reader, world.story("fr-train-1")[0].url)).title  # nothing is left in the way


async def test_plain_text_and_what_only_claims_to_be_a_pdf_are_read(world: Internet, reader: PageReader) -> None:
    assert "Moodham" in (await read(reader, world.mood("/text"))).text
    page = await read(reader, world.mood("/liar.pdf"))
    assert (page.media, page.title) == ("text/html", "No PDF")


async def test_robots_are_asked_once_and_heeded(world: Internet, reader: PageReader) -> None:
    for path in ("/", "/artikel"):
        fault = await unread(reader, world.url("verschlossen.example", path))
        assert fault.outcome == "refused"
        assert "robots.txt" in fault.message
    assert [each.path for each in world.asked] == ["/robots.txt"]
    assert (await unread(reader, world.url("teilweise.example", "/privat/a"))).outcome == "refused"
    assert (await read(reader, world.url("teilweise.example", "/offen"))).title == "Moodham"
    assert "503" in (await unread(reader, world.url("roboterfehler.example", "/"))).message
    assert (await read(reader, world.url("geheim.example", "/"))).title == "Moodham"  # no rules to be had is none
    agents = {each.headers["User-Agent"] for each in world.asked}
    assert all(agent.startswith("Eclair/") for agent in agents)


async def test_a_redirect_to_a_server_that_wants_no_programs_is_not_read(world: Internet, reader: PageReader) -> None:
    assert (await unread(reader, world.mood("/closed"))).outcome == "refused"


async def test_a_server_is_asked_gently(world: Internet, reader: PageReader) -> None:
    urls = [each.url for each in world.pages.values() if "theledger" in each.url and each.kind == "brief"][:6]
    await asyncio.gather(*(read(reader, url) for url in urls))
    assert world.busiest["theledger.example"] <= 2
    assert len({each.path for each in world.asked}) == len(world.asked) == 7


async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(world: Internet, reader: PageReader) -> None:
    assert "429" in (await unread(reader, world.mood("/busy"))).message
    count = len(world.asked)
    assert "left alone" in (await unread(reader, world.mood("/slow?ms=0"))).message
    assert len(world.asked) == count


async def test_a_page_is_kept_and_then_asked_for_only_if_it_has_changed(world: Internet, clocked: Clocked) -> None:
    made = world.story("en-heat-0")[0]
    first = await read(clocked.reader, made.url)
    assert await read(clocked.reader, made.url) is first
    assert sum(each.path in made.url for each in world.asked) == 1
    clocked.seconds += 400
    again = await read(clocked.reader, made.url)
    assert "If-None-Match" in world.asked[-1].headers
    assert (again.text, again.fetched) == (first.text, first.fetched + 400_000)
    clocked.seconds += 4000
    assert (await read(clocked.reader, made.url)).text == first.text
    assert "If-None-Match" not in world.asked[-1].headers


async def test_orders_on_a_page_lead_to_no_call(world: Internet, reader: PageReader) -> None:
    pages = [each for each in world.pages.values() if each.kind == "injected"]
    assert len(pages) == 20
    for made in pages[13:20]:
        await read(reader, made.url)
    assert {each.host for each in world.asked} == {"koeder.example"}
    assert BAIT not in {each.host for each in world.asked}


async def test_huge_pages_end(world: Internet, reader: PageReader) -> None:
    table = await read(reader, world.url("riesig.example", "/table"))
    assert sum(len(sheet.text) for sheet in table.pages) > 100_000
    assert (await read(reader, world.url("riesig.example", "/text"))).title == "Hugeham text"
    assert (await read(reader, world.url("riesig.example", "/deep"))).title == "Deep"
    assert "8" in (await unread(reader, world.url("riesig.example", "/too-much"))).message


async def test_a_page_without_a_date_has_that_of_its_news_sitemap(world: Internet, reader: PageReader) -> None:
    made = next(each for each in world.pages.values() if "kreisbote" in each.url)
    page = await read(reader, made.url)
    assert page.published == made.day
    assert "/news-sitemap.xml" in {each.path for each in world.asked}
