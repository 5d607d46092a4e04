"""How models are told whether to think before they answer: the one place that knows their makers' ways.

What is wished is OpenAI's `reasoning_effort`. Sources: Qwen's, SmolLM3's and Gemma 4's model cards (`enable_thinking`),
DeepSeek's (`thinking`), vLLM's "Reasoning Outputs", OpenAI's harmony format (three levels), Mistral's documentation of
reasoning and the SYSTEM_PROMPT.txt beside its weights, Ollama's "OpenAI compatibility", DeepSeek's API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eclair.llm.base import JSON, PromptMessage, Request
from eclair.schema.models import ReasoningSupport

OFF_EFFORTS = ("none", "minimal", "low")
"""Efforts that a model which can leave thinking out takes as that."""

FLASH_EFFORT = "none"
THINK_EFFORT = "high"

TEMPLATE_DIALECTS = ("llamacpp", "vllm", "sglang")
"""Dialects that hand `chat_template_kwargs` to the model's template."""

REASONING_PROMPT = (
    "# HOW YOU SHOULD THINK AND ANSWER\n\n"
    "First draft your thinking process (inner monologue) until you arrive at a response. Format your response using "
    "Markdown, and use LaTeX for any mathematical equations. Write both your thoughts and the response in the same "
    "language as the input.\n\n"
    "Your thinking process must follow the template below:[THINK]Your thoughts or/and draft, like working through an "
    "exercise on scratch paper. Be as casual and as long as you want until you are confident to generate the response "
    "to the user.[/THINK]Here, provide a self-contained response."
)
"""What Mistral's reasoning models are told so that they think."""


def reasoning_fields(effort: str, thinks: ReasoningSupport | None, dialect: str) -> JSON:
    """The fields of a request that say `effort` to such a model on a server of that dialect; none where it cannot be
    said, or where `told` says it."""
    on = effort not in OFF_EFFORTS
    if dialect == "deepseek":
        return {"thinking": {"type": "enabled" if on else "disabled"}}
    match thinks:
        case "always" | "never" | "prompt":
            return {}
        case "levels":
            return (
                _template(reasoning_effort=_level(effort))
                if dialect == "llamacpp"
                else {"reasoning_effort": _level(effort)}
            )
        case "effort":
            whole = "high" if on else "none"
            return _template(reasoning_effort=whole) if dialect == "llamacpp" else {"reasoning_effort": whole}
        case "enable_thinking" | "thinking" if dialect in TEMPLATE_DIALECTS:
            return _template(**{thinks: on})
        case None if dialect in TEMPLATE_DIALECTS:
            return {"reasoning_effort": effort} | _template(enable_thinking=on, thinking=on)
        case _:
            return {"reasoning_effort": effort}


def add_reasoning_prompt(
    messages: Sequence[PromptMessage], effort: str | None, thinks: ReasoningSupport | None
) -> list[PromptMessage]:
    """The messages; where it is a prompt that makes the model think, with it at the end of the system message."""
    if thinks != "prompt" or effort is None or effort in OFF_EFFORTS:
        return list(messages)
    first = messages[0] if messages else None
    if first is not None and first.role == "system" and isinstance(first.content, str):
        return [replace(first, content=f"{first.content}\n\n{REASONING_PROMPT}"), *messages[1:]]
    return [PromptMessage("system", REASONING_PROMPT), *messages]


def drop_effort(request: Request) -> Request:
    """The request without a word on whether to think."""
    return replace(request, extra={name: value for name, value in request.extra.items() if name != "reasoning_effort"})


def _level(effort: str) -> str:
    """Low, medium or high, which are all that there are: none at all cannot be had."""
    return "low" if effort in OFF_EFFORTS else "medium" if effort == "medium" else "high"


def _template(**arguments: bool | str) -> JSON:
    return {"chat_template_kwargs": arguments}
