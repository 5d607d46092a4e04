"""ChatGPT's `conversations.json`: a tree of nodes, `mapping`, whose shown branch ends at `current_node`."""

from __future__ import annotations

import re

from eclair.transfer.json_fields import JSON, items, mapping, milliseconds, text
from eclair.transfer.normalize import Found, Imported, Node, fenced, unknown

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
"""Where the page shows a link to a source; the file holds only a number."""


def fits(data: JSON) -> bool:
    return isinstance(data.get("mapping"), dict)


def read(data: JSON, now: int) -> Imported:
    found = Found(
        kind="chatgpt",
        id=text(data.get("conversation_id")) or text(data.get("id")) or text(data.get("title")),
        title=text(data.get("title")),
        nodes=[],
        leaf=text(data.get("current_node")) or None,
        created=milliseconds(data.get("create_time")),
        updated=milliseconds(data.get("update_time")),
        archived=data.get("is_archived") is True,
        pinned=data.get("is_starred") is True,
    )
    for id, value in mapping(data.get("mapping")).items():
        raw = mapping(value)
        found.nodes.append(_node(text(id), text(raw.get("parent")) or None, mapping(raw.get("message")), found))
    return found.imported(now)


def _node(id: str, parent: str | None, message: JSON, found: Found) -> Node:
    role = text(mapping(message.get("author")).get("role"))
    metadata = mapping(message.get("metadata"))
    content = mapping(message.get("content"))
    node = Node(
        id,
        parent,
        "user" if role == "user" else "assistant" if role == "assistant" else None,
        created=milliseconds(message.get("create_time")),
        model=text(metadata.get("model_slug")) or None,
    )
    found.left_out += ["attached files"] * len(items(metadata.get("attachments")))
    addressed = text(message.get("recipient")) or "all"
    if text(content.get("content_type")) in _CONTEXT:
        found.left_out.append("custom instructions")
    elif metadata.get("is_visually_hidden_from_conversation") is True or role == "system":
        if _holds(content):
            found.left_out.append("hidden system messages")
    elif role == "tool":
        _result(content, found)
    elif node.role is None:
        if message:
            found.left_out.append(unknown("messages", role))
    elif node.role == "assistant" and addressed != "all":
        found.left_out.append("tool calls")
    else:
        _content(content, node, found)
    return node


def _content(content: JSON, node: Node, found: Found) -> None:
    kind = text(content.get("content_type"))
    if kind in ("text", "multimodal_text", ""):
        for part in items(content.get("parts")):
            _part(part, node, found)
    elif kind == "code":
        node.add("text", fenced(text(content.get("text")), text(content.get("language"))))
    elif kind == "thoughts":
        thoughts = [mapping(thought) for thought in items(content.get("thoughts"))]
        words = [text(thought.get("content")) or text(thought.get("summary")) for thought in thoughts]
        node.add("reasoning", "\n\n".join(word for word in words if word))
    elif kind == "reasoning_recap":
        found.left_out.append("notes on how long a model thought")
    elif kind in _RESULTS:
        found.left_out.append("tool results")
    else:
        found.left_out.append(unknown("messages", kind))


def _part(part: object, node: Node, found: Found) -> None:
    if isinstance(part, str):
        words, marks = _SOURCE_MARK.subn("", text(part))
        found.left_out += ["marks of sources"] * marks
        node.add("text", words)
        return
    kind = text(mapping(part).get("content_type"))
    if kind == "audio_transcription":
        node.add("text", text(mapping(part).get("text")))
    elif kind in _PICTURES:
        found.left_out.append("pictures")
    elif kind in _RECORDINGS:
        found.left_out.append("recordings")
    elif part is not None:
        found.left_out.append(unknown("parts", kind))


def _result(content: JSON, found: Found) -> None:
    found.left_out.append("tool results")
    for part in items(content.get("parts")):
        if text(mapping(part).get("content_type")) in _PICTURES:
            found.left_out.append("pictures")


def _holds(content: JSON) -> bool:
    return any(not isinstance(part, str) or part.strip() for part in items(content.get("parts")))
