"""`/v1/messages`: Anthropic's dialect over the same engines (reference: Anthropic's API reference, messages).

A message is made block by block: a stretch of text, of thought, or a call. Nothing here is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, assert_never

import orjson
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.errors import EclairError, EngineBroken
from eclair.generation.fallback import Asking
from eclair.generation.parts import PartEvent, Parts
from eclair.generation.prompt import WRAPPING
from eclair.llm.base import JSON, Counted, Ended, Piece, Reasoning, Text, ToolCall
from eclair.llm.base import Request as EngineRequest
from eclair.schema.events import PartDelta, PartFinished, PartStarted
from eclair.schema.ids import new_id
from eclair.schema.messages import PartKind
from eclair.server.anthropic import errors
from eclair.server.anthropic.errors import PATH
from eclair.server.anthropic.schema import CountRequest, MessagesRequest
from eclair.server.chat_input import question
from eclair.server.principal import Caller
from eclair.server.streaming import GONE, relay, unbroken, unless_gone
from eclair.server.vision import pictured

PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def router(app: App) -> APIRouter:
    api = APIRouter(prefix=PATH, tags=["Anthropic"])

    @api.post("")
    async def create_message(principal: Caller, body: MessagesRequest, request: Request) -> Response:
        said = body.said()
        chosen = await app.modes.called(body.model, question(said))
        seen = await unless_gone(request, pictured(app, principal, said, chosen.model))
        if seen is None:
            return GONE
        ask = partial(app.ask, principal)
        asking = Asking(chosen, lambda model: seen.shown(chosen.wishing(body.request(model)), model), ask)
        rendering = MessageRendering(asking, thinking=body.shows_thinking)
        pieces = unbroken(asking.stream(), app.idle)
        return await relay(request, pieces, rendering, streamed=bool(body.stream), beat=PING)

    @api.post("/count_tokens")
    async def count_tokens(principal: Caller, body: CountRequest, request: Request) -> Response:
        said = body.said()
        chosen = await app.modes.called(body.model, question(said))
        calls = [call for message in said for call in message.tool_calls]
        seen = await unless_gone(request, pictured(app, principal, said, chosen.model))
        if seen is None:
            return GONE
        said = seen.shown(EngineRequest(chosen.model.id, said), chosen.model).messages
        pictures = sum(picture.tokens for message in said for picture in message.images)
        texts = [message.content for message in said if isinstance(message.content, str)]
        text = "\n".join([*texts, *(orjson.dumps(one).decode() for one in (*calls, *body.wanted_tools()))])
        count = await unless_gone(request, chosen.engine.count(chosen.model.id, text))
        return GONE if count is None else JSONResponse({"input_tokens": count + pictures + WRAPPING * len(said)})

    return api


@dataclass(slots=True)
class _Block:
    """A block of the message in the making."""

    kind: PartKind
    id: str
    name: str
    texts: list[str] = field(default_factory=list[str])

    def empty(self) -> JSON:
        return self._with("", {})

    def whole(self) -> JSON:
        """Raises ValueError for a call whose arguments are no JSON object."""
        text = "".join(self.texts)
        given: Any = orjson.loads(text or b"{}") if self.kind == "tool_call" else {}
        if not isinstance(given, dict):
            raise ValueError("no object")
        return self._with(text, given)  # pyright: ignore[reportUnknownArgumentType]

    def delta(self, text: str) -> JSON:
        match self.kind:
            case "text" | "picture":
                return {"type": "text_delta", "text": text}
            case "reasoning":
                return {"type": "thinking_delta", "thinking": text}
            case "tool_call":
                return {"type": "input_json_delta", "partial_json": text}

    def _with(self, text: str, given: JSON) -> JSON:
        match self.kind:
            case "text" | "picture":
                return {"type": "text", "text": text}
            case "reasoning":  # nobody signs it, for nobody checks it
                return {"type": "thinking", "thinking": text, "signature": ""}
            case "tool_call":
                return {"type": "tool_use", "id": self.id, "name": self.name, "input": given}


class MessageRendering:
    """Implements `Rendering`. Without `thinking` the client does not see what the model thinks."""

    def __init__(self, asking: Asking, *, thinking: bool) -> None:
        self._head: JSON = {"id": new_id("msg"), "type": "message", "role": "assistant"}
        self._asking = asking
        self._thinking = thinking
        self._parts = Parts()
        self._blocks: list[_Block] = []
        self._counted = Counted(0, 0)
        self._ended: Ended | None = None

    def begin(self) -> list[JSON]:
        return [{"type": "message_start", "message": self.whole()}, {"type": "ping"}]

    def take(self, piece: Piece) -> list[JSON]:
        match piece:
            case Reasoning() if not self._thinking:
                return []
            case Text() | Reasoning() | ToolCall():
                return [event for change in self._parts.take(piece) for event in self._change(change)]
            case Counted():
                self._counted = piece
                return []
            case Ended():
                self._ended = piece
                return self._end()
            case _:
                assert_never(piece)

    def fail(self, error: EclairError) -> list[JSON]:
        return [errors.body(error)]

    def whole(self) -> JSON:
        """Raises EngineBroken where the model made a call that is none."""
        return {
            **self._head,
            "model": self._asking.request.model,
            "content": self._content(),
            **self._stop(),
            "usage": self._usage(),
        }

    def _change(self, change: PartEvent) -> list[JSON]:
        index = change.index
        match change:
            case PartStarted():
                block = _Block(change.kind, change.id or new_id("toolu"), change.name or "")
                self._blocks.append(block)
                return [{"type": "content_block_start", "index": index, "content_block": block.empty()}]
            case PartDelta():
                block = self._blocks[index]
                block.texts.append(change.text)
                delta = {"type": "content_block_delta", "index": index, "delta": block.delta(change.text)}
                return [delta] if change.text else []
            case PartFinished():
                return [{"type": "content_block_stop", "index": index}]

    def _end(self) -> list[JSON]:
        return [
            *(event for change in self._parts.finish() for event in self._change(change)),
            {"type": "message_delta", "delta": self._stop(), "usage": self._usage()},
            {"type": "message_stop"},
        ]

    def _content(self) -> list[JSON]:
        content: list[JSON] = []
        for block in self._blocks:
            try:
                content.append(block.whole())
            except ValueError as error:
                if (
                    self._ended is None or self._ended.reason != "length"
                ):  # else the call itself was cut, and cannot be made
                    raise EngineBroken(
                        f"The model called {block.name} with what is no JSON object; try again."
                    ) from error
        return content

    def _stop(self) -> JSON:
        """Why it ended. Some engines say `stop` of an answer that ends with a call."""
        ended = self._ended
        called = any(block.kind == "tool_call" for block in self._blocks)
        match ended:
            case None:
                reason = None
            case Ended(reason="length"):
                reason = "max_tokens"
            case Ended(reason="content_filter"):
                reason = "refusal"
            case Ended(reason="tool_calls"):
                reason = "tool_use"
            case Ended(stop=str()):
                reason = "stop_sequence"
            case _:
                reason = "tool_use" if called else "end_turn"
        return {"stop_reason": reason, "stop_sequence": ended.stop if reason == "stop_sequence" and ended else None}

    def _usage(self) -> JSON:
        """What was read from a cache is not among the input tokens, here."""
        counted = self._counted
        cached = counted.cached_tokens or 0
        return {
            "input_tokens": counted.prompt_tokens - cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
            "output_tokens": counted.completion_tokens,
        }
