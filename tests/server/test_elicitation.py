"""Questions of MCP servers in the middle of calls, with servers of the official library of both eras."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from eclair.mcp_servers.elicitation import MAX_QUESTIONS
from tests.chat.test_calls import decide, until_waiting
from tests.mcp_servers.asking_server import Era, standing_asking
from tests.server.test_mcp_servers import results, say
from tests.support import JSON, Door, Process, Reply, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKING = Path(__file__).parents[1] / "mcp_servers" / "asking_server.py"
ERAS = ("new", "old")
CHOICES: JSON = {"who": "Anna", "people": 3, "room": "q", "extras": ["bicycle"], "news": True}


async def add(door: Door, body: JSON) -> str:
    """Add a server, allow its tools, and switch it on."""
    made = await door.post("/api/mcp-servers", {"name": "asking", **body})
    assert made.status == 201, made.body
    path = f"/api/mcp-servers/{made.body['id']}"
    seen = (await door.post(f"{path}/check", {})).body
    assert seen["state"] == "unseen", (seen["fault"], seen["log"])
    await door.post(f"{path}/approve", {"fingerprint": seen["seen"]["fingerprint"]})
    await door.call("PUT", f"{path}/switch", {"on": True})
    return path


def program(era: Era) -> JSON:
    return {"command": [sys.executable, "-P", str(ASKING), era]}


@asynccontextmanager
async def standing(server: Server, era: Era, way: str) -> AsyncGenerator[None]:
    """The server by command or by address."""
    with nullcontext() if way == "command" else standing_asking(era) as url:
        path = await add(server, program(era) if url is None else {"url": url})
        try:
            yield
        finally:
            assert (await server.call("DELETE", path)).status == 204


async def until_asking(door: Door, run: str, count: int = 1) -> JSON:
    """Wait until the server of the only call has asked so many questions."""
    async with asyncio.timeout(30):
        while True:
            message = await door.message(run)
            if message["calls"] and len(message["calls"][0]["elicitations"]) >= count:
                return message
            assert message["status"] in ("running", "waiting"), (message["calls"], message["parts"])
            await asyncio.sleep(0.02)


async def begin(door: Door, call: str) -> tuple[str, JSON]:
    """Have a call made and allowed, whose server asks something; the run and its message."""
    run = (await door.ask(await door.begin(), f"script: tool=asking__{call}"))["run"]
    waiting = await until_waiting(door, run)
    assert await decide(door, run, waiting["calls"][0]["call"], "once") == 202
    return run, await until_asking(door, run)


async def answer(door: Door, run: str, message: JSON, action: str, /, number: int = 1, **content: Any) -> Reply:
    call = message["calls"][0]["call"]
    body = {"action": action, "content": content}
    return await door.post(f"/api/runs/{run}/calls/{call}/questions/{number}", body)


@pytest.mark.parametrize("way", ["command", "address"])
@pytest.mark.parametrize("era", ERAS)
async def test_a_server_asks_and_its_call_goes_on_with_the_answer(server: Server, era: Era, way: str) -> None:
    async with standing(server, era, way):
        run, message = await begin(server, 'book{"place":"Brest"}')
        if era == "new":
            message = await until_waiting(server, run)
        (asked,) = message["calls"][0]["elicitations"]
        assert (asked["server"], asked["message"], asked["action"]) == ("asking", "Who stays in Brest?", None)
        fields = {field["name"]: field for field in asked["fields"]}
        assert [field["kind"] for field in fields.values()] == [
            *("text", "text", "text", "integer", "choice", "choices", "boolean")
        ]
        assert (fields["who"]["is_required"], fields["mail"]["format"], fields["people"]["maximum"]) == (
            *(True, "email"),
            8,
        )
        assert (fields["room"]["default"], fields["room"]["options"][1]["title"]) == (["v"], "With a view")
        wrong = await answer(server, run, message, "accept", **CHOICES | {"people": 9})
        assert (wrong.status, wrong.body["error"]["message"]) == (400, "“People” has to be at most 8.")
        assert (await answer(server, run, message, "accept", **CHOICES)).status == 202
        done = await server.answered(run)
        assert results(done) == [f"accept: {CHOICES}"]
        assert (done["calls"][0]["outcome"], done["calls"][0]["elicitations"][0]["action"]) == ("done", "accept")
        assert (await answer(server, run, message, "accept", **CHOICES)).status == 409


@pytest.mark.parametrize("era", ERAS)
async def test_a_question_is_declined_cancelled_or_left_with_a_stop(server: Server, era: Era) -> None:
    async with standing(server, era, "address"):
        for action in ("decline", "cancel"):
            run, message = await begin(server, 'book{"place":"Brest"}')
            assert (await answer(server, run, message, action)).status == 202
            assert results(await server.answered(run)) == [f"{action}: None"]
        run, message = await begin(server, 'book{"place":"Brest"}')
        assert (await server.post(f"/api/runs/{run}/stop", {})).status == 202
        message = await server.message(run)
        assert (message["status"], message["calls"][0]["outcome"]) == ("stopped", "stopped")
        assert (await answer(server, run, message, "accept", **CHOICES)).status == 409


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_sends_a_person_to_an_address(server: Server, era: Era) -> None:
    async with standing(server, era, "address"):
        run, message = await begin(server, 'pay{"amount":3}')
        (asked,) = message["calls"][0]["elicitations"]
        assert (asked["url"], asked["fields"]) == ("https://pay.example.org/till?id=7", [])
        assert (await answer(server, run, message, "accept")).status == 202
        assert results(await server.answered(run)) == ["paid: accept"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_of_the_library_is_filled_in(server: Server, era: Era) -> None:
    async with standing(server, era, "address"):
        run, message = await begin(server, 'order{"thing":"lamp"}')
        assert (await answer(server, run, message, "accept", size="large")).status == 202
        assert results(await server.answered(run)) == ["ordered large lamp"]


@pytest.mark.parametrize("era", ERAS)
async def test_in_a_temporary_chat_nobody_is_asked(server: Server, era: Era) -> None:
    async with standing(server, era, "address"):
        body = {"messages": [{"role": "user", "text": 'script: tool=asking__find{"what":"it"}'}]}
        raw = (await server.post("/api/answers", body)).raw
        assert b"cancel: None" in raw
        assert b"call.elicited" not in raw


@pytest.mark.parametrize("what", ["password", "deep"])
async def test_what_can_not_be_asked_is_asked_nobody(server: Server, what: str) -> None:
    async with standing(server, "old", "address"):
        assert results(await say(server, f'asking__find{{"what":"{what}"}}')) == ["cancel: None"]
    async with standing(server, "new", "address"):
        done = await say(server, f'asking__find{{"what":"{what}"}}')
        assert (done["calls"][0]["outcome"], done["calls"][0]["elicitations"]) == ("failed", [])
        assert "which can't be asked" in results(done)[0]


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_asks_on_and_on_is_left(server: Server, era: Era) -> None:
    async with standing(server, era, "address"):
        run = (await server.ask(await server.begin(), 'script: tool=asking__find{"what":"often"}'))["run"]
        for number in range(1, MAX_QUESTIONS + 1):
            message = await until_asking(server, run, number)
            assert (await answer(server, run, message, "accept", number, word="a")).status == 202
        done = await server.answered(run)
        assert len(done["calls"][0]["elicitations"]) == MAX_QUESTIONS
        assert results(done)[0].startswith("cancel" if era == "old" else "Error: The MCP server 'asking' wants to ask")


@pytest.mark.parametrize("era", ERAS)
async def test_answers_that_are_none_are_refused(server: Server, era: Era) -> None:
    async with standing(server, era, "address"):
        run, message = await begin(server, 'book{"place":"Brest"}')
        for wrong, fault in (
            ({"who": "Anna", "people": 1}, "“Room” is required; fill it in."),
            (CHOICES | {"who": "A"}, "“Name” has to be at least 2 characters."),
            (CHOICES | {"mail": "anna"}, "“E-mail” has to be an e-mail address."),
            (CHOICES | {"day": "soon"}, "“Day” has to be a date such as 2026-11-29."),
            (CHOICES | {"people": 1.5}, "“People” has to be a whole number."),
            (CHOICES | {"room": "x"}, "“Room” has to be one of the choices."),
            (CHOICES | {"extras": ["sauna"]}, "“Extras” has to be some of the choices."),
            (CHOICES | {"news": "yes"}, "“Send me news” has to be true or false."),
            (CHOICES | {"more": "x"}, "The form has no field 'more'; leave it out."),
        ):
            reply = await answer(server, run, message, "accept", 1, **wrong)
            assert (reply.status, reply.body["error"]["message"]) == (400, fault)
        assert (await answer(server, run, message, "accept", 2)).status == 404
        assert (await answer(server, run, message, "perhaps")).status == 400
        assert (await answer(server, run, message, "cancel")).status == 202
        await server.answered(run)


async def test_another_process_goes_on_with_the_answer(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        first = await Process.start(tmp_path, http)
        await add(first, program("new"))
        run, _ = await begin(first, 'book{"place":"Brest"}')
        message = await until_waiting(first, run)
        await first.kill()
        second = await Process.start(tmp_path, http)
        try:
            assert (await second.message(run))["status"] == "waiting"
            assert (await answer(second, run, message, "accept", **CHOICES)).status == 202
            assert results(await second.answered(run)) == [f"accept: {CHOICES}"]
        finally:
            await second.close()


async def test_a_question_that_was_held_open_is_unknown_after_a_kill(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        first = await Process.start(tmp_path, http)
        await add(first, program("old"))
        run, _ = await begin(first, 'book{"place":"Brest"}')
        await first.kill()
        second = await Process.start(tmp_path, http)
        try:
            message = await second.answered(run)
            assert (message["status"], message["calls"][0]["outcome"]) == ("interrupted", "unknown")
            assert (await answer(second, run, message, "accept", **CHOICES)).status == 409
        finally:
            await second.close()
