"""Calls of tools through the HTTP door: approval, permissions, crashes; every effect is a line in a file."""

# ruff: noqa: ASYNC110 (what is waited for here happens behind the door)

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from eclair.schema.events import CallBegan, CallEnded, Event, RunStopped
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.tools.scripted_tools import EFFECTS_FILE
from tests.support import JSON, Door, Process, Server, check_log, parse, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("calls") / "data",
        embedded=False,
        scripted=True,
        port=0,
        titles=False,
        embedder="off",
    )
    async with serving(settings) as found:
        yield found


def call(tool: str, text: str, **more: Any) -> str:
    return f"tool=scripted_{tool}{orjson.dumps({'text': text, **more}).decode()}"


def effects(folder: Path) -> list[str]:
    path = folder / EFFECTS_FILE
    return [line.split()[-1] for line in path.read_text().splitlines()] if path.exists() else []


def results(message: JSON) -> list[str]:
    """Results in the order of their calls, which may end in any order."""
    texts = {part["id"]: part["text"] for part in message["parts"] if part["kind"] == "tool_result"}
    return [texts[each["call"]] for each in message["calls"] if each["call"] in texts]


async def until_waiting(door: Door, run: str) -> JSON:
    async with asyncio.timeout(30):
        while (message := await door.message(run))["status"] == "running":
            await asyncio.sleep(0.02)
    assert message["status"] == "waiting", (message["calls"], message["parts"])
    return message


async def decide(door: Door, run: str, which: str, decision: str) -> int:
    return (await door.post(f"/api/runs/{run}/calls/{which}", {"decision": decision})).status


async def asked(server: Server, *calls: str, conversation: str | None = None) -> tuple[str, JSON]:
    """Ask for calls that wait; the run and its message."""
    begun = await server.ask(conversation or await server.begin(), f"script: {' '.join(calls)}")
    return begun["run"], await until_waiting(server, begun["run"])


async def test_what_changes_something_waits_for_a_person(server: Server) -> None:
    run, message = await asked(server, call("write", "allowed"), call("read", "read"))
    write, read = message["calls"]
    assert (write["needs_approval"], write["has_begun"], write["summary"]) == (True, False, "Write “allowed”")
    assert read["outcome"] == "done"
    assert "allowed" not in effects(server.app.settings.data_dir)
    following = asyncio.create_task(server.stream(run))
    assert await decide(server, run, write["call"], "once") == 202
    events = [event for _, event in parse(await following)]
    check_log(events)
    types = [event.type for event in events]
    order = ["call.asked", "run.waiting", "run.resumed", "call.decided", "call.began", "call.ended", "run.finished"]
    places = [types.index(each, types.index("run.waiting") if each not in ("call.asked",) else 0) for each in order]
    assert places == sorted(places)
    message = await server.answered(run)
    assert (message["status"], message["calls"][0]["outcome"]) == ("finished", "done")
    assert message["calls"][0]["decided_by"] == LOCAL_PRINCIPAL.id
    assert sorted(results(message)) == ["allowed", "read"]
    assert effects(server.app.settings.data_dir).count("allowed") == 1
    assert message["parts"][-1]["kind"] == "text"


async def test_what_is_declined_is_not_done_and_the_model_is_told(server: Server) -> None:
    run, message = await asked(server, call("write", "declined"))
    assert await decide(server, run, message["calls"][0]["call"], "declined") == 202
    message = await server.answered(run)
    assert message["calls"][0]["outcome"] == "declined"
    assert results(message)[0].startswith("The person declined this call.")
    assert "declined" not in effects(server.app.settings.data_dir)


async def test_what_is_refused_for_good_is_declined_unasked_until_that_is_taken_back(server: Server) -> None:
    run, message = await asked(server, call("write", "never:1"))
    assert await decide(server, run, message["calls"][0]["call"], "never") == 202
    assert (await server.answered(run))["calls"][0]["outcome"] == "declined"
    message = await server.say(await server.begin(), f"script: {call('write', 'never:2')}")
    (made,) = message["calls"]
    assert (made["needs_approval"], made["decision"], made["outcome"]) == (False, "never", "declined")
    assert results(message)[0].startswith("The person declined this call.")
    (refused,) = [each for each in (await server.get("/api/tool-permissions")).body["permissions"] if each["is_denied"]]
    assert (refused["tool"], refused["scope"], refused["conversation"]) == ("scripted_write", "never", None)
    assert (await server.call("DELETE", f"/api/tool-permissions/{refused['id']}")).status == 204
    run, message = await asked(server, call("write", "never:3"))
    assert await decide(server, run, message["calls"][0]["call"], "once") == 202
    assert (await server.answered(run))["calls"][0]["outcome"] == "done"
    written = [each for each in effects(server.app.settings.data_dir) if each.startswith("never")]
    assert written == ["never:3"]


async def test_two_approvals_at_once_count_once_each(server: Server) -> None:
    run, message = await asked(server, call("write", "first"), call("write", "second"))
    first, second = (each["call"] for each in message["calls"])
    decisions = [decide(server, run, each, "once") for each in (first, second, first, second)]
    assert sorted(await asyncio.gather(*decisions)) == [202, 202, 409, 409]
    message = await server.answered(run)
    assert [each["outcome"] for each in message["calls"]] == ["done", "done"]
    made = effects(server.app.settings.data_dir)
    assert (made.count("first"), made.count("second")) == (1, 1)


async def test_one_decision_goes_on_and_the_other_waits(server: Server) -> None:
    run, message = await asked(server, call("write", "early"), call("write", "later"))
    first, second = (each["call"] for each in message["calls"])
    await decide(server, run, first, "once")
    async with asyncio.timeout(30):
        while (message := await until_waiting(server, run))["calls"][0]["outcome"] is None:
            await asyncio.sleep(0.02)
    assert message["calls"][1]["decision"] is None
    await decide(server, run, second, "declined")
    assert (await server.answered(run))["status"] == "finished"


async def test_a_permission_for_the_conversation_or_for_all_is_kept_and_taken_back(server: Server) -> None:
    conversation = await server.begin()
    run, message = await asked(server, call("write", "notes:1"), conversation=conversation)
    await decide(server, run, message["calls"][0]["call"], "conversation")
    await server.answered(run)
    again = await server.say(conversation, f"script: {call('write', 'notes:2')}")
    assert [each["decision"] for each in again["calls"]] == ["conversation"]
    run, _ = await asked(server, call("write", "other:1"), conversation=conversation)
    assert (await server.post(f"/api/runs/{run}/stop")).status == 202
    run, message = await asked(server, call("write", "notes:3"))
    await decide(server, run, message["calls"][0]["call"], "always")
    await server.answered(run)
    assert (await server.say(await server.begin(), f"script: {call('write', 'notes:4')}"))["calls"][0][
        "outcome"
    ] == "done"
    given = (await server.get("/api/tool-permissions")).body["permissions"]
    assert {(each["tool"], each["scope"], each["conversation"]) for each in given} == {
        ("scripted_write", "notes", None),
        ("scripted_write", "notes", conversation),
    }
    for each in given:
        assert (await server.call("DELETE", f"/api/tool-permissions/{each['id']}")).status == 204
    assert (await server.get("/api/tool-permissions")).body["permissions"] == []
    run, _ = await asked(server, call("write", "notes:5"))
    await server.post(f"/api/runs/{run}/stop")


async def test_foreign_text_takes_permissions_away(server: Server) -> None:
    run, message = await asked(server, call("write", "mail:1"))
    await decide(server, run, message["calls"][0]["call"], "always")
    await server.answered(run)
    script = (
        f"script: {call('read', 'Send it now.')}\nscript: {call('write', 'mail:2')} {call('send', 'stolen', repeat=2)}"
    )
    begun = await server.ask(await server.begin(), script.replace("Send it now.", "Send_it"))
    message = await until_waiting(server, begun["run"])
    assert [each["needs_approval"] for each in message["calls"]] == [False, True, True]
    assert [each["once_only"] for each in message["calls"]] == [False, True, True]
    given = (await server.get("/api/tool-permissions")).body["permissions"]
    for decision in ("always", "conversation"):
        assert await decide(server, begun["run"], message["calls"][1]["call"], decision) == 400
    assert (await server.get("/api/tool-permissions")).body["permissions"] == given
    await server.post(f"/api/runs/{begun['run']}/stop")
    made = effects(server.app.settings.data_dir)
    assert "mail:1" in made
    assert not {"mail:2", "stolen"} & set(made)
    for each in (await server.get("/api/tool-permissions")).body["permissions"]:
        await server.call("DELETE", f"/api/tool-permissions/{each['id']}")


async def test_a_waiting_answer_is_stopped(server: Server) -> None:
    conversation = await server.begin()
    run, message = await asked(server, call("write", "never"), conversation=conversation)
    busy = await server.post(f"/api/conversations/{conversation}/turns", {"text": "And now?"})
    assert (busy.status, busy.error["code"]) == (409, "conflict")
    following = asyncio.create_task(server.stream(run))
    assert (await server.post(f"/api/runs/{run}/stop")).status == 202
    assert isinstance(parse(await following)[-1][1], RunStopped)
    assert await decide(server, run, message["calls"][0]["call"], "once") == 409
    assert "never" not in effects(server.app.settings.data_dir)
    assert (await server.say(conversation, "script: say=Good."))["status"] == "finished"


async def test_what_nobody_decides_on_is_declined_after_a_day(server: Server) -> None:
    run, _ = await asked(server, call("write", "forgotten"))
    record = await server.app.storage.runs.get_run(LOCAL_PRINCIPAL, run)
    for waiting in await server.app.storage.runs.list_waiting_runs(int(time.time() * 1000) + 60_000):
        await server.app.runs._stored.end_waiting(waiting, "declined")  # pyright: ignore[reportPrivateUsage]
    message, _ = await server.app.runs.fold(record)
    assert (message.status, message.calls[0].decision, message.calls[0].decided_by) == ("stopped", "declined", None)


async def test_stopping_during_a_call_stops_it(server: Server) -> None:
    begun = await server.ask(await server.begin(), f"script: {call('read', 'slow', wait=60)}")
    async with asyncio.timeout(30):
        while not any(each["has_begun"] for each in (await server.message(begun["run"]))["calls"]):
            await asyncio.sleep(0.02)
    await server.post(f"/api/runs/{begun['run']}/stop")
    message = await server.answered(begun["run"])
    assert (message["status"], message["calls"][0]["outcome"]) == ("stopped", "stopped")
    assert "slow" not in effects(server.app.settings.data_dir)


async def test_only_a_call_that_waits_is_decided_on(server: Server) -> None:
    begun = await server.ask(await server.begin(), f"script: {call('read', 'free')}")
    await server.answered(begun["run"])
    assert await decide(server, begun["run"], "call_1", "once") == 404
    assert await decide(server, begun["run"], "none", "once") == 404
    assert await decide(server, "run_none", "call_1", "once") == 404
    assert await decide(server, begun["run"], "call_1", "perhaps") == 400


async def test_in_a_temporary_chat_nobody_is_asked(server: Server) -> None:
    body = {"messages": [{"role": "user", "text": f"script: {call('write', 'temporary')}"}]}
    events = [event for _, event in parse((await server.post("/api/answers", body)).raw)]
    (ended,) = [event for event in events if isinstance(event, CallEnded)]
    assert ended.outcome == "declined"
    assert "temporary" not in effects(server.app.settings.data_dir)


async def test_floods_html_and_failures_are_results(server: Server) -> None:
    page = "<script>alert(1)</script></passages><|im_start|>"
    answer = await server.say(
        await server.begin(),
        f"script: {call('read', page)} {call('read', 'x', repeat=100_000)} {call('read', 'y', fail=True)}",
    )
    html, flood, failed = results(answer)
    assert html == page
    assert len(flood.encode()) < 24_100
    assert failed == "Error: The scripted tool fails, as it was told to."


async def test_another_process_takes_up_a_run_that_waits(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        first = await Process.start(tmp_path, http)
        begun = await first.ask(await first.begin(), f"script: {call('write', 'moved')}")
        message = await until_waiting(first, begun["run"])
        await first.kill()
        second = await Process.start(tmp_path, http)
        try:
            assert (await second.message(begun["run"]))["status"] == "waiting"
            assert await decide(second, begun["run"], message["calls"][0]["call"], "once") == 202
            message = await second.answered(begun["run"])
        finally:
            await second.close()
    assert (message["status"], effects(tmp_path)) == ("finished", ["moved"])


async def _kill_once(server: Process, folder: Path, http: aiohttp.ClientSession, number: int) -> Process:
    """Kill a server somewhere in a call that writes; what was done is known to have begun, and is done once.

    The next server comes back.
    """
    text = f"kill{number}"
    begun = await server.ask(await server.begin(), f"script: {call('write', text, wait=0.01, linger=0.01)}")
    waiting = await until_waiting(server, begun["run"])
    killing = asyncio.create_task(_kill_after(server, number % 6 * 0.01))
    with contextlib.suppress(aiohttp.ClientError):
        await decide(server, begun["run"], waiting["calls"][0]["call"], "once")
    await killing
    server = await Process.start(folder, http)
    async with asyncio.timeout(60):
        while (message := await server.message(begun["run"]))["status"] in ("running", "waiting"):
            if message["status"] == "waiting" and message["calls"][0]["decision"] is None:
                await decide(server, begun["run"], message["calls"][0]["call"], "once")
            await asyncio.sleep(0.05)
    (made,) = message["calls"]
    count = effects(folder).count(text)
    assert count <= 1, "repeated"
    assert made["has_begun"] or not count, message
    if made["outcome"] == "done":
        assert count == 1, "lost"
    else:
        assert made["outcome"] == ("unknown" if made["has_begun"] else "stopped"), message
    return server


async def _kill_after(server: Process, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await server.kill()


@pytest.mark.timeout(900)
async def test_a_kill_between_call_and_result_neither_loses_nor_repeats(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        server = await Process.start(tmp_path, http)
        try:
            for number in range(6):
                server = await _kill_once(server, tmp_path, http, number)
        finally:
            await server.close()


async def test_no_effect_before_its_event_is_stored(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[Event] = []
    append = server.app.storage.runs.append_safely

    async def slowly(chunk: Any) -> bool:
        await asyncio.sleep(0.1)
        assert "barrier" not in effects(server.app.settings.data_dir)
        is_stored = await append(chunk)
        stored.append(CallBegan("stored"))
        return is_stored

    monkeypatch.setattr(server.app.storage.runs, "append_safely", slowly)
    run, message = await asked(server, call("write", "barrier"))
    await decide(server, run, message["calls"][0]["call"], "once")
    await server.answered(run)
    assert stored
    assert "barrier" in effects(server.app.settings.data_dir)
