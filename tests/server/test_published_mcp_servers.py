"""MCP servers as their makers publish them, of both generations of the protocol: in the sandbox, and by address."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chat.test_calls import decide, until_waiting
from tests.server.test_documents import ready
from tests.server.test_mcp_servers import results, say
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUILD = Path(__file__).parents[2] / ".build"


def program(folder: str, name: str) -> str:
    path = BUILD / folder / "bin" / name
    if not path.exists():
        pytest.fail(f"There is no {name}; `make mcp-servers` installs it.")
    return str(path)


async def added(server: Server, name: str, **place: object) -> tuple[str, JSON]:
    made = await server.post("/api/mcp-servers", {"name": name, **place})
    assert made.status == 201, made.body
    path = f"/api/mcp-servers/{made.body['id']}"
    seen = (await server.post(f"{path}/check", {})).body
    assert seen["state"] == "unseen", (seen["fault"], seen["log"])
    await server.post(f"{path}/approve", {"fingerprint": seen["seen"]["fingerprint"]})
    await server.call("PUT", f"{path}/switch", {"on": True})
    return path, seen


async def test_the_time_server_converts_a_time(server: Server) -> None:
    time = program("mcp-servers", "mcp-server-time")
    path, seen = await added(server, "time", command=[time, "--local-timezone", "Europe/Paris"])
    tools = {tool["call_name"]: tool["read_only"] for tool in seen["seen"]["tools"]}
    assert tools == {"time__convert_time": True, "time__get_current_time": True}
    asked = '{"source_timezone":"Europe/Paris","time":"14:30","target_timezone":"Asia/Tokyo"}'
    done = await say(server, f"time__convert_time{asked}")
    assert (done["calls"][0]["access"], done["calls"][0]["outcome"]) == ("read", "done")
    assert "Asia/Tokyo" in results(done)[0]
    assert ("T21:30" in results(done)[0]) or ("T22:30" in results(done)[0])
    wrong = '{"source_timezone":"Nowhere","time":"14:30","target_timezone":"Asia/Tokyo"}'
    assert (await say(server, f"time__convert_time{wrong}"))["calls"][0]["outcome"] == "failed"
    await server.call("DELETE", path)


async def test_the_database_server_keeps_rows_and_has_resources_and_prompts(server: Server, tmp_path: Path) -> None:
    sqlite = program("mcp-servers-1", "mcp-server-sqlite")
    command = [sqlite, "--db-path", str(tmp_path / "a.db")]
    path, seen = await added(server, "database", command=command, folders=[str(tmp_path)])
    assert (seen["resources"], seen["prompts"]) == (True, True)
    run = (await server.ask(await server.begin(), 'script: tool=database__append_insight{"insight":"Sales_rose."}'))[
        "run"
    ]
    asked = await until_waiting(server, run)
    assert await decide(server, run, asked["calls"][0]["call"], "once") == 202
    assert (await server.answered(run))["calls"][0]["outcome"] == "done"
    (resource,) = (await server.get(f"{path}/resources")).body["resources"]
    assert resource["uri"] == "memo://insights"
    kept = await server.post(f"{path}/files", {"uri": resource["uri"], "title": resource["title"]})
    assert kept.status == 201, kept.body
    file = await ready(server, kept.body["files"][0])
    page = (await server.get(f"/api/files/{file['id']}/pages/1")).body
    assert "Sales_rose." in page["text"]
    (prompt,) = (await server.get(f"{path}/prompts")).body["prompts"]
    written = await server.post(f"{path}/prompts", {"name": prompt["name"], "arguments": {"topic": "lighthouses"}})
    assert "lighthouses" in written.body["text"]
    await server.call("DELETE", path)


@asynccontextmanager
async def proxied(*command: str) -> AsyncGenerator[str]:
    """Serve a program over streamable HTTP on this machine, by the published proxy; yield its address."""
    proxy = program("mcp-servers-1", "mcp-proxy")
    process = await asyncio.create_subprocess_exec(
        proxy, "--port", "0", "--", *command, env=dict(os.environ), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    log = b""
    try:
        async with asyncio.timeout(60):
            while (found := re.search(rb"running on (http://\S+)", log)) is None:
                line = await process.stderr.readline()
                assert line, log.decode()
                log += line
        draining = asyncio.create_task(process.stderr.read())
        yield f"{found[1].decode()}/mcp"
        process.terminate()
        await draining
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_server_by_address_is_called_through_the_gate_and_is_in_the_ledger(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def find(host: str | None, *more: Any, **named: Any) -> Any:
        return look_up("127.0.0.1" if host == "clock.example.org" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    time = program("mcp-servers", "mcp-server-time")
    async with proxied(time, "--local-timezone", "Europe/Paris") as url:
        path, seen = await added(server, "clock", url=url.replace("127.0.0.1", "clock.example.org"))
        tools = {tool["call_name"]: tool["read_only"] for tool in seen["seen"]["tools"]}
        assert tools == {"clock__convert_time": True, "clock__get_current_time": True}
        asked = '{"source_timezone":"Europe/Paris","time":"14:30","target_timezone":"Asia/Tokyo"}'
        done = await say(server, f"clock__convert_time{asked}")
        (call,) = done["calls"]
        assert (call["access"], call["outcome"]) == ("outbound", "done")
        assert "Asia/Tokyo" in results(done)[0]
        assert call["sent_bytes"] > len(asked)
        sent = [each for each in (await server.get("/api/egress?limit=50")).body["calls"] if each["purpose"] == "mcp"]
        assert {each["host"] for each in sent} == {"clock.example.org"}
        assert {each["verdict"] for each in sent} == {"passed", "begun"}, "one waits for what the server has to say"
        assert sum(each["sent"] for each in sent) >= call["sent_bytes"]
    gone = (await server.post(f"{path}/check", {})).body
    assert (gone["state"], "'clock'" in gone["fault"]) == ("down", True)
    await server.call("DELETE", path)
