"""Schedules through the HTTP door: asked when due, once, at low priority, across a killed process, and paused."""

# ruff: noqa: ASYNC110 (what is waited for here happens behind the door)

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from eclair.errors import InvalidInput
from eclair.schema.feeds import FeedEntry
from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.schema.schedules import Schedule, ScheduledQuestion
from eclair.settings import Settings
from eclair.storage.feeds import StoredFeed
from eclair.storage.open import open_storage
from eclair.tools.scripted_tools import EFFECTS_FILE
from tests.server.test_accounts import member, set_up, sign_in
from tests.server.test_documents import add as add_file
from tests.server.test_documents import ready
from tests.storage.helpers import edit
from tests.support import JSON, Door, Process, Server, an_hour_ago, environment, serving, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAILY = "0 7 * * *"
SCRIPT = "script: words=3"


def now_ms() -> int:
    return int(time.time() * 1000)


async def add(door: Door, question: str = SCRIPT, **more: Any) -> JSON:
    reply = await door.post("/api/schedules", {"question": question, "cron": DAILY, "zone": "Europe/Berlin", **more})
    assert reply.status == 201, reply
    return dict(reply.body)


async def find(door: Door, id: str) -> JSON:
    listed = (await door.get("/api/schedules")).body["schedules"]
    return next(each for each in listed if each["id"] == id)


async def until(door: Door, id: str, holds: Callable[[JSON], bool]) -> JSON:
    async with asyncio.timeout(60):
        while not holds(found := await find(door, id)):
            await asyncio.sleep(0.02)
    return found


def has_ended(schedule: JSON) -> bool:
    return schedule["last"] is not None and schedule["last"]["ended"] is not None


async def run(door: Door, id: str) -> JSON:
    """Have a schedule run now; the occurrence comes back when it has ended."""
    begun = await door.post(f"/api/schedules/{id}/run")
    assert begun.status == 202, begun
    found = await until(door, id, lambda each: has_ended(each) and each["last"]["id"] == begun.body["id"])
    return dict(found["last"])


def due_schedule(id: str, due: int) -> Schedule:
    return Schedule(
        id=id,
        owner="local",
        name="Due",
        asks=ScheduledQuestion(text=SCRIPT),
        cron=DAILY,
        zone="UTC",
        created=1,
        changed=1,
        next_due=due,
    )


async def make_due(server: Server, due: int) -> str:
    """Store a schedule that is due since `due`."""
    stored = await server.app.storage.schedules.add_schedule(LOCAL_PRINCIPAL, due_schedule(new_id("sched"), due))
    server.app.schedules.on_change()
    return stored.id


async def questions(door: Door, conversation: str) -> list[JSON]:
    tree = await door.tree(conversation)
    return [each for each in tree["messages"] if each["role"] == "user"]


async def test_a_schedule_is_added_changed_listed_and_erased(fresh: Server) -> None:
    added = await add(fresh, name="  Morning\n news ")
    assert (added["name"], added["state"], added["last"]) == ("Morning news", "on", None)
    assert added["next_due"] > now_ms()
    path = f"/api/schedules/{added['id']}"
    off = await fresh.call("PATCH", path, {"state": "off", "web": "on", "mail": "notice"})
    assert (off.body["state"], off.body["next_due"], off.body["web"]) == ("off", None, "on")
    on = await fresh.call("PATCH", path, {"state": "on", "web": None, "cron": "0  8 * * 1-5", "question": "script: x"})
    assert (on.body["web"], on.body["cron"], on.body["question"]) == (None, "0 8 * * 1-5", "script: x")
    assert (await fresh.get("/api/schedules")).body["mail_to"] is None
    assert (await fresh.call("DELETE", path)).status == 204
    assert (await fresh.call("DELETE", path)).status == 404
    assert (await fresh.get("/api/schedules")).body["schedules"] == []


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"cron": "*/5 * * * *"}, 400, "15 minutes"),
        ({"cron": "0 7"}, 400, "five fields"),
        ({"zone": "Mars"}, 400, "time zone"),
        ({"question": "  "}, 400, "question"),
        ({"model": "nobody"}, 404, "nobody"),
        ({"libraries": ["lib_none"]}, 404, "librar"),
        ({"feeds": ["feed_none"]}, 404, "feed"),
        ({"tools": ["No Tool"]}, 422, "tools"),
    ],
)
async def test_what_cannot_be_is_refused(server: Server, change: JSON, status: int, word: str) -> None:
    reply = await server.post("/api/schedules", {"question": SCRIPT, "cron": DAILY, "zone": "UTC", **change})
    assert reply.status == (400 if status == 422 else status), reply
    assert word in reply.error["message"]


async def test_a_model_that_is_not_there_is_refused_for_one_that_exists_too(fresh: Server) -> None:
    added = await add(fresh, model="scripted")
    reply = await fresh.call("PATCH", f"/api/schedules/{added['id']}", {"model": "nobody"})
    assert (reply.status, "There is no model 'nobody'" in reply.error["message"]) == (404, True)
    assert (await find(fresh, added["id"]))["model"] == "scripted"


async def test_due_times_are_shown_before_it_is_added(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    found = (await server.get("/api/schedules/due-times?cron=0+7+*+*+1-5&zone=Europe/Berlin")).body["due"]
    assert len(found) == 5
    assert found == sorted(found)
    wrong = (await server.get("/api/schedules/due-times?cron=nothing&zone=UTC")).body
    assert (wrong["due"], "five fields" in wrong["fault"]) == ([], True)
    monkeypatch.setattr(type(server.app.storage.processes), "clock", an_hour_ago)
    soon = (await server.get("/api/schedules/due-times?cron=0+*+*+*+*&zone=UTC")).body["due"]
    assert soon[0] <= now_ms(), "it goes by the clock that all servers share"


async def test_run_now_answers_in_a_new_unread_conversation_each_time(fresh: Server) -> None:
    added = await add(fresh, name="News")
    first, second = await run(fresh, added["id"]), await run(fresh, added["id"])
    assert (first["status"], first["is_manual"], first["is_missed"]) == ("done", True, False)
    assert first["conversation"] != second["conversation"]
    tree = await fresh.tree(first["conversation"])
    assert tree["conversation"]["unread"]
    assert tree["conversation"]["title"].startswith("News, 20")
    assert [each["status"] for each in tree["messages"]] == ["finished", "finished"]
    path = f"/api/conversations/{first['conversation']}"
    assert not (await fresh.call("PATCH", path, {"unread": False})).body["unread"]
    listed = (await fresh.get(f"/api/schedules/{added['id']}/occurrences")).body["occurrences"]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]


async def test_one_that_begins_with_research_is_answered_by_a_report(fresh: Server) -> None:
    library = (await fresh.post("/api/libraries", {"name": "towers"})).body
    await ready(fresh, await add_file(fresh, library=library["id"]))
    question = "How high is the tower of Ettelbruck?"
    added = await add(fresh, f"/research {question}", libraries=[library["id"]], web="off")
    occurrence = await run(fresh, added["id"])
    assert (occurrence["status"], occurrence["fault"]) == ("done", None)
    asked, report = (await fresh.tree(occurrence["conversation"]))["messages"]
    assert text_of(asked) == question
    assert text_of(report).startswith(f"# {question}\n")
    assert report["agents"][0]["notes"]


async def test_one_conversation_goes_on_and_a_deleted_one_is_replaced(fresh: Server) -> None:
    added = await add(fresh, keeps="same")
    first, second = await run(fresh, added["id"]), await run(fresh, added["id"])
    assert first["conversation"] == second["conversation"]
    assert len(await questions(fresh, first["conversation"])) == 2
    await fresh.call("DELETE", f"/api/conversations/{first['conversation']}")
    third, fourth = await run(fresh, added["id"]), await run(fresh, added["id"])
    assert first["conversation"] != third["conversation"] == fourth["conversation"]


async def test_what_was_due_while_it_was_off_is_asked_once(fresh: Server) -> None:
    id = await make_due(fresh, now_ms() - 10 * 86_400_000)
    found = await until(fresh, id, has_ended)
    assert (found["last"]["status"], found["last"]["is_missed"]) == ("done", True)
    assert found["next_due"] > now_ms()
    assert len((await fresh.get(f"/api/schedules/{id}/occurrences")).body["occurrences"]) == 1


async def test_a_due_time_comes_by_the_clock_that_all_servers_share(
    fresh: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as behind:
        behind.setattr(type(fresh.app.storage.processes), "clock", an_hour_ago)
        id = await make_due(fresh, now_ms() - 1000)
        assert (await run(fresh, (await add(fresh))["id"]))["status"] == "done"
        assert (await find(fresh, id))["last"] is None
    fresh.app.schedules.on_change()
    await until(fresh, id, has_ended)


async def test_it_waits_while_somebody_is_answered(fresh: Server) -> None:
    conversation = await fresh.begin()
    begun = await fresh.ask(conversation, "script: words=100000 rate=50")
    id = await make_due(fresh, now_ms())
    found = await until(fresh, id, lambda each: each["last"] is not None)
    assert found["last"]["status"] == "due"
    await fresh.post(f"/api/runs/{begun['run']}/stop")
    assert (await until(fresh, id, has_ended))["last"]["status"] == "done"


async def test_three_failures_in_a_row_pause_it_until_it_is_switched_on(fresh: Server) -> None:
    added = await add(fresh, "script: words=1 fail=broken")
    for _ in range(3):
        ended = await run(fresh, added["id"])
        assert ended["status"] == "failed"
        assert ended["fault"]
    paused = await find(fresh, added["id"])
    assert (paused["state"], paused["reason"], paused["next_due"]) == ("paused", "failures", None)
    path = f"/api/schedules/{added['id']}"
    again = (await fresh.call("PATCH", path, {"state": "on", "question": SCRIPT})).body
    assert (again["state"], again["failures"], again["reason"]) == ("on", 0, None)
    assert (await run(fresh, added["id"]))["status"] == "done"


async def test_a_damaged_conversation_fails_its_own_schedule_only(fresh: Server) -> None:
    one = await add(fresh, keeps="same")
    conversation = (await run(fresh, one["id"]))["conversation"]
    await edit(fresh.app.storage, "UPDATE conversation SET tags = '{' WHERE id = ?", conversation)
    failed = await run(fresh, one["id"])
    assert (failed["status"], "a damaged row" in failed["fault"]) == ("failed", True)
    other = await add(fresh, "script: words=30 rate=60")
    begun = (await fresh.post(f"/api/schedules/{other['id']}/run")).body
    await until(fresh, other["id"], lambda each: each["last"]["status"] == "running")
    await edit(fresh.app.storage, "UPDATE conversation SET tags = '{' WHERE id = ?", begun["conversation"])
    found = await until(fresh, other["id"], has_ended)
    assert (found["last"]["status"], "a damaged row" in found["last"]["fault"]) == ("failed", True)
    assert (await run(fresh, (await add(fresh))["id"]))["status"] == "done"


async def test_a_call_that_changes_something_waits_for_the_person(fresh: Server) -> None:
    call = 'script: tool=scripted_write{"text":"kept"}'
    asked = await add(fresh, call)
    await fresh.post(f"/api/schedules/{asked['id']}/run")
    found = await until(fresh, asked["id"], lambda each: each["last"] and each["last"]["status"] == "waiting")
    assert not (fresh.app.settings.data_dir / EFFECTS_FILE).exists()
    conversation = await fresh.tree(found["last"]["conversation"])
    answer = conversation["messages"][-1]
    decided = await fresh.post(f"/api/runs/{answer['run']}/calls/{answer['calls'][0]['call']}", {"decision": "once"})
    assert decided.status in (200, 202, 204), decided
    assert (await until(fresh, asked["id"], has_ended))["last"]["status"] == "done"
    allowed = await add(fresh, call, tools=["scripted_write"])
    assert (await run(fresh, allowed["id"]))["status"] == "done"
    assert len((fresh.app.settings.data_dir / EFFECTS_FILE).read_text().splitlines()) == 2


async def test_what_was_allowed_always_does_not_count_where_nobody_is_there(fresh: Server) -> None:
    call = 'script: tool=scripted_write{"text":"kept"}'
    await fresh.app.tool_permissions.give(LOCAL_PRINCIPAL, "scripted_write", "", None)
    effects = fresh.app.settings.data_dir / EFFECTS_FILE
    message = await fresh.say(await fresh.begin(), call)
    assert message["calls"][0]["decision"] == "always"
    assert len(effects.read_text().splitlines()) == 1
    asked = await add(fresh, call)
    await fresh.post(f"/api/schedules/{asked['id']}/run")
    await until(fresh, asked["id"], lambda each: each["last"] and each["last"]["status"] == "waiting")
    assert len(effects.read_text().splitlines()) == 1
    allowed = await add(fresh, call, tools=["scripted_write"])
    assert (await run(fresh, allowed["id"]))["status"] == "done"
    assert len(effects.read_text().splitlines()) == 2


async def test_an_assistant_begins_the_conversations(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    stream = fresh.engine.stream

    def spy(request: Any) -> Any:
        shown.append(request.messages)
        return stream(request)

    monkeypatch.setattr(fresh.engine, "stream", spy)
    cook = (await fresh.post("/api/assistants", {"name": "Cook", "instructions": "Answer with a recipe."})).body
    added = await add(fresh, assistant=cook["id"])
    assert added["assistant"] == cook["id"]
    ended = await run(fresh, added["id"])
    assert (await fresh.tree(ended["conversation"]))["conversation"]["assistant_id"] == cook["id"]
    assert "Answer with a recipe." in str(shown[-1])
    path = f"/api/schedules/{added['id']}"
    assert (await fresh.call("PATCH", path, {"assistant": "asst_gone"})).status == 404
    assert (await fresh.call("DELETE", f"/api/assistants/{cook['id']}")).status == 204
    assert (await run(fresh, added["id"]))["status"] == "done", "it answers without one that is gone"
    assert "Answer with a recipe." not in str(shown[-1])
    assert (await fresh.call("PATCH", path, {"state": "off"})).status == 200, "it can be switched off all the same"
    assert (await fresh.call("PATCH", path, {"assistant": None})).body["assistant"] is None


async def test_the_schedules_of_a_locked_person_are_paused(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        id, ben = await member(house, admin)
        body = {"question": SCRIPT, "cron": DAILY, "zone": "UTC"}
        added = (await house.post("/api/schedules", body, headers=ben)).body
        assert (await house.call("PATCH", f"/api/people/{id}", {"locked": True}, headers=admin)).status == 200
        owner = Principal(id)
        store = house.app.storage.schedules
        await store.edit_schedule(owner, replace(await store.get_schedule(owner, added["id"]), next_due=now_ms()))
        house.app.schedules.on_change()
        async with asyncio.timeout(60):
            while (found := await store.get_schedule(owner, added["id"])).state != "paused":
                await asyncio.sleep(0.02)
        assert (found.reason, found.last, found.next_due) == ("account", None, None)
        assert (await house.call("PATCH", f"/api/people/{id}", {"locked": False}, headers=admin)).status == 200
        ben = await sign_in(house, "ben")
        again = await house.call("PATCH", f"/api/schedules/{added['id']}", {"state": "on"}, headers=ben)
        assert (again.body["state"], again.body["reason"]) == ("on", None)


async def test_chosen_feeds_are_what_the_answer_reads(fresh: Server) -> None:
    url = "https://example.org/feed"
    feed = StoredFeed(
        id=new_id("feed"), owner="local", url=url, host="example.org", title="News", created=1, due=10**15
    )
    await fresh.app.storage.feeds.add_feeds(LOCAL_PRINCIPAL, [feed])
    entry = FeedEntry(key="a", url="https://example.org/a", title="A bridge opens", text="The bridge opened today.")
    await fresh.app.storage.feeds.save_fetch(feed, [entry], now_ms(), 100)
    added = await add(fresh, feeds=[feed.id])
    ended = await run(fresh, added["id"])
    answer = (await fresh.tree(ended["conversation"]))["messages"][-1]
    assert [each["url"] for each in answer["passages"]] == ["https://example.org/a"]
    assert answer["passages"][0]["text"] == "The bridge opened today."


async def test_a_killed_process_loses_no_due_time_and_doubles_none(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        first = await Process.start(tmp_path, http)
        added = await add(first, "script: words=300 rate=60")
        begun = (await first.post(f"/api/schedules/{added['id']}/run")).body
        await until(first, added["id"], lambda each: each["last"]["status"] == "running")
        await first.kill()
        second = await Process.start(tmp_path, http)
        try:
            ended = await until(second, added["id"], has_ended)
            assert (ended["last"]["id"], ended["last"]["status"]) == (begun["id"], "done")
            assert len(await questions(second, ended["last"]["conversation"])) == 1
        finally:
            await second.close()


async def test_who_was_cut_off_ends_nothing_that_another_took_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two leaders: the first one asks, and fails, after the second has taken the question over."""
    may_fail, asked = asyncio.Event(), asyncio.Event()

    async def fail(*_: object) -> None:
        asked.set()
        await may_fail.wait()
        raise InvalidInput("It broke.")

    async with serving(settings) as first, serving(settings) as second:
        monkeypatch.setattr(first.app.turns, "ask", fail)
        added = await add(first, "script: words=300 rate=200")
        await first.post(f"/api/schedules/{added['id']}/run")
        await asked.wait()
        ((_, taken),) = await second.app.storage.schedules.list_open()
        assert taken.process == first.app.storage.processes.current
        assert await second.app.storage.schedules.take_over(taken, second.app.storage.processes.current)
        second.app.schedules.on_change()
        await until(second, added["id"], lambda each: each["last"]["status"] == "running")
        may_fail.set()
        ended = await until(second, added["id"], has_ended)
        assert (ended["last"]["id"], ended["last"]["status"]) == (taken.id, "done")
        assert len(await questions(first, ended["last"]["conversation"])) == 1
        ends = [sum(each.app.schedule_runner.ended.values()) for each in (first, second)]
        assert ends == [0, 1]


async def test_two_processes_take_a_due_time_once(tmp_path: Path) -> None:
    storage = await asyncio.to_thread(open_storage, Path(environment(tmp_path)["ECLAIR_DATA_DIR"]))
    try:
        for at in range(5):
            await storage.schedules.add_schedule(LOCAL_PRINCIPAL, due_schedule(f"sched_{at}", now_ms() + 3000))
    finally:
        await storage.close()
    async with aiohttp.ClientSession() as http:
        first, second = await Process.start(tmp_path, http), await Process.start(tmp_path, http)
        try:
            for at in range(5):
                ended = await until(second, f"sched_{at}", has_ended)
                assert ended["last"]["status"] == "done"
                listed = (await first.get(f"/api/schedules/sched_{at}/occurrences")).body["occurrences"]
                assert len(listed) == 1
                assert len(await questions(first, ended["last"]["conversation"])) == 1
        finally:
            await first.close()
            await second.close()


async def test_a_server_that_leaves_work_to_others_has_run_now_asked_by_one(settings: Settings) -> None:
    async with serving(replace(settings, background_work="workers")) as server, serving(settings) as worker:
        added = await add(server)
        begun = (await server.post(f"/api/schedules/{added['id']}/run")).body
        worker.app.schedules.on_change()  # it looks by itself within some seconds
        ended = await until(server, added["id"], has_ended)
        assert (ended["last"]["id"], ended["last"]["status"]) == (begun["id"], "done")
        assert worker.app.schedule_runner.taken_over == 0
