"""`/api/mcp-servers`, and the tools of servers as a model calls them."""

from __future__ import annotations

import sys

import pytest

from tests.chat.test_calls import decide, until_waiting
from tests.mcp_servers.test_mcp_service import ODD
from tests.server.test_documents import ready
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


async def test_a_permission_is_for_the_folder_of_a_path(server: Server) -> None:
    path = await added(server)

    async def ask(arguments: str) -> tuple[str, JSON]:
        run = (await server.ask(await server.begin(), f'script: tool=odd__write{{"text":"one",{arguments}}}'))["run"]
        asked = await until_waiting(server, run)
        return run, asked["calls"][0]

    run, call = await ask('"filePath":"/home/anna/notes/a.txt"')
    assert call["scope"] == "/home/anna/notes"
    await decide(server, run, call["call"], "always")
    await server.answered(run)
    assert results(await say(server, 'odd__write{"text":"two","filePath":"/home/anna/notes/b.txt"}')) == ["write: two"]
    for arguments, scope in (
        ('"filePath":"/home/anna/notes/../.ssh/config"', "/home/anna/.ssh"),
        ('"source":"/home/anna/notes/a.txt","destination":"/tmp/a.txt"', "/home/anna/notes, /tmp"),
        ('"folder":"/home/anna"', "/home/anna"),
        ('"filepath":"notes.txt"', "."),
        ('"directory":".."', ".."),
        ('"target":"file:///etc/hosts"', "/etc"),
        ('"edits":[{"path":"/home/anna/a.txt","content":"either/or"}]', "/home/anna"),
    ):
        run, call = await ask(arguments)
        assert call["scope"] == scope
        await decide(server, run, call["call"], "declined")
        await server.answered(run)
    await server.call("DELETE", path)


async def test_a_permission_ends_with_its_server(server: Server) -> None:
    for decision in ("always", "declined"):
        path = await added(server)
        run = (await server.ask(await server.begin(), 'script: tool=odd__write{"text":"one"}'))["run"]
        asked = await until_waiting(server, run)
        assert await decide(server, run, asked["calls"][0]["call"], decision) == 202
        await server.answered(run)
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


async def test_a_picture_that_would_fill_memory_is_left_out_and_said(server: Server) -> None:
    path = await added(server)
    done = await say(server, 'odd__read{"text":"bomb"}')
    (result,) = results(done)
    assert (done["status"], "- picture 1, which can't be shown" in result) == ("finished", True), result
    assert (await server.get(f"/api/conversations/{done['conversation']}/workspace")).body["files"] == []
    await server.call("DELETE", path)


async def test_a_resource_is_attached_read_and_cited(server: Server) -> None:
    path = await added(server)
    assert ((shown := (await server.get(path)).body)["resources"], shown["prompts"]) == (True, True)
    listed = (await server.get(f"{path}/resources")).body["resources"]
    assert [(each["uri"], each["title"], each["template"]) for each in listed] == [
        ("notes://tower.md", "The tower", False),
        ("notes://dot", "dot", False),
        ("notes://days/{day}", "A day", True),
    ]
    kept = await server.post(f"{path}/files", {"uri": "notes://tower.md"})
    assert kept.status == 201, kept.body
    (file,) = kept.body["files"]
    assert (file["name"], file["media"], file["library"]) == ("tower.md", "text/markdown", None)
    picture = (await server.post(f"{path}/files", {"uri": "notes://dot", "title": "A dot"})).body["files"][0]
    assert (picture["name"], picture["media"]) == ("A dot.png", "image/png")
    day = (await server.post(f"{path}/files", {"uri": "notes://days/friday", "title": "A day"})).body["files"][0]
    assert day["name"] == "A day.md"
    await ready(server, file)
    done = await server.say(await server.begin(), "How high is the tower of Brest?", files=[file["id"]])
    assert any("71 metres" in passage["text"] for passage in done["passages"]), done
    await server.call("DELETE", path)


async def test_a_model_reads_a_resource_whose_text_is_a_source(server: Server) -> None:
    path = await added(server)
    listed = await say(server, "odd__resources{}")
    assert '"notes://tower.md"' in results(listed)[0]
    done = await say(server, 'odd__resources{"uri":"notes://tower.md"}')
    assert (done["calls"][0]["tool"], done["calls"][0]["access"]) == ("odd__resources", "read")
    assert done["calls"][0]["summary"] == "Read notes://tower.md from the MCP server odd"
    assert "71 metres" in results(done)[0]
    (passage,) = done["passages"]
    assert (passage["name"], done["calls"][0]["passages"]) == ("tower.md", [passage["number"]])
    page = (await server.get(f"/api/files/{passage['file']}/pages/1")).body
    assert "71 metres" in page["text"]
    again = await server.ask(done["conversation"], 'script: tool=odd__write{"text":"kept"}')
    asked = await until_waiting(server, again["run"])
    assert await decide(server, again["run"], asked["calls"][0]["call"], "declined") == 202
    await server.answered(again["run"])
    unkept = "".join(results(await say(server, 'odd__resources{"uri":"notes://dot"}')))
    assert unkept
    await server.call("DELETE", path)


async def test_a_prompt_is_written_with_its_arguments(server: Server) -> None:
    path = await added(server)
    listed = (await server.get(f"{path}/prompts")).body["prompts"]
    assert [each["name"] for each in listed] == ["greet", "plain"]
    assert listed[0]["arguments"][0] == {"name": "who", "title": "who", "description": "", "required": True}
    written = await server.post(f"{path}/prompts", {"name": "greet", "arguments": {"who": "Ada", "where": ""}})
    assert written.body == {"text": "Greet Ada in Brest."}
    missing = await server.post(f"{path}/prompts", {"name": "greet"})
    assert (missing.status, missing.body["error"]["message"]) == (400, "The prompt 'greet' needs the argument 'who'.")
    unknown = await server.post(f"{path}/prompts", {"name": "other"})
    assert unknown.body["error"]["message"] == "The MCP server 'odd' has no prompt 'other'."
    await server.call("DELETE", path)


async def test_resources_and_prompts_that_lie_or_flood_are_said_in_a_sentence(server: Server) -> None:
    for mode, uri, sentence in (
        ("lies", "notes://tower.md", "The MCP server 'odd' sent a file that is not in base64."),
        ("huge", "notes://tower.md", "it sent a message larger than 4 MB"),
    ):
        path = await added(server, mode)
        reply = await server.post(f"{path}/files", {"uri": uri})
        assert reply.status >= 400
        assert sentence in reply.body["error"]["message"], reply.body
        await server.call("DELETE", path)
    path = await added(server, "many")
    reply = await server.post(f"{path}/prompts", {"name": "plain"})
    assert "a prompt of more than 50,000 characters" in reply.body["error"]["message"], reply.body
    await server.call("DELETE", path)


async def test_a_server_is_on_for_a_conversation_or_a_turn_alone(server: Server) -> None:
    path = await added(server)
    id = path.rpartition("/")[2]
    conversation = (await server.post("/api/conversations", {})).body["id"]
    off = await server.call("PUT", f"{path}/switch", {"on": False, "conversation": conversation})
    assert off.body["on"] is False
    listed = (await server.get(f"/api/mcp-servers?conversation={conversation}")).body["servers"]
    assert [each["on"] for each in listed] == [False]
    assert (await server.get(path)).body["on"] is True
    call = 'script: tool=odd__read{"text":"hello"}'
    assert "There is no tool of this name" in results(await server.say(conversation, call))[0]
    assert results(await server.say(conversation, call, mcp_servers={id: True})) == ["read: hello"]
    other = await server.say(await server.begin(), call, mcp_servers={id: False})
    assert "There is no tool of this name" in results(other)[0]
    assert (await server.get("/api/mcp-servers?conversation=conv_none")).status == 404
    await server.call("DELETE", path)


async def test_an_assistant_offers_the_servers_of_which_it_names_tools(server: Server) -> None:
    path = await added(server)
    call = 'script: tool=odd__read{"text":"hello"}'
    reader = (await server.post("/api/assistants", {"name": "Reader", "tools": ["odd__read"]})).body["id"]
    counter = (await server.post("/api/assistants", {"name": "Counter", "tools": []})).body["id"]
    project = (await server.post("/api/projects", {"name": "Odd readers"})).body["id"]
    await server.call("PATCH", f"/api/projects/{project}", {"tools": ["odd__read"]})

    async def offered(query: str) -> bool:
        (found,) = (await server.get(f"/api/mcp-servers{query}")).body["servers"]
        return found["offered"]

    for assistant, is_offered in ((reader, True), (counter, False)):
        body = {"assistant_id": assistant, "project_id": project}
        conversation = (await server.post("/api/conversations", body)).body["id"]
        assert await offered(f"?conversation={conversation}") is is_offered
        assert await offered(f"?assistant={assistant}&project={project}") is is_offered
        assert ("read: hello" in results(await server.say(conversation, call))) is is_offered
    assert await offered(f"?project={project}")
    assert await offered("")
    for made in (f"assistants/{reader}", f"assistants/{counter}", f"projects/{project}"):
        await server.call("DELETE", f"/api/{made}")
    await server.call("DELETE", path)


async def test_a_project_that_names_tools_has_their_server_on(server: Server) -> None:
    path = await added(server)
    await server.call("PUT", f"{path}/switch", {"on": False})
    project = (await server.post("/api/projects", {"name": "Odd"})).body["id"]
    await server.call("PATCH", f"/api/projects/{project}", {"tools": ["odd__read"]})
    conversation = (await server.post("/api/conversations", {"project_id": project})).body["id"]
    listed = (await server.get(f"/api/mcp-servers?conversation={conversation}")).body["servers"]
    assert [each["on"] for each in listed] == [True]
    assert results(await server.say(conversation, 'script: tool=odd__read{"text":"hello"}')) == ["read: hello"]
    await server.call("DELETE", path)
