"""Continues an answer that was cut off, where a server has no field for it: in words."""

from __future__ import annotations

from eclair.llm.base import PromptMessage, Request

CONTINUE_MESSAGE = PromptMessage("user", "Go on exactly where you stopped. Repeat nothing and explain nothing.")


def text_to_continue(request: Request) -> str:
    """Return the text of the assistant message to continue; empty if there is none."""
    if request.messages and request.messages[-1].role == "assistant":
        content = request.messages[-1].content
        return content if isinstance(content, str) else ""
    return ""


def ask_to_continue(request: Request) -> tuple[PromptMessage, ...]:
    """Return the messages, with a demand to go on if the last one is to be continued."""
    return (*request.messages, CONTINUE_MESSAGE) if text_to_continue(request) else request.messages
