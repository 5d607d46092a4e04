"""Parses answers' Markdown into tokens for exporters: CommonMark with tables, formulas, tasks and bare links.

A formula is a `math` token inline, or a `math_block`, with its TeX as content, by the rules of the page
(ui/src/lib/markdown/math.ts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

MAX_FORMULA_CHARS = 4000
MAX_DOLLAR_FORMULA_CHARS = 2000
MAX_BLOCK_LEVEL = 17
"""Of blocks in blocks, with two for a list: what is deeper stays as written. The parser would drop it from 20 on."""
EMBEDDED_PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")
_CLOSINGS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
_TASK = re.compile(r"\[([ xX])\] ")
_BARE_LINK = re.compile(r"https?://[^\s<>\u2e4e]+")
_AFTER_LINK = ".,;:!?'\"”’»)]*_~"


def make_parser(renderer: type[RendererHTML] = RendererHTML) -> MarkdownIt:
    """Make a parser of answers. Raw HTML stays text, and links lead only to the web, to mail or to a heading."""
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=renderer)
    parser.enable(["table", "strikethrough"])
    parser.validateLink = _is_linkable
    parser.inline.ruler.before("escape", "math", _math)
    parser.block.ruler.before("table", "too_deep", _too_deep)
    parser.block.ruler.before(
        "fence", "math_block", _math_block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.core.ruler.push("tasks_and_links", _tasks_and_links)
    return parser


def _is_linkable(url: str) -> bool:
    scheme = url.strip().lower().partition(":")[0]
    return ":" not in url or scheme in ("http", "https", "mailto") or url.lower().startswith(EMBEDDED_PICTURES)


def _too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read the rest of a block that lies too deep as it is written."""
    if state.level <= MAX_BLOCK_LEVEL:
        return False
    line = start
    while line < end and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        line += 1
    if not silent:
        token = state.push("code_block", "code", 0)
        token.content, token.map = state.getLines(start, line, state.blkIndent, False), [start, line]
        state.line = line
    return True


def _math(state: StateInline, silent: bool) -> bool:
    """Read a formula within a line."""
    text, at = state.src, state.pos
    opening = text[at : at + 2]
    if closing := _CLOSINGS.get(opening):
        end = text.find(closing, at + 2, min(state.posMax, at + MAX_FORMULA_CHARS))
        tex = text[at + 2 : end].strip()
        if end < 0 or not tex:
            return False
        end += 2
    elif opening[:1] == "$" and not (at > 0 and text[at - 1].isalnum()):
        end = _closing_dollar(text, at, state.posMax)
        tex = text[at + 1 : end]
        if end < 0 or not tex.strip() or tex[0].isspace() or tex[-1].isspace() or text[end + 1 : end + 2].isdigit():
            return False
        end += 1
    else:
        return False
    if not silent:
        token = state.push("math", "math", 0)
        token.content, token.markup = tex, text[at:end]
    state.pos = end
    return True


def _closing_dollar(text: str, at: int, limit: int) -> int:
    """Find the `$` that closes the one at `at`; -1 where there is none."""
    place = at + 1
    limit = min(limit, at + MAX_DOLLAR_FORMULA_CHARS)
    while place < limit:
        if text[place] == "$":
            return place
        place += 2 if text[place] == "\\" else 1
    return -1


def _math_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read a formula that begins a line and ends one, without a blank line in it."""
    if state.is_code_block(start):
        return False
    begin = state.bMarks[start] + state.tShift[start]
    closing = {"$$": "$$", "\\[": "\\]"}.get(state.src[begin : begin + 2])
    if closing is None:
        return False
    line, from_ = start, begin + 2
    while (found := state.src.find(closing, from_, state.eMarks[line])) < 0:
        line += 1
        if line >= end or state.isEmpty(line) or state.sCount[line] < state.blkIndent:
            return False
        from_ = state.bMarks[line]
    tex = state.src[begin + 2 : found].strip()
    if not tex or state.src[found + 2 : state.eMarks[line]].strip():
        return False
    if not silent:
        token = state.push("math_block", "math", 0)
        token.content, token.markup, token.block = tex, state.src[begin : found + 2], True
        token.map = [start, line + 1]
        state.line = line + 1
    return True


def _tasks_and_links(state: StateCore) -> None:
    for index, token in enumerate(state.tokens):
        if token.type != "inline" or token.children is None:
            continue
        first = token.children[0] if token.children else None
        if (
            first is not None
            and first.type == "text"
            and index > 1
            and state.tokens[index - 2].type == "list_item_open"
        ):
            task = _TASK.match(first.content)
            if task is not None:
                first.content = ("☐ " if task[1] == " " else "☑ ") + first.content[task.end() :]
        token.children = [*_with_links(token.children)]


def _with_links(children: list[Token]) -> Iterator[Token]:
    """Make links of bare addresses outside links."""
    within = 0
    for child in children:
        within += child.nesting if child.type in ("link_open", "link_close") else 0
        if child.type != "text" or within or "://" not in child.content:
            yield child
            continue
        at = 0
        for found in _BARE_LINK.finditer(child.content):
            url = found[0].rstrip(_AFTER_LINK)
            if found.start() > at:
                yield Token("text", "", 0, content=child.content[at : found.start()])
            yield Token("link_open", "a", 1, attrs={"href": url}, info="auto")
            yield Token("text", "", 0, content=url)
            yield Token("link_close", "a", -1, info="auto")
            at = found.start() + len(url)
        if at < len(child.content):
            yield Token("text", "", 0, content=child.content[at:])
