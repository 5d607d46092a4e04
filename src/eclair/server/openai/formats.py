"""How the replies of `/v1` look, as OpenAI's reference has them: whole, and as the chunks of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from eclair.llm.base import (
    JSON,
    Counted,
    Ended,
    Piece,
    Reasoning,
    Text,
    ToolCall,
)
from eclair.schema.messages import FinishReason


@dataclass(slots=True)
class Choice:
    """One of the `n` answers, gathered."""

    text: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    calls: dict[int, JSON] = field(default_factory=dict[int, JSON])
    logprobs: list[JSON] = field(default_factory=list[JSON])
    annotations: list[JSON] = field(default_factory=list[JSON])
    counted: Counted | None = None
    reason: FinishReason | None = None

    def take(self, piece: Piece) -> None:
        match piece:
            case Text():
                self.text.append(piece.text)
                self.logprobs.extend(piece.logprobs)
            case Reasoning():
                self.reasoning.append(piece.text)
            case ToolCall():
                call = self.calls.setdefault(
                    piece.index,
                    {
                        "id": piece.id,
                        "type": "function",
                        "function": {"name": piece.name, "arguments": ""},
                    },
                )
                call["function"]["arguments"] += piece.arguments
            case Counted():
                self.counted = piece
            case Ended():
                self.reason = piece.reason


class Chat:
    """How chat completions look. `head` is what every object of one reply begins with."""

    object = "chat.completion"
    chunk_object = "chat.completion.chunk"
    prefix = "chatcmpl"

    def opening(self) -> JSON | None:
        return {"delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}

    def delta(self, piece: Text | Reasoning | ToolCall) -> JSON:
        delta: JSON
        match piece:
            case Text():
                delta = {"content": piece.text}
            case Reasoning():
                delta = {"reasoning_content": piece.text}
            case ToolCall():
                function: JSON = {"arguments": piece.arguments}
                call: JSON = {"index": piece.index, "function": function}
                if piece.id is not None:
                    call |= {"id": piece.id, "type": "function"}
                    function["name"] = piece.name
                delta = {"tool_calls": [call]}
        logprobs = {"content": list(piece.logprobs)} if isinstance(piece, Text) and piece.logprobs else None
        return {"delta": delta, "logprobs": logprobs, "finish_reason": None}

    def annotated(self, annotations: list[JSON]) -> JSON:
        return {"delta": {"annotations": annotations}, "logprobs": None, "finish_reason": None}

    def ending(self, reason: FinishReason) -> JSON:
        return {"delta": {}, "logprobs": None, "finish_reason": reason}

    def whole(self, choice: Choice) -> JSON:
        message: JSON = {"role": "assistant", "content": "".join(choice.text), "refusal": None}
        if choice.reasoning:
            message["reasoning_content"] = "".join(choice.reasoning)
        if choice.annotations:
            message["annotations"] = choice.annotations
        if choice.calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = [choice.calls[index] for index in sorted(choice.calls)]
        logprobs = {"content": choice.logprobs} if choice.logprobs else None
        return {"message": message, "logprobs": logprobs, "finish_reason": choice.reason}


class Completion:
    """How plain completions look."""

    object = "text_completion"
    chunk_object = "text_completion"
    prefix = "cmpl"

    def opening(self) -> JSON | None:
        return None

    def delta(self, piece: Text | Reasoning | ToolCall) -> JSON:
        text = piece.text if isinstance(piece, Text) else ""
        return {"text": text, "logprobs": None, "finish_reason": None}

    def annotated(self, annotations: list[JSON]) -> JSON:
        raise AssertionError("a plain completion has no files")

    def ending(self, reason: FinishReason) -> JSON:
        return {"text": "", "logprobs": None, "finish_reason": reason}

    def whole(self, choice: Choice) -> JSON:
        return {"text": "".join(choice.text), "logprobs": None, "finish_reason": choice.reason}
