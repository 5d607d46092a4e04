"""Writes lists and tables whose every cell is cited, as the beginning of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eclair.documents.document_comparison import DocumentDifference
from eclair.documents.sections import KeySentence
from eclair.generation.sources import Quote
from eclair.schema.messages import Citation, Passage

MISSING = "–"


def item_list(items: Sequence[tuple[KeySentence, Passage]], *, by_heading: bool = True) -> Iterator[Quote]:
    """Yield the items, each with the numbered passage it is from, below the titles of their files and headings."""
    above = ""
    for item, passage in items:
        title = " › ".join((passage.name, *(passage.heading[-1:] if by_heading else ())))
        gap = "\n" if above else ""
        head = f"{gap}**{_cell(title)}**\n\n" if title != above else ""
        above = title
        yield _cited(f"{head}- ", item, passage, "\n")


def comparison_table(
    names: Sequence[str], differences: Sequence[DocumentDifference], sources: Mapping[int, Passage]
) -> Iterator[Quote | str]:
    """Yield a table with a row for each difference; `sources` are the numbered passages by the sentence's `id`."""
    yield f"| | {_cell(names[0])} | {_cell(names[1])} |\n|---|---|---|\n"
    for difference in differences:
        before, after = difference.before, difference.after
        yield f"| {_cell(difference.title)} | "
        yield _cited("", before, sources[id(before)], " | ") if before is not None else f"{MISSING} | "
        yield _cited("", after, sources[id(after)], " |\n") if after is not None else f"{MISSING} |\n"
    yield "\n"


def describe_differences(
    names: Sequence[str], differences: Sequence[DocumentDifference], sources: Mapping[int, Passage]
) -> str:
    """Return the differences as a model is shown them."""
    lines = [f"The reader sees a table of all differences between {names[0]} and {names[1]}:"]
    for difference in differences:
        before, after = (
            f"“{each.text}” [{sources[id(each)].number}]" if each is not None else "nothing"
            for each in (difference.before, difference.after)
        )
        lines.append(f"- {difference.title}: {before} became {after}")
    return "\n".join(lines)


def computed_table(passage: Passage) -> Quote | None:
    """Return the groups that a passage states as a table of Markdown; None if it has none."""
    rows = [line.split(" | ") for line in passage.text.split("\n") if " | " in line]
    if not rows:
        return None
    title = f"{passage.text.split(chr(10))[0]} [{passage.number}]"
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    table = "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])
    where = passage.named_at(passage.start)
    place = (0, len(title) - len(f" [{passage.number}]"))
    citation = Citation(
        0, *place, passage.number, passage.text, passage.start, passage.end, 1.0, *where, passage.computation
    )
    return Quote(f"{title}\n\n{table}\n", citation)


def _cited(before: str, sentence: KeySentence, passage: Passage, after: str) -> Quote:
    words = _cell(sentence.text)
    start = len(before)
    text = passage.text[sentence.start - passage.start : sentence.end - passage.start]
    where = passage.named_at(sentence.start)
    citation = Citation(0, start, start + len(words), passage.number, text, sentence.start, sentence.end, 1.0, *where)
    return Quote(f"{before}{words} [{passage.number}]{after}", citation)


def _cell(text: str) -> str:
    """Return a text on one line that ends no cell of a table."""
    return " ".join(text.replace("|", "¦").split())
