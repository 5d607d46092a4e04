"""How far a call of an MCP server is, while it runs: in the log, across reloads, and gone with its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eclair.mcp_servers import connection
from eclair.schema.events import CallProgressed, Event
from eclair.tools import mcp_calls
from tests.mcp_servers.asking_server import Era
from tests.mcp_servers.odd_server import STRIDE_S
from tests.mcp_servers.test_mcp_service import ODD
from tests.server.test_elicitation import add, standing
from tests.server.test_mcp_servers import results
from tests.support import JSON, Server, check_log, parse

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def events_of(server: Server, run: str) -> list[Event]:
    events = [event for _, event in parse(await server.stream(run))]
    check_log(events)
    return events


def told(events: list[Event]) -> list[tuple[float | None, str]]:
    return [(event.progress.share, event.progress.text) for event in events if isinstance(event, CallProgressed)]


async def add_odd(server: Server, folder: Path, mode: str) -> str:
    """Add the server whose calls wait for a file in `folder`; return its address."""
    command = [sys.executable, "-P", str(ODD), mode]
    return await add(server, {"name": "odd", "command": command, "folders": [str(folder)]})


async def called(server: Server, folder: Path) -> str:
    """Have a call made that waits for a file; return its run."""
    call = f'script: tool=odd__read{{"text":"{folder / "go"}"}}'
    return str((await server.ask(await server.begin(), call))["run"])


async def begun(server: Server, folder: Path, mode: str, text: str) -> tuple[str, str]:
    """Have a call made that waits for a file, and wait until it has told `text`; return its server and run."""
    path = await add_odd(server, folder, mode)
    run = await called(server, folder)
    await told_of(server, run, lambda said: said == text)
    return path, run


async def told_of(server: Server, run: str, is_enough: Callable[[str], bool]) -> None:
    """Wait until a call that goes on has told enough."""
    async with asyncio.timeout(60):
        while not (calls := (await server.message(run))["calls"]) or not is_enough(
            (calls[0]["progress"] or {"text": ""})["text"]
        ):
            assert not calls or calls[0]["outcome"] is None, calls
            await asyncio.sleep(0.02)


async def test_a_call_says_how_far_it_is_until_it_has_ended(server: Server, tmp_path: Path) -> None:
    path, run = await begun(server, tmp_path, "reports", "Reading the map")
    (call,) = (await server.message(run))["calls"]
    assert (call["progress"], call["outcome"]) == ({"share": 0.25, "text": "Reading the map"}, None)
    following = asyncio.create_task(events_of(server, run))
    (tmp_path / "go").touch()
    done: JSON = await server.answered(run)
    assert (done["calls"][0]["progress"], done["calls"][0]["outcome"]) == (None, "done")
    assert told(await following) == [(0.25, "Reading the map")]
    await server.call("DELETE", path)


async def test_floods_and_nonsense_are_bounded(server: Server, tmp_path: Path) -> None:
    path, run = await begun(server, tmp_path, "boasts", "Nearly done")
    (call,) = (await server.message(run))["calls"]
    assert call["progress"] == {"share": None, "text": "Nearly done"}
    (tmp_path / "go").touch()
    assert (await server.answered(run))["calls"][0]["outcome"] == "done"
    found = told(await events_of(server, run))
    assert 1 <= len(found) <= 160, "a few a second"
    assert all(share is None or 0 <= share <= 1 for share, _ in found)
    assert all(len(text) <= 200 and text.isprintable() for _, text in found)
    await server.call("DELETE", path)


async def test_progress_gives_a_call_more_time(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_calls, "CALL_TIMEOUT_S", 5.0)
    path = await add_odd(server, tmp_path, "strides")
    run = await called(server, tmp_path)
    await told_of(server, run, lambda said: said != "" and int(said.removeprefix("Step ")) * STRIDE_S > 5.5)
    (tmp_path / "go").touch()
    assert (await server.answered(run))["calls"][0]["outcome"] == "done"
    await server.call("DELETE", path)


async def test_a_call_that_goes_on_without_an_end_is_ended(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_calls, "CALL_TIMEOUT_S", 2.0)
    monkeypatch.setattr(connection, "MAX_CALL_S", 4.0)
    path = await add_odd(server, tmp_path, "strides")
    done = await server.answered(await called(server, tmp_path))
    assert done["calls"][0]["outcome"] == "failed"
    assert results(done) == ["Error: The MCP server 'odd' did not answer within 4 seconds."]
    await server.call("DELETE", path)


@pytest.mark.parametrize(("era", "way"), [("new", "command"), ("old", "command"), ("new", "url"), ("old", "url")])
async def test_servers_of_the_official_library_tell_their_progress(server: Server, era: Era, way: str) -> None:
    async with standing(server, era, way):
        run = (await server.ask(await server.begin(), 'script: tool=asking__tour{"stops":12}'))["run"]
        done = await server.answered(run)
        assert (done["calls"][0]["outcome"], results(done)) == ("done", ["walked past 12 stops"])
        found = told(await events_of(server, run))
        stops = [int(text.removeprefix("Stop ")) for _, text in found]
        assert stops
        assert stops == sorted(set(stops))
        assert [share for share, _ in found] == [round(stop / 12, 3) for stop in stops]


async def test_in_a_temporary_chat_progress_is_told_too(server: Server) -> None:
    async with standing(server, "new", "command"):
        body = {"messages": [{"role": "user", "text": 'script: tool=asking__tour{"stops":2}'}]}
        events = [event for _, event in parse((await server.post("/api/answers", body)).raw)]
        assert told(events)[0] in {(0.5, "Stop 1"), (1.0, "Stop 2")}
