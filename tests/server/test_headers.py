"""Headers, methods, paths and bodies in the forms that clients and proxies send them."""

from __future__ import annotations

import gzip
import zlib
from urllib.parse import urlencode

import anthropic
import openai
import orjson
import pytest

from eclair.server.plain_requests import MAX_PIECE_BYTES
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = [{"role": "user", "content": "script: words=3"}]
BODY = {"model": "scripted", "messages": QUESTION}


async def test_openais_client_reads_the_headers_of_a_reply(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0) as client:
        create = client.chat.completions.with_raw_response.create
        raw = await create(model="scripted", messages=QUESTION)  # pyright: ignore
        reply = raw.parse()
        assert reply._request_id == raw.headers["x-request-id"]  # pyright: ignore
        assert int(raw.headers["openai-processing-ms"]) >= 0
        assert reply.system_fingerprint is not None
    streamed = await server.post("/v1/chat/completions", {**BODY, "stream": True})
    chunks = [orjson.loads(line[6:]) for line in streamed.raw.splitlines() if line.startswith(b"data: {")]
    assert {chunk["system_fingerprint"] for chunk in chunks} == {reply.system_fingerprint}


async def test_anthropics_client_reads_the_headers_of_a_reply(server: Server) -> None:
    async with anthropic.AsyncAnthropic(base_url=server.address, api_key="none", max_retries=0) as client:
        reply = await client.messages.create(model="scripted", max_tokens=9, messages=QUESTION)  # pyright: ignore
        assert reply._request_id  # pyright: ignore
        with pytest.raises(anthropic.NotFoundError) as caught:
            await client.messages.create(model="gpt-9", max_tokens=9, messages=QUESTION)  # pyright: ignore
        assert caught.value.request_id


async def test_a_clients_id_is_the_requests(server: Server) -> None:
    reply = await server.get("/v1/models", {"X-Client-Request-Id": "mine-1"})
    assert reply.headers["X-Request-Id"] == "mine-1"


async def test_a_wrong_key_is_called_so(keyed: Server) -> None:
    reply = await keyed.get("/v1/models", {"Authorization": "Bearer wrong"})
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert (await keyed.get("/v1/models", {"api-key": "s3crêt"})).status == 200
    assert (await keyed.get("/v1/models", {"api-key": "wrong"})).status == 401


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/v1/chat/completions", "POST"), ("/v1/files", "GET, POST, HEAD"), ("/v1/files/file-x", "GET, DELETE, HEAD")],
)
async def test_a_method_that_is_refused_names_the_others(server: Server, path: str, methods: str) -> None:
    reply = await server.call("PUT", path)
    assert reply.status == 405
    assert reply.headers["Allow"] == methods


@pytest.mark.parametrize("path", ["/v1/models", "/api/health", "/", "/docs", "/openapi.json", "/api/conversations"])
async def test_head_is_get_without_a_body(server: Server, path: str) -> None:
    head, get = await server.call("HEAD", path), await server.get(path)
    assert (head.status, head.raw) == (get.status, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert (await server.call("HEAD", "/v1/nothing")).status == 404


async def test_head_of_a_stream_ends(server: Server) -> None:
    reply = await server.call("HEAD", "/api/changes")
    assert reply.headers["Content-Type"].startswith("text/event-stream")


@pytest.mark.parametrize("path", ["/v1/models/", "/v1/models//", "/api/health/", "/metrics/", "/v1/files/"])
async def test_a_slash_at_the_end_is_left_out(server: Server, path: str) -> None:
    async with server.http.get(server.address + path, allow_redirects=False) as reply:
        assert reply.status == 200
    assert (await server.post("/v1/chat/completions/", BODY)).status == 200


async def test_a_compressed_body_is_inflated(server: Server) -> None:
    plain = orjson.dumps(BODY)
    two = gzip.compress(plain[:20]) + gzip.compress(plain[20:])
    for data, encoding in ((gzip.compress(plain), "gzip"), (zlib.compress(plain), "deflate"), (two, "gzip")):
        headers = {"Content-Encoding": encoding}
        assert (await server.call("POST", "/v1/chat/completions", data=data, headers=headers)).status == 200


async def test_a_file_that_comes_compressed_is_stored_whole(fresh: Server) -> None:
    text = b"Aachen lies in the west. " * (MAX_PIECE_BYTES // 10)
    headers = {"Content-Encoding": "gzip"}
    reply = await fresh.call("POST", "/api/files?name=long.txt", data=gzip.compress(text), headers=headers)
    assert reply.body["size"] == len(text)


@pytest.mark.parametrize(
    ("data", "encoding", "status", "sentence"),
    [
        (gzip.compress(b" " * (33 << 20)), "gzip", 413, "32 MiB"),
        (gzip.compress(orjson.dumps(BODY))[:-12], "gzip", 400, "breaks off"),
        (orjson.dumps(BODY), "gzip", 400, "not gzip"),
        (orjson.dumps(BODY), "br", 415, "another way than gzip"),
    ],
    ids=["too large", "cut off", "plain", "brotli"],
)
async def test_a_compressed_body_that_cannot_be_read(
    server: Server, data: bytes, encoding: str, status: int, sentence: str
) -> None:
    reply = await server.call("POST", "/v1/chat/completions", data=data, headers={"Content-Encoding": encoding})
    assert reply.status == status
    assert sentence in reply.error["message"]


async def test_a_file_to_save_may_have_any_name(fresh: Server) -> None:
    named = urlencode({"name": 'Who said "Öl"?\x7f.txt'})
    binary = {"Content-Type": "application/octet-stream"}
    file = (await fresh.post(f"/api/files?{named}", data=b"Nothing was said.", headers=binary)).body
    path = f"/api/files/{file['id']}/transcript?format=srt"
    for query, plain, name in (
        ("", "Who said __l___.srt", "Who%20said%20%22%C3%96l%22%3F%7F.srt"),
        ("&member=a%0D%0Ab%5C%00.mp3", "a__b__.srt", "a%0D%0Ab%5C%00.srt"),
    ):
        reply = await fresh.get(path + query)
        disposition = reply.headers["Content-Disposition"]
        assert (reply.status, disposition) == (200, f"attachment; filename=\"{plain}\"; filename*=UTF-8''{name}")
