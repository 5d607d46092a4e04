"""The log of a background response: its events as the Responses API sends them, numbered from 0.

A log that was cut off is folded into the response that it made so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import orjson

from eclair.storage.responses import ResponseEvents, StoredItem

JSONObject = dict[str, Any]
Ending = Literal["cancelled", "interrupted"]

CUT_OFF = "Éclair ended while it wrote this response; its text so far is kept. Ask again."


class LiveResponse:
    """The log of a background response that this process writes; followers wait for more."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.lines: list[bytes] = []
        self.stored_lines = 0
        self.has_ended = False
        self.is_being_made = False
        self.ending: Ending | None = None
        """The reason to end it before its producer does."""
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def stop(self, ending: Ending) -> None:
        """Stop the producer, and with it the engine; a task that has not begun will see to it itself."""
        self.ending = self.ending or ending
        if self.task is not None and self.is_being_made:
            self.task.cancel()

    def append(self, events: Sequence[JSONObject]) -> None:
        """Add events and wake the followers."""
        self.lines += [orjson.dumps(event) for event in events]
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def end(self) -> None:
        """Let followers go once they have seen everything."""
        self.has_ended = True
        self._changed.set()

    def chunk(self, more: Sequence[JSONObject] = ()) -> ResponseEvents | None:
        """Return the events that aren't stored yet, and `more`; None if there are none."""
        lines = self.lines[self.stored_lines :] + [orjson.dumps(event) for event in more]
        if not lines:
            return None
        return ResponseEvents(self.id, self.stored_lines + len(lines) - 1, b"\n".join(lines))

    async def next(self, after: int) -> list[bytes]:
        """Wait for the events after number `after`; empty once there are no more."""
        while len(self.lines) <= after + 1 and not self.has_ended:
            await self._changed.wait()
        return self.lines[after + 1 :]


def fold_cut_log(lines: Sequence[bytes], body: JSONObject) -> tuple[JSONObject, list[StoredItem], JSONObject]:
    """Fold the log of a response whose process died: its body, its output so far, and the event that ends it."""
    items: dict[int, JSONObject] = {}
    number = 0
    for line in lines:
        event: JSONObject = orjson.loads(line)
        number = event["sequence_number"] + 1
        _apply(items, event)
        if "response" in event:
            body = {name: value for name, value in event["response"].items() if name != "output"}
    output = [items[index] for index in sorted(items)]
    error = {"code": "server_error", "message": CUT_OFF}
    body = {**body, "status": "failed", "error": error}
    end = {"type": "response.failed", "sequence_number": number, "response": {**body, "output": output}}
    return body, [StoredItem(item["id"], item) for item in output], end


def _apply(items: dict[int, JSONObject], event: JSONObject) -> None:
    """Apply an event to the items that it is about; one that isn't done is incomplete."""
    match event["type"]:
        case "response.output_item.added":
            items[event["output_index"]] = {**event["item"], "status": "incomplete"}
        case "response.output_item.done":
            items[event["output_index"]] = event["item"]
        case "response.content_part.added":
            items[event["output_index"]]["content"] = [dict(event["part"])]
        case "response.output_text.delta" | "response.reasoning_text.delta":
            items[event["output_index"]]["content"][0]["text"] += event["delta"]
        case "response.function_call_arguments.delta":
            items[event["output_index"]]["arguments"] += event["delta"]
        case _:
            pass
