"""A model looks things up in files by itself, through the HTTP door: it searches them, and reads one on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

import aiohttp
import pytest
import pytest_asyncio

from eclair.schema.principal import Principal
from eclair.settings import Settings
from tests.acting import Act, Actor, results
from tests.documents.files import pdf
from tests.server.test_documents import TOWER, add, ready, sentence
from tests.server.test_isolation import make_key
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "\n\n".join(
    f"# Chapter {number}\n\nChapter {number} tells of {number * 7} goats. " * 3 for number in range(1, 400)
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("lookup") / "data",
        embedded=False,
        scripted=True,
        port=0,
        titles=False,
        embedder="off",
    )
    async with serving(settings) as found:
        yield found


@pytest.fixture
def actor(server: Server) -> Iterator[Actor]:
    stream = server.engine.stream
    yield Actor(server)
    server.engine.stream = stream


async def library(server: Server, name: str, **files: str) -> str:
    id = str((await server.post("/api/libraries", {"name": name})).body["id"])
    for file, text in files.items():
        await ready(server, await add(server, text, f"{file}.md", id))
    return id


async def test_a_search_then_the_file_then_an_answer_that_is_cited(server: Server, actor: Actor) -> None:
    towers = await library(server, "Towers", tower=TOWER, goats=LONG)
    fact = "The tower of Ettelbruck was built in 1903 by Marie Lacroix."
    actor.plays(
        [("search_documents", {"query": "tower Ettelbruck"})],
        [("read_document", {"file": "tower.md"})],
        f"{fact} It was built in 1905.",
    )
    message = await server.say(await server.begin(), "Tell me more of it.", libraries=[towers])
    assert {"search_documents", "read_document"} <= actor.tools
    assert [(each["tool"], each["access"], each["outcome"]) for each in message["calls"]] == [
        ("search_documents", "read", "done"),
        ("read_document", "read", "done"),
    ]
    searched, read = results(message)
    assert "tower.md" in searched
    assert read.endswith("This is the end of the file.")
    (citation,) = message["citations"]
    assert sentence(message, citation) == fact
    assert [sentence(message, doubt) for doubt in message["doubts"]] == ["It was built in 1905."]
    assert [step["kind"] for step in message["steps"]][-2:] == ["search", "read"]
    assert message["steps"][-1]["title"] == "Reading tower.md"
    assert message["remarks"] == []


async def test_a_long_file_is_read_on(server: Server, actor: Actor) -> None:
    goats = await library(server, "Goats", herd=LONG)
    actor.plays([("read_document", {"file": "herd"})], "Done.")
    message = await server.say(await server.begin(), "Begin.", libraries=[goats])
    (read,) = results(message)
    assert len(read.encode()) <= 24_000
    assert "left out here" not in read
    assert "Chapter 1 tells" in read
    following = int(read.rpartition("start=")[2].rstrip("."))
    numbers = [each["number"] for each in message["passages"]]
    actor.plays([("read_document", {"file": "herd.md", "start": following})], "Done.")
    again = await server.say(message["conversation"], "Go on.")
    (read,) = results(again)
    assert "Chapter 1 tells" not in read
    assert "go on with start=" in read
    brought = again["calls"][0]["passages"]
    assert brought
    assert not set(brought) & set(message["calls"][0]["passages"])
    assert set(numbers) >= set(message["calls"][0]["passages"])
    actor.plays([("read_document", {"file": "herd.md", "start": 9_999})], "Done.")
    assert "has nothing there" in results(await server.say(message["conversation"], "And the end?"))[0]


async def test_a_page_of_a_file_is_read(server: Server, actor: Actor) -> None:
    file = await ready(
        server,
        await add(
            server, pdf([[(60, 90, 12, text)] for text in ("First goats.", "Second geese.", "Third cats.")]), "farm.pdf"
        ),
    )
    actor.plays([("read_document", {"file": "farm.pdf", "page": 2})], "Done.")
    message = await server.say(await server.begin(), "What is on page 2?", files=[file["id"]])
    (read,) = results(message)
    assert "Second geese." in read
    assert message["calls"][0]["summary"] == "Read farm.pdf, page 2"


async def test_only_files_of_the_conversation_are_there(server: Server, actor: Actor) -> None:
    mine = await library(server, "Mine", mine="The mine is 40 metres deep.")
    hidden = await ready(server, await add(server, "The safe opens with 4711.", "safe.txt"))
    calls: Act = [
        ("read_document", {"file": "safe.txt"}),
        ("read_document", {"file": hidden["id"]}),
        ("search_documents", {"query": "safe opens"}),
    ]
    actor.plays(calls, "Done.")
    message = await server.say(await server.begin(), "Tell.", libraries=[mine])
    by_name, by_id, searched = results(message)
    assert by_name == "Error: There is no file 'safe.txt' here. There are: mine.md."
    assert by_id.startswith("Error: There is no file")
    assert "4711" not in searched
    actor.plays("Nothing.")
    await server.say(await server.begin(), "Tell.")
    assert not {"search_documents", "read_document"} & actor.tools


async def test_files_of_another_person_are_not_there(server: Server, actor: Actor) -> None:
    secret = await library(server, "Vault", safe="The safe opens with 4711.")
    (file,) = (await server.get(f"/api/files?library={secret}")).body["files"]
    key = await make_key(server, Principal("stranger"))
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        stranger = Server(server.address, http, server.app)
        refused = await stranger.post(
            f"/api/conversations/{await stranger.begin()}/turns", {"text": "Tell.", "libraries": [secret]}
        )
        assert refused.status == 404
        own = await library(stranger, "Vault", mill="The mill has four wings.")
        calls: Act = [
            ("read_document", {"file": file["name"]}),
            ("read_document", {"file": file["id"]}),
            ("search_documents", {"query": "safe opens"}),
        ]
        actor.plays(calls, "Done.")
        message = await stranger.say(await stranger.begin(), "Tell.", libraries=[own])
    by_name, by_id, searched = results(message)
    assert by_name == f"Error: There is no file {file['name']!r} here. There are: mill.md."
    assert by_id.startswith("Error: There is no file")
    assert "4711" not in searched
    assert "4711" not in f"{message['passages']}"
