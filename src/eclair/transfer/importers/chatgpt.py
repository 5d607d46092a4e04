"""ChatGPT's `conversations.json`: a tree that ends at `current_node`."""

from __future__ import annotations

import re

from eclair.transfer.json_fields import JSON, as_list, as_milliseconds, as_object, as_text
from eclair.transfer.normalize import (
    ForeignConversation,
    ForeignMessage,
    ImportedConversation,
    code_block,
    unknown_kind,
)

_PICTURES = {"image_asset_pointer"}
_RECORDINGS = {"audio_asset_pointer", "real_time_user_audio_video_asset_pointer", "video_container_asset_pointer"}
_CONTEXT = {"user_editable_context", "model_editable_context"}
_RESULTS = {
    "computer_output",
    "execution_output",
    "sonic_webpage",
    "system_error",
    "tether_browsing_code",
    "tether_browsing_display",
    "tether_quote",
}
_SOURCE_MARK = re.compile("\ue200[^\ue200\ue201]*\ue201")
"""ChatGPT renders a source link here; the file holds only a number."""


def matches(data: JSON) -> bool:
    return isinstance(data.get("mapping"), dict)


def read(data: JSON, now: int) -> ImportedConversation:
    found = ForeignConversation(
        kind="chatgpt",
        id=as_text(data.get("conversation_id")) or as_text(data.get("id")) or as_text(data.get("title")),
        title=as_text(data.get("title")),
        nodes=[],
        leaf=as_text(data.get("current_node")) or None,
        created=as_milliseconds(data.get("create_time")),
        updated=as_milliseconds(data.get("update_time")),
        archived=data.get("is_archived") is True,
        pinned=data.get("is_starred") is True,
    )
    for id, value in as_object(data.get("mapping")).items():
        raw = as_object(value)
        found.nodes.append(_node(as_text(id), as_text(raw.get("parent")) or None, as_object(raw.get("message")), found))
    return found.normalize(now)


def _node(id: str, parent: str | None, message: JSON, found: ForeignConversation) -> ForeignMessage:
    role = as_text(as_object(message.get("author")).get("role"))
    metadata = as_object(message.get("metadata"))
    content = as_object(message.get("content"))
    node = ForeignMessage(
        id,
        parent,
        "user" if role == "user" else "assistant" if role == "assistant" else None,
        created=as_milliseconds(message.get("create_time")),
        model=as_text(metadata.get("model_slug")) or None,
    )
    found.left_out += ["attached files"] * len(as_list(metadata.get("attachments")))
    addressed = as_text(message.get("recipient")) or "all"
    if as_text(content.get("content_type")) in _CONTEXT:
        found.left_out.append("custom instructions")
    elif metadata.get("is_visually_hidden_from_conversation") is True or role == "system":
        if _holds(content):
            found.left_out.append("hidden system messages")
    elif role == "tool":
        _result(content, found)
    elif node.role is None:
        if message:
            found.left_out.append(unknown_kind("messages", role))
    elif node.role == "assistant" and addressed != "all":
        found.left_out.append("tool calls")
    else:
        _content(content, node, found)
    return node


def _content(content: JSON, node: ForeignMessage, found: ForeignConversation) -> None:
    kind = as_text(content.get("content_type"))
    if kind in ("text", "multimodal_text", ""):
        for part in as_list(content.get("parts")):
            _part(part, node, found)
    elif kind == "code":
        node.add("text", code_block(as_text(content.get("text")), as_text(content.get("language"))))
    elif kind == "thoughts":
        thoughts = [as_object(thought) for thought in as_list(content.get("thoughts"))]
        words = [as_text(thought.get("content")) or as_text(thought.get("summary")) for thought in thoughts]
        node.add("reasoning", "\n\n".join(word for word in words if word))
    elif kind == "reasoning_recap":
        found.left_out.append("notes on how long a model thought")
    elif kind in _RESULTS:
        found.left_out.append("tool results")
    else:
        found.left_out.append(unknown_kind("messages", kind))


def _part(part: object, node: ForeignMessage, found: ForeignConversation) -> None:
    if isinstance(part, str):
        words, marks = _SOURCE_MARK.subn("", as_text(part))
        found.left_out += ["marks of sources"] * marks
        node.add("text", words)
        return
    kind = as_text(as_object(part).get("content_type"))
    if kind == "audio_transcription":
        node.add("text", as_text(as_object(part).get("text")))
    elif kind in _PICTURES:
        found.left_out.append("images")
    elif kind in _RECORDINGS:
        found.left_out.append("recordings")
    elif part is not None:
        found.left_out.append(unknown_kind("parts", kind))


def _result(content: JSON, found: ForeignConversation) -> None:
    found.left_out.append("tool results")
    for part in as_list(content.get("parts")):
        if as_text(as_object(part).get("content_type")) in _PICTURES:
            found.left_out.append("images")


def _holds(content: JSON) -> bool:
    return any(not isinstance(part, str) or part.strip() for part in as_list(content.get("parts")))
