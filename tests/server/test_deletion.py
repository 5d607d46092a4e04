"""Deleting and bringing back, and the news of it to everyone who listens, as docs/api.md has it."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from eclair.chat import conversations
from eclair.errors import StoreError
from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.server import sse
from eclair.settings import Settings
from eclair.storage.sql import bulk_erasure, store
from eclair.storage.sql.conversations import SQLConversationStore
from eclair.storage.sqlite import processes
from tests.support import JSON, Door, Process, Server, serving, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYTHING = {"conversation": None, "kind": "changed"}


class News:
    """What a follower of /api/changes was told."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[JSON] = asyncio.Queue()

    async def next(self, within: float = 1.0) -> JSON:
        async with asyncio.timeout(within):
            return await self.heard.get()

    async def settle(self) -> None:
        """Wait until two looks at the database have found nothing new, and forget the news before."""
        while True:
            while not self.heard.empty():
                self.heard.get_nowait()
            await asyncio.sleep(2 * processes.POLL_INTERVAL_S)
            if self.heard.empty():
                return

    async def read(self, content: aiohttp.StreamReader) -> None:
        async for line in content:
            if line.startswith(b"data: "):
                self.heard.put_nowait(orjson.loads(line.removeprefix(b"data: ")))


@contextlib.asynccontextmanager
async def listening(door: Door) -> AsyncGenerator[News]:
    """A follower that has had its first event."""
    news = News()
    async with door.open("/api/changes") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        reading = asyncio.create_task(news.read(response.content))
        assert await news.next() == EVERYTHING
        try:
            yield news
        finally:
            reading.cancel()
            await asyncio.wait([reading])


async def listed(server: Door) -> list[str]:
    return [found["id"] for found in (await server.get("/api/conversations")).body["conversations"]]


async def missing(server: Door, id: str, run: str) -> None:
    """Nothing of it can be had."""
    assert id not in await listed(server)
    for method, path, body in (
        ("GET", f"/api/conversations/{id}", None),
        ("PATCH", f"/api/conversations/{id}", {"title": "x"}),
        ("DELETE", f"/api/conversations/{id}", None),
        ("POST", f"/api/conversations/{id}/turns", {"text": "x"}),
        ("GET", f"/api/runs/{run}", None),
        ("GET", f"/api/runs/{run}/events", None),
        ("POST", f"/api/runs/{run}/stop", None),
    ):
        reply = await server.call(method, path, body)
        assert reply.status == 404, path
        assert reply.error["code"] == "not_found"


async def test_what_was_deleted_is_gone_and_can_be_brought_back(fresh: Server) -> None:
    id = await fresh.begin()
    answer = await fresh.say(id, "zebra\nscript: words=3")
    before = await fresh.tree(id)
    assert (await fresh.call("DELETE", f"/api/conversations/{id}")).status == 204
    await missing(fresh, id, answer["run"])
    assert (await fresh.get("/api/search?q=zebra")).body == {"names": [], "hits": [], "passages": []}
    assert (await fresh.post("/api/conversations", {"id": id})).status == 409
    restored = await fresh.post(f"/api/conversations/{id}/restore")
    assert (restored.status, restored.body) == (200, before["conversation"])
    assert await fresh.tree(id) == before
    assert (await fresh.get("/api/search?q=zebra")).body["hits"][0]["conversation"] == id
    assert (await fresh.post(f"/api/conversations/{id}/restore")).body == before["conversation"]
    assert (await fresh.post(f"/api/conversations/{new_id('conv')}/restore")).status == 404


async def test_a_running_answer_is_stopped_first(server: Server) -> None:
    id = await server.begin()
    begun = await server.ask(id, "script: words=100000 rate=200")
    assert (await server.call("DELETE", f"/api/conversations/{id}")).status == 204
    made = server.engine.made
    await missing(server, id, begun["run"])
    await asyncio.sleep(0.1)
    assert server.engine.made == made
    await server.post(f"/api/conversations/{id}/restore")
    assert (await server.message(begun["run"]))["status"] == "stopped"


async def test_after_its_time_what_was_deleted_is_erased(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(settings) as server:
        late, early = await server.begin(), await server.begin()
        await server.call("DELETE", f"/api/conversations/{late}")
        monkeypatch.setattr(conversations, "RESTORE_PERIOD_S", -1)
        reply = await server.post(f"/api/conversations/{late}/restore")
        assert reply.status == 404
        assert "ten minutes" in reply.error["message"]
        monkeypatch.setattr(conversations, "RESTORE_PERIOD_S", 600)
        assert (await server.post(f"/api/conversations/{late}/restore")).status == 200
        await server.call("DELETE", f"/api/conversations/{late}")
    monkeypatch.setattr(conversations, "RESTORE_PERIOD_S", -1)
    async with serving(settings) as server:
        monkeypatch.setattr(conversations, "RESTORE_PERIOD_S", 600)
        async with asyncio.timeout(5):
            while (await server.post("/api/conversations", {"id": late})).status == 409:
                await asyncio.sleep(0.02)
        assert set(await listed(server)) == {late, early}
        assert (await server.tree(late))["messages"] == []


async def test_for_ever_is_at_once_and_also_for_what_was_deleted_before(server: Server) -> None:
    first, second = await server.begin(), await server.begin()
    run = (await server.ask(first, "script: words=100000 rate=200"))["run"]
    await server.call("DELETE", f"/api/conversations/{second}")
    for id in (first, second):
        assert (await server.call("DELETE", f"/api/conversations/{id}?forever=true")).status == 204
        assert (await server.post(f"/api/conversations/{id}/restore")).status == 404
        assert (await server.call("DELETE", f"/api/conversations/{id}?forever=true")).status == 404
        assert (await server.post("/api/conversations", {"id": id})).status == 201, "the id is free again"
    assert (await server.get(f"/api/runs/{run}")).status == 404


async def test_everything_is_erased_only_when_it_is_meant(fresh: Server) -> None:
    kept = [await fresh.begin() for _ in range(3)]
    await fresh.ask(kept[0], "script: words=100000 rate=200")
    await fresh.ask(kept[1], "script: words=100000 rate=200")
    await fresh.call("PATCH", f"/api/conversations/{kept[2]}", {"archived": True, "pinned": True})
    for query in ("", "?confirm=", "?confirm=yes"):
        reply = await fresh.call("DELETE", f"/api/conversations{query}")
        assert (reply.status, reply.error["param"]) == (400, "confirm")
    async with listening(fresh) as news:
        gone = await fresh.call("DELETE", "/api/conversations?confirm=all&forever=true")
        assert (gone.status, gone.body["count"]) == (202, 3)
        while await news.next() != EVERYTHING:
            pass
    for id in kept:
        assert (await fresh.get(f"/api/conversations/{id}")).status == 404
        assert (await fresh.post(f"/api/conversations/{id}/restore")).status == 404
    assert (await fresh.post("/api/conversations/restore", {"moment": gone.body["moment"]})).status == 404
    assert await fresh.app.storage.runs.list_running() == []
    made = fresh.engine.made
    await asyncio.sleep(0.1)
    assert fresh.engine.made == made


async def test_erasing_everything_tells_how_far_it_is(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await fresh.get("/api/erasure")).body == {"running": False, "done": 0, "total": 0, "problem": None}
    monkeypatch.setattr(bulk_erasure, "CONVERSATIONS_PER_BATCH", 5)
    monkeypatch.setattr(store, "PAUSE_RATIO", 20.0)
    for _ in range(60):
        await fresh.begin()
    gone = await fresh.call("DELETE", "/api/conversations?confirm=all&forever=true")
    assert (gone.status, gone.body["count"]) == (202, 60)
    seen = [(await fresh.get("/api/erasure")).body]
    async with asyncio.timeout(10):
        while seen[-1]["running"]:
            assert (await fresh.post("/api/conversations", {})).status == 201, "others write meanwhile"
            seen.append((await fresh.get("/api/erasure")).body)
    assert seen[0]["running"]
    assert {each["total"] for each in seen} == {60}
    done = [each["done"] for each in seen]
    assert done == sorted(done)
    assert done[-1] == 60
    assert len(set(done)) > 2, "it is told in between too"
    assert (await fresh.get("/api/count")).body["conversations"] == len(seen) - 1, "what came since stays"


async def test_erasing_waits_for_a_database_that_cannot_be_written(
    fresh: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "ERASE_INTERVAL_S", 0.1)
    await fresh.begin()
    deletes = SQLConversationStore.erase_deleted

    async def fail(self: SQLConversationStore, before: int, report: Any = None) -> None:
        raise StoreError("The disk is full; free some space and try again.")

    monkeypatch.setattr(SQLConversationStore, "erase_deleted", fail)
    await fresh.call("DELETE", "/api/conversations?confirm=all&forever=true")
    async with asyncio.timeout(5):
        while (problem := (await fresh.get("/api/erasure")).body["problem"]) is None:
            await asyncio.sleep(0.02)
    assert "disk is full" in problem
    monkeypatch.setattr(SQLConversationStore, "erase_deleted", deletes)
    async with asyncio.timeout(5):
        while (status := (await fresh.get("/api/erasure")).body)["running"]:
            await asyncio.sleep(0.02)
    assert status == {"running": False, "done": 1, "total": 1, "problem": None}


async def test_everything_is_deleted_and_brought_back_in_one_call(fresh: Server) -> None:
    kept = [await fresh.begin(title=f"Conversation {i}") for i in range(3)]
    answer = await fresh.say(kept[0], "zebra\nscript: words=3")
    share = (await fresh.post(f"/api/conversations/{kept[0]}/shares", {"days": 1})).body
    await fresh.call("PATCH", f"/api/conversations/{kept[1]}", {"archived": True, "tags": ["bread"]})
    await fresh.call("PATCH", f"/api/conversations/{kept[2]}", {"pinned": True})
    before = [await fresh.tree(id) for id in kept]
    earlier = await fresh.begin()
    await fresh.call("DELETE", f"/api/conversations/{earlier}")
    assert (await fresh.get("/api/count")).body == {"conversations": 3}
    async with listening(fresh) as news:
        gone = (await fresh.call("DELETE", "/api/conversations?confirm=all")).body
        assert await news.next() == EVERYTHING
        assert gone["count"] == 3
        await missing(fresh, kept[0], answer["run"])
        assert (await fresh.get("/api/count")).body == {"conversations": 0}
        assert (await fresh.get("/api/conversations?archived=true")).body["conversations"] == []
        assert (await fresh.get("/api/conversations/tags?archived=true")).body == {"tags": []}
        assert (await fresh.get("/api/shares")).body == {"shares": []}
        assert (await fresh.get(f"/api/shared/{share['id']}")).status == 404
        later = await fresh.begin()
        await fresh.call("DELETE", f"/api/conversations/{later}")
        back = await fresh.post("/api/conversations/restore", {"moment": gone["moment"]})
        assert (back.status, back.body) == (200, {"conversations": 3})
        while await news.next() != EVERYTHING:
            pass
    assert [await fresh.tree(id) for id in kept] == before
    assert (await fresh.get(f"/api/shared/{share['id']}")).status == 200
    for id in (earlier, later):
        assert (await fresh.get(f"/api/conversations/{id}")).status == 404, "it was deleted by itself"
        assert (await fresh.post(f"/api/conversations/{id}/restore")).status == 200
    assert (await fresh.post("/api/conversations/restore", {"moment": gone["moment"]})).status == 404


async def test_two_deletions_are_brought_back_each_by_itself(fresh: Server) -> None:
    first = await fresh.begin()
    one = (await fresh.call("DELETE", "/api/conversations?confirm=all")).body
    second = await fresh.begin()
    other = (await fresh.call("DELETE", "/api/conversations?confirm=all")).body
    nothing = (await fresh.call("DELETE", "/api/conversations?confirm=all")).body
    assert [one["count"], other["count"], nothing["count"]] == [1, 1, 0]
    await fresh.post("/api/conversations/restore", {"moment": one["moment"]})
    assert await listed(fresh) == [first]
    await fresh.post("/api/conversations/restore", {"moment": other["moment"]})
    assert set(await listed(fresh)) == {first, second}
    assert (await fresh.post("/api/conversations/restore", {"moment": nothing["moment"]})).status == 404


async def test_what_is_at_work_is_stopped_before_everything_is_deleted(fresh: Server) -> None:
    kept = [await fresh.begin() for _ in range(3)]
    runs = [(await fresh.ask(id, "script: words=100000 rate=200"))["run"] for id in kept[:2]]
    for run in runs:
        while not text_of(await fresh.message(run)):
            await asyncio.sleep(0.02)
    gone = (await fresh.call("DELETE", "/api/conversations?confirm=all")).body
    assert gone["count"] == 3
    assert await fresh.app.storage.runs.list_running() == []
    await fresh.post("/api/conversations/restore", {"moment": gone["moment"]})
    for run in runs:
        stopped = await fresh.message(run)
        assert stopped["status"] == "stopped"
        assert text_of(stopped) != ""


async def test_after_its_time_nothing_of_everything_comes_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(settings) as server:
        id = await server.begin()
        await server.say(id, "script: words=3")
        gone = (await server.call("DELETE", "/api/conversations?confirm=all")).body
        monkeypatch.setattr(conversations, "RESTORE_PERIOD_S", -1)
        reply = await server.post("/api/conversations/restore", {"moment": gone["moment"]})
        assert reply.status == 404
        assert "ten minutes" in reply.error["message"]
        for wrong in (-1, 2**63, "now", None):
            assert (await server.post("/api/conversations/restore", {"moment": wrong})).status == 400
    async with serving(settings) as server, asyncio.timeout(5):
        while (await server.post("/api/conversations", {"id": id})).status == 409:
            await asyncio.sleep(0.02)
        assert (await server.tree(id))["messages"] == []


async def test_ten_thousand_are_deleted_and_brought_back_at_once(fresh: Server) -> None:
    for _ in range(40):
        await asyncio.gather(
            *(
                fresh.app.conversations.add(
                    LOCAL_PRINCIPAL, fresh.app.turns.new_conversation(LOCAL_PRINCIPAL, None, "")
                )
                for _ in range(250)
            )
        )
    gone = (await fresh.call("DELETE", "/api/conversations?confirm=all")).body
    back = (await fresh.post("/api/conversations/restore", {"moment": gone["moment"]})).body
    assert (gone["count"], back["conversations"]) == (10_000, 10_000)


async def test_a_message_is_deleted_with_what_is_under_it(server: Server) -> None:
    id = await server.begin()
    first = await server.say(id, "One\nscript: say=First.")
    second = await server.say(id, "Two\nscript: say=Second.")
    other = await server.answered((await server.turn(id, retry=first["parent"]))["run"])
    path = f"/api/conversations/{id}/messages"
    await server.call("PATCH", f"/api/conversations/{id}", {"leaf": second["id"]})
    changed = await server.call("DELETE", f"{path}/{first['id']}")
    assert (changed.status, changed.body["leaf"]) == (200, other["id"])
    assert [message["id"] for message in (await server.tree(id))["messages"]] == [first["parent"], other["id"]]
    assert (await server.get(f"/api/runs/{second['run']}")).status == 404
    assert (await server.call("DELETE", f"{path}/{first['id']}")).status == 404
    assert (
        await server.call("DELETE", f"/api/conversations/{await server.begin()}/messages/{other['id']}")
    ).status == 404


async def test_a_question_whose_answers_were_deleted_is_asked_again_or_beside(server: Server) -> None:
    id = await server.begin()
    first = await server.say(id, "script: say=First.")
    second = await server.say(id, "script: say=Second.")
    changed = await server.call("DELETE", f"/api/conversations/{id}/messages/{second['id']}")
    assert changed.body["leaf"] == second["parent"]
    beside = await server.say(id, "script: say=Third.")
    tree = {message["id"]: message for message in (await server.tree(id))["messages"]}
    assert tree[beside["parent"]]["parent"] == first["id"]
    again = await server.answered((await server.turn(id, retry=second["parent"]))["run"])
    assert text_of(again) == "Second."
    assert (await server.call("DELETE", f"/api/conversations/{id}/messages/{first['parent']}")).body["leaf"] is None
    assert (await server.tree(id))["messages"] == []
    assert text_of(await server.say(id, "script: say=Anew.")) == "Anew."


async def test_no_message_is_deleted_while_the_conversation_answers(server: Server) -> None:
    id = await server.begin()
    begun = await server.ask(id, "script: words=100000 rate=200")
    for message in (begun["message"], begun["answer"]):
        reply = await server.call("DELETE", f"/api/conversations/{id}/messages/{message}")
        assert (reply.status, reply.error["run"]) == (409, begun["run"])
    await server.post(f"/api/runs/{begun['run']}/stop")
    assert (await server.call("DELETE", f"/api/conversations/{id}/messages/{begun['answer']}")).status == 200


# News


async def test_everyone_hears_what_happens(server: Server) -> None:
    async with listening(server) as one, listening(server) as other:
        id = await server.begin()
        run = (await server.ask(id, "script: words=5 rate=20"))["run"]
        await server.answered(run)
        await server.call("PATCH", f"/api/conversations/{id}", {"title": "Bread"})
        await server.call("DELETE", f"/api/conversations/{id}")
        await server.post(f"/api/conversations/{id}/restore")
        for news in (one, other):
            for kind in ("changed", "running", "finished", "changed", "removed", "changed"):
                assert await news.next() == {"conversation": id, "kind": kind}
        assert one.heard.empty()


async def test_the_end_is_told_when_it_can_be_read(server: Server) -> None:
    async with listening(server) as news:
        id = await server.begin()
        await server.ask(id, "script: words=5 rate=50")
        while (await news.next())["kind"] != "finished":
            pass
        assert (await server.tree(id))["running"] is None
        await server.say(id, "script: words=1")


async def test_what_is_refused_is_no_news(server: Server) -> None:
    id = await server.begin()
    async with listening(server) as news:
        await server.call("PATCH", f"/api/conversations/{id}", {"leaf": "msg_none"})
        await server.call("DELETE", "/api/conversations/conv_none")
        await server.post("/api/conversations", {"id": id})
        await server.post(f"/api/conversations/{id}/turns", {"text": ""})
        await server.post("/api/conversations/conv_none/restore")
        await asyncio.sleep(0.05)
        assert news.heard.empty()


async def test_a_follower_that_sleeps_is_told_each_thing_once(server: Server) -> None:
    followed = server.app.changes.follow(LOCAL_PRINCIPAL)
    await anext(followed)
    for _ in range(3):
        for id in ("conv_a", "conv_b"):
            server.app.changes.publish(LOCAL_PRINCIPAL, id, "running")
            server.app.changes.publish(LOCAL_PRINCIPAL, id, "finished")
    server.app.changes.publish(LOCAL_PRINCIPAL, "conv_a", "removed")
    news = await anext(followed)
    assert [(change.conversation, change.kind) for change in news] == [
        ("conv_a", "running"),
        ("conv_a", "finished"),
        ("conv_b", "running"),
        ("conv_b", "finished"),
        ("conv_a", "removed"),
    ]
    await followed.aclose()


async def test_a_silent_stream_of_changes_shows_signs_of_life(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_INTERVAL_S", 0.05)
    async with server.open("/api/changes") as response:
        await asyncio.sleep(0.3)
        assert (await response.content.readany()).count(b":\n\n") >= 2


async def test_what_another_process_writes_is_heard_at_the_next_look(tmp_path: Path) -> None:
    assert processes.POLL_INTERVAL_S < 1
    async with aiohttp.ClientSession() as http:
        one, other = await Process.start(tmp_path, http), await Process.start(tmp_path, http)
        try:
            async with listening(one) as news:
                await news.settle()  # what the other writes as it starts is news too; looking is not
                for title in ("Bread", "Rye"):
                    await other.begin(title=title)
                    assert await news.next(within=30) == EVERYTHING
                await news.settle()
                id = await one.begin()
                assert await news.next(within=30) == {"conversation": id, "kind": "changed"}
                await asyncio.sleep(2 * processes.POLL_INTERVAL_S)
                assert news.heard.empty(), "what it wrote itself is known"
        finally:
            await one.close()
            await other.close()


async def test_who_listens_does_not_keep_the_server_from_ending(settings: Settings) -> None:
    async with serving(settings) as server, server.open("/api/changes") as response:
        await response.content.readany()
        await server.app.end_streams()
        async with asyncio.timeout(1):
            assert await response.content.read() == b""


async def test_nobody_looks_at_the_database_while_nobody_listens(server: Server) -> None:
    async with listening(server):
        assert any("watch" in task.get_name() for task in asyncio.all_tasks())
    async with asyncio.timeout(1):
        while any("watch" in task.get_name() for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)
