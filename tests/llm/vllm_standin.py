"""A stand-in with vLLM's dialect: salts of the prefix cache, cached tokens, aborts and its metrics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.llm.servers import reply
from tests.llm.standin import Call, StandIn

BLOCK_CHARS = 16
"""Tokens in a block of the prefix cache, which keeps whole blocks; a character counts as a token."""


@dataclass
class SpeakingVllm:
    """Answers as vLLM does with `--enable-prompt-tokens-details`: requests share what was read under one salt.

    With a `gate`, an answer is held after its first word until that is set. `fault` is a status to refuse with, and
    `is_deaf` has it accept questions and say nothing.
    """

    standin: StandIn
    model: str = "muse"
    owner: str = "vllm"
    metadata: dict[str, Any] | None = None
    says: tuple[str, ...] = ("fine", " indeed")
    gate: asyncio.Event | None = None
    fault: int | None = None
    is_deaf: bool = False
    running: int = 0
    waiting: int = 0
    aborted: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _cached: set[tuple[str | None, str]] = field(default_factory=set[tuple[str | None, str]])

    def __post_init__(self) -> None:
        self.standin.routes.update(
            {
                "/v1/models": self._models,
                "/v1/chat/completions": self._chat,
                "/v1/embeddings": self._embeddings,
                "/metrics": self._metrics,
                "/tokenize": self._tokenize,
            }
        )

    @property
    def url(self) -> str:
        return f"{self.standin.url}/v1"

    @property
    def asked(self) -> list[Call]:
        return [call for call in self.standin.calls if call.path == "/v1/chat/completions"]

    async def until(self, aborted: int) -> None:
        """Wait until so many answers were given up by those who asked."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.aborted >= aborted)

    async def _models(self, call: Call) -> None:
        if self.fault is not None:
            await _error(call, self.fault, "The engine is dead.")
            return
        row = {"id": self.model, "object": "model", "owned_by": self.owner, "root": self.model, "max_model_len": 4096}
        row |= {} if self.metadata is None else {"metadata": self.metadata}
        await reply(call, {"object": "list", "data": [row]})

    async def _chat(self, call: Call) -> None:
        body: dict[str, Any] = call.json
        if self.fault is not None:
            await _error(call, self.fault, "The engine is dead.")
        elif body.get("cache_salt") == "":
            await _error(call, 400, "Parameter 'cache_salt' must be a non-empty string if provided.")
        elif self.is_deaf:
            await call.gone()
            await self._note_abort()
        else:
            self.running += 1
            try:
                await self._answer(call, body)
            finally:
                self.running -= 1

    async def _answer(self, call: Call, body: dict[str, Any]) -> None:
        prompt = "".join(f"<{each['role']}>{each['content']}" for each in body["messages"])
        cached = self._read(body.get("cache_salt"), prompt)
        details = {"prompt_tokens_details": {"cached_tokens": cached}}
        counted = {"prompt_tokens": len(prompt), "completion_tokens": len(self.says), **details}
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for place, word in enumerate(self.says):
            finish = "stop" if place == len(self.says) - 1 else None
            await _frame(call, {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": finish}]})
            if self.gate is not None and await self._is_given_up(call, self.gate):
                return
        await _frame(call, {"choices": [], "usage": counted})
        await call.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    async def _is_given_up(self, call: Call, gate: asyncio.Event) -> bool:
        """Hold the answer; return True as soon as whoever asked has gone."""
        gone, opened = asyncio.create_task(call.gone()), asyncio.create_task(gate.wait())
        try:
            done, _ = await asyncio.wait({gone, opened}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, opened):
                task.cancel()
        if gone not in done:
            return False
        await self._note_abort()
        return True

    async def _note_abort(self) -> None:
        async with self.changed:
            self.aborted += 1
            self.changed.notify_all()

    def _read(self, salt: str | None, prompt: str) -> int:
        """Return how much of a prompt was read before under that salt, in whole blocks."""
        ends = range(BLOCK_CHARS, len(prompt) + 1, BLOCK_CHARS)
        cached = sum((salt, prompt[:end]) in self._cached for end in ends) * BLOCK_CHARS
        self._cached |= {(salt, prompt[:end]) for end in ends}
        return cached

    async def _embeddings(self, call: Call) -> None:
        if self.fault is not None:
            await _error(call, self.fault, "The engine is dead.")
            return
        rows = [{"index": place, "embedding": [0.1, 0.2]} for place, _ in enumerate(call.json["input"])]
        await reply(call, {"data": rows, "usage": {"prompt_tokens": len(rows)}})

    async def _tokenize(self, call: Call) -> None:
        await reply(call, {"count": len(str(call.json.get("prompt", "")))})

    async def _metrics(self, call: Call) -> None:
        labels = f'{{engine="0",model_name="{self.model}"}}'
        values = {"vllm:num_requests_running": self.running, "vllm:num_requests_waiting": self.waiting}
        lines = [f"# TYPE {name} gauge\n{name}{labels} {float(value)}\n" for name, value in values.items()]
        await call.reply(200, "".join(lines).encode(), Content_Type="text/plain; version=0.0.4")


async def _frame(call: Call, data: dict[str, Any]) -> None:
    line = b"data: " + orjson.dumps(data) + b"\n\n"
    await call.send(b"%x\r\n%b\r\n" % (len(line), line))


async def _error(call: Call, status: int, said: str) -> None:
    kind = "BadRequestError" if status == 400 else "InternalServerError"
    await reply(call, {"error": {"message": said, "type": kind, "param": None, "code": status}}, status)
