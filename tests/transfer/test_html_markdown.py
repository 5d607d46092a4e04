"""HTML that assistants made of Markdown becomes Markdown again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.transfer.html_markdown import html_to_markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree"),
        ("<h2>Title</h2><p>Text</p>", "## Title\n\nText"),
        ("<p><strong>a</strong> <em>b</em> <code>c</code></p>", "**a** *b* `c`"),
        ("<ol><li>one<ul><li>inner</li></ul></li><li>two</li></ol>", "1. one\n   - inner\n2. two"),
        ("<blockquote><p>said</p><p>more</p></blockquote><p>after</p>", "> said\n>\n> more\n\nafter"),
        ('<p>See <a href="https://example.org/a_(b)">this</a>.</p>', "See [this](<https://example.org/a_(b)>)."),
        ('<p><a href="javascript:alert(1)">no</a></p>', "no"),
        (
            "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>x|y</td></tr></table>",
            "| A | B |\n| --- | --- |\n| 1 | x\\|y |",
        ),
        ('<pre><code class="language-js">a &lt; b\n</code></pre>', "```js\na < b\n```"),
        ("<p>a</p><pre>one\n\n\n  two\n</pre><p>b</p>", "a\n\n```\none\n\n\n  two\n```\n\nb"),
        ("<script>alert(1)</script><p>Text</p>", "Text"),
        ("a &amp; b", "a & b"),
    ],
)
def test_what_people_see_stays(html: str, markdown: str) -> None:
    assert html_to_markdown(html) == markdown


TAGS = ["p", "ul", "li", "pre", "td", "tr", "code", "blockquote"]
PIECES = [
    *(f"<{tag}>" for tag in TAGS),
    *(f"</{tag}>" for tag in TAGS),
    "<a href='https://a'>",
    "</a>",
    "text",
    "<",
    "&",
]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_tags_in_any_order_give_text(pieces: list[str]) -> None:
    assert isinstance(html_to_markdown("".join(pieces)), str)
