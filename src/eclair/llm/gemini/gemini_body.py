"""The request body of the Gemini API. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from eclair.llm.base import JSON, PromptMessage, Request
from eclair.llm.remote.call_memory import Recall
from eclair.llm.remote.continuation import ask_to_continue
from eclair.llm.remote.openai_format import (
    InlineImage,
    read_call,
    read_content,
    read_schema,
    read_tool,
    read_tool_choice,
    refuse_extras,
    refuse_prompt,
)

TAKEN_EXTRAS = ("reasoning_effort", "top_k", "presence_penalty", "frequency_penalty")
OLD_MODELS = ("gemini-1.", "gemini-2.", "gemma-")
"""Models before Gemini 3: they think by budget, and need no signatures."""

OFF_EFFORTS = ("none", "minimal")
THINKING_TOKENS = {"low": 1024, "medium": 8192}
"""The budget for an effort, for models that think by budget; the model decides on others."""

ANY_SIGNATURE = "skip_thought_signature_validator"
"""In place of the signature of a call that this engine didn't make."""


@dataclass(slots=True)
class _History:
    """The conversation in turns, and the functions called in it by the ids of their calls."""

    recall: Recall
    wants_signatures: bool
    contents: list[JSON] = field(default_factory=list[JSON])
    names: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, said: PromptMessage) -> None:
        """Add a message; consecutive ones of a role are one turn."""
        role = "model" if said.role == "assistant" else "user"
        parts = self._result(said) if said.role == "tool" else [_part(part) for part in read_content(said)]
        for number, call in enumerate(said.tool_calls):
            parts.append(self._call(call, is_first=number == 0))
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    def _call(self, call: JSON, *, is_first: bool) -> JSON:
        read = read_call(call)
        self.names[read.id] = read.name
        if known := self.recall(read.id):
            return known[0]
        part: JSON = {"functionCall": {"name": read.name, "args": read.arguments}}
        return part | ({"thoughtSignature": ANY_SIGNATURE} if is_first and self.wants_signatures else {})

    def _result(self, said: PromptMessage) -> list[JSON]:
        """Return a tool's result. Images stand beside it: it has room for JSON alone."""
        content = read_content(said)
        texts = "\n".join(part for part in content if isinstance(part, str))
        id = said.tool_call_id or ""
        response: JSON = {"name": self.names.get(id) or said.name or "tool", "response": _as_object(texts)}
        if (known := self.recall(id)) and "id" in known[0].get("functionCall", {}):
            response["id"] = known[0]["functionCall"]["id"]
        return [{"functionResponse": response}, *(_part(part) for part in content if isinstance(part, InlineImage))]


@dataclass(frozen=True, slots=True)
class GeminiBody:
    """A body, and the one without hints that a model may refuse."""

    full: JSON
    plain: JSON


def build_gemini_body(engine: str, request: Request, max_tokens: int | None, recall: Recall) -> GeminiBody:
    """Build the body of a request; `max_tokens` is the model's own limit. Raises EngineRefused.

    It raises for what the API can't do.
    """
    if request.prompt is not None:
        raise refuse_prompt(engine)
    refuse_extras(engine, request.extra, TAKEN_EXTRAS)
    history = _History(recall, wants_signatures=not request.model.startswith(OLD_MODELS))
    instructions: list[JSON] = []
    for said in ask_to_continue(request):
        if said.role in ("system", "developer"):
            instructions += [_part(text) for text in read_content(said) if isinstance(text, str)]
        else:
            history.add(said)
    if not history.contents or history.contents[0]["role"] == "model":  # the user begins
        history.contents.insert(0, {"role": "user", "parts": [{"text": "…"}]})
    body: JSON = {"contents": history.contents}
    if instructions:
        body["systemInstruction"] = {"parts": instructions}
    body |= _tools(request)
    config = _generation_config(request, max_tokens)
    plain = {**body, **({"generationConfig": config} if config else {})}
    thinking = _thinking(request)
    full = {**body, "generationConfig": {**config, "thinkingConfig": thinking}} if thinking else plain
    return GeminiBody(full, plain)


def _generation_config(request: Request, max_tokens: int | None) -> JSON:
    sampling, extra = request.sampling, request.extra
    limit = sampling.max_tokens
    config: JSON = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": extra.get("top_k"),
        "maxOutputTokens": limit if limit is None or max_tokens is None else min(limit, max_tokens),
        "seed": sampling.seed,
        "stopSequences": list(sampling.stop) or None,
        "presencePenalty": extra.get("presence_penalty") or None,
        "frequencyPenalty": extra.get("frequency_penalty") or None,
    }
    schema = read_schema(request.response_format)
    if schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": schema or None}
    return {name: value for name, value in config.items() if value is not None}


def _tools(request: Request) -> JSON:
    """Return `tools` and `toolConfig`."""
    declared: list[JSON] = []
    for tool in map(read_tool, request.tools):
        about = {"description": tool.description} if tool.description else {}
        declared.append({"name": tool.name, **about, "parametersJsonSchema": tool.parameters})
    choice = read_tool_choice(request.tool_choice)
    if not declared:
        return {}
    mode: JSON = {"mode": {"auto": "AUTO", "none": "NONE"}.get(choice, "ANY")}
    mode |= {"allowedFunctionNames": [choice[1:]]} if choice.startswith("=") else {}
    tools = [{"functionDeclarations": declared}]
    return {"tools": tools} | ({} if choice == "auto" else {"toolConfig": {"functionCallingConfig": mode}})


def _thinking(request: Request) -> JSON:
    """Return the thinking for the effort that is asked for: a level since Gemini 3, a budget before."""
    effort: Any = request.extra.get("reasoning_effort")
    if effort is None:
        return {}
    off = effort in OFF_EFFORTS
    shown: JSON = {} if off else {"includeThoughts": True}
    if request.model.startswith(OLD_MODELS):
        least = 128 if "pro" in request.model else 0  # the larger models can't do without
        return {**shown, "thinkingBudget": least if off else THINKING_TOKENS.get(effort, -1)}
    level = "MINIMAL" if off else {"low": "LOW", "medium": "MEDIUM"}.get(effort, "HIGH")
    return {**shown, "thinkingLevel": level}


def _part(part: str | InlineImage) -> JSON:
    if isinstance(part, str):
        return {"text": part}
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def _as_object(text: str) -> JSON:
    """Return a result as the object that the API wants."""
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"result": text}  # pyright: ignore[reportUnknownVariableType]
