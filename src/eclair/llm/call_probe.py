"""Finds out how a model calls tools, by four short questions: natively, as text, if it is made to, or not at all.

A model calls well if it makes both of two calls, none where none is needed, and answers from a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import orjson

from eclair.errors import EngineRefused
from eclair.llm.base import JSON, Engine, PromptMessage, Request, Text, ToolCall
from eclair.llm.reasoning import FLASH_EFFORT
from eclair.schema.messages import Sampling
from eclair.schema.models import CallWay, Model

MAX_REPLY_TOKENS = 160
MAX_REASONING_TOKENS = 1000
"""Of models that always reason first."""


def _function(name: str, description: str, parameter: str) -> JSON:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {parameter: {"type": "string"}},
                "required": [parameter],
            },
        },
    }


TOOLS = (
    _function("read_thermometer", "Returns the temperature in a city now.", "city"),
    _function("search_library", "Finds books on a subject.", "subject"),
)
CITIES = ("Oslo", "Porto")
_TWO_CALLS = "How warm is it in Oslo and in Porto now? Read both thermometers."
_NO_CALL = "Hello! Please say good morning in French."
_GREETING = "bon"
"""Stands in the answer in words; a model that must call makes up a tool instead."""
_ONE_CALL = "How warm is it in Oslo now?"
_RESULT = "It is 17.3 degrees in Oslo."
_READING = "17"
"""Stands in an answer from the result."""


@dataclass(frozen=True, slots=True)
class CallSkill:
    """The way in which a model calls tools, and if it does so well."""

    way: CallWay
    is_good: bool


@dataclass(frozen=True, slots=True)
class _Reply:
    """The words of a reply, and its calls: name and parsed arguments, None if they are no JSON object."""

    text: str
    calls: tuple[tuple[str, Any], ...]
    is_written: bool

    @property
    def cities(self) -> set[str]:
        """The cities whose thermometers are rightly read."""
        asked = [call[1].get("city") for call in self.calls if call[0] == "read_thermometer" and _is_object(call[1])]
        return {city for city in CITIES for each in asked if isinstance(each, str) and city in each}


async def probe_calls(engine: Engine, model: Model) -> CallSkill:
    """Ask the model. Raises EclairError if it can't be asked."""
    two = await _ask(engine, model, (PromptMessage("user", _TWO_CALLS),))
    if not two.cities:
        return CallSkill("forced" if await _is_forced(engine, model) else "none", False)
    way: CallWay = "text" if two.is_written else "native"
    if two.cities != {*CITIES}:
        return CallSkill(way, False)
    none = await _ask(engine, model, (PromptMessage("user", _NO_CALL),))
    if none.calls or _GREETING not in none.text.casefold():
        return CallSkill(way, False)
    call: JSON = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "read_thermometer", "arguments": '{"city":"Oslo"}'},
    }
    answer = await _ask(
        engine,
        model,
        (
            PromptMessage("user", _ONE_CALL),
            PromptMessage("assistant", None, tool_calls=(call,)),
            PromptMessage("tool", _RESULT, name="read_thermometer", tool_call_id="call_1"),
        ),
    )
    return CallSkill(way, _READING in answer.text and not answer.calls)


async def _is_forced(engine: Engine, model: Model) -> bool:
    """Return whether the model calls rightly where a call is demanded."""
    try:
        reply = await _ask(engine, model, (PromptMessage("user", _ONE_CALL),), tool_choice="required")
    except EngineRefused:
        return False
    return "Oslo" in reply.cities


async def _ask(
    engine: Engine, model: Model, messages: Sequence[PromptMessage], tool_choice: str | None = None
) -> _Reply:
    """Ask for a short reply."""
    extra: JSON = {} if model.reasoning in (None, "never", "always") else {"reasoning_effort": FLASH_EFFORT}
    room = MAX_REASONING_TOKENS if model.reasoning == "always" else MAX_REPLY_TOKENS
    request = Request(
        model.id,
        tuple(messages),
        sampling=replace(model.sampling, temperature=0.0, max_tokens=room, stop=())
        if model.reasoning == "always"
        else Sampling(temperature=0.0, max_tokens=room),
        tools=TOOLS,
        tool_choice=tool_choice,
        extra=extra,
        reasoning=model.reasoning,
        purpose="probe",
    )
    text, calls, is_written = "", dict[int, list[str]](), False
    async with aclosing(engine.stream(request)) as deltas:
        async for delta in deltas:
            match delta:
                case Text():
                    text += delta.text
                case ToolCall():
                    is_written = is_written or delta.is_written
                    name, arguments = calls.setdefault(delta.index, ["", ""])
                    calls[delta.index] = [name + (delta.name or ""), arguments + delta.arguments]
                case _:
                    pass
    return _Reply(text, tuple((name, _parse(arguments)) for name, arguments in calls.values()), is_written)


def _parse(arguments: str) -> Any:
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return None


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
