"""Markdown of the displayed branch, with the text as it was written.

Sources are footnotes below their answer: `[^2-3]` is source 3 of the second answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eclair.provenance.text_marks import front_matter
from eclair.schema.messages import Citation, Message
from eclair.transfer.export_view import (
    ExportedConversation,
    answering_models,
    ending_note,
    format_time,
    image_caption,
    speaker_label,
)
from eclair.transfer.footnotes import (
    FootnoteMark,
    attachment_names,
    cited_sources,
    describe_source,
    doubtful_sentences,
    insert_marks,
    safe_url,
)


def render(exported: ExportedConversation) -> bytes:
    messages = exported.branch
    lines = [
        *front_matter(answering_models(messages), exported.reviewer),
        "",
        f"# {' '.join(exported.title.split())}",
        "",
        f"> {exported.notice}",
    ]
    answers = 0
    for message in messages:
        answers += message.role == "assistant"
        lines += ["", f"## {speaker_label(message)} · {format_time(message.created)}"]
        for index in range(len(message.parts)):
            lines += ["", *_part(message, index, answers)]
        lines += _render_sources(message, answers)
        if (end := ending_note(message)) is not None:
            lines += ["", f"*{end}*"]
    return ("\n".join(lines) + "\n").encode()


def _part(message: Message, index: int, answer: int) -> Iterator[str]:
    def put(mark: FootnoteMark) -> str:
        return f"[^{answer}-{mark.passage}]" if isinstance(mark, Citation) else " (?)"

    part = message.parts[index]
    match part.kind:
        case "text":
            yield insert_marks(message, index, put).strip("\n")
        case "reasoning":
            yield "> **Reasoning**"
            for line in part.text.strip().splitlines():
                yield f"> {line}".rstrip()
        case "tool_call":
            yield f"**Tool call** `{part.name or ''}`"
            yield from ("", f"    {part.text.replace(chr(10), chr(10) + '    ')}")
        case "tool_result":
            yield f"**Result of** `{part.name or ''}`"
            yield from ("", f"    {part.text.replace(chr(10), chr(10) + '    ')}")
        case "picture":
            yield f"*{_inert(image_caption(part))}*"


def _render_sources(message: Message, answer: int) -> Iterator[str]:
    """Render a question's attachments, an answer's sources, and its unsupported sentences."""
    if names := attachment_names(message):
        yield from ("", f"*With {', '.join(names)}*")
    if cited := cited_sources(message):
        yield ""
        for source in cited:
            link = f", <{url}>" if (url := safe_url(source.passage)) else ""
            place = f"{_inert(describe_source(source))}{link}"
            yield f"[^{answer}-{source.passage.number}]: {place}: “{_inert(source.quote)}”"
    for sentence, doubt in doubtful_sentences(message):
        yield from ("", f"> (?) {sentence} — *{doubt}*")


def _inert(text: str) -> str:
    """Escape foreign text on one line so that it forms no link, image or tag."""
    return re.sub(r"[\\\[\]<`]", r"\\\g<0>", " ".join(text.split()))
