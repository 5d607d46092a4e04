"""Éclair as an MCP server: `/mcp` and `eclair mcp serve`, for the SDK's own client in both eras of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from mcp import Client, types
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from eclair.schema.web import WebHit
from eclair.server.mcp.exchanges import MAX_AT_ONCE, MAX_BODY_BYTES
from eclair.server.mcp.readable_files import MAX_READ_CHARS
from eclair.settings import Settings
from tests.documents.files import pdf
from tests.server.test_accounts import Headers, member, set_up
from tests.server.test_documents import add, reading, ready
from tests.server.test_rights import rule
from tests.support import JSON, Reply, Server, serving
from tests.web.services import answering

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOLS = ["search_documents", "read_document", "list_libraries", "search_web", "read_page", "ask"]
ACCEPT = {"Accept": "application/json, text/event-stream"}
LATEST = "2026-07-28"
ERAS = ("legacy", LATEST)


@asynccontextmanager
async def connected(
    server: Server, mode: str = LATEST, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[Client]:
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{server.address}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> JSON:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    structured: JSON = result.structured_content
    return structured


def text_of(result: types.CallToolResult) -> str:
    first = result.content[0]
    assert isinstance(first, types.TextContent)
    return first.text


async def library_with(server: Server, name: str = "handbook", headers: Headers | None = None) -> tuple[str, JSON]:
    server.http.headers.update(headers or {})
    try:
        library = str((await server.post("/api/libraries", {"name": name})).body["id"])
        return library, await ready(server, await add(server, library=library))
    finally:
        for each in headers or {}:
            del server.http.headers[each]


async def new_key(house: Server, headers: Headers, **rights: object) -> Headers:
    reply = await house.post("/api/keys", {"name": secrets.token_hex(4), **rights}, headers=headers)
    assert reply.status == 201, reply
    return {"Authorization": f"Bearer {reply.body['secret']}"}


async def post(server: Server, method: str, params: JSON | None = None, **headers: str) -> Reply:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    return await server.post("/mcp", message, headers={**ACCEPT, **headers})


INITIALIZE: JSON = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@pytest.mark.parametrize("era", ERAS)
async def test_tools_are_listed_with_schemas_and_called(server: Server, era: str) -> None:
    library, file = await library_with(server, f"books-{era[:4]}")
    async with connected(server, era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == TOOLS
        for tool in tools.values():
            assert tool.input_schema["type"] == "object"
            assert tool.output_schema is not None
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint
        found = await call(client, "search_documents", query="How high is the tower?", libraries=[library])
        best = found["passages"][0]
        assert (best["file"], best["uri"][:14], "330 metres" in best["text"]) == (file["id"], "eclair://files", True)
        whole = await call(client, "read_document", file=best["uri"])
        assert ("330 metres" in whole["text"], whole["next"], whole["name"]) == (True, None, "tower.md")
        listed = await call(client, "list_libraries")
        assert {each["id"]: each["files"] for each in listed["libraries"]}[library] == 1


@pytest.mark.parametrize("era", ERAS)
async def test_wrong_arguments_are_said_in_a_sentence(server: Server, era: str) -> None:
    async with connected(server, era) as client:
        for arguments, sentence in (
            ({}, "search_documents needs the argument 'query'."),
            ({"query": "a", "depth": 3}, "search_documents does not know the argument 'depth'; leave it out."),
            ({"query": "a", "limit": 0}, "The argument 'limit' is wrong: input should be greater than or equal to 1."),
        ):
            result = await client.call_tool("search_documents", arguments)
            assert (result.is_error, text_of(result)) == (True, sentence)
        missing = await client.call_tool("search_documents", {"query": "a", "libraries": ["nowhere"]})
        assert missing.is_error
        for name in ("file_nowhere", "../../etc/passwd"):
            assert (await client.call_tool("read_document", {"file": name})).is_error
        with pytest.raises(MCPError, match="no tool 'rm'"):
            await client.call_tool("rm", {})


@pytest.mark.parametrize("era", ERAS)
async def test_an_answer_comes_whole_with_progress(server: Server, era: str) -> None:
    told: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with connected(server, era) as client:
        asked = {"question": "script: words=100 load=1"}
        result = await client.call_tool("ask", asked, progress_callback=note)
    assert not result.is_error
    answer = result.structured_content
    assert (len(answer["answer"].split()), answer["model"], answer["is_complete"]) == (100, "scripted", True)
    assert text_of(result).startswith(answer["answer"])
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert any(message and message.startswith("Writing the answer") for _, message in told)


async def test_an_answer_cites_documents_with_quotes_and_links(settings: Settings) -> None:
    async with reading(settings) as (server, model):
        library, file = await library_with(server)
        model.says = "The tower is 330 metres high. It was painted green in 1950."
        async with connected(server) as client:
            result = await client.call_tool("ask", {"question": "How high is the tower?", "libraries": [library]})
    answer = result.structured_content
    (citation,) = answer["citations"]
    assert answer["answer"][citation["start"] : citation["end"]].startswith("The tower is 330 metres high")
    assert "330 metres" in citation["quote"]
    (doubt,) = answer["unsupported"]
    assert "1950" in answer["answer"][doubt["start"] : doubt["end"]]
    text = text_of(result)
    assert "[1]" in text
    assert "[unsupported]" in text
    links = [each for each in result.content if isinstance(each, types.ResourceLink)]
    assert [(link.uri, link.name) for link in links] == [(f"eclair://files/{file['id']}", "tower.md")]


async def test_what_fails_while_answering_is_said(server: Server) -> None:
    async with connected(server) as client:
        failed = await client.call_tool("ask", {"question": "script: fail=1"})
        unknown = await client.call_tool("ask", {"question": "Hello", "model": "nowhere"})
    assert failed.is_error
    assert unknown.is_error
    assert "nowhere" in text_of(unknown)


def answering_now(server: Server) -> int:
    return len(server.app.runs._unstored)  # pyright: ignore[reportPrivateUsage]


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("era", ERAS)
async def test_a_cancelled_call_stops_the_engine_at_once(fresh: Server, era: str) -> None:
    asked = {"question": "script: words=100000 rate=50"}
    writing = asyncio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        writing.set()

    async with connected(fresh, era) as client:
        calling = asyncio.create_task(client.call_tool("ask", asked, progress_callback=note))
        await writing.wait()
        assert answering_now(fresh) == 1
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await until(lambda: not answering_now(fresh))
        assert (await call(client, "list_libraries")) == {"libraries": []}, "the connection goes on"


async def test_who_leaves_stops_the_engine(fresh: Server) -> None:
    asked = {"name": "ask", "arguments": {"question": "script: words=100000 rate=50"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}
    headers = {**ACCEPT, "mcp-protocol-version": "2025-06-18"}
    async with fresh.http.post(f"{fresh.address}/mcp", json=message, headers=headers) as reply:
        assert reply.status == 200
        await until(lambda: answering_now(fresh))
    await until(lambda: not answering_now(fresh))


async def test_one_session_cannot_cancel_the_calls_of_another(fresh: Server) -> None:
    begun = [(await post(fresh, "initialize", INITIALIZE)).headers["mcp-session-id"] for _ in range(2)]
    assert begun[0] != begun[1]
    asked = {"name": "ask", "arguments": {"question": "script: words=100000 rate=50"}}
    calling = asyncio.create_task(post(fresh, "tools/call", asked, **{"mcp-session-id": begun[0]}))
    await until(lambda: answering_now(fresh))
    for session, is_stopped in ((begun[1], False), (begun[0], True)):
        body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        reply = await fresh.post("/mcp", body, headers={**ACCEPT, "mcp-session-id": session})
        assert reply.status == 202
        if is_stopped:
            await until(lambda: not answering_now(fresh))
        assert answering_now(fresh) == (0 if is_stopped else 1)
    await calling


@pytest.mark.parametrize("era", ERAS)
async def test_files_are_resources_a_page_at_a_time(fresh: Server, era: str) -> None:
    first, _ = await library_with(fresh, "first")
    second = str((await fresh.post("/api/libraries", {"name": "second"})).body["id"])
    paged = await ready(
        fresh,
        await add(fresh, pdf([[(50, 80, 12, "The first page")], [(50, 80, 12, "The second page")]]), "two.pdf", second),
    )
    long = await ready(fresh, await add(fresh, "A word and " * 10_000, "long.txt", second))
    assert first != second
    async with connected(fresh, era) as client:
        names: list[str] = []
        cursor: str | None = None
        pages = 0
        while True:
            listed = await client.list_resources(cursor=cursor)
            names += [each.name for each in listed.resources]
            pages += 1
            if (cursor := listed.next_cursor) is None:
                break
        assert (sorted(names), pages) == (["long.txt", "tower.md", "two.pdf"], 2)
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == [
            "eclair://files/{id}",
            "eclair://files/{id}/pages/{number}",
        ]
        (read,) = (await client.read_resource(f"eclair://files/{paged['id']}/pages/2")).contents
        assert isinstance(read, types.TextResourceContents)
        assert "second page" in read.text
        assert "first page" not in read.text
        for wrong in (f"eclair://files/{paged['id']}/pages/3", "eclair://files/file_nowhere", "file:///etc/passwd"):
            with pytest.raises(MCPError):
                await client.read_resource(wrong)
        part = await call(client, "read_document", file=long["id"])
        assert (part["end"], part["next"]) == (MAX_READ_CHARS, MAX_READ_CHARS)
        rest = await call(client, "read_document", file=long["id"], start=part["next"])
        assert rest["start"] == MAX_READ_CHARS
        past = await client.call_tool("read_document", {"file": long["id"], "start": 10_000_000})
        assert past.is_error
        assert (await client.list_resources(cursor="zzz")).resources == []


@pytest.mark.parametrize("era", ERAS)
async def test_saved_prompts_are_prompts(fresh: Server, era: str) -> None:
    text = "Write to {{ name }} about {{topic}}, and greet {{name}}. {{}}"
    assert (await fresh.post("/api/prompts", {"name": "letter", "text": text})).status == 201
    async with connected(fresh, era) as client:
        (prompt,) = (await client.list_prompts()).prompts
        assert (prompt.name, prompt.description) == ("letter", text)
        assert prompt.arguments is not None
        assert [(each.name, each.required) for each in prompt.arguments] == [("name", True), ("topic", True)]
        got = await client.get_prompt("letter", {"name": "Ada", "topic": "{{name}}"})
        content = got.messages[0].content
        assert isinstance(content, types.TextContent)
        assert content.text == "Write to Ada about {{name}}, and greet Ada. {{}}"
        for name, given in (("letter", {"name": "Ada"}), ("nowhere", {})):
            with pytest.raises(MCPError):
                await client.get_prompt(name, given)


async def test_the_web_is_searched_and_read_as_the_person_may(settings: Settings) -> None:
    hit = WebHit("https://example.org/", "Hessen", "So wurde gewählt")
    async with answering("searxng", (hit,)) as searxng:
        address = searxng.standin.url
        private = (urlsplit(address).netloc,)
        wanted = replace(settings, searxng=address, web_search=("searxng",), private_addresses=private)
        async with serving(wanted) as server, connected(server) as client:
            found = await call(client, "search_web", query="Wahl in Hessen")
            assert found["hits"] == [
                {
                    "url": "https://example.org/",
                    "title": "Hessen",
                    "snippet": "So wurde gewählt",
                    "published": None,
                    "by": ["searxng"],
                }
            ]
            refused = await client.call_tool("read_page", {"url": "http://192.168.7.7/"})
            assert refused.is_error
            wrong = await client.call_tool("read_page", {"url": "file:///etc/passwd"})
            assert wrong.is_error
    async with serving(replace(settings, egress="offline")) as server, connected(server) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [*TOOLS[:3], "ask"]


@pytest_asyncio.fixture(loop_scope="module")
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def test_each_person_has_what_is_theirs_and_nothing_else(house: Server) -> None:
    admin = await set_up(house)
    _, ada = await member(house, admin, "ada-b")
    _, ben = await member(house, admin, "ben")
    library, file = await library_with(house, headers=ada)
    prompt = await house.post("/api/prompts", {"name": "secret", "text": "A secret"}, headers=ada)
    assert prompt.status == 201
    async with connected(house, headers=await new_key(house, ada)) as client:
        assert len((await call(client, "search_documents", query="tower"))["passages"]) > 0
    for era in ERAS:
        async with connected(house, era, await new_key(house, ben)) as client:
            assert await call(client, "list_libraries") == {"libraries": []}
            assert await call(client, "search_documents", query="tower") == {"passages": []}
            assert (await client.list_resources()).resources == []
            assert (await client.list_resources(cursor=f"{library}/{file['id']}")).resources == []
            assert (await client.list_prompts()).prompts == []
            for tool, arguments in (
                ("search_documents", {"query": "tower", "libraries": [library]}),
                ("read_document", {"file": file["id"]}),
                ("ask", {"question": "How high is the tower?", "libraries": [library]}),
                ("ask", {"question": "How high is the tower?", "files": [file["id"]]}),
            ):
                result = await client.call_tool(tool, arguments)
                assert result.is_error, tool
                assert "330" not in text_of(result)
            with pytest.raises(MCPError):
                await client.read_resource(f"eclair://files/{file['id']}")
            with pytest.raises(MCPError):
                await client.get_prompt("secret")


async def test_rights_and_keys_decide_as_elsewhere(house: Server) -> None:
    admin = await set_up(house)
    ben_id, ben = await member(house, admin, "ben")
    assert (await post(house, "initialize", INITIALIZE)).status == 401
    wrong = await post(house, "initialize", INITIALIZE, Authorization="Bearer nonsense")
    assert wrong.status == 401
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")
    for rights, status in (
        ({"scope": "v1"}, 200),
        ({"scope": "read"}, 403),
        ({"networks": ["10.0.0.0/8"]}, 403),
        ({"networks": ["127.0.0.0/8"]}, 200),
    ):
        reply = await post(house, "initialize", INITIALIZE, **await new_key(house, ben, **rights))
        assert reply.status == status, rights
    key = await new_key(house, ben)
    await rule(house, admin, f"person:{ben_id}", "web")
    await rule(house, admin, f"person:{ben_id}", "tool:ask")
    async with connected(house, headers=key) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS[:3]
        for name in ("ask", "search_web", "read_page"):
            with pytest.raises(MCPError):
                await client.call_tool(name, {"question": "Hello", "query": "a", "url": "https://example.org"})
    limited = await new_key(house, ben, per_minute=1)
    async with connected(house, headers=limited) as client:
        replies = [await client.call_tool("list_libraries", {}) for _ in range(12)]
    assert [reply.is_error for reply in replies].count(False) < 12
    assert "more than 1 times a minute" in text_of(replies[-1])


async def test_a_call_ends_with_the_key_that_made_it(house: Server) -> None:
    admin = await set_up(house)
    made = (await house.post("/api/keys", {"name": "assistant"}, headers=admin)).body
    headers = {"Authorization": f"Bearer {made['secret']}", "mcp-protocol-version": "2025-06-18"}
    asked = {"name": "ask", "arguments": {"question": "script: words=100000 rate=50"}}
    calling = asyncio.create_task(post(house, "tools/call", asked, **headers))
    await until(lambda: answering_now(house))
    assert (await house.call("DELETE", f"/api/keys/{made['name']}", headers=admin)).status == 204
    await until(lambda: not answering_now(house))
    with contextlib.suppress(Exception):
        await calling


async def test_pages_of_elsewhere_and_strange_names_are_refused(server: Server) -> None:
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"X-Forwarded-For": "10.0.0.1"},
    ):
        assert (await post(server, "initialize", INITIALIZE, **headers)).status == 403, headers


async def test_messages_that_are_none_are_answered_clearly(server: Server) -> None:
    for method in ("GET", "DELETE", "PUT"):
        assert (await server.call(method, "/mcp", headers=ACCEPT)).status == 405
    headers = {**ACCEPT, "Content-Type": "application/json"}
    for data in (b"", b"{", b"[]", b"null", b'{"jsonrpc":"2.0"}', b"\xff", b'[{"jsonrpc":"2.0","id":1}]'):
        for version in ({}, {"mcp-protocol-version": LATEST}, {"mcp-protocol-version": "1999-01-01"}):
            reply = await server.post("/mcp", data=data, headers={**headers, **version})
            assert reply.status == 400, (data, version, reply)
    assert (await post(server, "tools/list", None, Accept="text/html")).status == 406
    large = b" " * (MAX_BODY_BYTES + 1)
    assert (await server.post("/mcp", data=large, headers=headers)).status == 413
    plain = {**ACCEPT, "Content-Type": "text/plain"}
    assert (await server.post("/mcp", data=b"{}", headers=plain)).status in (400, 415)


async def test_a_person_has_so_many_calls_at_once(fresh: Server) -> None:
    asked = {"name": "ask", "arguments": {"question": "script: words=100000 rate=5"}}
    headers = {"mcp-protocol-version": "2025-06-18"}
    calls = [asyncio.create_task(post(fresh, "tools/call", asked, **headers)) for _ in range(MAX_AT_ONCE)]
    try:
        await until(lambda: answering_now(fresh) == MAX_AT_ONCE)
        reply = await post(fresh, "tools/list", None, **headers)
        assert (reply.status, int(reply.headers["Retry-After"]) > 0) == (429, True)
    finally:
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await until(lambda: not answering_now(fresh))


@pytest.mark.parametrize("era", ERAS)
async def test_a_program_starts_it_and_speaks_to_it_by_standard_input(tmp_path: Path, era: str) -> None:
    environment = {
        "ECLAIR_DATA_DIR": str(tmp_path / "data"),
        "ECLAIR_EMBEDDED": "false",
        "ECLAIR_SCRIPTED": "true",
        "ECLAIR_EGRESS": "offline",
    }
    command = StdioServerParameters(command=sys.executable, args=["-m", "eclair.cli", "mcp", "serve"], env=environment)
    async with Client(command, mode=era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [*TOOLS[:3], "ask"]
        answer = await call(client, "ask", question="script: words=5")
        assert len(answer["answer"].split()) == 5


async def test_a_start_does_not_import_the_sdk() -> None:
    modules = "eclair.server.serve, eclair.app, eclair.cli.serve, eclair.server.mcp.routes"
    code = f"import sys, {modules}; print([name for name in sys.modules if name == 'mcp'])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.strip() == b"[]"
