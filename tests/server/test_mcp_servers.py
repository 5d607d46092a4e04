"""`/api/mcp-servers`, and the tools of servers as a model calls them."""

from __future__ import annotations

import sys

import pytest

from tests.chat.test_calls import decide, until_waiting
from tests.mcp_servers.test_mcp_service import ODD
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def added(server: Server, mode: str = "well") -> str:
    """Add a server by the API, look at its tools, allow them, and switch it on."""
    body = {"name": "odd", "command": [sys.executable, "-P", str(ODD), mode], "variables": {"TOKEN": "hidden"}}
    made = await server.post("/api/mcp-servers", body)
    assert made.status == 201, made.body
    path = f"/api/mcp-servers/{made.body['id']}"
    seen = (await server.post(f"{path}/check", {})).body
    assert seen["state"] == "unseen", seen
    allowed = (await server.post(f"{path}/approve", {"fingerprint": seen["seen"]["fingerprint"]})).body
    assert allowed["state"] == "ready"
    assert (await server.call("PUT", f"{path}/switch", {"on": True})).body["on"] is True
    return path


def results(message: JSON) -> list[str]:
    return [part["text"] for part in message["parts"] if part["kind"] == "tool_result"]


async def say(server: Server, call: str) -> JSON:
    """Have the model make a call in a new conversation, and return the answer."""
    return await server.say(await server.begin(), f"script: tool={call}")


async def test_a_server_is_shown_without_its_secrets(server: Server) -> None:
    path = await added(server)
    shown = await server.get(path)
    assert b"hidden" not in shown.raw
    body = shown.body
    assert (body["secrets"], body["origin"], body["may_change"]) == (["TOKEN"], "added", True)
    assert [tool["call_name"] for tool in body["approved"]["tools"]] == ["odd__read", "odd__write"]
    listed = (await server.get("/api/mcp-servers")).body
    assert [each["name"] for each in listed["servers"]] == ["odd"]
    assert (listed["may_add_commands"], listed["may_add_urls"]) == (True, True)
    changed = await server.call("PATCH", path, {"variables": {"TOKEN": ""}})
    assert changed.body["secrets"] == []
    assert (await server.call("DELETE", path)).status == 204
    assert (await server.get(path)).status == 404


async def test_a_model_reads_by_a_tool_and_its_changes_are_asked(server: Server) -> None:
    path = await added(server)
    done = await say(server, 'odd__read{"text":"hello"}')
    assert (done["calls"][0]["tool"], done["calls"][0]["access"]) == ("odd__read", "read")
    assert results(done) == ["read: hello"]
    run = (await server.ask(await server.begin(), 'script: tool=odd__write{"text":"kept"}'))["run"]
    asked = await until_waiting(server, run)
    assert asked["calls"][0]["needs_approval"]
    assert asked["calls"][0]["summary"] == "Use “write” of the MCP server odd with text: kept"
    assert await decide(server, run, asked["calls"][0]["call"], "once") == 202
    assert results(await server.answered(run)) == ["write: kept"]
    await server.call("PUT", f"{path}/switch", {"on": False})
    assert "There is no tool of this name" in results(await say(server, 'odd__read{"text":"hello"}'))[0]
    await server.call("DELETE", path)


async def test_what_a_tool_read_earlier_takes_permissions_for_changes_away(server: Server) -> None:
    path = await added(server)
    conversation = await server.begin()
    run = (await server.ask(conversation, 'script: tool=odd__write{"text":"one"}'))["run"]
    asked = await until_waiting(server, run)
    await decide(server, run, asked["calls"][0]["call"], "always")
    await server.answered(run)
    alone = await server.say(await server.begin(), 'script: tool=odd__write{"text":"two"}')
    assert results(alone) == ["write: two"]
    again = (await server.ask(conversation, 'script: tool=odd__write{"text":"three"}'))["run"]
    asked = await until_waiting(server, again)
    assert await decide(server, again, asked["calls"][0]["call"], "declined") == 202
    await server.answered(again)
    await server.call("DELETE", path)


async def test_arguments_that_do_not_fit_are_told_to_the_model_and_sent_nowhere(server: Server) -> None:
    path = await added(server)
    (result,) = results(await say(server, 'odd__read{"text":7}'))
    assert "text: 7 is not of type 'string'" in result
    await server.call("DELETE", path)


async def test_a_picture_is_re_encoded_and_kept_with_the_conversation(server: Server) -> None:
    path = await added(server)
    done = await say(server, 'odd__read{"text":"picture"}')
    (result,) = results(done)
    assert "Files made:\n- odd__read-" in result, result
    name = result.partition("- ")[2].partition(" (")[0]
    kept = await server.get(f"/api/conversations/{done['conversation']}/workspace/{name}")
    assert kept.raw.startswith(b"\x89PNG")
    assert b"tracked" not in kept.raw
    await server.call("DELETE", path)
