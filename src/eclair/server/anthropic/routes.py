"""`/v1/messages`: Anthropic's Messages API over the same engines.

A message is built block by block: text, thinking, or a tool call. Nothing is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.errors import EclairError, EngineBroken
from eclair.generation.pipeline import AnswerStream
from eclair.generation.prompt import WRAPPING_TOKENS
from eclair.llm.base import JSON, Engine, Finish, PromptCountingEngine, TokenUsage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.events import Event, PartDelta, PartFinished, PartStarted, RunFinished
from eclair.schema.ids import new_id
from eclair.schema.messages import PartKind
from eclair.server.anthropic import errors
from eclair.server.anthropic.errors import PATH
from eclair.server.anthropic.schema import CountTokensRequest, MessagesRequest
from eclair.server.chat_input import last_question
from eclair.server.openai.retriever import RequestRetriever
from eclair.server.principal import Caller
from eclair.server.request_images import open_images
from eclair.server.request_prompt import start_answer
from eclair.server.streaming import CLIENT_GONE, relay, unless_disconnected

UNCHECKED_SIGNATURE = "unsigned"
"""The signature of thinking: nobody checks it, and clients send back only what has one."""

PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def router(app: App) -> APIRouter:
    api = APIRouter(prefix=PATH, tags=["Anthropic"])

    @api.post("")
    async def create_message(principal: Caller, body: MessagesRequest, request: Request) -> Response:
        messages = body.prompt_messages()
        route = await app.router.choose_named(body.model, last_question(messages))
        images = await unless_disconnected(request, open_images(app, principal, messages, route.model))
        if images is None:
            return CLIENT_GONE
        files = body.files
        retriever = RequestRetriever(app, principal, files, messages, web=False) if files else None
        answer = start_answer(app, principal, route, body.request, images, retriever, allows_lead=body.is_plain_text)
        renderer = MessageRenderer(answer, shows_thinking=body.shows_thinking)
        return await relay(request, [answer], renderer, streamed=bool(body.stream), heartbeat=PING)

    @api.post("/count_tokens")
    async def count_tokens(principal: Caller, body: CountTokensRequest, request: Request) -> Response:
        messages = body.prompt_messages()
        route = await app.router.choose_named(body.model, last_question(messages))
        images = await unless_disconnected(request, open_images(app, principal, messages, route.model))
        if images is None:
            return CLIENT_GONE
        counted = images.insert(route.with_effort(body.count_request(route.model)), route.model)
        count = await unless_disconnected(request, _count(route.engine, counted))
        return CLIENT_GONE if count is None else JSONResponse({"input_tokens": count})

    return api


async def _count(engine: Engine, request: EngineRequest) -> int:
    """Count the tokens of a prompt: as the model's template writes it if the engine can, else an estimate."""
    messages = request.messages
    image_tokens = sum(image.tokens for message in messages for image in message.images)
    if isinstance(engine, PromptCountingEngine):
        bare = replace(request, messages=tuple(replace(message, images=()) for message in messages))
        if (count := await engine.count_prompt(bare)) is not None:
            return count + image_tokens
    texts = [message.content for message in messages if isinstance(message.content, str)]
    calls = (call for message in messages for call in message.tool_calls)
    text = "\n".join([*texts, *(orjson.dumps(each).decode() for each in (*calls, *request.tools))])
    return await engine.count(request.model, text) + image_tokens + WRAPPING_TOKENS * len(messages)


@dataclass(slots=True)
class _Block:
    """A content block of the message, as far as it has come."""

    kind: PartKind
    id: str
    name: str
    texts: list[str] = field(default_factory=list[str])

    def to_empty_block(self) -> JSON:
        return self._with("", {})

    def to_block(self) -> JSON:
        """Return the block so far. Raises ValueError for a tool call whose arguments are not a JSON object."""
        text = "".join(self.texts)
        arguments: Any = orjson.loads(text or b"{}") if self.kind == "tool_call" else {}
        if not isinstance(arguments, dict):
            raise ValueError("not an object")
        return self._with(text, arguments)  # pyright: ignore[reportUnknownArgumentType]

    def delta(self, text: str) -> JSON:
        match self.kind:
            case "text" | "picture" | "tool_result":
                return {"type": "text_delta", "text": text}
            case "reasoning":
                return {"type": "thinking_delta", "thinking": text}
            case "tool_call":
                return {"type": "input_json_delta", "partial_json": text}

    def _with(self, text: str, arguments: JSON) -> JSON:
        match self.kind:
            case "text" | "picture" | "tool_result":
                return {"type": "text", "text": text}
            case "reasoning":
                return {"type": "thinking", "thinking": text, "signature": UNCHECKED_SIGNATURE if text else ""}
            case "tool_call":
                return {"type": "tool_use", "id": self.id, "name": self.name, "input": arguments}


class MessageRenderer:
    """Implements `Renderer` for Anthropic's messages.

    Without `shows_thinking`, thinking blocks are left out.
    """

    def __init__(self, answer: AnswerStream, *, shows_thinking: bool) -> None:
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
                return [
                    *begin,
                    {"type": "content_block_start", "index": number, "content_block": block.to_empty_block()},
                ]
            case PartDelta(index=index, text=text) if index in self._numbers:
                number = self._numbers[index]
                block = self._blocks[number]
                block.texts.append(text)
                delta = {"type": "content_block_delta", "index": number, "delta": block.delta(text)}
                return [delta] if text else []
            case PartFinished(index=index) if index in self._numbers:
                number = self._numbers[index]
                signed = {"type": "signature_delta", "signature": UNCHECKED_SIGNATURE}
                signature = {"type": "content_block_delta", "index": number, "delta": signed}
                is_thinking = self._blocks[number].kind == "reasoning"
                return [*([signature] if is_thinking else []), {"type": "content_block_stop", "index": number}]
            case RunFinished():
                begin, self._has_ended = self._begin(), True
                delta = {"type": "message_delta", "delta": self._stop(), "usage": self._usage()}
                return [*begin, delta, {"type": "message_stop"}]
            case _:
                return []

    def end(self, error: EclairError | None = None) -> list[JSON | bytes]:
        """See `Renderer.end`."""
        return [] if error is None else [errors.body(error)]

    def full_response(self) -> JSON:
        """See `Renderer.full_response`. Raises EngineBroken if a tool call's arguments are not a JSON object."""
        assert self._answer.turn is not None
        return {
            **self._head,
            "model": self._answer.turn.model.id,
            "content": self._content(),
            **self._stop(),
            "usage": self._usage(),
        }

    def _begin(self) -> list[JSON]:
        """Return the first events of the stream, unless they were sent."""
        if self._has_begun:
            return []
        self._has_begun = True
        return [{"type": "message_start", "message": self.full_response()}, {"type": "ping"}]

    def _content(self) -> list[JSON]:
        content: list[JSON] = []
        for block in self._blocks:
            try:
                content.append(block.to_block())
            except ValueError as error:
                finish = self._answer.finish
                if finish is None or finish.reason != "length":  # at the length limit the call itself was cut off
                    raise EngineBroken(
                        f"The model called {block.name} with arguments that are not a JSON object; try again."
                    ) from error
        return content

    def _stop(self) -> JSON:
        """Say why the message ended. Some engines report `stop` for an answer that ends with a tool call."""
        finish = self._answer.finish if self._has_ended else None
        has_tool_call = any(block.kind == "tool_call" for block in self._blocks)
        match finish:
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
                reason = "tool_use" if has_tool_call else "end_turn"
        return {"stop_reason": reason, "stop_sequence": finish.stop if reason == "stop_sequence" and finish else None}

    def _usage(self) -> JSON:
        """Render the token usage; Anthropic doesn't count cached tokens as input tokens."""
        usage = self._answer.token_usage or TokenUsage(0, 0)
        cached = usage.cached_tokens or 0
        return {
            "input_tokens": usage.prompt_tokens - cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
            "output_tokens": usage.completion_tokens,
        }
