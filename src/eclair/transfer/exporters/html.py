"""HTML in one file that needs nothing else: read on any screen, printed well, and without anything that runs.

Answers are Markdown; raw HTML in them is shown as it was written, and pictures from elsewhere become links, so that
opening the file tells nobody. That the answers were made by AI is said for people and, in schema.org's words, for
programs.
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
from eclair.schema.messages import Citation, Message
from eclair.transfer.export_view import Exported, ending, moment, notice, picture_line, speaker, when
from eclair.transfer.footnotes import SIGN, Mark, address, along, doubts, marked, sources, where
from eclair.util.slug import anchor

MADE_BY_AI = "https://schema.org/TrainedAlgorithmicMediaDigitalSource"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render(exported: Exported) -> bytes:
    return "\n".join(_page(exported)).encode()


def _page(exported: Exported) -> Iterator[str]:
    messages = exported.branch
    title = escape(exported.title)
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f'<meta name="generator" content="Éclair {eclair.__version__}">'
    yield f"<title>{title}</title>"
    yield f"<style>\n{_style()}</style>"
    yield "</head>"
    yield "<body>"
    yield '<main itemscope itemtype="https://schema.org/Conversation">'
    yield "<header>"
    yield f'<h1 itemprop="name" dir="auto" lang="">{title}</h1>'
    yield f"<p>{escape(notice(messages))} Exported from Éclair on {_time(exported.at)}.</p>"
    yield "</header>"
    answers = 0
    for message in messages:
        answers += message.role == "assistant"
        yield from _message(message, answers, exported.pictures)
    yield "</main>"
    yield "</body>"
    yield "</html>"
    yield ""


def _message(message: Message, answer: int, pictures: Mapping[str, str]) -> Iterator[str]:
    by_ai = message.role == "assistant"
    kind = "answer" if by_ai else "question"
    yield f'<article class="{kind}" itemprop="hasPart" itemscope itemtype="https://schema.org/Message">'
    if by_ai:
        yield f'<meta itemprop="digitalSourceType" content="{MADE_BY_AI}">'
    yield f'<h2><span itemprop="sender">{escape(speaker(message))}</span> {_time(message.created, "dateSent")}</h2>'
    for index in range(len(message.parts)):
        yield from _part(message, index, answer, pictures)
    yield from _grounds(message, answer)
    if (end := ending(message)) is not None:
        yield f'<p class="end">{escape(end)}</p>'
    yield "</article>"


def _part(message: Message, index: int, answer: int, pictures: Mapping[str, str]) -> Iterator[str]:
    part = message.parts[index]
    match part.kind:
        case "text" if message.role == "assistant":
            said = _linked(_markdown().render(marked(message, index, _sign), {"answer": f"a{answer}-{index}-"}), answer)
            yield f'<div class="said" itemprop="text" dir="auto" lang="">\n{said}</div>'
        case "text":
            yield f'<div class="said plain" itemprop="text" dir="auto" lang="">{escape(part.text)}</div>'
        case "reasoning":
            yield "<details><summary>Reasoning</summary>"
            yield f'<div class="plain" dir="auto" lang="">{escape(part.text.strip())}</div></details>'
        case "tool_call":
            yield f"<details><summary>Tool call: {escape(part.name or '')}</summary>"
            yield f"<pre><code>{escape(part.text)}</code></pre></details>"
        case "picture":
            line = escape(picture_line(part))
            if (source := pictures.get(part.id or "")) is not None:
                yield f'<figure><img src="{source}" alt="{line}"><figcaption class="end">{line}</figcaption></figure>'
            else:
                yield f'<p class="end" dir="auto" lang="">{line}</p>'


def _sign(mark: Mark) -> str:
    return f"{SIGN}{mark.passage if isinstance(mark, Citation) else '?'}{SIGN}"


def _linked(html: str, answer: int) -> str:
    """The HTML with links to sources where the signs of marks stand; a sign that cannot be one is left out."""

    def link(found: re.Match[str]) -> str:
        number = found[1]
        if number == "?":
            return '<sup class="source" title="No source says so">?</sup>'
        return f'<sup class="source"><a href="#s{answer}-{number}">{number}</a></sup>'

    return re.sub(rf"{SIGN}(\d+|\?){SIGN}", link, html).replace(SIGN, "")


def _grounds(message: Message, answer: int) -> Iterator[str]:
    """What went along with a question, what an answer cites, and what of it no source says."""
    if names := along(message):
        yield f'<p class="end">With {escape(", ".join(names))}</p>'
    if cited := sources(message):
        yield '<ul class="sources">'
        for source in cited:
            number = source.passage.number
            place = f"<strong>{escape(where(source))}</strong>"
            if url := address(source.passage):
                place += f' <a href="{escape(url)}" rel="noopener noreferrer">{escape(url)}</a>'
            text = f'{place} <q dir="auto" lang="">{escape(source.quote)}</q>'
            yield f'<li id="s{answer}-{number}"><span>{number}</span> {text}</li>'
        yield "</ul>"
    if doubtful := [*doubts(message)]:
        yield '<ul class="sources">'
        for sentence, doubt in doubtful:
            yield f'<li><span>?</span> <q dir="auto" lang="">{escape(sentence)}</q> {escape(doubt)}</li>'
        yield "</ul>"


def _time(milliseconds: int, property: str | None = None) -> str:
    stated = f' itemprop="{property}"' if property else ""
    return f'<time{stated} datetime="{moment(milliseconds).isoformat()}">{when(milliseconds)}</time>'


@cache
def _style() -> str:
    return (resources.files("eclair.transfer.exporters") / "page.css").read_text("utf-8")


@cache
def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer).enable(
        ["table", "strikethrough"]
    )
    parser.validateLink = _may_be_linked
    return parser


def _may_be_linked(url: str) -> bool:
    scheme = url.strip().lower().partition(":")[0]
    return ":" not in url or scheme in ("http", "https", "mailto") or url.lower().startswith(_PICTURES)


_PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")


class _Renderer(RendererHTML):
    """Nothing is fetched: only pictures that are in the file itself are shown. Headings have names, which begin with
    that of the answer in `env`, for the links of its contents."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        inline = tokens[idx + 1]
        name = f"{env['answer']}{anchor(self.renderInlineAsText(inline.children, options, env))}"
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
        if source.lower().startswith(_PICTURES):
            return f'<img src="{escape(source)}" alt="{label}">'
        return f'<a href="{escape(source)}" rel="noreferrer">{label}</a>'
