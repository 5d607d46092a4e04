"""`/v1/messages`: Anthropic's dialect over the same engines (reference: Anthropic's API reference, messages).

A message is made block by block: a stretch of text, of thought, or a call. Nothing here is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.errors import EclairError, EngineBroken
from eclair.generation.pipeline import Answer
from eclair.generation.prompt import WRAPPING_TOKENS
from eclair.llm.base import JSON, Finish, TokenUsage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.events import Event, PartDelta, PartFinished, PartStarted, RunFinished
from eclair.schema.ids import new_id
from eclair.schema.messages import PartKind
from eclair.server.anthropic import errors
from eclair.server.anthropic.errors import PATH
from eclair.server.anthropic.schema import CountRequest, MessagesRequest
from eclair.server.chat_input import question
from eclair.server.principal import Caller
from eclair.server.request_images import open_images
from eclair.server.request_prompt import answer
from eclair.server.streaming import GONE, relay, unless_gone

PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def router(app: App) -> APIRouter:
    api = APIRouter(prefix=PATH, tags=["Anthropic"])

    @api.post("")
    async def create_message(principal: Caller, body: MessagesRequest, request: Request) -> Response:
        said = body.said()
        route = await app.router.choose_named(body.model, question(said))
        images = await unless_gone(request, open_images(app, principal, said, route.model))
        if images is None:
            return GONE
        made = answer(app, principal, route, body.request, images)
        renderer = MessageRenderer(made, shows_thinking=body.shows_thinking)
        return await relay(request, [made], renderer, streamed=bool(body.stream), beat=PING)

    @api.post("/count_tokens")
    async def count_tokens(principal: Caller, body: CountRequest, request: Request) -> Response:
        said = body.said()
        route = await app.router.choose_named(body.model, question(said))
        calls = [call for message in said for call in message.tool_calls]
        images = await unless_gone(request, open_images(app, principal, said, route.model))
        if images is None:
            return GONE
        said = images.shown(EngineRequest(route.model.id, said), route.model).messages
        pictures = sum(picture.tokens for message in said for picture in message.images)
        texts = [message.content for message in said if isinstance(message.content, str)]
        text = "\n".join([*texts, *(orjson.dumps(one).decode() for one in (*calls, *body.wanted_tools()))])
        count = await unless_gone(request, route.engine.count(route.model.id, text))
        return GONE if count is None else JSONResponse({"input_tokens": count + pictures + WRAPPING_TOKENS * len(said)})

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


class MessageRenderer:
    """Implements `Renderer`. Without `shows_thinking` the client does not see what the model thinks."""

    def __init__(self, answer: Answer, *, shows_thinking: bool) -> None:
        self._head: JSON = {"id": new_id("msg"), "type": "message", "role": "assistant"}
        self._answer = answer
        self._shows_thinking = shows_thinking
        self._blocks: list[_Block] = []
        self._numbers: dict[int, int] = {}
        self._has_begun = False
        self._has_ended = False

    def render(self, event: Event, choice: int) -> list[JSON]:
        """See `Renderer.render`."""
        match event:
            case PartStarted(kind="reasoning") if not self._shows_thinking:
                return self._begin()
            case PartStarted():
                begin = self._begin()
                self._numbers[event.index] = number = len(self._blocks)
                block = _Block(event.kind, event.id or new_id("toolu"), event.name or "")
                self._blocks.append(block)
                return [*begin, {"type": "content_block_start", "index": number, "content_block": block.empty()}]
            case PartDelta(index=index, text=text) if index in self._numbers:
                number = self._numbers[index]
                block = self._blocks[number]
                block.texts.append(text)
                delta = {"type": "content_block_delta", "index": number, "delta": block.delta(text)}
                return [delta] if text else []
            case PartFinished(index=index) if index in self._numbers:
                return [{"type": "content_block_stop", "index": self._numbers[index]}]
            case RunFinished():
                begin, self._has_ended = self._begin(), True
                delta = {"type": "message_delta", "delta": self._stop(), "usage": self._usage()}
                return [*begin, delta, {"type": "message_stop"}]
            case _:
                return []

    def end(self, error: EclairError | None = None) -> list[JSON | bytes]:
        """See `Renderer.end`."""
        return [] if error is None else [errors.body(error)]

    def whole(self) -> JSON:
        """See `Renderer.whole`. Raises EngineBroken where the model made a call that is none."""
        assert self._answer.turn is not None
        return {
            **self._head,
            "model": self._answer.turn.model.id,
            "content": self._content(),
            **self._stop(),
            "usage": self._usage(),
        }

    def _begin(self) -> list[JSON]:
        """The first events of all, unless they were sent."""
        if self._has_begun:
            return []
        self._has_begun = True
        return [{"type": "message_start", "message": self.whole()}, {"type": "ping"}]

    def _content(self) -> list[JSON]:
        content: list[JSON] = []
        for block in self._blocks:
            try:
                content.append(block.whole())
            except ValueError as error:
                ended = self._answer.finish
                if ended is None or ended.reason != "length":  # else the call itself was cut, and cannot be made
                    raise EngineBroken(
                        f"The model called {block.name} with what is no JSON object; try again."
                    ) from error
        return content

    def _stop(self) -> JSON:
        """Why it ended. Some engines say `stop` of an answer that ends with a call."""
        ended = self._answer.finish if self._has_ended else None
        called = any(block.kind == "tool_call" for block in self._blocks)
        match ended:
            case None:
                reason = None
            case Finish(reason="length"):
                reason = "max_tokens"
            case Finish(reason="content_filter"):
                reason = "refusal"
            case Finish(reason="tool_calls"):
                reason = "tool_use"
            case Finish(stop=str()):
                reason = "stop_sequence"
            case _:
                reason = "tool_use" if called else "end_turn"
        return {"stop_reason": reason, "stop_sequence": ended.stop if reason == "stop_sequence" and ended else None}

    def _usage(self) -> JSON:
        """What was read from a cache is not among the input tokens, here."""
        counted = self._answer.token_usage or TokenUsage(0, 0)
        cached = counted.cached_tokens or 0
        return {
            "input_tokens": counted.prompt_tokens - cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
            "output_tokens": counted.completion_tokens,
        }
