"""Markdown of the branch that is shown; the words as they were written, so that they render where it is read."""

from __future__ import annotations

from collections.abc import Iterator

from eclair.archive.exported import Exported, ending, notice, speaker, when
from eclair.messages import Part


def render(exported: Exported) -> bytes:
    messages = exported.branch
    lines = [
        f"# {' '.join(exported.title.split())}",
        "",
        f"> {notice(messages)} Exported from Éclair on {when(exported.at)}.",
    ]
    for message in messages:
        lines += ["", f"## {speaker(message)} · {when(message.created)}"]
        for part in message.parts:
            lines += ["", *_part(part)]
        if (end := ending(message)) is not None:
            lines += ["", f"*{end}*"]
    return ("\n".join(lines) + "\n").encode()


def _part(part: Part) -> Iterator[str]:
    match part.kind:
        case "text":
            yield part.text.strip("\n")
        case "reasoning":
            yield "> **Reasoning**"
            for line in part.text.strip().splitlines():
                yield f"> {line}".rstrip()
        case "tool_call":
            yield f"**Tool call** `{part.name or ''}`"
            yield from ("", f"    {part.text.replace(chr(10), chr(10) + '    ')}")
