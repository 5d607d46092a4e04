"""A DOCX document of the displayed branch, for word processors.

Headings, lists, tables, code, links and formulas are those of the word processor; formulas with an unknown command
stay as written. AI authorship is stated in the text, in the footer and in the document's properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

from eclair.office.package import (
    RELATIONSHIPS,
    content_types,
    core_properties,
    custom_properties,
    package_relations,
    relations,
    write_package,
)
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
from eclair.transfer.exporters.docx_body import (
    DocxParts,
    MarkdownBody,
    RunStyle,
    bookmark,
    hyperlink,
    image_paragraph,
    paragraph,
    text_run,
)
from eclair.transfer.exporters.docx_formula import MATH_NAMESPACE
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

_NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    f'xmlns:r="{RELATIONSHIPS}" '
    f'xmlns:m="{MATH_NAMESPACE}" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"'
)


def render(exported: ExportedConversation) -> bytes:
    parts = DocxParts()
    body = "".join(_Writer(exported, parts).body())
    return write_document(exported.title, exported.language, exported.at, exported.notice, body, parts)


def render_canvas(canvas: ExportedCanvas) -> bytes:
    """Write a canvas as a document, without anything around its text but the notice of what AI made."""
    parts = DocxParts()
    notice = canvas.notice
    body = paragraph(text_run(canvas.heading), "Title")
    body += MarkdownBody(parts, top_level=1).write(canvas.body, "")
    return write_document(canvas.heading, "en", canvas.at, notice, body, parts)


class _Writer:
    """Writes the messages of a conversation."""

    def __init__(self, exported: ExportedConversation, parts: DocxParts) -> None:
        self._exported = exported
        self._parts = parts
        self._markdown = MarkdownBody(parts)
        self._bookmarks = 0

    def body(self) -> Iterator[str]:
        messages = self._exported.branch
        yield paragraph(text_run(" ".join(self._exported.title.split())), "Title")
        yield paragraph(text_run(self._exported.notice), "Note")
        answers = 0
        for message in messages:
            answers += message.role == "assistant"
            yield paragraph(text_run(f"{speaker_label(message)} · {format_time(message.created)}"), "Heading1")
            for index in range(len(message.parts)):
                yield from self._part(message, index, answers)
            yield from self._sources(message, answers)
            if (end := ending_note(message)) is not None:
                yield paragraph(text_run(end), "Note")

    def _part(self, message: Message, index: int, answer: int) -> Iterator[str]:
        part = message.parts[index]
        match part.kind:
            case "text" if message.role == "assistant":
                yield self._markdown.write(insert_marks(message, index, _sign), f"source_{answer}_")
            case "text":
                yield from (paragraph(text_run(block.strip("\n"))) for block in re.split(r"\n{2,}", part.text))
            case "reasoning":
                yield paragraph(text_run("Reasoning", RunStyle(bold=True)), "Note")
                yield paragraph(text_run(part.text.strip()), "Note")
            case "tool_call":
                yield paragraph(text_run(f"Tool call: {part.name or ''}", RunStyle(bold=True)), "Note")
                yield paragraph(text_run(part.text), "Code")
            case "tool_result":
                yield paragraph(text_run(f"Result of {part.name or ''}", RunStyle(bold=True)), "Note")
                yield paragraph(text_run(part.text), "Code")
            case "picture":
                caption = image_caption(part)
                yield image_paragraph(self._parts, self._exported.pictures.get(part.id or "", ""), caption) or ""
                yield paragraph(text_run(caption), "Caption")

    def _sources(self, message: Message, answer: int) -> Iterator[str]:
        """Write a question's attachments, an answer's sources, and its unsupported sentences."""
        if names := attachment_names(message):
            yield paragraph(text_run(f"With {', '.join(names)}"), "Note")
        for source in cited_sources(message):
            self._bookmarks += 1
            number = source.passage.number
            mark = bookmark(self._bookmarks, f"source_{answer}_{number}", text_run(f"{number} ", RunStyle(bold=True)))
            place = text_run(f"{describe_source(source)}: ", RunStyle(bold=True))
            link = ""
            if (url := safe_url(source.passage)) is not None:
                link = hyperlink(self._parts, url, text_run(url, RunStyle(style="Hyperlink"))) + text_run(" ")
            yield paragraph(mark + place + link + text_run(f"“{source.quote}”"), "Source")
        for sentence, doubt in doubtful_sentences(message):
            yield paragraph(text_run("? ", RunStyle(bold=True)) + text_run(f"{sentence} — {doubt}"), "Source")


def _sign(mark: FootnoteMark) -> str:
    return f"{MARK_SENTINEL}{mark.passage if isinstance(mark, Citation) else '?'}{MARK_SENTINEL}"


def write_document(title: str, language: str, at: int, notice: str | None, body: str, parts: DocxParts) -> bytes:
    """Write a document. The notice that AI made its text, if it did, is in the footer and the properties."""
    media = ((f"word/media/{image.name}", image.data) for image in parts.images)
    return write_package(_files(title, language, at, notice, body, parts), media)


def _files(
    title: str, language: str, at: int, notice: str | None, body: str, parts: DocxParts
) -> Iterator[tuple[str, str]]:
    """Yield the XML files of the package by name."""
    page = (
        '<w:sectPr><w:footerReference w:type="default" r:id="footer"/><w:pgSz w:w="11906" w:h="16838"/>'
        '<w:pgMar w:top="1417" w:right="1417" w:bottom="1417" w:left="1417" w:header="708" w:footer="708" '
        'w:gutter="0"/></w:sectPr>'
    )
    yield "[Content_Types].xml", content_types(_TYPES)
    yield "_rels/.rels", package_relations("word/document.xml")
    yield "docProps/core.xml", core_properties(title, to_datetime(at), notice)
    yield "docProps/custom.xml", custom_properties(made_by_ai=notice is not None)
    yield "word/document.xml", f"<w:document {_NAMESPACES}><w:body>{body}{page}</w:body></w:document>"
    yield "word/footer1.xml", f"<w:ftr {_NAMESPACES}>{paragraph(text_run(notice or ''), 'Footer')}</w:ftr>"
    yield "word/styles.xml", _styles().replace("LANGUAGE", language)
    yield "word/numbering.xml", _numbering(parts)
    yield (
        "word/_rels/document.xml.rels",
        relations(
            ("styles", f"{RELATIONSHIPS}/styles", "styles.xml", False),
            ("numbering", f"{RELATIONSHIPS}/numbering", "numbering.xml", False),
            ("footer", f"{RELATIONSHIPS}/footer", "footer1.xml", False),
            *(
                (f"image{n}", f"{RELATIONSHIPS}/image", f"media/{image.name}", False)
                for n, image in enumerate(parts.images, 1)
            ),
            *((id, f"{RELATIONSHIPS}/hyperlink", url, True) for url, id in parts.links.items()),
        ),
    )


_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_TYPES = {
    "/word/document.xml": f"{_WORD}.document.main+xml",
    "/word/styles.xml": f"{_WORD}.styles+xml",
    "/word/numbering.xml": f"{_WORD}.numbering+xml",
    "/word/footer1.xml": f"{_WORD}.footer+xml",
}


def _numbering(parts: DocxParts) -> str:
    """Write the numbering: bullets are number 1, and each ordered list has one of its own."""
    levels = {"bullet": "", "decimal": ""}
    for level in range(9):
        indent = f'<w:pPr><w:ind w:left="{720 * (level + 1)}" w:hanging="360"/></w:pPr>'
        for kind, sign in (("bullet", "•"), ("decimal", f"%{level + 1}.")):
            levels[kind] += (
                f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
                f'<w:lvlText w:val="{sign}"/><w:lvlJc w:val="left"/>{indent}</w:lvl>'
            )
    kinds = "".join(
        f'<w:abstractNum w:abstractNumId="{id}"><w:multiLevelType w:val="multilevel"/>{inner}</w:abstractNum>'
        for id, inner in enumerate(levels.values(), 1)
    )
    numbers = '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
    for id, start in enumerate(parts.list_starts, 2):
        overrides = "".join(
            f'<w:lvlOverride w:ilvl="{level}"><w:startOverride w:val="{start}"/></w:lvlOverride>' for level in range(9)
        )
        numbers += f'<w:num w:numId="{id}"><w:abstractNumId w:val="2"/>{overrides}</w:num>'
    return f"<w:numbering {_NAMESPACES}>{kinds}{numbers}</w:numbering>"


@cache
def _styles() -> str:
    text = (resources.files("eclair.transfer.exporters") / "docx_styles.xml").read_text("utf-8")
    return text.partition("?>\n")[2]
