"""An OpenAI-shaped server that says numbered words: model `full` as fast as they are read, `paced-N` N a second.

Word i is ` w<i>`, each in an event of its own, so that whatever is lost, doubled or swapped on the way shows.
A request's `max_tokens` says how many. `GET /v1/emitted` tells when each paced word left, by its question and on
the clock of `time.monotonic`. With a file as its argument it says that text, word by word, in place of the numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import uvloop

MODELS = ("full", "paced-20", "paced-100", "paced-200", "paced-1000", "paced-2000", "paced-5000")
LONGEST = 4000
BURST = 50
"""Words that `full` hands to the system at once."""


def words(count: int) -> str:
    """The text that an answer of `count` words has."""
    return "".join(f" w{number}" for number in range(count))


def _chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return _event({**_HEAD, "choices": [choice]})


def _event(body: dict[str, Any]) -> bytes:
    data = b"data: " + orjson.dumps(body) + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


_HEAD: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "fast"}
_OPENING = _chunk({"role": "assistant", "content": ""})
_WORDS = [_chunk({"content": f" w{number}"}) for number in range(LONGEST)]
_CLOSING = _chunk({}, "stop")
_DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

emitted: dict[str, list[float]] = {}


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, rest = head.decode("latin-1").partition("\r\n")
            fields = dict(field.lower().split(": ", 1) for field in rest.splitlines() if field)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            path = line.split()[1]
            if path == "/v1/chat/completions":
                await _answer(orjson.loads(body), writer)
            elif path == "/v1/models":
                _json(writer, {"object": "list", "data": [{"id": model, "object": "model"} for model in MODELS]})
            elif path == "/v1/emitted":
                _json(writer, emitted)
            else:
                _json(writer, {"error": {"message": f"nothing at {path}"}}, b"404 Not Found")
            if fields.get("connection") == "close":
                break
    writer.close()


def _json(writer: asyncio.StreamWriter, body: Any, status: bytes = b"200 OK") -> None:
    data = orjson.dumps(body)
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % (status, len(data)) + data)


async def _answer(body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    longest = len(_WORDS)
    count = min(body.get("max_tokens") or body.get("max_completion_tokens") or longest, longest)
    writer.write(_STREAM + _OPENING)
    if body["model"] == "full":
        for start in range(0, count, BURST):
            writer.write(b"".join(_WORDS[start : min(count, start + BURST)]))
            await writer.drain()
            await asyncio.sleep(0)
    else:
        times: list[float] = []
        emitted[str(body["messages"][-1]["content"])] = times
        await _pace(writer, count, float(body["model"].removeprefix("paced-")), times)
    writer.write(_CLOSING)
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 8, "completion_tokens": count, "total_tokens": count + 8}
        writer.write(_event({**_HEAD, "choices": [], "usage": usage}))
    writer.write(_DONE)
    await writer.drain()


async def _pace(writer: asyncio.StreamWriter, count: int, rate: float, times: list[float]) -> None:
    started = time.monotonic()
    while len(times) < count:
        now = time.monotonic()
        due = min(count, int((now - started) * rate) + 1)
        if due > len(times):
            writer.write(b"".join(_WORDS[len(times) : due]))
            times += [now] * (due - len(times))
            await writer.drain()
        await asyncio.sleep(max(0.0, started + len(times) / rate - time.monotonic()))


def _learn(text: Path) -> None:
    _WORDS[:] = [_chunk({"content": word}) for word in re.findall(r"\s*\S+|\s+", text.read_text(encoding="utf-8"))]


async def main() -> None:
    if sys.argv[1:]:
        _learn(Path(sys.argv[1]))
    server = await asyncio.start_server(_connection, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main())
    sys.exit()
