"""Parses streams of Anthropic's Messages API. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from eclair.errors import EngineBroken, EngineBusy, EngineUnavailable, UpstreamError
from eclair.llm.base import JSON, TokenUsage, ToolCall
from eclair.llm.remote.answer_parser import AnswerParser
from eclair.llm.remote.call_memory import Remember
from eclair.llm.remote.refusal import refused
from eclair.llm.remote.reply_values import as_count, as_sentence, error_text, optional_count, optional_text
from eclair.schema.messages import FinishReason

FINISH_REASONS: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

BUSY_TYPES = ("overloaded_error", "rate_limit_error")
REFUSED_TYPES = (
    *("invalid_request_error", "not_found_error", "request_too_large", "billing_error"),
    *("authentication_error", "permission_error"),
)


class MessagesParser(AnswerParser):
    """Parses one answer: events of content blocks, in order."""

    def __init__(self, name: str, remember: Remember) -> None:
        super().__init__(name)
        self._remember = remember
        self._usage: JSON = {}
        self._block: JSON = {}
        self._thinking: list[JSON] = []
        self._calls = 0
        self._has_arguments = False

    def _take(self, data: JSON) -> None:
        kind = data.get("type")
        if self._frames.failed or kind == "error" or (kind is None and data.get("error")):
            self._fail(data)
        match kind:
            case "message_start":
                self._usage |= data["message"].get("usage") or {}
            case "content_block_start":
                self._begin(data["content_block"])
            case "content_block_delta":
                self._grow(data["delta"])
            case "content_block_stop":
                self._end()
            case "message_delta":
                counts: JSON = data.get("usage") or {}
                self._usage |= {name: count for name, count in counts.items() if count is not None}
                self._close(data["delta"])
            case "message_stop":
                self.done = True
            case _:
                pass  # pings, and events to come

    def _begin(self, block: JSON) -> None:
        self._block = dict(block)
        match block.get("type"):
            case "text":
                self._add_text(block.get("text") or "")
            case "thinking":
                self._add_thought(block.get("thinking"))
            case "tool_use":
                id, name = optional_text(block["id"]), optional_text(block["name"])
                self._has_arguments = False
                self._add_call(ToolCall(self._calls, id, name, ""))
            case _:
                pass

    def _grow(self, delta: JSON) -> None:
        match delta.get("type"):
            case "text_delta":
                self._add_text(delta["text"])
            case "thinking_delta":
                self._add_thought(delta["thinking"])
                self._block["thinking"] = (self._block.get("thinking") or "") + delta["thinking"]
            case "signature_delta":
                self._block["signature"] = (self._block.get("signature") or "") + delta["signature"]
            case "input_json_delta" if delta["partial_json"] and self._block.get("type") == "tool_use":
                self._has_arguments = True
                self._add_call(ToolCall(self._calls, None, None, str(delta["partial_json"])))
            case _:
                pass

    def _end(self) -> None:
        block, self._block = self._block, {}
        match block.get("type"):
            case "thinking":
                signed = {"thinking": block.get("thinking") or "", "signature": block.get("signature") or ""}
                self._thinking.append({"type": "thinking", **signed})
            case "redacted_thinking":
                self._thinking.append({"type": "redacted_thinking", "data": block["data"]})
            case "tool_use":
                if not self._has_arguments:
                    self._add_call(ToolCall(self._calls, None, None, orjson.dumps(block.get("input") or {}).decode()))
                self._calls += 1
                if self._thinking:
                    self._remember(str(block["id"]), self._thinking)
                    self._thinking = []
            case _:
                pass

    def _close(self, delta: JSON) -> None:
        reason = delta.get("stop_reason")
        if reason is not None:
            self.ended = FINISH_REASONS.get(reason, "stop")
            self._stop = optional_text(delta.get("stop_sequence"))

    def _counted(self) -> TokenUsage | None:
        usage = self._usage
        if "output_tokens" not in usage:
            return None
        cached = as_count(usage.get("cache_read_input_tokens"))
        written = as_count(usage.get("cache_creation_input_tokens"))
        details: JSON = usage.get("output_tokens_details") or {}
        return TokenUsage(
            as_count(usage.get("input_tokens")) + cached + written,
            as_count(usage["output_tokens"]),
            cached,
            optional_count(details.get("thinking_tokens")),
        )

    def _fail(self, data: JSON) -> NoReturn:
        error: Any = data.get("error")
        kind: Any = error.get("type") if isinstance(error, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        raise self._fault(kind, as_sentence(error_text(data) or "it does not say why"))

    def _fault(self, kind: Any, said: str) -> UpstreamError:
        if kind in BUSY_TYPES:
            return EngineBusy(f"The engine {self._name} is busy: {said}")
        if kind == "timeout_error":
            return EngineUnavailable(f"The engine {self._name} is not available: {said}")
        if kind in REFUSED_TYPES:
            return refused(self._name, said)
        return EngineBroken(f"The engine {self._name} failed: {said}")
