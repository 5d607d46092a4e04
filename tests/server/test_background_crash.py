"""Responses in the background, as processes die and share a data folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import openai

from eclair.llm.scripted import prose
from tests.server.test_stored_responses import ENDLESS_SCRIPT, say
from tests.support import Process


async def test_a_killed_server_ends_a_background_response_as_failed(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    server = await Process.start(tmp_path, http)
    try:
        base = f"{server.address}/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as client:
            stream = await say(client, ENDLESS_SCRIPT, background=True, stream=True)
            seen: list[Any] = []
            async for event in stream:
                seen.append(event)
                if len(seen) == 200:
                    break
            await server.kill()
        id = seen[0].response.id
        server = await Process.start(tmp_path, http)
        base = f"{server.address}/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as client:
            failed: Any = await client.responses.retrieve(id)
            assert failed.status == "failed"
            assert failed.error is not None
            assert "ended while it wrote" in failed.error.message
            assert "".join(prose(3000)).startswith(failed.output_text)
            assert failed.output[0].status == "incomplete"
            replay: list[Any] = [event async for event in await client.responses.retrieve(id, stream=True)]
            assert [event.sequence_number for event in replay] == list(range(len(replay)))
            assert replay[:50] == seen[:50]
            assert (replay[-1].type, replay[-1].response) == ("response.failed", failed)
            again = await say(client, "script: words=1", previous_response_id=id)
            assert again.status == "completed"
    finally:
        await server.close()


async def test_two_servers_share_what_is_kept(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    first = await Process.start(tmp_path, http)
    second = await Process.start(tmp_path, http)
    try:
        body = {"model": "scripted", "input": ENDLESS_SCRIPT, "background": True}
        ids = [(await first.post("/v1/responses", body)).body["id"] for _ in range(3)]
        following = asyncio.create_task(second.get(f"/v1/responses/{ids[0]}?stream=true"))
        cancelled = await second.post(f"/v1/responses/{ids[0]}/cancel")
        assert cancelled.body["status"] == "cancelled"
        assert b'"status":"cancelled"' in (await following).raw.split(b"\n\n")[-2]
        assert (await second.call("DELETE", f"/v1/responses/{ids[1]}")).status == 200
        assert (await first.get(f"/v1/responses/{ids[1]}")).status == 404
        await first.kill()
        assert (await second.get(f"/v1/responses/{ids[2]}")).body["status"] == "failed"
    finally:
        await first.close()
        await second.close()
