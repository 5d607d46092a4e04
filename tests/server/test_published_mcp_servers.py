"""MCP servers as their makers publish them, of both generations of the protocol, in the sandbox."""

from __future__ import annotations

from pathlib import Path

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


async def added(server: Server, name: str, *command: str, **more: object) -> tuple[str, JSON]:
    made = await server.post("/api/mcp-servers", {"name": name, "command": [*command], **more})
    assert made.status == 201, made.body
    path = f"/api/mcp-servers/{made.body['id']}"
    seen = (await server.post(f"{path}/check", {})).body
    assert seen["state"] == "unseen", (seen["fault"], seen["log"])
    await server.post(f"{path}/approve", {"fingerprint": seen["seen"]["fingerprint"]})
    await server.call("PUT", f"{path}/switch", {"on": True})
    return path, seen


async def test_the_time_server_converts_a_time(server: Server) -> None:
    time = program("mcp-servers", "mcp-server-time")
    path, seen = await added(server, "time", time, "--local-timezone", "Europe/Paris")
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
    folder = [str(tmp_path)]
    path, seen = await added(server, "database", sqlite, "--db-path", str(tmp_path / "a.db"), folders=folder)
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
