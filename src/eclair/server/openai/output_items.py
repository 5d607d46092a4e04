"""Items of a response's output, and the events that tell of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from eclair.llm.base import JSON
from eclair.schema.messages import PartKind
from eclair.server.openai.code_interpreter import read_code


@dataclass(slots=True)
class OutputItem:
    """An item as far as it has come: its fixed fields in `head`, its text so far in `texts`."""

    kind: PartKind
    head: JSON
    texts: list[str] = field(default_factory=list[str])
    logprobs: list[JSON] = field(default_factory=list[JSON])
    annotations: list[JSON] = field(default_factory=list[JSON])

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def type(self) -> str:
        return self.head["type"]

    def part(self) -> JSON:
        """Return the text so far as a content part."""
        if self.kind == "reasoning":
            return {"type": "reasoning_text", "text": self.text}
        return {"type": "output_text", "text": self.text, "annotations": self.annotations, "logprobs": self.logprobs}

    def to_output(self) -> JSON:
        match self.type:
            case "code_interpreter_call":
                return {**self.head, "code": read_code(self.text)}
            case "function_call":
                return {**self.head, "arguments": self.text}
            case "file_search_call" | "web_search_call":
                return {**self.head}
            case _:
                return {**self.head, "content": [self.part()]}


class ResponseOutput:
    """The items of one response, and the number of its next event."""

    def __init__(self) -> None:
        self.items: list[OutputItem] = []
        self.sent = 0

    def add(self, item: OutputItem) -> int:
        """Add an item; return its place."""
        self.items.append(item)
        return len(self.items) - 1

    def event(self, type: str, **more: object) -> JSON:
        """Build the next event."""
        self.sent += 1
        return {"type": type, "sequence_number": self.sent - 1, **more}

    def item_event(self, place: int, type: str, **more: object) -> JSON:
        """Build an event about the content of an item."""
        item = self.items[place]
        location: JSON = {"item_id": item.head["id"], "output_index": place}
        if item.kind != "tool_call":
            location["content_index"] = 0
        return self.event(type, **location, **more)

    def added(self, place: int, *, is_empty: bool = False) -> JSON:
        """Build the event that an item has begun; one with content `is_empty` at first."""
        item = self.items[place]
        shown: JSON = {**item.head, "content": []} if is_empty else item.to_output()
        return self.event("response.output_item.added", output_index=place, item=shown)

    def done(self, place: int) -> JSON:
        """Build the event that an item is complete."""
        return self.event("response.output_item.done", output_index=place, item=self.items[place].to_output())
