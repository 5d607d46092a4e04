"""JSON of the whole tree, which can be imported again without loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import orjson

from eclair.provenance.text_marks import MADE_BY_AI, SOURCE_FIELD, TOOL, TOOL_FIELD
from eclair.transfer.export_view import ExportedConversation, ai_notice

VERSION = 1


def render(exported: ExportedConversation) -> bytes:
    conversation = asdict(exported.conversation)
    del conversation["owner"], conversation["project_id"], conversation["unread"]
    for name in ("temperature", "max_tokens", "system", "branched_from", "memory", "assistant_id"):
        _leave_out_none([conversation], name)
    messages = [asdict(message) for message in exported.messages]
    for message in messages:
        del message["conversation"], message["run"], message["used_memories"], message["kept_memories"]
        _leave_out_none([message], "rating")
        _leave_out_none([message["rating"]] if message.get("rating") else (), "reason")
        _leave_out_none([message], "comparison")
        _leave_out_empty([message], "calls")
        _leave_out_empty([message], "computed_figures")
        _leave_out_empty([message], "agents")
        _leave_out_none(message.get("calls", ()), "agent")
        _leave_out_none(message.get("calls", ()), "progress")
        _leave_out_none(message.get("calls", ()), "fault")
        _leave_out_empty(message.get("calls", ()), "elicitations")
        _leave_out_empty(message.get("calls", ()), "once_only")
        _leave_out_empty(message["parts"], "round")
        _leave_out_none(message["passages"], "computation")
        _leave_out_none(message["citations"], "computation")
        _leave_out_none(message["steps"], "seconds_left")
        _leave_out_none([message["usage"]] if message["usage"] else (), "watermarked_tokens")
    document = {
        "eclair": VERSION,
        "notice": ai_notice(exported.messages),
        SOURCE_FIELD: MADE_BY_AI,
        TOOL_FIELD: TOOL,
        **({"reviewed_by": exported.reviewer} if exported.reviewer else {}),
        "exported": exported.at,
        "conversation": conversation,
        "messages": messages,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _leave_out_none(parts: Iterable[dict[str, Any]], name: str) -> None:
    """Leave out a field that most parts don't have and older exports don't know."""
    for part in parts:
        if part[name] is None:
            del part[name]


def _leave_out_empty(parts: Iterable[dict[str, Any]], name: str) -> None:
    """Leave out a field that is 0 or empty in most parts and that older exports don't know."""
    for part in parts:
        if not part[name]:
            del part[name]
