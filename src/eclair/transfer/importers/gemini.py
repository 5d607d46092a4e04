"""Gemini's activity as Google Takeout gives it in JSON: prompts with their answers, without conversations.

Prompts that follow each other within half an hour become one conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from eclair.transfer.html_markdown import html_to_markdown
from eclair.transfer.json_fields import JSON, as_list, as_milliseconds, as_object, as_text
from eclair.transfer.normalize import ForeignConversation, ForeignMessage, ImportedConversation

MAX_PAUSE_MS = 30 * 60 * 1000

_PROMPT = re.compile(r"(?:Prompted with:|Asked (?:Gemini|Bard):|Prompted|Asked|Said|Branched|Answered)\s+")
"""Words of an English account before the prompt; others have their own, which stay."""
_NO_PROMPT = re.compile(
    r"(?:Created|Used|Added|Gave|Selected|Shared|Deleted|Viewed|Visited|Searched|Edited|Pinned|Renamed|Exported|Updated)"
    r"\s"
)
_ATTACHED = re.compile(r"(?<!\s)\s*+Attached \d++ files?\.?\s*+\Z")


def matches(data: JSON) -> bool:
    labels = [as_text(data.get("header")), *map(as_text, as_list(data.get("products")))]
    return "title" in data and "time" in data and any("Gemini" in label or "Bard" in label for label in labels)


def read(records: Sequence[JSON], now: int) -> Iterator[ImportedConversation]:
    timed = sorted(
        ((as_milliseconds(record.get("time")) or now, record) for record in records), key=lambda each: each[0]
    )
    group: list[tuple[int, JSON]] = []
    for time, record in timed:
        if group and time - group[-1][0] > MAX_PAUSE_MS:
            yield _conversation(group).normalize(now)
            group = []
        group.append((time, record))
    if group:
        yield _conversation(group).normalize(now)


def _conversation(group: Sequence[tuple[int, JSON]]) -> ForeignConversation:
    found = ForeignConversation(kind="gemini", id=f"{group[0][0]}", title="", nodes=[], leaf=None)
    before: str | None = None
    for number, (time, record) in enumerate(group):
        answer = "\n\n".join(
            html_to_markdown(as_text(as_object(item).get("html"))) for item in as_list(record.get("safeHtmlItem"))
        )
        prompt = _prompt(as_text(record.get("title")), has_answer=bool(answer.strip()))
        if not prompt:
            found.left_out.append("activities that are no prompts")
            continue
        if _ATTACHED.search(as_text(record.get("title"))) or record.get("attachedFiles"):
            found.left_out.append("attached files")
        question = ForeignMessage(f"{time}:{number}:user", before, "user", created=time)
        question.add("text", prompt)
        reply = ForeignMessage(f"{time}:{number}:assistant", question.id, "assistant", created=time)
        reply.add("text", answer)
        found.nodes += [question, reply]
        before = reply.id if reply.is_shown else question.id
    found.leaf = before
    return found


def _prompt(title: str, *, has_answer: bool) -> str:
    """Return the person's words, or nothing for another activity."""
    title = title.replace("\u00a0", " ")
    if _NO_PROMPT.match(title):
        return ""
    said = _PROMPT.match(title)
    if said is None and not has_answer:
        return ""
    return _ATTACHED.sub("", title[said.end() if said else 0 :]).strip()
