"""Files that Python made are used further: kept as files of the person, attached, read, cited, and read by Python."""

from __future__ import annotations

from typing import Any

import pytest

from eclair.settings import Settings
from tests.python.test_tool import call, part
from tests.server.test_documents import reading, ready, sentence
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def run(server: Server, conversation: str, code: str) -> dict[str, Any]:
    reply = await server.post(f"/api/conversations/{conversation}/python", {"code": code})
    assert reply.body["error"] is None, reply
    return dict(reply.body)


async def keep(server: Server, conversation: str, name: str, query: str = "") -> dict[str, Any]:
    reply = await server.post(f"/api/conversations/{conversation}/workspace/{name}{query}")
    assert reply.status == 201, reply
    return dict(reply.body)


async def test_the_next_turn_reads_what_code_made_before(server: Server) -> None:
    id = await server.begin()
    await server.say(id, call("open('sums.csv', 'w').write('region,sum\\nNorth,270\\n')"))
    answer = await server.say(id, call("print(open('sums.csv').read().splitlines()[1])"))
    assert part(answer, "tool_result")["text"] == "Output:\nNorth,270\n\nFiles made: none"


async def test_a_made_file_is_attached_and_read_by_code_elsewhere_too(server: Server) -> None:
    id = await server.begin()
    await run(server, id, "import os\nos.makedirs('out')\nopen('out/sums.csv', 'w').write('a,b\\n1,2\\n')")
    kept = await keep(server, id, "out/sums.csv")
    assert (kept["name"], kept["media"], kept["size"]) == ("sums.csv", "text/csv", 8)
    assert (await server.get(f"/api/files/{kept['id']}/content")).raw == b"a,b\n1,2\n"
    other = await server.begin()
    answer = await server.say(other, call("open('sums.csv').read()"), files=[kept["id"]])
    assert "a,b\\n1,2\\n" in part(answer, "tool_result")["text"]


async def test_a_former_version_has_a_name_of_its_own(server: Server) -> None:
    id = await server.begin()
    await run(server, id, "open('sums.csv', 'w').write('first')")
    await run(server, id, "open('sums.csv', 'w').write('second')")
    former = await keep(server, id, "sums.csv", "?version=1")
    assert (former["name"], (await keep(server, id, "sums.csv"))["name"]) == ("sums v1.csv", "sums.csv")
    answer = await server.say(id, call("open('sums v1.csv').read(), open('sums.csv').read()"), files=[former["id"]])
    assert "('first', 'second')" in part(answer, "tool_result")["text"]


async def test_what_cannot_be_kept_is_refused(server: Server) -> None:
    id = await server.begin()
    await run(server, id, "open('empty.txt', 'w').write('')")
    base = f"/api/conversations/{id}/workspace"
    empty = await server.post(f"{base}/empty.txt")
    assert (empty.status, empty.body["error"]["message"]) == (400, "empty.txt is empty; choose another file.")
    assert (await server.post(f"{base}/none.txt")).status == 404
    assert (await server.post(f"{base}/empty.txt?version=2")).status == 404
    assert (await server.post(f"/api/conversations/conv_{'0' * 26}/workspace/empty.txt")).status == 404
    listed = (await server.get("/api/files")).body["files"]
    assert not {"empty.txt", "none.txt"} & {file["name"] for file in listed}


async def test_a_made_file_is_cited(settings: Settings) -> None:
    async with reading(settings) as (server, model):
        id = await server.begin()
        text = "# The tower\\n\\nIt stands in the harbour. It is 330 metres high and weighs 7,300 tonnes.\\n"
        await run(server, id, f"open('tower.md', 'w').write('{text}')")
        kept = await ready(server, await keep(server, id, "tower.md"))
        model.says = "The tower is 330 metres high."
        answer = await server.say(id, "How high is the tower?", files=[kept["id"]])
        (citation,) = answer["citations"]
        assert sentence(answer, citation) == model.says
        passage = next(each for each in answer["passages"] if each["number"] == citation["passage"])
        assert (passage["name"], passage["file"]) == ("tower.md", kept["id"])
