"""JSON of the whole tree, which can be imported again without loss."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from eclair.transfer.export_view import ExportedConversation, ai_notice

VERSION = 1


def render(exported: ExportedConversation) -> bytes:
    conversation = asdict(exported.conversation)
    del conversation["owner"]
    messages = [asdict(message) for message in exported.messages]
    for message in messages:
        del message["conversation"], message["run"]
        for rested in (*message["passages"], *message["citations"]):
            if rested["computation"] is None:
                del rested["computation"]  # most have none, and older exports know no such field
    document = {
        "eclair": VERSION,
        "notice": ai_notice(exported.messages),
        "exported": exported.at,
        "conversation": conversation,
        "messages": messages,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
