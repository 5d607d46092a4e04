"""Batches through OpenAI's client: run in the background, cancelled, expired, and across a killed process."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai.types import Batch

from eclair.chat import batches
from eclair.llm.scripted import prose
from eclair.llm.servers import server_api
from eclair.llm.servers.jurisdiction import ServerLocation
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.batches import BatchDetails, StoredBatch
from tests.llm.servers import Speaking, reply
from tests.llm.standin import Call, StandIn, standing_in
from tests.server.test_v1 import client_of, exact
from tests.storage.helpers import edit
from tests.support import JSON, Process, Server, an_hour_ago, serving

pytestmark = pytest.mark.asyncio

CHAT = "/v1/chat/completions"


@pytest.fixture
async def spoken(settings: Settings) -> AsyncGenerator[tuple[Server, openai.AsyncOpenAI]]:
    async with serving(settings) as server, client_of(server) as client:
        yield server, client


def chat(text: str, **more: Any) -> JSON:
    return {"model": "scripted", "messages": [{"role": "user", "content": text}], **more}


def jsonl(url: str, *bodies: JSON) -> bytes:
    rows = ({"custom_id": f"r{at}", "method": "POST", "url": url, "body": body} for at, body in enumerate(bodies))
    return "\n".join(map(json.dumps, rows)).encode()


async def begin(client: openai.AsyncOpenAI, data: bytes, endpoint: Any = CHAT, **more: Any) -> Batch:
    file = await client.files.create(file=("in.jsonl", data), purpose="batch")
    return await client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


async def ended(client: openai.AsyncOpenAI, id: str, *states: str) -> Batch:
    async with asyncio.timeout(60):
        while True:
            batch = await client.batches.retrieve(id)
            if batch.status in (states or ("completed", "failed", "expired", "cancelled")):
                return batch
            await asyncio.sleep(0.02)


async def answered(client: openai.AsyncOpenAI, id: str, count: int) -> None:
    """Wait until so many lines have been answered."""
    async with asyncio.timeout(60):
        while True:
            counts = (await client.batches.retrieve(id)).request_counts
            if counts is not None and counts.completed >= count:
                return
            await asyncio.sleep(0.02)


async def rows(client: openai.AsyncOpenAI, file: str | None) -> list[JSON]:
    assert file is not None
    return [json.loads(line) for line in (await client.files.content(file)).text.splitlines()]


async def test_each_line_is_answered_and_mistakes_go_to_another_file(spoken: tuple[Server, openai.AsyncOpenAI]) -> None:
    server, client = spoken
    bodies = (chat("script: words=3"), chat("script: words=5"), chat("Hello?", temperature="hot"), {"model": "gpt-9"})
    batch = await begin(client, jsonl(CHAT, *bodies), metadata={"job": "nightly"})
    assert (batch.status, batch.metadata) == ("validating", {"job": "nightly"})
    done = await ended(client, batch.id)
    assert done.request_counts is not None
    counts = done.request_counts
    assert (done.status, counts.total, counts.completed, counts.failed) == ("completed", 4, 2, 2)
    exact(Batch, (await server.get(f"/v1/batches/{batch.id}")).body)
    good = await rows(client, done.output_file_id)
    assert [row["custom_id"] for row in good] == ["r0", "r1"]
    assert good[1]["response"]["status_code"] == 200
    assert good[1]["response"]["body"]["choices"][0]["message"]["content"] == "".join(prose(5))
    bad = await rows(client, done.error_file_id)
    assert [(row["custom_id"], row["response"]["status_code"]) for row in bad] == [("r2", 400), ("r3", 400)]
    assert bad[0]["response"]["body"]["error"]["param"] == "temperature"
    output = await client.files.retrieve(done.output_file_id or "")
    assert (output.purpose, output.bytes) == ("batch_output", len((await client.files.content(output.id)).content))
    assert [each.id async for each in client.batches.list(limit=1)] == [batch.id]
    await client.files.delete(output.id)
    with pytest.raises(openai.NotFoundError):
        await client.files.content(output.id)


async def test_embeddings_completions_and_responses(spoken: tuple[Server, openai.AsyncOpenAI]) -> None:
    _, client = spoken
    asked: dict[str, JSON] = {
        "/v1/embeddings": {"model": "multilingual-e5-small", "input": "bread"},
        "/v1/completions": {"model": "scripted", "prompt": "script: words=3"},
        "/v1/responses": {"model": "scripted", "input": "script: words=3"},
    }
    begun = {url: await begin(client, jsonl(url, body), url) for url, body in asked.items()}
    for url, batch in begun.items():
        (row,) = await rows(client, (await ended(client, batch.id)).output_file_id)
        assert row["response"]["body"]["object"] == {"/v1/embeddings": "list"}.get(url) or (
            row["response"]["body"]["object"] in ("text_completion", "response")
        )


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b'{"custom_id": "a", "body": {}}\n{oops', 2, "not JSON"),
        (b'{"body": {}}', 1, "custom_id"),
        (b'{"custom_id": "a", "body": {}}\n\n{"custom_id": "a", "body": {}}', 3, "Another line has the id 'a'"),
        (b'{"custom_id": "a", "url": "/v1/embeddings", "body": {}}', 1, "not /v1/chat/completions"),
        (b'{"custom_id": "a", "body": {"stream": true}}', 1, "streams nothing"),
        (b'{"custom_id": "a", "method": "GET", "body": {}}', 1, "not POST"),
        (b"[]", 1, "not a JSON object"),
        (b"\n \n", None, "no requests"),
    ],
)
async def test_a_file_that_is_wrong_is_refused_by_its_line(
    spoken: tuple[Server, openai.AsyncOpenAI], data: bytes, line: int | None, message: str
) -> None:
    _, client = spoken
    failed = await ended(client, (await begin(client, data)).id)
    assert failed.status == "failed"
    assert failed.failed_at is not None
    assert failed.errors is not None
    (fault,) = failed.errors.data or []
    assert fault.line == line
    assert message in (fault.message or "")
    assert failed.output_file_id is None


async def test_what_cannot_be_a_batch_is_refused(spoken: tuple[Server, openai.AsyncOpenAI]) -> None:
    server, client = spoken
    file = await client.files.create(file=("in.jsonl", jsonl(CHAT, chat("Hello?"))), purpose="batch")
    body = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}
    wrong: list[tuple[JSON, int, str]] = [
        ({"endpoint": "/v1/audio/speech"}, 400, "endpoint"),
        ({"completion_window": "soon"}, 400, "completion_window"),
        ({"input_file_id": "file_none"}, 404, "purpose `batch`"),
    ]
    for change, status, said in wrong:
        refused = await server.post("/v1/batches", {**body, **change})
        assert refused.status == status, refused
        assert said in refused.error["message"]
    assert (await server.get("/v1/batches/batch_none")).status == 404


async def test_answers_go_first_and_a_batch_can_be_cancelled(spoken: tuple[Server, openai.AsyncOpenAI]) -> None:
    server, client = spoken
    slow = [chat("script: words=3"), *(chat("script: words=100000 rate=100") for _ in range(3))]
    batch = await begin(client, jsonl(CHAT, *slow))
    await answered(client, batch.id, 1)
    while not server.engine.made > 3:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    stream = await client.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": "script: words=30 rate=60"}], stream=True
    )
    await anext(aiter(stream))
    before = server.engine.made
    assert [chunk async for chunk in stream][-1].choices[0].finish_reason == "stop"
    assert server.engine.made - before <= 31, "the batch pauses meanwhile"
    with pytest.raises(openai.ConflictError, match="cancel it first"):
        await client.files.delete(batch.input_file_id)
    assert (await client.batches.cancel(batch.id)).status in ("cancelling", "cancelled")
    gone = await ended(client, batch.id)
    assert gone.status == "cancelled"
    assert gone.cancelled_at is not None
    assert [row["custom_id"] for row in await rows(client, gone.output_file_id)] == ["r0"]
    again = await client.batches.cancel(batch.id)
    assert again.status == "cancelled"


@pytest.mark.parametrize("path", ["/api/responses", "/api/conversations?confirm=all&forever=true"])
async def test_a_batch_that_is_deleted_at_work_ends_quietly(
    spoken: tuple[Server, openai.AsyncOpenAI], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    server, client = spoken
    endless = chat("script: words=100000 rate=100")
    batch = await begin(client, jsonl(CHAT, chat("script: words=3"), endless, endless))
    await answered(client, batch.id, 1)
    await client.files.create(file=("notes.txt", b"uploaded for answers"), purpose="user_data")
    kept = (await server.get("/api/responses")).body
    assert (kept["batches"], kept["files"]) == (1, 2)
    assert (await server.call("DELETE", path)).status in (202, 204)
    kept = (await server.get("/api/responses")).body
    assert (kept["batches"], kept["files"]) == (0, 0 if "responses" in path else 1)
    with pytest.raises(openai.NotFoundError):
        await client.batches.retrieve(batch.id)
    after = await begin(client, jsonl(CHAT, chat("script: words=3")))
    assert (await ended(client, after.id)).status == "completed", "those that wait go on"
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


class Waiting(Speaking):
    """Answers once it is told to."""

    def __init__(self, standin: StandIn) -> None:
        super().__init__(standin)
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.count = 0

    async def chat(self, call: Call) -> None:
        self.count += 1
        self.asked.set()
        await self.may_answer.wait()
        await super().chat(call)


async def test_an_answer_does_not_interrupt_a_server_elsewhere(
    spoken: tuple[Server, openai.AsyncOpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = spoken

    def locate(url: str, stated: str | None) -> ServerLocation:
        return ServerLocation("country", "FR", stated=True)

    monkeypatch.setattr(server_api, "locate", locate)
    async with standing_in() as standin:
        rack = Waiting(standin)
        assert (await server.post("/api/engines", {"name": "rack", "url": rack.url})).status == 201
        batch = await begin(client, jsonl(CHAT, {**chat("Hello?"), "model": "muse"}))
        async with asyncio.timeout(30):
            await rack.asked.wait()
        answer = await client.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "script: words=3"}]
        )
        assert answer.choices[0].message.content == "".join(prose(3))
        rack.may_answer.set()
        (row,) = await rows(client, (await ended(client, batch.id)).output_file_id)
        assert row["response"]["body"]["choices"][0]["message"]["content"] == "OK"
        assert rack.count == 1, "it is paid once"


async def test_a_server_that_is_about_to_end_sends_no_further_line(settings: Settings) -> None:
    bodies = [chat("script: words=30 rate=30"), *(chat("script: words=3") for _ in range(3))]
    async with serving(settings) as server, client_of(server) as client:
        batch = await begin(client, jsonl(CHAT, *bodies))
        while not server.engine.made:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await server.app.drain(60)
        at_work = await client.batches.retrieve(batch.id)
        assert at_work.request_counts is not None
        assert (at_work.status, at_work.request_counts.completed) == ("in_progress", 1), "what was begun is not lost"
    async with serving(settings) as server, client_of(server) as client:
        done = await ended(client, batch.id)
        assert len(await rows(client, done.output_file_id)) == len(bodies)
        assert server.engine.made == 9, "none is sent twice"


async def test_a_line_that_waits_for_its_turn_keeps_no_server_from_ending(
    spoken: tuple[Server, openai.AsyncOpenAI],
) -> None:
    server, client = spoken
    refused = asyncio.Event()

    async def refuse(call: Call) -> None:
        await reply(call, {"error": {"message": "Later."}}, 429)
        refused.set()

    async with standing_in() as standin:
        rack = Speaking(standin)
        standin.routes["/v1/chat/completions"] = refuse
        assert (await server.post("/api/engines", {"name": "rack", "url": rack.url})).status == 201
        batch = await begin(client, jsonl(CHAT, {**chat("Hello?"), "model": "muse"}))
        async with asyncio.timeout(30):
            await refused.wait()
            await server.app.drain(300)
        left = await client.batches.retrieve(batch.id)
        assert left.request_counts is not None
        assert (left.status, left.request_counts.failed) == ("in_progress", 0)


async def test_a_busy_engine_is_asked_again(
    spoken: tuple[Server, openai.AsyncOpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = spoken
    monkeypatch.setattr(batches, "BUSY_PAUSES_S", (0.0, 0.0))
    refusals = [429, 429]

    async def refuse_for_now(call: Call) -> None:
        if refusals:
            await reply(call, {"error": {"message": "Later."}}, refusals.pop(0))
        else:
            await muse.chat(call)

    async with standing_in() as standin:
        muse = Speaking(standin)
        standin.routes["/v1/chat/completions"] = refuse_for_now
        server, _ = spoken
        assert (await server.post("/api/engines", {"name": "rack", "url": muse.url})).status == 201
        body = {**chat("Hello?"), "model": "muse"}
        done = await ended(client, (await begin(client, jsonl(CHAT, body))).id)
        assert done.request_counts is not None
        assert (done.request_counts.completed, done.request_counts.failed) == (1, 0)
        assert refusals == []


async def test_a_batch_that_cannot_be_run_keeps_its_replies_and_holds_up_no_other(
    spoken: tuple[Server, openai.AsyncOpenAI],
) -> None:
    _, client = spoken
    deep: list[Any] = []
    for _ in range(300):  # a depth that can be read, and not written
        deep = [deep]
    poisoned = await begin(client, jsonl(CHAT, chat("script: words=3"), chat("Hello?", deep=deep)))
    failed = await ended(client, poisoned.id)
    assert failed.errors is not None
    assert failed.errors.data is not None
    assert (failed.status, failed.errors.data[0].message) == (
        "failed",
        "Internal error (TypeError); see the log.",
    )
    assert [row["custom_id"] for row in await rows(client, failed.output_file_id)] == ["r0"]
    assert (await ended(client, (await begin(client, jsonl(CHAT, chat("script: words=3")))).id)).status == "completed"


async def test_a_batch_that_is_damaged_while_it_runs_holds_up_no_other(
    spoken: tuple[Server, openai.AsyncOpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "CHECK_INTERVAL_S", 0.05)
    server, client = spoken
    bad = await begin(client, jsonl(CHAT, chat("script: words=3"), chat("script: words=30 rate=60")))
    await answered(client, bad.id, 1)
    other = await begin(client, jsonl(CHAT, chat("script: words=3")))
    await edit(server.app.storage, "UPDATE batch SET details = '{' WHERE id = ?", bad.id)
    assert (await ended(client, other.id)).status == "completed"
    with pytest.raises(openai.APIStatusError) as refused:
        await client.with_options(max_retries=0).batches.retrieve(bad.id)
    assert refused.value.status_code == 503


async def test_a_batch_expires_and_says_which_lines_came_too_late(spoken: tuple[Server, openai.AsyncOpenAI]) -> None:
    server, client = spoken
    file = await client.files.create(file=("in.jsonl", jsonl(CHAT, chat("a"), chat("b"))), purpose="batch")
    now = int(time.time() * 1000)
    details = BatchDetails(endpoint=CHAT, input_file=file.id, window="24h", expires=now - 1)
    await server.app.batches.add(LOCAL_PRINCIPAL, StoredBatch("batch_late", "local", now, "validating", details))
    late = await ended(client, "batch_late")
    assert late.status == "expired"
    assert [row["error"]["code"] for row in await rows(client, late.error_file_id)] == ["batch_expired"] * 2


async def test_a_batch_expires_by_the_clock_that_all_servers_share(
    spoken: tuple[Server, openai.AsyncOpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = spoken
    monkeypatch.setattr(type(server.app.storage.processes), "clock", an_hour_ago)
    file = await client.files.create(file=("in.jsonl", jsonl(CHAT, chat("script: words=3"))), purpose="batch")
    now = int(time.time() * 1000)
    details = BatchDetails(endpoint=CHAT, input_file=file.id, window="24h", expires=now - 1)
    await server.app.batches.add(LOCAL_PRINCIPAL, StoredBatch("batch_a", "local", now, "validating", details))
    assert (await ended(client, "batch_a")).status == "completed"


async def test_a_killed_process_loses_no_line_and_doubles_none(tmp_path: Path) -> None:
    bodies = [chat(f"script: words={3 + at} rate=60") for at in range(12)]
    async with aiohttp.ClientSession() as http:
        first = await Process.start(tmp_path, http)
        async with openai.AsyncOpenAI(api_key="none", base_url=f"{first.address}/v1") as client:
            batch = await begin(client, jsonl(CHAT, *bodies))
            await answered(client, batch.id, 4)
            await first.kill()
        second = await Process.start(tmp_path, http)
        try:
            async with openai.AsyncOpenAI(api_key="none", base_url=f"{second.address}/v1") as client:
                done = await ended(client, batch.id)
                answers = await rows(client, done.output_file_id)
        finally:
            await second.close()
    assert done.status == "completed"
    assert Counter(row["custom_id"] for row in answers) == {f"r{at}": 1 for at in range(12)}
    for at, row in enumerate(answers):
        assert row["response"]["body"]["choices"][0]["message"]["content"] == "".join(prose(3 + at))


async def test_batches_are_their_keys_owners(settings: Settings) -> None:
    async with serving(replace(settings, api_key="s3cret")) as server:
        headers = {"Authorization": "Bearer s3cret"}
        assert (await server.get("/v1/batches")).status == 401
        assert (await server.get("/v1/batches", headers)).body["data"] == []
