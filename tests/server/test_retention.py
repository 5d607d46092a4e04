"""What is kept for a number of days only: the logs of answers."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from eclair.chat import retention
from eclair.schema.events import fold
from eclair.settings import Settings
from tests.support import JSON, Server, check_log, parse, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_MS = 86_400_000
RESET = b"event: reset\ndata: {}\n\n"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "START_DELAY_S", 0.0)


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
