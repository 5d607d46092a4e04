"""Switches reasoning on and off: the one place that knows each model maker's way.

The input is OpenAI's `reasoning_effort`. Sources: the model cards of Qwen, SmolLM3 and Gemma 4 (`enable_thinking`),
DeepSeek (`thinking`), vLLM's "Reasoning Outputs", OpenAI's harmony format (three levels), Mistral's documentation of
reasoning and the SYSTEM_PROMPT.txt beside its weights, Ollama's "OpenAI compatibility", DeepSeek's API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eclair.llm.base import JSON, PromptMessage, Request
from eclair.schema.models import ReasoningSupport

OFF_EFFORTS = ("none", "minimal", "low")
"""Efforts that mean no reasoning for a model that can do without."""

FLASH_EFFORT = "none"
THINK_EFFORT = "high"

TEMPLATE_DIALECTS = ("llamacpp", "vllm", "ray", "sglang")
"""Dialects that pass `chat_template_kwargs` to the model's chat template."""

PROMPT_MODE_DIALECT = "mistral"
"""The dialect whose server adds the reasoning prompt itself, if `prompt_mode` says so."""

REASONING_PROMPT = (
    "# HOW YOU SHOULD THINK AND ANSWER\n\n"
    "First draft your thinking process (inner monologue) until you arrive at a response. Format your response using "
    "Markdown, and use LaTeX for any mathematical equations. Write both your thoughts and the response in the same "
    "language as the input.\n\n"
    "Your thinking process must follow the template below:[THINK]Your thoughts or/and draft, like working through an "
    "exercise on scratch paper. Be as casual and as long as you want until you are confident to generate the response "
    "to the user.[/THINK]Here, provide a self-contained response."
)
"""The system prompt that makes Mistral's reasoning models reason."""


def reasoning_fields(effort: str, thinks: ReasoningSupport | None, dialect: str) -> JSON:
    """Return the request fields that state `effort` to such a model in that dialect.

    Empty if it can't be stated, or if the reasoning prompt states it.
    """
    on = effort not in OFF_EFFORTS
    if dialect == "deepseek":
        return {"thinking": {"type": "enabled" if on else "disabled"}}
    match thinks:
        case "prompt" if dialect == PROMPT_MODE_DIALECT and on:
            return {"prompt_mode": "reasoning"}
        case "always" | "never" | "prompt":
            return {}
        case "levels":
            return (
                _template(reasoning_effort=_level(effort))
                if dialect == "llamacpp"
                else {"reasoning_effort": _level(effort)}
            )
        case "effort":
            value = "high" if on else "none"
            return _template(reasoning_effort=value) if dialect == "llamacpp" else {"reasoning_effort": value}
        case "enable_thinking" | "thinking" if dialect in TEMPLATE_DIALECTS:
            return _template(**{thinks: on})
        case None if dialect in TEMPLATE_DIALECTS:
            return {"reasoning_effort": effort} | _template(enable_thinking=on, thinking=on)
        case _:
            return {"reasoning_effort": effort}


def add_reasoning_prompt(
    messages: Sequence[PromptMessage], effort: str | None, thinks: ReasoningSupport | None, dialect: str
) -> list[PromptMessage]:
    """Return the messages, with the reasoning prompt in the system message if needed."""
    if thinks != "prompt" or effort is None or effort in OFF_EFFORTS or dialect == PROMPT_MODE_DIALECT:
        return list(messages)
    first = messages[0] if messages else None
    if first is not None and first.role == "system" and isinstance(first.content, str):
        return [replace(first, content=f"{first.content}\n\n{REASONING_PROMPT}"), *messages[1:]]
    return [PromptMessage("system", REASONING_PROMPT), *messages]


def drop_effort(request: Request) -> Request:
    """Return the request without a reasoning effort."""
    return replace(request, extra={name: value for name, value in request.extra.items() if name != "reasoning_effort"})


def _level(effort: str) -> str:
    """Map an effort to low, medium or high; none isn't available."""
    return "low" if effort in OFF_EFFORTS else "medium" if effort == "medium" else "high"


def _template(**arguments: bool | str) -> JSON:
    return {"chat_template_kwargs": arguments}
