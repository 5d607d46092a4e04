"""A PDF of the displayed branch: its content, for `eclair.transfer.typesetter` to lay out.

Headings, lists, tables, code, links, images and formulas are tagged for screen readers. AI authorship is stated in the
text, in the footer and in the document's metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from eclair.provenance.text_marks import MADE_BY_AI
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
from eclair.transfer.exporters.pdf_body import PdfBlock, PdfMarkdown, PdfRun, clean, code, paragraph, plain
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

MAX_PICTURES_CHARS = 40_000_000
"""Of all pictures together, as `data:` addresses; the rest are described only."""


def render(exported: ExportedConversation) -> bytes:
    """Return the content as JSON."""
    return orjson.dumps(_Content(exported).document())


def render_canvas(canvas: ExportedCanvas) -> bytes:
    """Return the content of a canvas as JSON: its text alone, and the notice of what AI made."""
    pictures: list[str] = []

    def keep(url: str) -> int | None:
        if sum(map(len, pictures)) + len(url) > MAX_PICTURES_CHARS:
            return None
        pictures.append(url)
        return len(pictures) - 1

    at = to_datetime(canvas.at)
    blocks = PdfMarkdown(keep, top_level=1).read(canvas.body, "", ())
    return orjson.dumps(
        {
            "title": clean(canvas.heading) or "Canvas",
            "language": "en",
            "notice": clean(canvas.notice or ""),
            "preface": None,
            "keywords": ["AI-generated", MADE_BY_AI] if canvas.models else [],
            "date": {"year": at.year, "month": at.month, "day": at.day},
            "messages": [],
            "blocks": blocks,
            "pictures": pictures,
        }
    )


class _Content:
    def __init__(self, exported: ExportedConversation) -> None:
        self._exported = exported
        self._pictures: list[str] = []
        self._left = MAX_PICTURES_CHARS
        self._markdown = PdfMarkdown(self._keep)

    def document(self) -> dict[str, object]:
        exported = self._exported
        at = to_datetime(exported.at)
        notice = clean(exported.notice)
        return {
            "title": clean(" ".join(exported.title.split())) or "Conversation",
            "language": exported.language,
            "notice": notice,
            "preface": paragraph(plain(notice), "note"),
            "keywords": ["AI-generated", MADE_BY_AI],
            "date": {"year": at.year, "month": at.month, "day": at.day},
            "messages": list(self._messages()),
            "blocks": [],
            "pictures": self._pictures,
        }

    def _keep(self, url: str) -> int | None:
        if len(url) > self._left:
            return None
        self._left -= len(url)
        self._pictures.append(url)
        return len(self._pictures) - 1

    def _messages(self) -> Iterator[dict[str, object]]:
        answers = 0
        for message in self._exported.branch:
            is_answer = message.role == "assistant"
            answers += is_answer
            yield {
                "heading": clean(f"{speaker_label(message)} · {format_time(message.created)}"),
                "is_question": not is_answer,
                "blocks": list(self._message(message, answers)),
            }

    def _message(self, message: Message, answer: int) -> Iterator[PdfBlock]:
        anchors = f"source-{answer}-"
        numbers = {source.passage.number for source in cited_sources(message)}
        for index, part in enumerate(message.parts):
            match part.kind:
                case "text" if message.role == "assistant":
                    yield from self._markdown.read(insert_marks(message, index, _sign), anchors, numbers)
                case "text":
                    blocks = re.split(r"\n{2,}", part.text)
                    yield from (paragraph(plain(block.strip("\n"))) for block in blocks if block.strip())
                case "reasoning":
                    yield paragraph(plain("Reasoning", bold=True), "note")
                    yield paragraph(plain(part.text.strip()), "note")
                case "tool_call":
                    yield paragraph(plain(f"Tool call: {part.name or ''}", bold=True), "note")
                    yield code(part.text)
                case "tool_result":
                    yield paragraph(plain(f"Result of {part.name or ''}", bold=True), "note")
                    yield code(part.text)
                case "picture":
                    caption = image_caption(part)
                    url = self._exported.pictures.get(part.id or "")
                    if url is not None and (number := self._keep(url)) is not None:
                        yield {"kind": "picture", "picture": number, "alt": clean(caption)}
                    yield paragraph(plain(caption), "note")
        yield from _sources(message, anchors)
        if (end := ending_note(message)) is not None:
            yield paragraph(plain(end), "note")


def _sources(message: Message, anchors: str) -> Iterator[PdfBlock]:
    """Write a question's attachments, an answer's sources, and its unsupported sentences."""
    if names := attachment_names(message):
        yield paragraph(plain(f"With {', '.join(names)}"), "note")
    for source in cited_sources(message):
        number = source.passage.number
        runs = plain(f"{describe_source(source)}: ", bold=True)
        if (url := safe_url(source.passage)) is not None:
            runs += [PdfRun("text", clean(url), url=url), PdfRun("text", " ")]
        runs += plain(f"“{source.quote}”")
        yield {"kind": "reference", "number": str(number), "name": f"{anchors}{number}", "runs": runs}
    for sentence, doubt in doubtful_sentences(message):
        yield {"kind": "reference", "number": "?", "name": None, "runs": plain(f"{sentence} — {doubt}")}


def _sign(mark: FootnoteMark) -> str:
    return f"{MARK_SENTINEL}{mark.passage if isinstance(mark, Citation) else '?'}{MARK_SENTINEL}"
