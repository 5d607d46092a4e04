"""Parses streams of the Gemini API. No I/O."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from eclair.errors import EngineBroken, EngineBusy, EngineUnavailable
from eclair.llm.base import JSON, TokenUsage, ToolCall
from eclair.llm.remote.answer_parser import AnswerParser
from eclair.llm.remote.call_memory import Remember
from eclair.llm.remote.refusal import refused
from eclair.llm.remote.reply_values import as_count, as_object, as_sentence, error_text, optional_count
from eclair.schema.messages import FinishReason

FINISH_REASONS: Mapping[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "ESCALATION"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
        ),
        "content_filter",
    ),
}
"""Other reasons but these and BROKEN_REASONS end an answer too."""

BROKEN_REASONS = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE")


class GeminiParser(AnswerParser):
    """Parses one answer: chunks of whole parts. A function's call comes in one piece."""

    def __init__(self, name: str, remember: Remember) -> None:
        super().__init__(name)
        self._remember = remember
        self._usage: JSON | None = None
        self._calls = 0

    def _take(self, data: JSON) -> None:
        if data.get("error"):
            self._fail(data)
        if data.get("usageMetadata"):
            self._usage = as_object(data["usageMetadata"])
        feedback: JSON = data.get("promptFeedback") or {}
        if feedback.get("blockReason"):
            self.ended = "content_filter"
        for candidate in data.get("candidates") or ():
            if not candidate.get("index"):
                self._candidate(candidate)

    def _candidate(self, candidate: JSON) -> None:
        content: JSON = candidate.get("content") or {}
        for part in content.get("parts") or ():
            self._part(as_object(part))
        reason = candidate.get("finishReason")
        if reason in BROKEN_REASONS:
            said = as_sentence(str(candidate.get("finishMessage") or reason))
            raise EngineBroken(f"The engine {self._name} gave up its answer: {said}")
        if reason is not None:
            ended = FINISH_REASONS.get(reason, "stop")
            self.ended = "tool_calls" if self._calls and ended == "stop" else ended

    def _part(self, part: JSON) -> None:
        if "functionCall" in part:
            self._call(part)
        elif part.get("thought"):
            self._add_thought(part.get("text"))
        else:
            self._add_text(part.get("text") or "")

    def _call(self, part: JSON) -> None:
        call = as_object(part["functionCall"])
        id = str(call.get("id") or f"call_{secrets.token_hex(12)}")
        arguments = orjson.dumps(as_object(call.get("args") or {})).decode()
        self._remember(id, [part])
        self._add_call(ToolCall(self._calls, id, str(call["name"]), arguments))
        self._calls += 1

    def _counted(self) -> TokenUsage | None:
        usage = self._usage
        if usage is None:
            return None
        thoughts = optional_count(usage.get("thoughtsTokenCount"))
        return TokenUsage(
            as_count(usage.get("promptTokenCount")) + as_count(usage.get("toolUsePromptTokenCount")),
            as_count(usage.get("candidatesTokenCount")) + (thoughts or 0),
            optional_count(usage.get("cachedContentTokenCount")),
            thoughts,
        )

    def _fail(self, data: JSON) -> NoReturn:
        said = as_sentence(error_text(data) or "it does not say why")
        error: Any = data["error"]
        code: Any = error.get("code") if isinstance(error, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if code == 429:
            raise EngineBusy(f"The engine {self._name} is busy: {said}")
        if code in (503, 504):
            raise EngineUnavailable(f"The engine {self._name} is not available: {said}")
        if isinstance(code, int) and 400 <= code < 500:
            raise refused(self._name, said)
        raise EngineBroken(f"The engine {self._name} failed: {said}")
