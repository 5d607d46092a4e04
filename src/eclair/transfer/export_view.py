"""View of a conversation that exporters render, and the phrases all of them share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from eclair.errors import InvalidInput
from eclair.schema.images import GeneratedImage
from eclair.schema.messages import Conversation, Message, Part, branch
from eclair.transfer.python_charts import chart_file, replace_parts
from eclair.transfer.source_numbers import number_sources

UNTITLED = "Conversation"
MAX_FILE_NAME_CHARS = 60
ReviewerName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S([^\x00-\x1f]*\S)?$")]
"""The name of a person who reviewed what AI wrote, and answers for it."""
_REVIEWER: TypeAdapter[str] = TypeAdapter(ReviewerName)
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class ExportedConversation:
    """A conversation with its whole tree, oldest message first.

    `at` is the time of export in milliseconds. `pictures` maps image ids to `data:` URLs, for formats that embed them.
    `language` is that of the texts around the conversation, in formats that have them in more than English. `reviewer`
    is who reviewed it and answers for it; None if nobody did.
    """

    conversation: Conversation
    messages: tuple[Message, ...]
    at: int
    pictures: Mapping[str, str] = field(default_factory=dict[str, str])
    language: str = "en"
    reviewer: str | None = None

    @property
    def title(self) -> str:
        return self.conversation.title or UNTITLED

    @property
    def branch(self) -> list[Message]:
        """Messages of the displayed branch, from the first on, for people: their sources numbered, faults in words."""
        shown = branch({message.id: message for message in self.messages}, self.conversation.leaf)
        return [number_sources(_with_faults(_without_agent_calls(message))) for message in shown]

    @property
    def origin(self) -> str:
        """Sentences for people: AI made the answers, and who reviewed them."""
        reviewed = f" Reviewed by {self.reviewer}, who answers for it." if self.reviewer else ""
        return f"{ai_notice(self.branch)}{reviewed}"

    @property
    def notice(self) -> str:
        """Sentences for people: the answers' origin, and when they were exported."""
        return f"{self.origin} Exported from Éclair on {format_time(self.at)}."

    @property
    def name(self) -> str:
        """File name without suffix, valid on every system."""
        return file_name(self.title)


def parse_reviewer(name: str) -> str:
    """Return a reviewer's name. Raises InvalidInput."""
    try:
        return _REVIEWER.validate_python(name)
    except ValidationError:
        raise InvalidInput("The reviewer needs a name of at most 100 characters, in one line.") from None


def file_name(title: str, untitled: str = UNTITLED) -> str:
    """Return a file name without suffix, valid on every system; `untitled` if nothing of the title can be in one."""
    plain = unicodedata.normalize("NFC", title)
    return _UNSAFE.sub("-", plain).strip("-._")[:MAX_FILE_NAME_CHARS].rstrip("-._") or untitled.lower()


def image_file_name(picture: GeneratedImage) -> str:
    """Name an image's file after its prompt."""
    return f"{file_name(picture.prompt)}-{picture.id[-6:]}.{picture.media.rpartition('/')[2]}"


def ai_notice(messages: Sequence[Message]) -> str:
    """Say that the answers were made by AI, and by which models."""
    models = answering_models(messages)
    return f"The answers were made by AI ({', '.join(models)})." if models else "The answers were made by AI."


def answering_models(messages: Sequence[Message]) -> list[str]:
    """Return the models that wrote the answers, in alphabetical order."""
    return sorted({message.model for message in messages if message.role == "assistant" and message.model})


def speaker_label(message: Message) -> str:
    """Label of the message's author, for people."""
    if message.role != "assistant":
        return "You" if message.role == "user" else "System"
    return f"AI · {message.model}" if message.model else "AI"


def _without_agent_calls(message: Message) -> Message:
    """Leave out the calls of sub-agents, which are no part of the report."""
    hidden = {call.call for call in message.calls if call.agent is not None}
    if not hidden:
        return message
    return replace_parts(message, [(index, part) for index, part in enumerate(message.parts) if part.id not in hidden])


def _with_faults(message: Message) -> Message:
    """Say of calls that failed or weren't made what people are told, not what the model read."""
    faults = {call.call: call.fault.message for call in message.calls if call.fault is not None}
    if not faults:
        return message
    parts = (
        replace(part, text=faults.get(part.id or "", part.text)) if part.kind == "tool_result" else part
        for part in message.parts
    )
    return replace(message, parts=tuple(parts))


def image_caption(part: Part) -> str:
    """Describe an image in words: its prompt and the model that made it, or what a chart shows."""
    if chart_file(part.id) is not None:
        return f"Chart made by Python: {' '.join(part.text.split())}"
    return f"Picture made with AI ({part.name}): {' '.join(part.text.split())}"


def ending_note(message: Message) -> str | None:
    """Say how an answer ended; None if it finished by itself."""
    match message.status:
        case "stopped":
            return "Stopped here."
        case "interrupted" | "running" | "waiting":
            return "Interrupted here."
        case "failed":
            return message.fault.message if message.fault is not None else "Failed here."
        case "finished":
            return "Reached its greatest length here." if message.finish_reason == "length" else None


def format_time(milliseconds: int) -> str:
    """Format a time in milliseconds for people, in UTC."""
    return f"{to_datetime(milliseconds):%Y-%m-%d %H:%M} UTC"


def to_datetime(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
