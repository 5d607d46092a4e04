"""Exports say everything, run nothing, fetch nothing, and come back in as they were."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from eclair.schema.messages import (
    Attachment,
    Call,
    Citation,
    Conversation,
    Doubt,
    Fault,
    LibraryName,
    Message,
    PageBreak,
    Part,
    Passage,
)
from eclair.transfer.export_view import ExportedConversation, file_name
from eclair.transfer.exporters import EXPORTERS, ExportFormat
from tests.transfer.support import NOW, staged

CONVERSATION = "conv_" + "0" * 26
TEXT_FORMATS: tuple[ExportFormat, ...] = ("markdown", "json", "html")
NASTY = """# Heading

<script>alert(1)</script> and <img src=x onerror=alert(1)>

[run](javascript:alert(1)) [data](data:text/html,x) [site](https://example.org/?a=1&b="2")
![far](https://example.org/track.png "t") ![here](data:image/png;base64,AAAA)

| a | b |
|---|---|
| 1 | ~~2~~ |

```html
</code></pre><script>
```"""


def message(number: int, role: str, text: str, parent: int | None = None, **more: object) -> Message:
    values = {
        "id": f"msg_{number:026}",
        "conversation": CONVERSATION,
        "parent": None if parent is None else f"msg_{parent:026}",
        "role": role,
        "parts": (Part("text", text),),
        "created": 1_700_000_000_000 + number,
    }
    return Message(**{**values, **more})  # pyright: ignore[reportArgumentType]


@pytest.fixture
def exported() -> ExportedConversation:
    thought = (Part("reasoning", "Hm\n<b>"), Part("tool_call", '{"q": "<x>"}', "1", "search"), Part("text", NASTY))
    messages = (
        message(1, "user", "What is <this>?\n  and *that*"),
        message(2, "assistant", "", 1, parts=thought, model="mini & co"),
        message(3, "assistant", "Another branch", 1, model="other"),
        message(4, "user", "More", 2),
        message(5, "assistant", "Half", 4, status="stopped"),
        message(6, "user", "And?", 5),
        message(7, "assistant", "", 6, parts=(), status="failed", fault=Fault("x", "The engine <died>.")),
    )
    conversation = Conversation(CONVERSATION, "local", 'A "title" </title><script>', 1, 2, messages[-1].id)
    return ExportedConversation(conversation, messages, NOW)


class Page(HTMLParser):
    """The tags of a page, and that they are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def rendered(exported: ExportedConversation, format: ExportFormat) -> str:
    return EXPORTERS[format].render(exported).decode()


@pytest.mark.parametrize("format", EXPORTERS)
def test_a_call_that_failed_says_why_in_words_for_people(format: ExportFormat) -> None:
    parts = (
        Part("tool_result", "Error: Nothing was made; call again.", "call_1", "draw_picture"),
        Part("tool_result", "Output:\n4", "call_2", "run_python"),
    )
    calls = (
        Call("call_1", "draw_picture", "compute", "", outcome="failed", fault=Fault("no_picture", "No picture!")),
        Call("call_2", "run_python", "compute", "", outcome="done"),
    )
    answer = message(1, "assistant", "", parts=parts, calls=calls)
    conversation = Conversation(CONVERSATION, "local", "Pictures", 1, 2, answer.id)
    data = EXPORTERS[format].render(ExportedConversation(conversation, (answer,), NOW))
    if format == "docx":
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            data = package.read("word/document.xml")
    text = data.decode()
    assert "No picture!" in text
    assert "Output:" in text
    assert ("call again" in text) == (format == "json"), "JSON holds what the model read, from which it goes on"


def test_html_runs_its_own_scripts_and_fetches_nothing(exported: ExportedConversation) -> None:
    text = rendered(exported, "html")
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"iframe", "link", "object", "form", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert (attributes.get("src") or "data:image/").startswith("data:image/"), tag
        assert not re.match(r"(?i)\s*(javascript|data|vbscript):", attributes.get("href") or "")
    styles = "".join(re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL))
    assert not re.search(r"url\((?!data:)", styles)
    assert "@import" not in styles
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    allowed = policy.partition("script-src ")[2].partition(";")[0].split()
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert allowed == [f"'sha256-{digest}'" for digest in hashes]


def test_html_holds_only_the_scripts_that_its_conversation_needs(exported: ExportedConversation) -> None:
    asked = replace(exported.conversation, leaf=exported.messages[0].id)
    assert len(rendered(replace(exported, conversation=asked), "html")) < 300_000
    assert len(rendered(exported, "html")) > 400_000


def test_html_keeps_formulas_whole(exported: ExportedConversation) -> None:
    answer = message(
        2, "assistant", r"Cold: $308\,\mathrm{K}$ and" "\n\n$$\na\n+ b \\\\\n$$\n\nsee https://example.org/x.", 1
    )
    conversation = replace(exported.conversation, leaf=answer.id)
    text = rendered(replace(exported, conversation=conversation, messages=(exported.messages[0], answer)), "html")
    plain = text[: text.index("</main>")]
    assert r'<code class="math">$308\,\mathrm{K}$</code>' in plain
    assert "$$\na\n+ b \\\\\n$$</code></pre>" in plain
    assert '<a href="https://example.org/x">https://example.org/x</a>.' in plain


def test_html_shows_the_branch_as_it_was_meant(exported: ExportedConversation) -> None:
    text = rendered(exported, "html")
    assert "What is &lt;this&gt;?\n  and *that*" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<s>2</s>" in text
    assert '<img src="data:image/png;base64,AAAA" alt="here">' in text
    assert '<a href="https://example.org/track.png" rel="noreferrer">far</a>' in text
    assert "Another branch" not in text
    assert "Stopped here." in text
    assert "The engine &lt;died&gt;." in text
    assert "@media print" in text
    assert "prefers-color-scheme: dark" in text


def test_every_format_says_that_the_answers_are_by_ai(exported: ExportedConversation) -> None:
    for format in TEXT_FORMATS:
        assert "The answers were made by AI" in rendered(exported, format)
    page = Page(rendered(exported, "html"))
    assert any(a.get("name") == "generator" and "Éclair" in (a["content"] or "") for _, a in page.tags)
    marks = [a for _, a in page.tags if a.get("itemprop") == "digitalSourceType"]
    assert len(marks) == 3
    assert "TrainedAlgorithmicMedia" in (marks[0]["content"] or "")
    assert "made by AI (mini &amp; co)" in rendered(exported, "html")


def test_markdown_keeps_the_words(exported: ExportedConversation) -> None:
    text = rendered(exported, "markdown")
    assert '---\n\n# A "title" </title><script>\n' in text
    assert NASTY in text
    assert "## AI · mini & co · 2023-11-14 22:13 UTC" in text
    assert "> Hm\n> <b>" in text
    assert "Another branch" not in text


def test_json_comes_back_in_as_it_was(exported: ExportedConversation, tmp_path: Path) -> None:
    text = rendered(exported, "json")
    assert "local" not in text
    preview, (found,) = staged(tmp_path, text.encode())
    assert (preview.kind, preview.problems) == ("eclair", ())
    assert set(found.messages) == set(exported.messages)
    assert found.conversation == Conversation(
        CONVERSATION, "", exported.conversation.title, 1, 2, exported.conversation.leaf
    )
    assert orjson.loads(text)["eclair"] == 1


def test_json_brings_back_how_a_conversation_is_answered(exported: ExportedConversation, tmp_path: Path) -> None:
    chosen = replace(exported.conversation, temperature=0.3, max_tokens=500, system="Be brief.")
    _, (found,) = staged(tmp_path, rendered(replace(exported, conversation=chosen), "json").encode())
    settings = found.conversation
    assert (settings.temperature, settings.max_tokens, settings.system) == (0.3, 500, "Be brief.")


@pytest.mark.parametrize("format", TEXT_FORMATS)
def test_an_empty_conversation_has_a_file_too(format: ExportFormat) -> None:
    empty = ExportedConversation(Conversation(CONVERSATION, "local", "", 1, 1), (), NOW)
    assert "Conversation" in rendered(empty, format) or format == "json"
    assert empty.name == "Conversation"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c:d*e?f", "a-b-c-d-e-f"),
        ("Où est l'été ?", "Où-est-l-été"),
        ("x" * 300, "x" * 60),
        ("…", "conversation"),
        ("CON\r\nSet-Cookie: x", "CON-Set-Cookie-x"),
        ("日本語", "日本語"),
    ],
)
def test_file_names_are_safe(title: str, name: str) -> None:
    assert file_name(title) == name


RESTED = """**It rose [3].** It 🧀 fell.

- Lyon has 12. See https://example.org/a
- `a[3]` is there.

```
x [3]
```
"""


@pytest.fixture
def rested() -> ExportedConversation:
    """A conversation about documents, its second answer with marks."""

    def cites(sentence: str, passage: int) -> Citation:
        start = RESTED.index(sentence)
        return Citation(0, start, start + len(sentence), passage, "It  <rose>\nso.", 0, 9, 1.0)

    passages = tuple(
        Passage(number, f"file_{number}", "<report>.pdf", 4, label, (), 0, 9, "It rose.")
        for number, label in ((2, "Sales"), (3, None))
    )
    doubted = RESTED.index("Lyon has 12.")
    messages = (
        message(1, "user", "Why?"),
        message(2, "assistant", "So.", 1),
        message(
            3,
            "user",
            "And?",
            2,
            files=(Attachment("file_2", "<report>.pdf", 9, "application/pdf"),),
            libraries=(LibraryName("lib_1", "handbook"),),
        ),
        message(
            4,
            "assistant",
            RESTED,
            3,
            passages=passages,
            citations=(
                cites("**It rose [3].**", 3),
                cites("It 🧀 fell.", 2),
                cites("See https://example.org/a", 2),
                cites("`a[3]` is there.", 3),
                cites("x [3]\n```", 3),
            ),
            doubts=(Doubt(0, doubted, doubted + len("Lyon has 12."), "12", 2),),
        ),
    )
    return ExportedConversation(Conversation(CONVERSATION, "local", "Rested", 1, 2, messages[-1].id), messages, NOW)


def test_json_brings_sources_back(rested: ExportedConversation, tmp_path: Path) -> None:
    _, (found,) = staged(tmp_path, EXPORTERS["json"].render(rested))
    assert set(found.messages) == set(rested.messages)


def test_markdown_has_sources_as_footnotes(rested: ExportedConversation) -> None:
    text = EXPORTERS["markdown"].render(rested).decode()
    assert "*With <report>.pdf, @handbook*" in text
    assert "**It rose[^2-1].** It 🧀 fell.[^2-2]\n\n- Lyon has 12. (?) See https://example.org/a [^2-2]\n" in text
    assert "- `a[3]` is there.[^2-1]\n\n```\nx [3]\n```\n" in text
    assert r"[^2-2]: \<report>.pdf, Sales: “It \<rose> so.”" in text
    assert r"[^2-1]: \<report>.pdf, page 4: “It \<rose> so.”" in text
    assert "> (?) Lyon has 12. — *No source says so: 12.*" in text


def test_a_source_is_placed_where_its_quote_begins(rested: ExportedConversation) -> None:
    """The passage begins on page 3, and the text of the other has no pages."""
    answer = rested.messages[-1]
    paged, text = answer.passages
    passages = (
        replace(paged, page=3, label=None, start=0, end=60, breaks=(PageBreak(4, "iv", 5), PageBreak(5, None, 40))),
        replace(text, name="notes.md", label="", heading=("Town", "Fees")),
    )
    citations = tuple(replace(each, quote_start=6) for each in answer.citations)
    message = replace(answer, passages=passages, citations=citations)
    exported = replace(rested, messages=(*rested.messages[:-1], message))
    text = EXPORTERS["markdown"].render(exported).decode()
    assert r"[^2-2]: \<report>.pdf, page iv: “" in text
    assert "[^2-1]: notes.md, Fees: “" in text
    assert "<strong>notes.md, Fees</strong>" in EXPORTERS["html"].render(exported).decode()


def test_html_links_to_sources(rested: ExportedConversation) -> None:
    html = EXPORTERS["html"].render(rested).decode()
    first = '<sup class="source"><a href="#s2-1">1</a></sup>'
    assert f"<strong>It rose{first}.</strong> It 🧀 fell." in html
    assert f"<code>a[3]</code> is there.{first}" in html
    assert "<pre><code>x [3]\n</code></pre>" in html
    assert '<li id="s2-1"><span>1</span> <strong>&lt;report&gt;.pdf, page 4</strong>' in html
    assert "With &lt;report&gt;.pdf, @handbook" in html
    assert "Lyon has 12.</q> No source says so: 12." in html
    assert "\u2e4e" not in html


@pytest.fixture
def browsed(rested: ExportedConversation) -> ExportedConversation:
    """The same, its sources from the web: one is a page, the other has an address that nothing may lead to."""
    *said, answer = rested.messages
    sales, report = answer.passages
    passages = (
        replace(sales, name="![A](http://evil.example/b.png)", url="javascript:alert(1)", published="lately"),
        replace(report, name="Bridge <open>", url="https://www.example.org/ä b?q=<1>", published="2026-11-24"),
    )
    return replace(rested, messages=(*said, replace(answer, passages=passages)))


def test_html_leads_from_contents_to_headings(rested: ExportedConversation) -> None:
    text = "1. [Über *alles*](#1-über-alles)\n\n## 1. Über *alles*\n\nIt rose.\n\n## 1. Über alles"
    asked, answer = rested.branch[:2]
    answer = replace(answer, parts=(Part("text", text),))
    conversation = replace(rested.conversation, leaf=answer.id)
    html = rendered(ExportedConversation(conversation, (asked, answer), NOW), "html")
    assert '<a href="#a1-0-1-%C3%BCber-alles">' in html
    assert html.count('id="a1-0-1-über-alles"') == 1


def test_markdown_has_title_date_and_address_of_what_is_from_the_web(browsed: ExportedConversation) -> None:
    text = EXPORTERS["markdown"].render(browsed).decode()
    address = "<https://www.example.org/%C3%A4%20b?q=%3C1%3E>"
    assert rf"[^2-1]: Bridge \<open>, example.org, 24 November 2026, {address}: “It \<rose> so.”" in text
    assert r"[^2-2]: !\[A\](http://evil.example/b.png), javascript:alert(1), lately: “" in text


def test_html_links_to_what_is_from_the_web(browsed: ExportedConversation) -> None:
    html = EXPORTERS["html"].render(browsed).decode()
    address = "https://www.example.org/%C3%A4%20b?q=%3C1%3E"
    named = "<strong>Bridge &lt;open&gt;, example.org, 24 November 2026</strong>"
    assert f'{named} <a href="{address}" rel="noopener noreferrer">{address}</a>' in html
    assert 'href="javascript' not in html


def test_json_brings_back_what_is_from_the_web(browsed: ExportedConversation, tmp_path: Path) -> None:
    _, (found,) = staged(tmp_path, EXPORTERS["json"].render(browsed))
    assert set(found.messages) == set(browsed.messages)
