"""A stand-in that speaks OpenAI's API well, and each of the ways in which one may not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.llm.standin import Call, StandIn

JSON = dict[str, Any]


@dataclass
class Speaking:
    """What the stand-in can do. `has` are the models that it answers for, `lists` those that it says it has."""

    standin: StandIn
    lists: list[str] = field(default_factory=lambda: ["muse"])
    has: list[str] = field(default_factory=lambda: ["muse"])
    key: str | None = None
    claims: str | None = None
    abilities: set[str] = field(
        default_factory=lambda: {"usage", "tools", "json_schema", "vision", "logprobs", "prefix_cache"}
    )
    says: str = "OK"

    def __post_init__(self) -> None:
        self.standin.routes.update(
            {
                "/v1/models": self._keyed(self._models),
                "/v1/chat/completions": self._keyed(self.chat),
                "/v1/embeddings": self._keyed(self._embeddings),
                "/tokenize": self._tokenize,
            }
        )

    @property
    def url(self) -> str:
        return f"{self.standin.url}/v1"

    def _keyed(self, answer: Callable[[Call], Awaitable[None]]) -> Callable[[Call], Awaitable[None]]:
        async def checked(call: Call) -> None:
            if self.key is not None and call.headers.get("authorization") != f"Bearer {self.key}":
                await reply(call, {"error": {"message": "Incorrect API key provided."}}, 401)
            else:
                await answer(call)

        return checked

    async def _models(self, call: Call) -> None:
        await reply(call, {"data": [{"id": name, "owned_by": "vllm"} for name in self.lists]})

    async def chat(self, call: Call) -> None:
        body = call.json
        if body["model"] not in self.has:
            await reply(call, {"error": {"message": f"The model {body['model']} does not exist."}}, 404)
            return
        usage = {"prompt_tokens": 9, "completion_tokens": 2}
        if "prefix_cache" in self.abilities:
            usage["prompt_tokens_details"] = {"cached_tokens": 8}  # pyright: ignore[reportArgumentType]
        counted = {"usage": usage} if "usage" in self.abilities else {}
        model = self.claims or body["model"]
        if body.get("stream"):
            frames: list[JSON] = [
                {"model": model, "choices": [{"index": 0, "delta": {"content": self.says}, "finish_reason": "stop"}]},
                {"model": model, "choices": [], **counted},
            ]
            await call.stream(*(b"data: " + orjson.dumps(frame) + b"\n\n" for frame in frames), b"data: [DONE]\n\n")
            return
        choice = {"index": 0, "message": self._message(body), "finish_reason": "stop"}
        if body.get("logprobs") and "logprobs" in self.abilities:
            choice["logprobs"] = {"content": [{"token": "OK", "logprob": -0.1}]}
        await reply(call, {"model": model, "choices": [choice], **counted})

    def _message(self, body: JSON) -> JSON:
        if body.get("tools") and "tools" in self.abilities:
            call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
            return {"role": "assistant", "content": None, "tool_calls": [call]}
        if body.get("response_format") and "json_schema" in self.abilities:
            return {"role": "assistant", "content": '{"count": 3}'}
        if isinstance(body["messages"][-1]["content"], list) and "vision" in self.abilities:
            return {"role": "assistant", "content": "Red."}
        return {"role": "assistant", "content": self.says}

    async def _embeddings(self, call: Call) -> None:
        await reply(call, {"data": [{"index": 0, "embedding": [0.1, 0.2]}], "usage": {"prompt_tokens": 1}})

    async def _tokenize(self, call: Call) -> None:
        await reply(call, {"count": len(call.json["prompt"].split())})


async def reply(call: Call, data: JSON, status: int = 200) -> None:
    await call.reply(status, orjson.dumps(data), Content_Type="application/json")
