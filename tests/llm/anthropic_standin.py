"""A stand-in for Anthropic's API, as strict about headers and bodies, and true enough for its own client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from anthropic.types import message_create_params
from pydantic import TypeAdapter, ValidationError

from tests.llm.standin import Call, StandIn

JSON = dict[str, Any]
KEY = "sk-ant-quite-secret"
SAMPLING = ("temperature", "top_p", "top_k")
"""Fields that only older models take, which the client no longer names."""

BODY: TypeAdapter[Any] = TypeAdapter(message_create_params.MessageCreateParamsStreaming)
BLOCKS: dict[str, set[str]] = {
    "text": {"type", "text", "cache_control"},
    "image": {"type", "source", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_use": {"type", "id", "name", "input", "cache_control"},
    "tool_result": {"type", "tool_use_id", "content", "cache_control"},
}
SEEN = {"supported": True}
BLIND = {"supported": False}
THOUGHT: JSON = {"type": "thinking", "thinking": "It may rain.", "signature": "c2lnbmVk"}


def row(id: str, *, thinking: tuple[str, ...] = ("adaptive", "disabled"), **more: Any) -> JSON:
    """A model of the list; `thinking` are the types that it takes."""
    types = {name: {"supported": name in thinking} for name in ("adaptive", "between_tools", "disabled", "enabled")}
    can = {
        "thinking": {"supported": True, "types": types},
        "effort": {"supported": True, **dict.fromkeys(("low", "medium", "high", "max"), SEEN), "xhigh": BLIND},
        "image_input": SEEN,
        "structured_outputs": SEEN,
    }
    about = {"type": "model", "id": id, "display_name": "Claude Muse", "created_at": "2026-01-01T00:00:00Z"}
    limits = {"lifecycle": "active", "max_input_tokens": 200_000, "max_tokens": 64_000}
    return {**about, **limits, "capabilities": can, **more}


def check_body(body: JSON) -> str | None:
    """Return what the API would refuse."""
    known = set(message_create_params.MessageCreateParamsStreaming.__annotations__)
    for base in message_create_params.MessageCreateParamsStreaming.__mro__:
        known |= set(getattr(base, "__annotations__", {}))
    known |= set(message_create_params.MessageCreateParamsBase.__annotations__) | {"stream", *SAMPLING}
    if unknown := set(body) - known:
        return f"{unknown.pop()}: Extra inputs are not permitted"
    try:
        BODY.validate_python(body)
    except ValidationError as error:
        return str(error.errors()[0]["loc"]) + error.errors()[0]["msg"]
    turn = "user"
    for message in body["messages"]:
        if message["role"] != turn:
            return "messages: roles must alternate"
        turn = "assistant" if turn == "user" else "user"
        for block in message["content"]:
            if not set(block) <= BLOCKS[block["type"]]:
                return f"messages: {block} has extra inputs"
            if block["type"] == "text" and not block["text"].strip():
                return "messages: text content blocks must be non-empty"
    if body["messages"][-1]["role"] != "user":
        return "This model does not support assistant message prefill."
    marks = orjson.dumps(body).count(b'"cache_control"')
    return f"A maximum of 4 blocks with cache_control may be provided. Found {marks}." if marks > 4 else None


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\n".encode() + b"data: " + orjson.dumps({"type": kind, **data}) + b"\n\n"


def answer(*blocks: JSON, reason: str = "end_turn", usage: JSON | None = None, **end: Any) -> list[bytes]:
    """The events of an answer, with two deltas for each block."""
    head: JSON = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-muse", "content": []}
    start = {"input_tokens": 9, "output_tokens": 1, **(usage or {})}
    events = [
        event("message_start", message={**head, "stop_reason": None, "stop_sequence": None, "usage": start}),
        event("ping"),
    ]
    for index, block in enumerate(blocks):
        empty, deltas = _parts(block)
        events.append(event("content_block_start", index=index, content_block=empty))
        events += [event("content_block_delta", index=index, delta=delta) for delta in deltas]
        events.append(event("content_block_stop", index=index))
    delta = {"stop_reason": reason, "stop_sequence": None, **end}
    return [*events, event("message_delta", delta=delta, usage={"output_tokens": 12}), event("message_stop")]


def _parts(block: JSON) -> tuple[JSON, list[JSON]]:
    match block["type"]:
        case "text":
            text = block["text"]
            halves = [text[: len(text) // 2], text[len(text) // 2 :]]
            return {**block, "text": ""}, [{"type": "text_delta", "text": half} for half in halves]
        case "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                signed,
            ]
        case "tool_use":
            text = orjson.dumps(block["input"]).decode() if block["input"] else ""
            halves = [text[:4], text[4:]] if text else []
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": half} for half in ["", *halves]
            ]
        case _:
            return block, []


def obey(body: JSON) -> list[bytes]:
    """The answer of a model that can do what it is asked."""
    if body.get("tool_choice", {}).get("type") == "any":
        use = {"type": "tool_use", "id": "toolu_1", "name": body["tools"][0]["name"], "input": {"city": "Paris"}}
        return answer(use, reason="tool_use")
    text = "OK"
    if "format" in body.get("output_config", {}):
        text = '{"count": 3}'
    elif any(block["type"] == "image" for block in body["messages"][-1]["content"]):
        text = "Red."
    return answer({"type": "text", "text": text}, usage={"cache_read_input_tokens": 1024})


@dataclass
class SpeakingAnthropic:
    """Answers `/v1/messages` with `says` in turn, or the last of it again; refuses what the API would.

    With nothing to say it does what is asked of it: calls a tool, keeps to a schema, sees a red square.
    """

    standin: StandIn
    lists: list[JSON] = field(default_factory=lambda: [row("claude-muse")])
    says: list[list[bytes]] = field(default_factory=lambda: [answer({"type": "text", "text": "Hello there."})])
    bodies: list[JSON] = field(default_factory=list[JSON])

    def __post_init__(self) -> None:
        self.standin.routes["/v1/models?limit=1000"] = self._keyed(self._models)
        self.standin.routes["/v1/models"] = self._keyed(self._models)
        self.standin.routes["/v1/messages"] = self._keyed(self._messages)

    @property
    def url(self) -> str:
        return f"{self.standin.url}/v1"

    def _keyed(self, reply: Callable[[Call], Awaitable[None]]) -> Callable[[Call], Awaitable[None]]:
        async def checked(call: Call) -> None:
            shown = call.headers.get("x-api-key") or call.headers.get("authorization", "").removeprefix("Bearer ")
            if shown != KEY:
                await fail(call, 401, "authentication_error", "invalid x-api-key")
            elif "anthropic-version" not in call.headers:
                await fail(call, 400, "invalid_request_error", "anthropic-version: header is required")
            else:
                await reply(call)

        return checked

    async def _models(self, call: Call) -> None:
        body = {"data": self.lists, "has_more": False, "first_id": None, "last_id": None}
        await call.reply(200, orjson.dumps(body), Content_Type="application/json")

    async def _messages(self, call: Call) -> None:
        body = call.json
        self.bodies.append(body)
        wrong = check_body(body)
        if wrong is not None:
            await fail(call, 400, "invalid_request_error", wrong)
            return
        if not self.says:
            await call.stream(*obey(body))
        else:
            await call.stream(*(self.says.pop(0) if len(self.says) > 1 else self.says[0]))


async def fail(call: Call, status: int, kind: str, message: str, **headers: str) -> None:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    await call.reply(status, orjson.dumps(body), Content_Type="application/json", **headers)
