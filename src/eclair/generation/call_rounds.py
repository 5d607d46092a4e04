"""Rounds of tool calls as a model is shown them: what it said, its calls, and their results in the same order.

The loop shows them while the answer is made, and the prompt of a later question shows them again, to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from eclair.generation.untrusted import break_control_tokens, neutralize
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import CallEnded, End, Event, RunFailed, RunInterrupted
from eclair.schema.messages import Call, Message, Part

UNKNOWN_RESULT = (
    "It is not known whether this call was carried out. Don't repeat it on your own; tell the person to check."
)
STOPPED_RESULT = "The person stopped this call; it may have been carried out in part."
NO_RESULT = "This call was not carried out."


def call_messages(
    parts: Sequence[Part], calls: Sequence[Call], control_tokens: tuple[str, ...] = ()
) -> list[PromptMessage]:
    """Return the rounds of an answer in which our tools were called. Each call has a result, if only that it has none.

    Calls of sub-agents are left out. `control_tokens` are the model's.
    """
    ours = {call.call: call for call in calls if call.agent is None}
    results = {part.id: part.text for part in parts if part.kind == "tool_result"}
    messages: list[PromptMessage] = []
    for number in sorted({part.round for part in parts}):
        said = [part for part in parts if part.round == number]
        called = [part for part in said if part.kind == "tool_call" and part.id in ours]
        if not called:
            continue
        text = break_control_tokens(_joined(said, "text"), control_tokens)
        thought = break_control_tokens(_joined(said, "reasoning"), control_tokens)
        shown = tuple(_tool_call(part) for part in called)
        messages.append(PromptMessage("assistant", text or None, tool_calls=shown, reasoning=thought or None))
        for part in called:
            result = results.get(part.id, _missing_result(ours[part.id or ""]))
            messages.append(
                PromptMessage("tool", neutralize(result, control_tokens), name=part.name, tool_call_id=part.id)
            )
    return messages


def end_calls(calls: Sequence[Call], end: End) -> list[Event]:
    """Return the events that end calls under way when their run ends.

    Those that had begun when the process died are `unknown`.
    """
    is_lost = isinstance(end, RunInterrupted | RunFailed)
    return [
        CallEnded(call.call, "unknown" if is_lost and call.has_begun else "stopped", 0.0)
        for call in calls
        if call.outcome is None
    ]


def last_call_round(parts: Sequence[Part], calls: Sequence[Call]) -> int:
    """Return the number of the last round in which our tools were called; -1 if there is none."""
    ours = {call.call for call in calls if call.agent is None}
    return max((part.round for part in parts if part.kind == "tool_call" and part.id in ours), default=-1)


def without_unmade_calls(answer: Message) -> Message:
    """Return an answer that ended early without the calls at its end that had not come whole."""
    ours = {call.call for call in answer.calls}
    parts = list(answer.parts)
    while parts and parts[-1].kind == "tool_call" and parts[-1].id not in ours:
        parts.pop()
    return replace(answer, parts=tuple(parts))


def _tool_call(part: Part) -> JSON:
    """Return a call in OpenAI's format. Engines refuse arguments that are no JSON object."""
    return {
        "id": part.id,
        "type": "function",
        "function": {"name": part.name, "arguments": part.text if is_object(part.text) else "{}"},
    }


def is_object(text: str) -> bool:
    """Return whether a text is a JSON object, as arguments have to be."""
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def _missing_result(call: Call) -> str:
    match call.outcome:
        case "stopped" if call.has_begun:
            return STOPPED_RESULT
        case None | "unknown" if call.has_begun:
            return UNKNOWN_RESULT
        case _:
            return NO_RESULT


def _joined(parts: Sequence[Part], kind: str) -> str:
    return "".join(part.text for part in parts if part.kind == kind)
