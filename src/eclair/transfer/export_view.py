"""A conversation on its way out: what renderers are given, and what all of them say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eclair.schema.images import Picture
from eclair.schema.messages import Conversation, Message, Part, branch

UNTITLED = "Conversation"
LONGEST_NAME = 60
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Exported:
    """A conversation with its whole tree, oldest first, and when it is exported, in milliseconds. `pictures` are the
    `data:` URLs of those that are in it, by their ids, for a form that has them in itself."""

    conversation: Conversation
    messages: tuple[Message, ...]
    at: int
    pictures: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def title(self) -> str:
        return self.conversation.title or UNTITLED

    @property
    def branch(self) -> list[Message]:
        """The messages that are shown, from the first on."""
        return branch({message.id: message for message in self.messages}, self.conversation.leaf)

    @property
    def name(self) -> str:
        """A file name, without its suffix, that every system takes."""
        return file_name(self.title)


def file_name(title: str) -> str:
    plain = unicodedata.normalize("NFC", title)
    return _UNSAFE.sub("-", plain).strip("-._")[:LONGEST_NAME].rstrip("-._") or UNTITLED.lower()


def called(picture: Picture) -> str:
    """The name of a picture's file."""
    return f"{file_name(picture.prompt)}-{picture.id[-6:]}.{picture.media.rpartition('/')[2]}"


def notice(messages: Sequence[Message]) -> str:
    """That the answers were made by AI, and by which models."""
    models = sorted({message.model for message in messages if message.role == "assistant" and message.model})
    return f"The answers were made by AI ({', '.join(models)})." if models else "The answers were made by AI."


def speaker(message: Message) -> str:
    """Who says it, for people."""
    if message.role != "assistant":
        return "You" if message.role == "user" else "System"
    return f"AI · {message.model}" if message.model else "AI"


def picture_line(part: Part) -> str:
    """A picture in words: what it was to show, and which model made it."""
    return f"Picture made with AI ({part.name}): {' '.join(part.text.split())}"


def ending(message: Message) -> str | None:
    """How an answer ended, if not by itself."""
    match message.status:
        case "stopped":
            return "Stopped here."
        case "interrupted" | "running":
            return "Interrupted here."
        case "failed":
            return message.fault.message if message.fault is not None else "Failed here."
        case "finished":
            return "Reached its greatest length here." if message.finish_reason == "length" else None


def when(milliseconds: int) -> str:
    """A time for people, in UTC."""
    return f"{moment(milliseconds):%Y-%m-%d %H:%M} UTC"


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
