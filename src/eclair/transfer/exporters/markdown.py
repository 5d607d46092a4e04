"""Markdown of the branch that is shown; the words as they were written, so that they render where it is read.

Sources are footnotes, which stand below their answer: `[^2-3]` is source 3 of the second answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eclair.schema.messages import Citation, Message
from eclair.transfer.export_view import Exported, ending, notice, picture_line, speaker, when
from eclair.transfer.footnotes import Mark, address, along, doubts, marked, sources, where


def render(exported: Exported) -> bytes:
    messages = exported.branch
    lines = [
        f"# {' '.join(exported.title.split())}",
        "",
        f"> {notice(messages)} Exported from Éclair on {when(exported.at)}.",
    ]
    answers = 0
    for message in messages:
        answers += message.role == "assistant"
        lines += ["", f"## {speaker(message)} · {when(message.created)}"]
        for index in range(len(message.parts)):
            lines += ["", *_part(message, index, answers)]
        lines += _grounds(message, answers)
        if (end := ending(message)) is not None:
            lines += ["", f"*{end}*"]
    return ("\n".join(lines) + "\n").encode()


def _part(message: Message, index: int, answer: int) -> Iterator[str]:
    def put(mark: Mark) -> str:
        return f"[^{answer}-{mark.passage}]" if isinstance(mark, Citation) else " (?)"

    part = message.parts[index]
    match part.kind:
        case "text":
            yield marked(message, index, put).strip("\n")
        case "reasoning":
            yield "> **Reasoning**"
            for line in part.text.strip().splitlines():
                yield f"> {line}".rstrip()
        case "tool_call":
            yield f"**Tool call** `{part.name or ''}`"
            yield from ("", f"    {part.text.replace(chr(10), chr(10) + '    ')}")
        case "picture":
            yield f"*{_inert(picture_line(part))}*"


def _grounds(message: Message, answer: int) -> Iterator[str]:
    """What went along with a question, what an answer cites, and what of it no source says."""
    if names := along(message):
        yield from ("", f"*With {', '.join(names)}*")
    if cited := sources(message):
        yield ""
        for source in cited:
            link = f", <{url}>" if (url := address(source.passage)) else ""
            place = f"{_inert(where(source))}{link}"
            yield f"[^{answer}-{source.passage.number}]: {place}: “{_inert(source.quote)}”"
    for sentence, doubt in doubts(message):
        yield from ("", f"> (?) {sentence} — *{doubt}*")


def _inert(text: str) -> str:
    """Words of others on one line: they make no link, picture or tag where the Markdown is rendered."""
    return re.sub(r"[\\\[\]<`]", r"\\\g<0>", " ".join(text.split()))
