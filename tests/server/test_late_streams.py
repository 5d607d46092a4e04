"""Streams whose first word comes late: headers and a heartbeat at once, and errors in the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import ResponseValidationError

from eclair.errors import EngineUnavailable
from eclair.llm.base import Delta, Request
from eclair.llm.scripted import prose
from eclair.server import streaming
from eclair.settings import Settings
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = [{"role": "user", "content": "script: words=5"}]
DOORS: dict[str, tuple[JSON, bytes]] = {
    "/v1/chat/completions": ({"messages": QUESTION}, b":\n\n"),
    "/v1/completions": ({"prompt": "script: words=5"}, b":\n\n"),
    "/v1/responses": ({"input": "script: words=5"}, b":\n\n"),
    "/v1/messages": ({"messages": QUESTION, "max_tokens": 50}, b'event: ping\ndata: {"type":"ping"}\n\n'),
}


class Late:
    """An engine that says nothing until it is told to, and then fails if it is told that too."""

    def __init__(self, server: Server, patch: pytest.MonkeyPatch) -> None:
        self.may_begin = asyncio.Event()
        self.fails = False
        self.requests: list[Request] = []
        self._stream = server.engine.stream
        patch.setattr(server.engine, "stream", self.stream)
        patch.setattr(streaming, "MAX_STATUS_DELAY_S", 0.0)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        await self.may_begin.wait()
        if self.fails:
            raise EngineUnavailable("The engine has died; ask again.")
        async for delta in self._stream(request):
            yield delta

    async def fail_after(self, opening: Awaitable[Any]) -> Any:
        """Return the stream that was open before the engine failed."""
        self.fails = True
        opened = await opening
        self.may_begin.set()
        return opened


@pytest.fixture
def late(server: Server, monkeypatch: pytest.MonkeyPatch) -> Late:
    return Late(server, monkeypatch)


@pytest.mark.parametrize("path", DOORS)
async def test_headers_and_a_heartbeat_come_before_the_first_word(server: Server, late: Late, path: str) -> None:
    body, heartbeat = DOORS[path]
    async with server.http.post(server.address + path, json={"model": "scripted", "stream": True, **body}) as reply:
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        assert await reply.content.readexactly(len(heartbeat)) == heartbeat
        late.may_begin.set()
        rest = (await reply.content.read()).decode()
    assert all(word.strip() in rest for word in prose(5))
    assert "error" not in rest.replace('"error":null', "")


@pytest.mark.parametrize("path", DOORS)
async def test_who_leaves_before_the_first_word_stops_the_engine(
    server: Server, late: Late, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    closed = asyncio.Event()

    async def stream(request: Request) -> AsyncGenerator[Delta, None]:
        try:
            async for delta in late.stream(request):
                yield delta
        finally:
            closed.set()

    monkeypatch.setattr(server.engine, "stream", stream)
    body, heartbeat = DOORS[path]
    async with server.http.post(server.address + path, json={"model": "scripted", "stream": True, **body}) as reply:
        await reply.content.readexactly(len(heartbeat))
        reply.close()
    await closed.wait()


async def test_openais_client_raises_a_late_error(server: Server, late: Late) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0) as client:
        openings: list[Callable[[], Awaitable[Any]]] = [
            lambda: client.chat.completions.create(model="scripted", messages=QUESTION, stream=True),  # pyright: ignore
            lambda: client.completions.create(model="scripted", prompt="x", stream=True),
            lambda: client.responses.create(model="scripted", input="x", stream=True),
        ]
        for opening in openings:
            stream = await late.fail_after(opening())
            with pytest.raises(openai.APIError, match="has died; ask again") as caught:
                _ = [event async for event in stream]
            assert (caught.value.type, caught.value.code) == ("server_error", "engine_unavailable")
            late.may_begin.clear()


async def test_a_late_error_of_a_response_is_an_event_and_a_failed_response(server: Server, late: Late) -> None:
    body = {"model": "scripted", "input": "x", "stream": True}
    async with await late.fail_after(server.http.post(f"{server.address}/v1/responses", json=body)) as reply:
        text = await reply.text()
    lines = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert lines == ["response.created", "response.in_progress", "error", "response.failed"]


async def test_anthropics_client_raises_a_late_error(server: Server, late: Late) -> None:
    async with anthropic.AsyncAnthropic(base_url=server.address, api_key="none", max_retries=0) as client:
        create: Any = client.messages.create
        opening = create(model="scripted", max_tokens=5, messages=QUESTION, stream=True)
        stream = await late.fail_after(opening)
        with pytest.raises(anthropic.APIStatusError, match="has died; ask again"):
            _ = [event async for event in stream]


async def test_mistrals_client_raises_a_late_error(server: Server, late: Late) -> None:
    async with Mistral(api_key="none", server_url=server.address) as client:
        stream = await late.fail_after(client.chat.stream_async(model="scripted", messages=QUESTION))  # pyright: ignore
        with pytest.raises(ResponseValidationError, match="engine_unavailable"):  # its type of a chunk has no error
            _ = [event async for event in stream]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses"])
@pytest.mark.parametrize("stream", [False, True])
async def test_without_a_length_the_window_is_the_limit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, path: str, stream: bool
) -> None:
    async with serving(replace(settings, max_tokens=None)) as server:
        late = Late(server, monkeypatch)
        late.may_begin.set()
        assert (await server.post(path, {"model": "scripted", "stream": stream, **DOORS[path][0]})).status == 200
    assert late.requests[-1].sampling.max_tokens is None
