"""Self-contained HTML, which looks as the shared page does, prints well, and contacts nobody.

The viewer's scripts typeset the conversation. Where scripts don't run, the same text is there in plain HTML: raw HTML
in answers is shown as text, remote images become links, and formulas stay as written. AI authorship is stated for
people and, in schema.org terms, for programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

import eclair
from eclair.provenance.text_marks import SCHEMA_ORG_MADE_BY_AI
from eclair.schema.messages import Citation, Message
from eclair.transfer.canvas_view import ExportedCanvas
from eclair.transfer.export_view import (
    ExportedConversation,
    ending_note,
    format_time,
    image_caption,
    speaker_label,
    to_datetime,
)
from eclair.transfer.exporters.viewer import make_viewer
from eclair.transfer.footnotes import (
    MARK_SENTINEL,
    FootnoteMark,
    attachment_names,
    cited_sources,
    describe_source,
    doubtful_sentences,
    insert_marks,
    safe_url,
)
from eclair.transfer.markdown_tokens import EMBEDDED_PICTURES, make_parser
from eclair.util.slug import heading_anchor


def render(exported: ExportedConversation) -> bytes:
    return "\n".join(_page(exported)).encode()


def render_canvas(canvas: ExportedCanvas) -> bytes:
    """Write a canvas as a web page that fetches nothing and runs nothing."""
    text = make_parser(_Renderer).render(canvas.body, {"answer": ""})
    notice = canvas.notice
    mark = f'<meta itemprop="digitalSourceType" content="{SCHEMA_ORG_MADE_BY_AI}">' if notice else ""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    lines = (
        "<!doctype html>",
        '<html lang="">',
        f'<head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="color-scheme" content="light dark"><meta name="generator" content="Éclair {eclair.__version__}">',
        f"<title>{escape(canvas.heading)}</title><style>\n{_style()}</style></head>",
        f'<body><main itemscope itemtype="https://schema.org/CreativeWork">{mark}',
        f'<h1 itemprop="name" dir="auto">{escape(canvas.heading)}</h1>',
        f'<div class="said" itemprop="text" dir="auto">\n{text}</div>',
        *([f'<p class="end">{escape(notice)}</p>'] if notice else []),
        "</main></body></html>",
        "",
    )
    return "\n".join(lines).encode()


def _page(exported: ExportedConversation) -> Iterator[str]:
    viewer = make_viewer(exported)
    title = escape(exported.title)
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{viewer.policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f'<meta name="generator" content="Éclair {eclair.__version__}">'
    yield f"<title>{title}</title>"
    yield f'<style id="plain">\n{_style()}</style>'
    yield from (f'<style class="viewer" media="not all">{style}</style>' for style in viewer.styles)
    yield "</head>"
    yield "<body>"
    yield from _plain_text(exported, title)
    yield from viewer.elements()
    yield "</body>"
    yield "</html>"
    yield ""


def _plain_text(exported: ExportedConversation, title: str) -> Iterator[str]:
    messages = exported.branch
    yield '<main itemscope itemtype="https://schema.org/Conversation">'
    yield "<header>"
    yield f'<h1 itemprop="name" dir="auto" lang="">{title}</h1>'
    label = "" if exported.reviewer else ' class="ai"'
    yield f"<p{label}>{escape(exported.origin)} Exported from Éclair on {_time(exported.at)}.</p>"
    yield "</header>"
    answers = 0
    for message in messages:
        answers += message.role == "assistant"
        yield from _message(message, answers, exported.pictures)
    yield "</main>"


def _message(message: Message, answer: int, pictures: Mapping[str, str]) -> Iterator[str]:
    by_ai = message.role == "assistant"
    kind = "answer" if by_ai else "question"
    yield f'<article class="{kind}" itemprop="hasPart" itemscope itemtype="https://schema.org/Message">'
    if by_ai:
        yield f'<meta itemprop="digitalSourceType" content="{SCHEMA_ORG_MADE_BY_AI}">'
    speaker = escape(speaker_label(message))
    yield f'<h2><span itemprop="sender">{speaker}</span> {_time(message.created, "dateSent")}</h2>'
    for index in range(len(message.parts)):
        yield from _part(message, index, answer, pictures)
    yield from _render_sources(message, answer)
    if (end := ending_note(message)) is not None:
        yield f'<p class="end">{escape(end)}</p>'
    yield "</article>"


def _part(message: Message, index: int, answer: int, pictures: Mapping[str, str]) -> Iterator[str]:
    part = message.parts[index]
    match part.kind:
        case "text" if message.role == "assistant":
            said = _linked(
                _markdown().render(insert_marks(message, index, _sign), {"answer": f"a{answer}-{index}-"}), answer
            )
            yield f'<div class="said" itemprop="text" dir="auto" lang="">\n{said}</div>'
        case "text":
            yield f'<div class="said plain" itemprop="text" dir="auto" lang="">{escape(part.text)}</div>'
        case "reasoning":
            yield "<details><summary>Reasoning</summary>"
            yield f'<div class="plain" dir="auto" lang="">{escape(part.text.strip())}</div></details>'
        case "tool_call":
            yield f"<details><summary>Tool call: {escape(part.name or '')}</summary>"
            yield f"<pre><code>{escape(part.text)}</code></pre></details>"
        case "tool_result":
            yield f"<details><summary>Result of {escape(part.name or '')}</summary>"
            yield f"<pre><code>{escape(part.text)}</code></pre></details>"
        case "picture":
            line = escape(image_caption(part))
            if (source := pictures.get(part.id or "")) is not None:
                yield f'<figure><img src="{source}" alt="{line}"><figcaption class="end">{line}</figcaption></figure>'
            else:
                yield f'<p class="end" dir="auto" lang="">{line}</p>'


def _sign(mark: FootnoteMark) -> str:
    return f"{MARK_SENTINEL}{mark.passage if isinstance(mark, Citation) else '?'}{MARK_SENTINEL}"


def _linked(html: str, answer: int) -> str:
    """Replace mark sentinels in the HTML with links to sources; stray sentinels are dropped."""

    def link(found: re.Match[str]) -> str:
        number = found[1]
        if number == "?":
            return '<sup class="source" title="No source says so">?</sup>'
        return f'<sup class="source"><a href="#s{answer}-{number}">{number}</a></sup>'

    return re.sub(rf"{MARK_SENTINEL}(\d+|\?){MARK_SENTINEL}", link, html).replace(MARK_SENTINEL, "")


def _render_sources(message: Message, answer: int) -> Iterator[str]:
    """Render a question's attachments, an answer's sources, and its unsupported sentences."""
    if names := attachment_names(message):
        yield f'<p class="end">With {escape(", ".join(names))}</p>'
    if cited := cited_sources(message):
        yield '<ul class="sources">'
        for source in cited:
            number = source.passage.number
            place = f"<strong>{escape(describe_source(source))}</strong>"
            if url := safe_url(source.passage):
                place += f' <a href="{escape(url)}" rel="noopener noreferrer">{escape(url)}</a>'
            text = f'{place} <q dir="auto" lang="">{escape(source.quote)}</q>'
            yield f'<li id="s{answer}-{number}"><span>{number}</span> {text}</li>'
        yield "</ul>"
    if doubtful := [*doubtful_sentences(message)]:
        yield '<ul class="sources">'
        for sentence, doubt in doubtful:
            yield f'<li><span>?</span> <q dir="auto" lang="">{escape(sentence)}</q> {escape(doubt)}</li>'
        yield "</ul>"


def _time(milliseconds: int, property: str | None = None) -> str:
    stated = f' itemprop="{property}"' if property else ""
    return f'<time{stated} datetime="{to_datetime(milliseconds).isoformat()}">{format_time(milliseconds)}</time>'


@cache
def _style() -> str:
    return (resources.files("eclair.transfer.exporters") / "page.css").read_text("utf-8")


@cache
def _markdown() -> MarkdownIt:
    return make_parser(_Renderer)


class _Renderer(RendererHTML):
    """Markdown renderer that fetches nothing: only images in the file itself are shown.

    Heading ids start with the `answer` value in `env`, so that the contents can link to them.
    """

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        inline = tokens[idx + 1]
        name = f"{env['answer']}{heading_anchor(self.renderInlineAsText(inline.children, options, env))}"
        if name not in (known := env.setdefault("known", set())):
            known.add(name)
            tokens[idx].attrSet("id", name)
        return self.renderToken(tokens, idx, options, env)

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        to = str(tokens[idx].attrGet("href") or "")
        if to.startswith("#"):
            tokens[idx].attrSet("href", f"#{env['answer']}{to[1:]}")
        return self.renderToken(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        token = tokens[idx]
        source = str(token.attrGet("src") or "")
        label = escape(self.renderInlineAsText(token.children, options, env) or source)
        if source.lower().startswith(EMBEDDED_PICTURES):
            return f'<img src="{escape(source)}" alt="{label}">'
        return f'<a href="{escape(source)}" rel="noreferrer">{label}</a>'

    def math(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<code class="math">{escape(tokens[idx].markup)}</code>'

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<pre class="math"><code>{escape(tokens[idx].markup)}</code></pre>\n'
