"""Turns HTML into metadata and clean blocks of text, in the sandbox.

Trafilatura finds the content; scripts never run, and invisible text is dropped.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from datetime import date

from eclair.documents.parse_protocol import ServedPage
from eclair.documents.readers import html
from eclair.documents.readers.base import ContentPart, SourceFile, collapse_spaces, paginate, single_line, table_part
from eclair.documents.readers.file_type import HEAD_BYTES, detect_encoding
from eclair.sandbox.descriptors import open_input
from eclair.schema.documents import About, Page
from eclair.text.language import identify_language
from eclair.web.pages.dates import find_date
from eclair.web.pages.dom import Element, extract_content, parse_html, serialize
from eclair.web.pages.json_ld import Node, article_nodes, find_nodes, person_names, text_value
from eclair.web.pages.markup_facts import MarkupFact, markup_facts, meta_product, microdata_nodes, parse_amount
from eclair.web.pages.orders import mask_orders, may_hold_orders
from eclair.web.pages.paywalls import detect_wall, find_signs
from eclair.web.pages.short_lines import ShortLines, find_short_lines
from eclair.web.pages.visibility import remove_unseen

MIN_FAST_CHARS = 600
"""With less text, the fast extraction isn't trusted and the thorough one is tried."""

MAX_TITLE_CHARS = 300
MAX_AUTHOR_CHARS = 120

MIN_SEEN_WORDS = 0.7
"""Share of the words of a title in the metadata that must stand on the page, in its first `MAX_SEEN_CHARS`."""

MAX_SEEN_CHARS = 4000

_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*+=\s*+["']?\s*+([\w.:-]{1,40})""", re.IGNORECASE)
_INVISIBLE = re.compile(
    "[\u00ad\u115f\u1160\u180e\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\u3164\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
"""Characters that no browser shows, where instructions to a model could hide."""

_BLOCKS = frozenset(("p", "head", "list", "table", "quote", "code", "div", "item", "main", "body"))


def read_article(source: SourceFile, served: ServedPage) -> Iterator[About | Page]:
    """Yield the page's metadata, then its text. Raises Rejected."""
    with open_input(source.path) as file:
        tree = parse_html(_decode(file.read(), served.charset))
    nodes = find_nodes(tree)
    described = [*nodes, *microdata_nodes(tree), *meta_product(tree)]
    language = _language(tree)
    day = find_date(tree, nodes, served.url, language, date.fromisoformat(served.day))
    author = _author(tree, nodes)
    signs = find_signs(tree, nodes, served.url)
    remove_unseen(tree)
    title = _title(tree, nodes)
    shown = tree.text_content()
    code = language or identify_language(shown[:MAX_SEEN_CHARS])
    lines = find_short_lines(tree, code)
    parts = list(_content(tree))
    text = "\n".join(part.text for part in parts if part.kind != "heading")
    yield About(title, author, language or identify_language(text), day, detect_wall(signs, text))
    if title and parts and not any(part.kind == "heading" and part.level == 1 for part in parts):
        parts.insert(0, ContentPart("heading", title, level=1))
    stated = markup_facts(described, title, shown, code, date.fromisoformat(served.day))
    if facts := _missing_facts(lines, stated, "\n".join(part.text for part in parts)):
        first = next((at for at, part in enumerate(parts) if part.kind == "heading"), -1) + 1
        parts.insert(first, ContentPart("list", "\n".join(f"• {fact}" for fact in facts)))
    yield from paginate(parts)


def _missing_facts(lines: ShortLines, stated: Sequence[MarkupFact], text: str) -> list[str]:
    """Return the facts that the extracted text lacks: short lines first, then what only the markup states.

    A price in the markup yields to one that is seen.
    """
    seen = [mask_orders(_INVISIBLE.sub("", line)) for line in lines.missing_in(text)]
    shown = "\n".join((text, *seen))
    amounts = {parse_amount(each) for each in lines.amounts}
    written = re.findall(r"\d[\d.,]*+", shown)
    said = {parse_amount(each) for each in written}
    said |= {parse_amount(each.replace(",", "."), has_decimal_point=True) for each in written}
    new = (fact for fact in stated if fact.amount is None or not (amounts or fact.amount in said))
    return [*seen, *(fact.line for fact in new if fact.line not in shown)]


def _decode(data: bytes, declared: str | None) -> str:
    """Decode the page: as UTF-8 if it is valid, otherwise as declared by the server or the page."""
    for mark, coding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(coding, "replace")
    if b"\0" not in data[:HEAD_BYTES] and b"\x1b" not in data[:HEAD_BYTES]:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    inside = _DECLARED.search(data, 0, 4096)
    for name in (declared, inside[1].decode("ascii") if inside else None):
        if coding := _legacy_encoding(name):
            return data.decode(coding, "replace")
    return data.decode(detect_encoding(data[:HEAD_BYTES]) or "cp1252", "replace")


def _legacy_encoding(name: str | None) -> str | None:
    """Return a declared encoding; None if it is unknown, or UTF-8, which was tried before.

    On the web, Latin 1 means Windows-1252.
    """
    try:
        coding = codecs.lookup((name or "").strip("\"' ")).name
        "".encode(coding)  # some codecs aren't text encodings
    except (LookupError, ValueError):
        return None
    if coding.startswith("utf-8"):
        return None
    return "cp1252" if coding in ("iso8859-1", "ascii") else coding


def _title(tree: Element, nodes: Sequence[Node]) -> str:
    """Return the title of a page of which only what is seen is left, without the name of its site.

    A title from the metadata counts if a person sees most of its words on the page, too.
    """
    unseen = [_meta(tree, "og:title"), *(text_value(node.get("headline")) for node in article_nodes(nodes)[:1])]
    headings = [single_line(each.text_content()) for each in tree.iter("h1")]
    titles = [single_line(each.text_content()) for each in tree.iter("title")]
    seen = set(re.findall(r"\w+", " ".join((*headings, *titles, tree.text_content()[:MAX_SEEN_CHARS])).casefold()))
    candidates = [each for each in unseen if _share(set(re.findall(r"\w+", each.casefold())), seen) >= MIN_SEEN_WORDS]
    candidates += headings if len(headings) == 1 else []
    candidates += [re.split(r"(?<!\s)\s++[|–—·»]\s++", title)[0] for title in titles]
    return next((title for each in candidates if (title := _visible(each)) and mask_orders(title) == title), "")


def _share(words: set[str], seen: set[str]) -> float:
    return len(words & seen) / len(words) if words else 0.0


def _author(tree: Element, nodes: Sequence[Node]) -> str | None:
    own = [name for node in article_nodes(nodes)[:1] for name in person_names(node.get("author"))]
    names = ", ".join(own) or _meta(tree, "author") or _meta(tree, "article:author")
    name = _visible(names)[:MAX_AUTHOR_CHARS].strip()
    return name if name and "://" not in name and mask_orders(name) == name else None


def _language(tree: Element) -> str | None:
    tag = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or _meta(tree, "content-language")
    code = re.split("[-_]", tag.strip().lower())[0]
    return code if re.fullmatch("[a-z]{2}", code) else None


def _meta(tree: Element, name: str) -> str:
    for element in tree.iter("meta"):
        if name == (element.get("property") or element.get("name") or element.get("http-equiv") or "").lower():
            return single_line(element.get("content") or "")
    return ""


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", single_line(text))[:MAX_TITLE_CHARS].strip()


def _content(tree: Element) -> Iterator[ContentPart]:
    """Yield the page's content, or all visible text if no content is found."""
    page = serialize(tree)
    parts = _as_parts(extract_content(tree, fast=True))
    if _text_length(parts) < MIN_FAST_CHARS:
        parts = max(parts, _as_parts(extract_content(parse_html(page), fast=False)), key=_text_length)
    if not parts:
        parts = list(html.visible_parts(iter([page])))
    texts = [_INVISIBLE.sub("", part.text) for part in parts]
    texts = [mask_orders(text) for text in texts] if may_hold_orders("\n".join(texts)) else texts
    for part, text in zip(parts, texts, strict=True):
        if words := text.strip("\n"):
            yield ContentPart(part.kind, words, part.level)


def _text_length(parts: Sequence[ContentPart]) -> int:
    return sum(len(part.text) for part in parts)


def _as_parts(body: Element | None) -> list[ContentPart]:
    return list(_blocks(body)) if body is not None else []


def _blocks(element: Element) -> Iterator[ContentPart]:
    """Yield the blocks in an element that trafilatura returned; text between them becomes paragraphs."""
    loose = [element.text or ""]
    for child in element:
        if child.tag in _BLOCKS:
            yield from _paragraph(loose)
            yield from _block(child)
            loose = [child.tail or ""]
        else:
            loose += [_inline(child), child.tail or ""]
    yield from _paragraph(loose)


def _block(element: Element) -> Iterator[ContentPart]:
    match element.tag:
        case "head":
            level = (element.get("rend") or "h2")[1:]
            if words := single_line(_inline(element)):
                yield ContentPart("heading", words, int(level) if level in "123456" and level else 2)
        case "list":
            if items := list(_items(element, 0)):
                yield ContentPart("list", "\n".join(items))
        case "table":
            rows = [[single_line(_inline(cell)) for cell in row.iter("cell")] for row in element.iter("row")]
            if any(any(row) for row in rows):
                yield table_part(rows)
        case "code":
            yield ContentPart("code", _inline(element))
        case _:
            yield from _blocks(element)


def _paragraph(words: Sequence[str]) -> Iterator[ContentPart]:
    if text := collapse_spaces("".join(words)):
        yield ContentPart("paragraph", text)


def _items(element: Element, depth: int) -> Iterator[str]:
    """Yield a line per item, nested lists indented."""
    number = 0
    for item in element.iter("item"):
        if next(item.iterancestors("list")) is not element:
            continue
        number += 1
        mark = f"{number}. " if element.get("rend") == "ol" else "• "
        inner = list(item.iter("list"))
        own = _inline(item, without="list") if inner else _inline(item)
        if words := single_line(own):
            yield "  " * depth + mark + words
        for each in inner:
            if depth < 5 and next(each.iterancestors("item")) is item:
                yield from _items(each, depth + 1)


def _inline(element: Element, without: str = "") -> str:
    """Return all text in an element, with its line breaks."""
    words: list[str] = [element.text or ""]
    for child in element:
        if child.tag == "lb":
            words.append("\n")
        elif child.tag != without:
            words += [" "] * (child.tag in _BLOCKS) + [_inline(child, without)]
        words.append(child.tail or "")
    return "".join(words)
