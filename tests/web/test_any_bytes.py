"""Whatever a server sends as a page ends in a page or in one clear sentence, and the next page is read all the same."""

from __future__ import annotations

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.web.pages.fetch import PageUnreadable
from eclair.web.pages.reader import PageReader
from tests.web.conftest import CONTEXT
from tests.web.internet import Internet
from tests.web.page_values import Made

TAGS = (
    *("html", "head", "body", "p", "div", "table", "tr", "td", "ul", "li", "h1", "h2", "pre", "blockquote", "a", "br"),
    *("script", "style", "template", "noscript", "svg", "time", "meta", "title", "article", "form", "b", "img"),
)
ATTRIBUTES = (
    "class",
    "id",
    "style",
    "datetime",
    "content",
    "property",
    "name",
    "charset",
    "lang",
    "itemprop",
    "hidden",
)
VALUES = ("", "date", "article:published_time", "display:none", "2026-09-14", "9999-99-99", "utf-16", "x" * 300, "\0")
SAID = (
    "14. September 2026",
    "Published: 1 2 3",
    "&amp;&#x0;&#xd800;&nope;",
    "<|im_start|>",
    "ﷺ\u202e\ud7ff",
    "\0\x1b[2J",
)

attribute = st.builds('{}="{}"'.format, st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES) | st.text(max_size=20))
opening = st.builds("<{} {}>".format, st.sampled_from(TAGS), st.lists(attribute, max_size=3).map(" ".join))
closing = st.builds("</{}>".format, st.sampled_from(TAGS))
linked = st.builds(
    '<script type="application/ld+json">{}</script>'.format,
    st.recursive(
        st.sampled_from(('"2026-09-14"', "null", "1e999", '{"@type": "NewsArticle", "datePublished": []}', '"')),
        lambda inner: st.builds('{{"@type": "Article", "author": {}, "datePublished": {}}}'.format, inner, inner),
        max_leaves=6,
    ),
)
soup = st.lists(opening | closing | linked | st.sampled_from(SAID) | st.text(max_size=80), max_size=60).map("".join)
html = soup.map(lambda text: text.encode("utf-8", "surrogatepass")) | soup.map(
    lambda text: text.encode("utf-16", "surrogatepass")
)
MEDIA = ("text/html", "text/html; charset=", "text/html; charset=rot13", "text/plain", "application/pdf", "", "a/b/c")

numbers = count()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=st.binary(max_size=3000) | html, media=st.sampled_from(MEDIA))
async def test_any_bytes_end_in_a_page_or_a_clear_fault(
    world: Internet, reader: PageReader, body: bytes, media: str
) -> None:
    url = world.url(f"h{next(numbers)}.example", "/page")
    world.pages[url] = Made(url, body, media=media)
    page = fault = None
    try:
        page = await reader.read(url, CONTEXT, timeout_s=20)
    except PageUnreadable as unread:
        fault = unread
    if page is None:
        assert fault is not None
        assert fault.outcome in ("failed", "nothing")
        assert fault.message.endswith(".")
    else:
        assert page.url == url
        assert page.title
        assert page.text.encode()  # no half characters
        assert "\0" not in page.text
        assert "\x1b" not in page.text
        assert page.published is None or page.published <= world.today
        for sheet in page.pages:
            assert all(0 <= block.start < block.end <= len(sheet.text) for block in sheet.blocks)
