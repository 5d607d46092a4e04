"""Tool calls for models that weren't trained to call: earlier calls and their results are told in words. No I/O.

Such a model takes its own calls in a template's marks for a pattern to repeat, and offered a tool, it does nothing but
call. Once it has been shown a result, it is asked to answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eclair.llm.base import JSON, PromptMessage, Request


def tell_calls(request: Request) -> Request:
    """Tell earlier calls in words. After a result no tool is offered, unless a call is demanded."""
    if not any(message.role == "tool" or message.tool_calls for message in request.messages):
        return request
    messages = _told(request.messages)
    is_free = request.tool_choice in (None, "auto")
    if is_free and request.messages[-1].role == "tool":
        return replace(request, messages=messages, tools=(), tool_choice=None)
    return replace(request, messages=messages)


def _told(messages: Sequence[PromptMessage]) -> tuple[PromptMessage, ...]:
    told: list[PromptMessage] = []
    calls: dict[str, str] = {}
    for message in messages:
        if message.role == "tool":
            call = calls.get(message.tool_call_id or "", message.name or "The function")
            message = PromptMessage("user", f"{call} returned:\n{_text(message)}")
        for each in message.tool_calls:
            calls[str(each.get("id"))] = f"{each['function']['name']}({each['function']['arguments']})"
        if message.tool_calls and not message.content:
            continue
        message = replace(message, tool_calls=())
        last = told[-1] if told else None
        if last is not None and last.role == message.role == "user" and isinstance(message.content, str):
            told[-1] = replace(last, content=_joined(last, message.content), images=last.images + message.images)
        else:
            told.append(message)
    return tuple(told)


def _joined(message: PromptMessage, text: str) -> str | list[JSON]:
    if isinstance(message.content, list):
        return [*message.content, {"type": "text", "text": text}]
    return f"{message.content or ''}\n\n{text}"


def _text(message: PromptMessage) -> str:
    if isinstance(message.content, list):
        return "\n".join(str(part.get("text", "")) for part in message.content if part.get("type") == "text")
    return message.content or ""
