"""Assistants: people set them up, begin conversations with them, and share them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tempfile
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from eclair.llm.scripted import ScriptedEngine
from eclair.schema.assistants import AssistantProfile
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.settings import Settings
from eclair.storage.files import FileState
from eclair.transfer.assistant_archive import stage_assistant, store_assistant
from tests.server.test_accounts import member, set_up
from tests.server.test_documents import TOWER, add, ready
from tests.support import JSON, Server, serving
from tests.transfer.support import zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")

COOK: JSON = {
    "name": "Cook",
    "description": "Knows recipes",
    "emoji": "🍲",
    "instructions": "Answer with a recipe.",
    "web": "off",
    "starters": ["What can I cook with leeks?"],
}


@pytest_asyncio.fixture(loop_scope="module")
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def test_an_assistant_is_set_up_changed_and_deleted(fresh: Server) -> None:
    added = await fresh.post("/api/assistants", COOK)
    assert added.status == 201, added
    assert {name: added.body[name] for name in COOK} == COOK
    assert (added.body["access"], added.body["tools"], added.body["libraries"]) == ("own", None, [])
    assert (await fresh.get("/api/assistants")).body["assistants"] == [added.body]
    path = f"/api/assistants/{added.body['id']}"
    changed = await fresh.call("PUT", path, {"name": "Chef", "tools": ["run_python"]})
    assert (changed.body["name"], changed.body["instructions"], changed.body["tools"]) == ("Chef", "", ["run_python"])
    assert (await fresh.get(path)).body == changed.body
    twice = await fresh.post("/api/assistants", {"name": "CHEF"})
    assert (twice.status, "choose another name" in twice.error["message"]) == (409, True)
    assert (await fresh.call("DELETE", path)).status == 204
    assert (await fresh.call("DELETE", path)).status == 404
    assert (await fresh.get("/api/assistants")).body["assistants"] == []


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"name": " "}, "name"),
        ({"name": "a" * 61}, "name"),
        ({"name": "a", "instructions": "x" * 20_001}, "instructions"),
        ({"name": "a", "instructions": "x\0"}, "instructions"),
        ({"name": "a", "emoji": "two words"}, "emoji"),
        ({"name": "a", "web": "maybe"}, "web"),
        ({"name": "a", "tools": ["rm -rf"]}, "tools.0"),
        ({"name": "a", "libraries": ["handbook"]}, "libraries.0"),
        ({"name": "a", "starters": [""]}, "starters.0"),
        ({"name": "a", "starters": ["x"] * 9}, "starters"),
        ({"name": "a", "owner": "me"}, "owner"),
    ],
)
async def test_what_is_wrong_is_named(fresh: Server, wrong: JSON, name: str) -> None:
    reply = await fresh.post("/api/assistants", wrong)
    assert (reply.status, reply.error["param"]) == (400, name)


async def test_a_library_must_be_one_that_can_be_read(fresh: Server) -> None:
    reply = await fresh.post("/api/assistants", {"name": "a", "libraries": ["lib_00000000000000000000000000"]})
    assert (reply.status, "There is no library" in reply.error["message"]) == (404, True)


async def test_a_model_must_be_one_that_is_there(fresh: Server) -> None:
    unknown = await fresh.post("/api/assistants", {"name": "a", "model": "nobody"})
    assert (unknown.status, "There is no model 'nobody'" in unknown.error["message"]) == (404, True)
    added = (await fresh.post("/api/assistants", {"name": "a", "model": "scripted"})).body
    path = f"/api/assistants/{added['id']}"
    assert (await fresh.call("PUT", path, {"name": "a", "model": "nobody"})).status == 404
    assert (await fresh.get(path)).body["model"] == "scripted"


async def test_all_else_is_changed_where_its_model_is_gone(fresh: Server) -> None:
    added = await fresh.app.assistants.add(LOCAL_PRINCIPAL, AssistantProfile(name="a", model="gone"))
    path = f"/api/assistants/{added.id}"
    changed = await fresh.call("PUT", path, {"name": "b", "model": "gone"})
    assert (changed.status, changed.body["name"], changed.body["model"]) == (200, "b", "gone")
    assert (await fresh.call("PUT", path, {"name": "b"})).body["model"] is None


async def test_its_conversations_have_its_instructions_model_and_web(
    fresh: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    stream = ScriptedEngine.stream

    def noting(self: ScriptedEngine, request: Any) -> Any:
        if request.messages[0].role == "system":  # titles have none
            asked.append(request)
        return stream(self, request)

    monkeypatch.setattr(ScriptedEngine, "stream", noting)
    cook = (await fresh.post("/api/assistants", {**COOK, "model": "scripted", "tools": []})).body
    begun = await fresh.post("/api/conversations", {"assistant_id": cook["id"]})
    conversation = begun.body
    assert (begun.status, conversation["assistant_id"]) == (201, cook["id"])
    assert (conversation["model"], conversation["web"]) == ("scripted", "off"), "they are those of the assistant"
    await fresh.answered((await fresh.ask(conversation["id"], "script: say=Hello"))["run"])
    head = f"{fresh.app.settings.system_prompt}\n\nAnswer with a recipe."
    assert asked[-1].messages[0].content == head
    assert not asked[-1].tools
    renamed: JSON = {**COOK, "name": "Chef", "description": "Knows more", "starters": []}
    await fresh.call("PUT", f"/api/assistants/{cook['id']}", renamed)
    await fresh.answered((await fresh.ask(conversation["id"], "script: say=Again"))["run"])
    assert asked[-1].messages[0].content == head, "a new name or description leaves the head as it was"
    await fresh.call("DELETE", f"/api/assistants/{cook['id']}")
    await fresh.answered((await fresh.ask(conversation["id"], "script: say=Still"))["run"])
    assert asked[-1].messages[0].content == fresh.app.settings.system_prompt, "the conversation goes on without it"
    assert (await fresh.post("/api/conversations", {"assistant_id": cook["id"]})).status == 404
    named = {"assistant_id": cook["id"], "messages": [{"role": "user", "text": "script: say=a"}]}
    assert (await fresh.post("/api/answers", named)).status == 404


async def test_it_is_a_model_of_v1(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    stream = ScriptedEngine.stream

    def noting(self: ScriptedEngine, request: Any) -> Any:
        if request.messages[0].role == "system":  # titles have none
            asked.append(request)
        return stream(self, request)

    monkeypatch.setattr(ScriptedEngine, "stream", noting)
    await fresh.post("/api/assistants", COOK)
    assert "assistant:Cook" in [each["id"] for each in (await fresh.get("/v1/models")).body["data"]]
    assert (await fresh.get("/v1/models/assistant:Cook")).body["name"] == "Cook"
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "script: say=Soup"}]
    reply = await fresh.post("/v1/chat/completions", {"model": "assistant:cook", "messages": messages})
    assert reply.body["choices"][0]["message"]["content"] == "Soup", reply
    assert asked[-1].messages[0].content.startswith("Answer with a recipe.")
    assert asked[-1].messages[0].content.endswith("Be brief.")
    missing = await fresh.post("/v1/chat/completions", {"model": "assistant:Baker", "messages": messages})
    assert (missing.status, "no assistant" in missing.error["message"]) == (404, True)


async def test_files_go_out_and_come_in(fresh: Server) -> None:
    cook = (await fresh.post("/api/assistants", COOK)).body
    file = await fresh.get(f"/api/assistants/{cook['id']}/export")
    assert (file.body["format"], file.body["name"]) == ("eclair.assistant", "Cook")
    taken = await fresh.post("/api/assistants/import", file.body)
    assert taken.status == 409, "the name is taken"
    await fresh.call("DELETE", f"/api/assistants/{cook['id']}")
    back = (await fresh.post("/api/assistants/import", file.body)).body
    assert {name: back["assistant"][name] for name in COOK} == COOK
    gpt = {"name": "GPT", "instructions": "x", "tools": [{"type": "function", "function": {"name": "f"}}]}
    taken = await fresh.post("/api/assistants/import", gpt)
    assert (taken.status, taken.body["left_out"]) == (201, ["function: f"])
    wrong = await fresh.post("/api/assistants/import", {"a": 1})
    assert (wrong.status, "holds no assistant" in wrong.error["message"]) == (400, True)


async def test_a_shared_assistant_is_used_changed_and_taken_back(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    library = (await house.post("/api/libraries", {"name": "recipes"}, headers=owner)).body["id"]
    added = await house.post("/api/assistants", {**COOK, "libraries": [library]}, headers=owner)
    path = f"/api/assistants/{added.body['id']}"
    assert (await house.get(path, headers)).status == 404
    assert (await house.call("PUT", path, COOK, headers=headers)).status == 404
    assert (await house.post("/api/conversations", {"assistant_id": added.body["id"]}, headers=headers)).status == 404
    shares = f"{path}/shares/person:{ben}"
    assert (await house.call("PUT", shares, {"access": "view"}, headers=owner)).status == 204
    seen = (await house.get(path, headers)).body
    assert (seen["access"], seen["owner"], seen["instructions"]) == ("view", "ada-b", COOK["instructions"])
    assert (seen["libraries"], seen["hidden_libraries"]) == ([], 1), "the library isn't shared"
    assert (await house.call("PUT", path, COOK, headers=headers)).status == 403
    begun = await house.post("/api/conversations", {"assistant_id": added.body["id"]}, headers=headers)
    assert begun.status == 201
    assert (await house.call("PUT", shares, {"access": "edit"}, headers=owner)).status == 204
    assert (await house.call("PUT", path, {**COOK, "name": "Chef"}, headers=headers)).body["access"] == "edit"
    kept = (await house.get(path, owner)).body
    assert (kept["name"], [each["name"] for each in kept["libraries"]]) == ("Chef", ["recipes"]), (
        "what ben can't see stays"
    )
    assert (await house.call("DELETE", path, headers=headers)).status == 403
    assert (await house.get(f"{path}/shares", headers)).status == 403
    assert (await house.call("DELETE", shares, headers=owner)).status == 204
    assert (await house.get("/api/assistants", headers)).body["assistants"] == []


async def test_a_right_hides_an_assistant_and_deny_wins(house: Server) -> None:
    admin = await set_up(house)
    _, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    id = (await house.post("/api/assistants", COOK, headers=owner)).body["id"]
    await house.call("PUT", f"/api/assistants/{id}/shares/everyone", {"access": "edit"}, headers=owner)
    begun = (await house.post("/api/conversations", {"assistant_id": id}, headers=headers)).body
    allowed = {"subject": f"person:{ben}", "object": f"assistant:{id}", "effect": "allow"}
    assert (await house.post("/api/grants", allowed, headers=admin)).status == 201
    denied = {"subject": "everyone", "object": f"assistant:{id}", "effect": "deny"}
    assert (await house.post("/api/grants", denied, headers=admin)).status == 201
    assert (await house.get("/api/assistants", headers)).body["assistants"] == []
    assert (await house.get(f"/api/assistants/{id}", headers)).status == 404
    assert (await house.call("PUT", f"/api/assistants/{id}", COOK, headers=headers)).status == 404
    assert begun["assistant_id"] == id
    assert await house.app.assistants.find(Principal(ben), id) is None, "conversations go on without it"


async def test_an_assistant_goes_with_its_owner(house: Server) -> None:
    admin = await set_up(house)
    ada, owner = await member(house, admin, "ada-b")
    ben, headers = await member(house, admin, "ben")
    id = (await house.post("/api/assistants", COOK, headers=owner)).body["id"]
    await house.call("PUT", f"/api/assistants/{id}/shares/person:{ben}", {"access": "view"}, headers=owner)
    await house.app.storage.personal_data.erase_rows(Principal(ada))
    assert (await house.get("/api/assistants", headers)).body["assistants"] == []


async def own_library(server: Server, id: str, **more: Any) -> str:
    reply = await server.call("PUT", f"/api/assistants/{id}/library", **more)
    assert reply.status == 200, reply
    return str(reply.body["library"])


async def test_its_files_are_searched_for_each_question_until_it_is_deleted(
    fresh: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fresh.post("/api/libraries", {"name": "Town-guide"})
    guide = (await fresh.post("/api/assistants", {"name": "Town guide"})).body
    assert guide["library"] is None
    conversation = (await fresh.post("/api/conversations", {"assistant_id": guide["id"]})).body["id"]
    library = await own_library(fresh, guide["id"])
    assert await own_library(fresh, guide["id"]) == library
    assert (await fresh.get(f"/api/assistants/{guide['id']}")).body["library"] == library
    names = {each["name"] for each in (await fresh.get("/api/libraries")).body}
    assert names == {"Town-guide", "Town-guide-2"}, "the name was taken"
    await fresh.say(conversation, "How high is the tower?")
    assert (await fresh.tree(conversation))["messages"][-1]["passages"] == [], "there is nothing to search yet"
    file = await ready(fresh, await add(fresh, TOWER, "tower.md", library))
    for _ in range(2):
        await fresh.say(conversation, "How high is the tower?")
        answer = (await fresh.tree(conversation))["messages"][-1]
        assert file["id"] in {each["file"] for each in answer["passages"]}
    asked = {"model": "assistant:Town guide", "messages": [{"role": "user", "content": "How high is the tower?"}]}
    requests: list[Any] = []
    stream = fresh.engine.stream

    def noting(request: Any) -> Any:
        requests.append(request)
        return stream(request)

    monkeypatch.setattr(fresh.engine, "stream", noting)
    assert (await fresh.post("/v1/chat/completions", asked)).status == 200
    assert "tower.md" in str(requests[-1].messages)
    kept = await fresh.call("PUT", f"/api/assistants/{guide['id']}", {"name": "Guide"})
    assert kept.body["library"] == library, "a change of its fields leaves the files"
    assert (await fresh.call("DELETE", f"/api/assistants/{guide['id']}")).status == 204
    assert (await fresh.get(f"/api/files/{file['id']}")).status == 404
    assert [each["name"] for each in (await fresh.get("/api/libraries")).body] == ["Town-guide"]
    await fresh.say(conversation, "How high is the tower?")
    assert (await fresh.tree(conversation))["messages"][-1]["passages"] == []


async def test_an_assistant_outlives_its_library(fresh: Server) -> None:
    id = (await fresh.post("/api/assistants", COOK)).body["id"]
    library = await own_library(fresh, id)
    assert (await fresh.call("DELETE", f"/api/libraries/{library}")).status == 204
    assert (await fresh.get(f"/api/assistants/{id}")).body["library"] is None
    assert await own_library(fresh, id) != library


async def test_its_files_are_read_by_those_with_whom_it_is_shared(house: Server) -> None:
    admin = await set_up(house)
    _, ada = await member(house, admin, "ada-b")
    ben, his = await member(house, admin, "ben")
    _, eve = await member(house, admin, "eve")
    id = (await house.post("/api/assistants", {"name": "Guide"}, headers=ada)).body["id"]
    share, opened = f"/api/assistants/{id}/shares/person:{ben}", f"/api/assistants/{id}/library"
    assert (await house.call("PUT", opened, headers=his)).status == 404
    await house.call("PUT", share, {"access": "view"}, headers=ada)
    assert (await house.call("PUT", opened, headers=his)).status == 403
    library = await own_library(house, id, headers=ada)
    assert await own_library(house, id, headers=his) == library
    added = f"/api/files?name=tower.md&library={library}"
    assert (await house.call("POST", added, data=TOWER.encode(), headers=his)).status == 403
    file = (await house.call("POST", added, data=TOWER.encode(), headers=ada)).body["id"]
    await house.app.ingestor.wait_until_searchable({(await stored(house, file, ada))}, 60)
    begun = (await house.post("/api/conversations", {"assistant_id": id}, headers=his)).body["id"]

    async def found() -> bool:
        turn = {"text": "How high is the tower?"}
        run = (await house.post(f"/api/conversations/{begun}/turns", turn, headers=his)).body["run"]
        await house.get(f"/api/runs/{run}/events", his)
        (*_, answer) = (await house.get(f"/api/conversations/{begun}", his)).body["messages"]
        return file in {each["file"] for each in answer["passages"]}

    assert await found()
    assert (await house.get(f"/api/files/{file}", his)).status == 200
    listed = (await house.get("/api/libraries", his)).body
    assert [(each["id"], each["access"], each["owner"]) for each in listed] == [(library, "view", "ada-b")]
    for path in (f"/api/files/{file}", f"/api/files?library={library}", f"/api/assistants/{id}/export"):
        assert (await house.get(path, eve)).status == 404, path
    assert (await house.get("/api/libraries", eve)).body == []
    assert (await house.call("DELETE", f"/api/files/{file}", headers=his)).status in (403, 404)
    denied = {"subject": f"person:{ben}", "object": f"library:{library}", "effect": "deny"}
    grant = (await house.post("/api/grants", denied, headers=admin)).body["id"]
    assert not await found(), "a right to the library counts as everywhere"
    assert (await house.get(f"/api/assistants/{id}/export", his)).body["name"] == "Guide", "without the files"
    assert (await house.call("DELETE", f"/api/grants/{grant}", headers=admin)).status == 204
    await house.call("PUT", share, {"access": "edit"}, headers=ada)
    more = await house.call("POST", added, data=b"Another.", headers=his)
    assert (more.status, (await house.get(f"/api/files/{more.body['id']}", ada)).status) == (201, 200)
    assert (await house.call("DELETE", f"/api/assistants/{id}", headers=his)).status == 403
    assert (await house.get(f"/api/files/{file}", his)).status == 200, "nothing was deleted"
    assert (await house.call("DELETE", share, headers=ada)).status == 204
    assert not await found()
    assert (await house.get(f"/api/files/{file}", his)).status == 404
    assert (await house.get("/api/libraries", his)).body == []


async def stored(house: Server, file: str, headers: Any) -> str:
    """The hash of a file's bytes."""
    raw = (await house.get(f"/api/files/{file}/content", headers)).raw
    return hashlib.sha256(raw).hexdigest()


async def import_zip(server: Server, data: bytes) -> Any:
    return await server.post("/api/assistants/import", data=data, headers={"Content-Type": "application/zip"})


async def test_an_assistant_goes_out_and_comes_in_with_its_files(fresh: Server) -> None:
    handbook = (await fresh.post("/api/libraries", {"name": "handbook"})).body["id"]
    id = (await fresh.post("/api/assistants", {**COOK, "libraries": [handbook]})).body["id"]
    library = await own_library(fresh, id)
    empty = await fresh.get(f"/api/assistants/{id}/export")
    assert empty.body["format"] == "eclair.assistant", "there are no files yet"
    for name, text in (("a.md", "One"), ("b.md", "One"), ("c.md", "Two")):
        await add(fresh, text, name, library)
    file = await fresh.get(f"/api/assistants/{id}/export")
    assert file.headers["content-type"] == "application/zip"
    assert 'filename="Cook.zip"' in file.headers["content-disposition"]
    assert (await import_zip(fresh, file.raw)).status == 409, "the name is taken"
    assert len((await fresh.get("/api/libraries")).body) == 2, "nothing of it stays"
    await fresh.call("PUT", f"/api/assistants/{id}", {**COOK, "name": "Chef"})
    taken = await import_zip(fresh, file.raw)
    assert (taken.status, taken.body["left_out"]) == (201, []), taken
    back = taken.body["assistant"]
    assert {name: back[name] for name in COOK} == COOK
    assert (back["libraries"], back["library"] in (None, library)) == ([], False)
    files = (await fresh.get(f"/api/files?library={back['library']}")).body["files"]
    texts = {each["name"]: (await fresh.get(f"/api/files/{each['id']}/content")).raw for each in files}
    assert texts == {"a.md": b"One", "b.md": b"One", "c.md": b"Two"}
    assert (await fresh.call("DELETE", f"/api/assistants/{back['id']}")).status == 204
    left = (await fresh.get(f"/api/files?library={library}")).body["files"]
    assert len(left) == 3, "the original keeps its own"


async def test_a_zip_that_is_no_assistant_is_told_and_leaves_nothing(fresh: Server) -> None:
    for data in (b"PK", b"PK\x03\x04 none", zipped({"a.txt": b"x"}), (await fresh.get("/api/export")).raw):
        reply = await import_zip(fresh, data)
        assert (reply.status, "export of" in reply.error["message"]) == (400, True), reply
    large = await fresh.post("/api/assistants/import", data=b"{" + b" " * (1 << 20))
    assert (large.status, "1 MB" in large.error["message"]) == (413, True)
    id = (await fresh.post("/api/assistants", COOK)).body["id"]
    await add(fresh, "One", "a.md", await own_library(fresh, id))
    whole = (await fresh.get(f"/api/assistants/{id}/export")).raw
    await fresh.call("DELETE", f"/api/assistants/{id}")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (each for each in members if each.startswith("files/"))
    taken = await import_zip(fresh, zipped({**members, name: b"Eno"}))
    assert (taken.status, taken.body["left_out"]) == (201, ["a.md is damaged"])
    assert (await fresh.get(f"/api/files?library={taken.body['assistant']['library']}")).body["files"] == []


async def packed(server: Server) -> bytes:
    """The zip of an assistant with four files, which is no more."""
    id = (await server.post("/api/assistants", COOK)).body["id"]
    library = await own_library(server, id)
    for name in "abcd":
        await add(server, f"Text {name}", f"{name}.md", library)
    data: bytes = (await server.get(f"/api/assistants/{id}/export")).raw
    assert (await server.call("DELETE", f"/api/assistants/{id}")).status == 204
    return data


def hold_third_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Hold up the third file that comes next; return the events that it has come, and that it may be stored."""
    came, may_go = asyncio.Event(), asyncio.Event()
    ingest, numbers = server.app.ingestor.ingest, count(1)

    async def hold(*args: Any, **kwargs: Any) -> FileState:
        if next(numbers) == 3:
            came.set()
            await may_go.wait()
        return await ingest(*args, **kwargs)

    monkeypatch.setattr(server.app.ingestor, "ingest", hold)
    return came, may_go


async def test_an_import_whose_client_leaves_ends_whole(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    data = await packed(fresh)
    came, may_go = hold_third_file(fresh, monkeypatch)
    sending = asyncio.create_task(import_zip(fresh, data))
    await came.wait()
    sending.cancel()
    await asyncio.wait([sending])
    may_go.set()
    await until_stored(fresh, 4)
    (cook,) = (await fresh.get("/api/assistants")).body["assistants"]
    files = (await fresh.get(f"/api/files?library={cook['library']}")).body["files"]
    assert sorted(each["name"] for each in files) == ["a.md", "b.md", "c.md", "d.md"]


async def until_stored(server: Server, files: int) -> None:
    async with asyncio.timeout(30):
        while len((await server.get("/api/files")).body["files"]) < files:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_an_import_that_is_cancelled_leaves_nothing(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    data, app = await packed(fresh), fresh.app
    came, _ = hold_third_file(fresh, monkeypatch)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        with closing(await stage_assistant(file, app.imports.open_folder())) as staged:
            storing = asyncio.create_task(store_assistant(app.assistants, app.ingestor, LOCAL_PRINCIPAL, staged, 100))
            await came.wait()
            assert len((await fresh.get("/api/assistants")).body["assistants"]) == 1
            storing.cancel()
            await asyncio.wait([storing])
    assert storing.cancelled()
    assert (await fresh.get("/api/assistants")).body["assistants"] == []
    assert (await fresh.get("/api/libraries")).body == []
    assert (await fresh.get("/api/files")).body["files"] == []


async def test_an_export_whose_client_leaves_closes_its_file(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    id = (await fresh.post("/api/assistants", COOK)).body["id"]
    await ready(fresh, await add(fresh, "One", "a.md", await own_library(fresh, id)))
    opened, closed = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def open_path(sha256: str) -> AsyncGenerator[Path]:
        try:
            opened.set()
            await asyncio.Event().wait()
            yield Path(sha256)
        finally:
            await asyncio.sleep(0)
            closed.set()

    monkeypatch.setattr(fresh.app.blobs, "open_path", open_path)
    reading = asyncio.create_task(fresh.get(f"/api/assistants/{id}/export"))
    await opened.wait()
    reading.cancel()
    await asyncio.wait_for(closed.wait(), 30)
