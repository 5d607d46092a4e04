"""Footnotes of an exported answer: citation marks and sources.

The web app places marks by the same rules (ui/src/lib/markdown/citations.ts).
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from eclair.schema.messages import Citation, Doubt, Message, Passage

MARK_SENTINEL = "\u2e4e"
"""Wraps a mark inserted before rendering. A rare punctuation character, so that emphasis next to it still parses;
removed from the text itself.
"""

_TAIL = re.compile(r"""[\s.!?…"'”’“»›)*_~\]\[\d^]*""")
_NO_MARK_LINE = re.compile(r"[ \t>]*+(?:(?:`{3}|~{3}).*|\$\$|\\\]|[-=*_ \t]*)")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
_ROW = re.compile(r"[ \t>]*+\|")
_BARE_LINK = re.compile(r"(?<!\]\()(?:https?://|www\.)[^\s<>]{0,300}\Z")

FootnoteMark = Citation | Doubt


@dataclass(frozen=True, slots=True)
class CitedSource:
    """A cited passage with the first quote from it, at character `place` of the document."""

    passage: Passage
    quote: str
    place: int


def cited_sources(message: Message) -> list[CitedSource]:
    """List each cited passage once, by number."""
    first: dict[int, Citation] = {}
    for citation in message.citations:
        first.setdefault(citation.passage, citation)
    known = {passage.number: passage for passage in message.passages}
    return [
        CitedSource(known[number], " ".join(citation.quote.split()), citation.quote_start)
        for number, citation in sorted(first.items())
        if number in known
    ]


def describe_source(source: CitedSource) -> str:
    """Describe a source: `report.pdf, page 4`; `notes.md, Fees`; `Title, example.org, 24 November 2026`."""
    passage = source.passage
    if passage.url is not None:
        return ", ".join(part for part in (passage.name, _site(passage.url), _day(passage.published)) if part)
    page, label = passage.named_at(source.place)
    name = passage.name if passage.member is None else f"{passage.name} › {passage.member}"
    if page is None:
        return ", ".join([name, *passage.heading[-1:]])
    named = label is None or re.fullmatch(r"[\divxlcdm.–-]+", label, re.IGNORECASE)
    return f"{name}, page {label or page}" if named else f"{name}, {label}"


def safe_url(passage: Passage) -> str | None:
    """Return the web address of a passage if it may be linked; None otherwise."""
    if passage.url is None or not passage.url.lower().startswith(("http://", "https://")):
        return None
    return urllib.parse.quote(passage.url, safe=_IN_ADDRESSES)


_IN_ADDRESSES = "!#$%&'()*+,/:;=?@[]~"


def _site(url: str) -> str:
    try:
        return (urllib.parse.urlsplit(url).netloc or url).removeprefix("www.")
    except ValueError:  # an imported address may be malformed
        return url


def _day(published: str | None) -> str:
    try:
        day = date.fromisoformat(published) if published else None
    except ValueError:
        return str(published)
    return f"{day.day} {day:%B %Y}" if day else ""


def doubtful_sentences(message: Message) -> Iterator[tuple[str, str]]:
    """Yield each unsupported sentence with the reason."""
    for doubt in message.doubts:
        if doubt.index < len(message.parts):
            sentence = message.parts[doubt.index].text[doubt.start : doubt.end]
            yield " ".join(sentence.split()), f"No source says so{f': {doubt.about}' if doubt.about else ''}."


def attachment_names(message: Message) -> list[str]:
    """Names of the files and libraries attached to a question."""
    return [*(file.name for file in message.files), *(f"@{library.name}" for library in message.libraries)]


def insert_marks(message: Message, index: int, put: Callable[[FootnoteMark], str]) -> str:
    """Insert `put(mark)` at the end of each marked sentence of part `index`."""
    text = message.parts[index].text
    marks: list[FootnoteMark] = [mark for mark in (*message.citations, *message.doubts) if mark.index == index]
    placed = [(*place, mark) for mark in marks if (place := _place(text, mark)) is not None]
    said, at = "", 0
    for begin, end, mark in sorted(placed, key=_order):
        said += text[at : max(at, begin)].replace(MARK_SENTINEL, "")
        if _BARE_LINK.search(said, max(0, len(said) - 300)):
            said += " "
        said += put(mark)
        at = max(at, end)
    return said + text[at:].replace(MARK_SENTINEL, "")


def _order(placed: tuple[int, int, FootnoteMark]) -> tuple[int, bool, int]:
    begin, _, mark = placed
    return begin, isinstance(mark, Doubt), mark.passage or 0


def _place(text: str, mark: FootnoteMark) -> tuple[int, int] | None:
    """Span that a mark replaces: empty at the end of its sentence, or the number the model wrote.

    None where Markdown would read more than text.
    """
    if isinstance(mark, Citation):
        for found in re.finditer(rf"[ \u00a0\u202f]?\[\^?{mark.passage}\](?![(\[:])", text[mark.start : mark.end + 8]):
            begin, end = mark.start + found.start(), mark.start + found.end()
            if begin == mark.end or (begin < mark.end and _TAIL.fullmatch(text, end, max(end, mark.end))):
                return begin, end
    at = mark.start + len(text[mark.start : mark.end].rstrip())
    line = text[text.rfind("\n", 0, at) + 1 : at]
    if _NO_MARK_LINE.fullmatch(line):
        return None
    closing = _closing_chars(line)
    return at - closing, at - closing


def _closing_chars(line: str) -> int:
    """Count the characters that close a heading (`# Title #`) or a table's row (`| a |`), with the space before."""
    if begun := _HEADING.match(line):
        content = line[begun.end() :]
        rest = content.rstrip("#")
        return len(content) - len(rest.rstrip(" \t")) if rest != content and rest.endswith((" ", "\t")) else 0
    if (begun := _ROW.match(line)) and line.endswith("|") and begun.end() < len(line):
        return len(line) - len(line[:-1].rstrip(" \t"))
    return 0
