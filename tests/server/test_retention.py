"""Retention of the logs of answers, and of conversations where a limit is set."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import apsw
import pytest

from eclair.chat import retention
from eclair.chat.conversations import ConversationService
from eclair.chat.retention import RetentionService
from eclair.live_settings import LiveSettings
from eclair.schema.events import fold
from eclair.settings import Settings
from eclair.storage.processes import LeaseReport
from eclair.util.log_context import ADMIN_LOGGER
from tests.support import JSON, Server, check_log, parse, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_MS = 86_400_000
RESET = b"event: reset\ndata: {}\n\n"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "START_DELAY_S", 0.0)
    monkeypatch.setattr(retention, "INTERVAL_S", 0.05)


def change(folder: Path, statement: str) -> None:
    """Change the database while no server has it open."""
    with contextlib.closing(apsw.Connection(str(folder / "eclair.db"))) as db:
        db.execute(statement)


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await check():
            await asyncio.sleep(0.02)


async def write_answers(server: Server) -> tuple[JSON, JSON, JSON]:
    """Begin and end an answer, one that is stopped, and one that fails; return them."""
    whole = await server.say(await server.begin(), "script: words=30")
    begun = await server.ask(await server.begin(), "script: words=100000 rate=500")
    await server.post(f"/api/runs/{begun['run']}/stop")
    failed = await server.say(await server.begin(), "script: words=5 fail=2")
    return whole, await server.message(begun["run"]), failed


async def test_the_log_of_an_old_answer_goes_and_the_answer_stays(settings: Settings) -> None:
    async with serving(settings) as server:
        answers = await write_answers(server)
        logs = {answer["run"]: parse(await server.stream(answer["run"])) for answer in answers}
        states = {run: (await server.get(f"/api/runs/{run}")).body for run in logs}
        trees = [await server.tree(answer["conversation"]) for answer in answers]
    change(settings.data_dir, f"UPDATE run SET ended = ended - {8 * DAY_MS}")
    async with serving(settings) as server:
        recent = await server.say(await server.begin(), "script: words=3")
        for run in logs:

            async def is_folded(run: str = run) -> bool:
                return await server.app.storage.runs.find_folded(run) is not None

            await until(is_folded)
        assert [await server.tree(answer["conversation"]) for answer in answers] == trees
        for run, log in logs.items():
            assert (await server.get(f"/api/runs/{run}")).body == states[run]
            events = [event for _, event in parse(await server.stream(run))]
            check_log(events)
            assert fold(events) == fold(event for _, event in log)
            for seen in (1, len(log) - 1, len(log) + 7):
                again = await server.stream(run, seen)
                assert again.startswith(RESET), "what it has is of another log"
                assert [event for _, event in parse(again.removeprefix(RESET))] == events
            assert await server.stream(run, len(log)) == b"", "it has seen the end"
            assert (await server.post(f"/api/runs/{run}/stop")).body == states[run]
        assert len(await server.app.storage.runs.list_events(recent["run"], 0)) > 0
    with contextlib.closing(apsw.Connection(str(settings.data_dir / "eclair.db"))) as db:
        assert list(db.execute("SELECT DISTINCT run FROM chunk")) == [(recent["run"],)]


async def test_logs_are_kept_while_a_setting_says_so(settings: Settings) -> None:
    async with serving(settings) as server:
        answer = await server.say(await server.begin(), "script: words=3")
        log = await server.stream(answer["run"])
    change(settings.data_dir, f"UPDATE run SET ended = ended - {3000 * DAY_MS}")
    async with serving(replace(settings, run_log_days=0)) as server:
        await server.say(await server.begin(), "script: words=3")
        assert await server.stream(answer["run"]) == log
        await server.app.storage.runs.fold_logs(0, 9)
        assert await server.stream(answer["run"]) == log


# Conversations


async def write_old_ones(settings: Settings) -> dict[str, str]:
    """Write conversations of which all but `new` are 100 days old or older; return their ids by name."""
    ids: dict[str, str] = {}
    async with serving(settings) as server:
        for name in ("oldest", "old", "archived", "pinned", "deleted", "new"):
            ids[name] = await server.begin(title=name)
            await server.say(ids[name], f"{name}zq\nscript: words=3")
        await server.call("PATCH", f"/api/conversations/{ids['archived']}", {"archived": True})
        await server.call("PATCH", f"/api/conversations/{ids['pinned']}", {"pinned": True})
        await server.call("DELETE", f"/api/conversations/{ids['deleted']}")
    change(settings.data_dir, f"UPDATE conversation SET updated = updated - {100 * DAY_MS} WHERE title <> 'new'")
    change(settings.data_dir, f"UPDATE conversation SET updated = updated - {100 * DAY_MS} WHERE title = 'oldest'")
    return ids


async def test_what_a_limit_would_erase_is_said_before_it_is_set(settings: Settings) -> None:
    await write_old_ones(settings)
    async with serving(settings) as server:
        assert (await server.get("/api/retention")).body == {
            "keep_days": 0,
            "preview": None,
            "days": None,
            "held": False,
        }
        preview = (await server.get("/api/retention?days=90")).body["preview"]
        assert (preview["days"], preview["conversations"], preview["pinned"]) == (90, 3, 1)
        ages = [(time.time() * 1000 - preview[name]) / DAY_MS for name in ("oldest", "newest")]
        assert ages == [pytest.approx(200, abs=0.1), pytest.approx(100, abs=0.1)]
        assert (await server.get("/api/retention?days=150")).body["preview"]["conversations"] == 1
        empty = {"days": 300, "conversations": 0, "oldest": None, "newest": None, "pinned": 0}
        assert (await server.get("/api/retention?days=300")).body["preview"] == empty
        for wrong in ("0", "-1", "x", "36501"):
            assert (await server.get(f"/api/retention?days={wrong}")).error["param"] == "days"
        assert (await server.get("/api/count")).body["conversations"] == 5, "it was only asked"


async def test_conversations_over_the_limit_are_erased_for_good(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await write_old_ones(settings)
    limited = replace(settings, keep_days=90)
    with caplog.at_level(logging.INFO, ADMIN_LOGGER):
        async with serving(limited) as server:

            async def is_done() -> bool:
                return (await server.get("/api/count")).body["conversations"] == 2

            await until(is_done)
            assert (await server.get("/api/retention")).body["keep_days"] == 90
            for name in ("oldest", "old", "archived"):
                assert (await server.get(f"/api/conversations/{ids[name]}")).status == 404
                assert (await server.post(f"/api/conversations/{ids[name]}/restore")).status == 404

            async def is_erased() -> bool:
                content = await asyncio.to_thread((settings.data_dir / "eclair.db").read_bytes)
                return not any(f"{name}zq".encode() in content for name in ("oldest", "old", "archived"))

            await until(is_erased)
            for name in ("pinned", "new"):
                assert len((await server.tree(ids[name]))["messages"]) == 2
            assert (await server.post(f"/api/conversations/{ids['deleted']}/restore")).status == 200
    acts = [record.getMessage() for record in caplog.records if record.name == ADMIN_LOGGER]
    assert "3 conversations without a message for 90 days were deleted for good" in acts[0]


async def test_a_conversation_that_answers_outlives_the_limit(settings: Settings) -> None:
    async with serving(settings) as server:
        id = await server.begin()
        begun = await server.ask(id, "script: words=100000 rate=100")
        store = server.app.storage.conversations
        assert await store.expire_conversations(2**53) == 0
        await server.post(f"/api/runs/{begun['run']}/stop")
        assert await store.expire_conversations(2**53) == 1
        assert (await server.get(f"/api/conversations/{id}")).status == 404


async def test_a_clock_that_leaps_ahead_or_is_not_the_databases_erases_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    leap = 0.0

    def clock() -> float:
        return time.time() + leap

    expired: list[int] = []

    class Conversations:
        async def expire(self, days: int) -> None:
            expired.append(days)

    async with serving(settings) as server:
        live = LiveSettings(replace(settings, keep_days=30, run_log_days=0))
        conversations = cast(ConversationService, Conversations())
        service = RetentionService(
            live,
            server.app.storage,
            conversations,
            server.app.responses,
            server.app.ingestor,
            server.app.gallery,
            clock,
        )
        await service.run_once()
        assert expired == [], "a clock that was wrong at the start is set right by the next round"
        await service.run_once()
        assert expired == [30]
        leap = 400 * 86_400.0
        await service.run_once()
        assert expired == [30]
        assert "400 days ahead" in caplog.text
        await service.run_once()
        assert expired == [30, 30]
        for offset_s, said in ((7200, "2.0 hours ahead of"), (-7200, "2.0 hours behind"), (5, "")):
            caplog.clear()
            report = LeaseReport(clock_offset_s=offset_s)
            monkeypatch.setattr(type(server.app.storage.processes), "lease", report)
            await service.run_once()
            assert said in caplog.text
            assert ("nothing is erased" in caplog.text) == bool(said)
        assert expired == [30, 30, 30]
