"""`eclair ask` with several models, which answer one question side by side."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from eclair.schema.events import Event, RunStarted, RunStopped, fold
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import open_storage
from tests.cli.test_cli import Eclair, Screen, events, kept, sentence, wait
from tests.llm.standin import standing_in
from tests.server.test_comparisons import MODELS, Trio
from tests.support import check_log

ASK = ("ask", "--model", MODELS[0], "--model", MODELS[1])


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


@pytest_asyncio.fixture
async def trio() -> AsyncGenerator[Trio]:
    async with standing_in() as standin:
        yield Trio(standin)


def engines(trio: Trio, **more: str) -> str:
    """The setting that names the engine of the models, and others by their addresses."""
    return orjson.dumps({"trio": {"url": f"{trio.url}/v1"}, **{name: {"url": more[name]} for name in more}}).decode()


def logs(output: str) -> list[list[Event]]:
    """The events of each answer."""
    found: list[list[Event]] = []
    for event in events(output):
        if isinstance(event, RunStarted):
            found.append([])
        found[-1].append(event)
    return found


async def test_models_answer_at_once_each_under_its_name(run: Eclair, trio: Trio) -> None:
    asking = (*ASK, "--model", MODELS[2], "Who are you? held")
    asked = asyncio.create_task(asyncio.to_thread(run, *asking, ECLAIR_ENGINES=engines(trio)))
    await trio.all_busy.wait()
    trio.go.set()
    done = await asked
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\n".join(f"## {model}\n\nI am {model}.\n" for model in MODELS)
    assert await kept(run.folder) == [], "nobody was there to keep one"


async def test_programs_get_the_events_of_one_answer_after_those_of_the_other(run: Eclair, trio: Trio) -> None:
    done = await asyncio.to_thread(run, *ASK, "--json", "Who?", ECLAIR_ENGINES=engines(trio))
    assert (done.returncode, done.stderr) == (0, "")
    for log in logs(done.stdout):
        check_log(log)
    said = [(fold(log).model, fold(log).text) for log in logs(done.stdout)]
    assert said == [(model, f"I am {model}.") for model in MODELS[:2]]


async def test_a_server_that_is_down_takes_no_answer_of_others_with_it(run: Eclair, trio: Trio) -> None:
    more = engines(trio, down="http://127.0.0.1:9/v1")
    asking = ("ask", "--model", "gone", "--model", MODELS[1])
    done = await asyncio.to_thread(run, *asking, "Who?", ECLAIR_ENGINES=more)
    assert done.stdout == f"## gone\n\n\n## {MODELS[1]}\n\nI am {MODELS[1]}.\n"
    assert (done.returncode, "has the model 'gone'" in sentence(done.stderr)) == (4, True)
    alone = await asyncio.to_thread(run, "ask", "--model", "gone", "--model", "lost", "Who?", ECLAIR_ENGINES=more)
    assert (alone.returncode, alone.stdout) == (4, "")


async def test_what_cannot_be_compared_is_refused_before_anybody_answers(run: Eclair, trio: Trio) -> None:
    missing = await asyncio.to_thread(
        run, "ask", "--model", MODELS[0], "--model", "x", "W", ECLAIR_ENGINES=engines(trio)
    )
    assert (missing.returncode, missing.stdout, "Available:" in sentence(missing.stderr)) == (2, "", True)
    many = await asyncio.to_thread(run, *ASK, "--model", "c", "--model", "d", "Who?")
    assert (many.returncode, sentence(many.stderr)) == (2, "4 models are too many; name 3 at most with --model.")
    assert all(call.path == "/v1/models" for call in trio.calls)


async def test_a_person_keeps_one_answer(run: Eclair, trio: Trio) -> None:
    screen = Screen(run.folder, *ASK, "Who are you?", ECLAIR_ENGINES=engines(trio))
    try:
        for model in MODELS[:2]:
            await asyncio.to_thread(screen.until, f"## {model}")
            await asyncio.to_thread(screen.until, f"I am {model}.")
            assert "to the first word" in await asyncio.to_thread(screen.until, f" · {model}")
        await asyncio.to_thread(screen.until, f"Keep an answer? 1: {MODELS[0]}, 2: {MODELS[1]}; Enter keeps none.")
        screen.type("3\r")
        await asyncio.to_thread(screen.until, "Type 1 or 2, or press Enter.")
        screen.type("2\r")
        await asyncio.to_thread(screen.until, "Kept; `eclair chat --conversation ")
        id = await asyncio.to_thread(screen.until, "`")
        assert await asyncio.to_thread(screen.end) == 0
    finally:
        screen.close()
    storage = open_storage(run.folder)
    try:
        conversation, (question, *answers) = await storage.conversations.get_tree(LOCAL_PRINCIPAL, id)
    finally:
        await storage.close()
    chosen = next(answer for answer in answers if answer.model == MODELS[1])
    assert question.comparison is not None
    assert (question.comparison.kept, conversation.leaf) == (chosen.id, chosen.id)
    assert (conversation.title, len(answers)) == ("Who are you?", 2)
    (pair,) = map(orjson.loads, (await asyncio.to_thread(run, "ratings", "export")).stdout.splitlines())
    assert (pair["kind"], pair["chosen"]["model"]) == ("preference", MODELS[1])


async def test_a_person_keeps_none(run: Eclair, trio: Trio) -> None:
    screen = Screen(run.folder, *ASK, "Who?", ECLAIR_ENGINES=engines(trio))
    try:
        await asyncio.to_thread(screen.until, "Keep an answer?")
        screen.type("\r")
        assert await asyncio.to_thread(screen.end) == 0
    finally:
        screen.close()
    assert await kept(run.folder) == []


async def test_stopping_it_stops_all(run: Eclair, trio: Trio) -> None:
    asking = (*ASK, "--model", MODELS[2], "--json", "held")
    process = await asyncio.to_thread(run.start, *asking, ECLAIR_ENGINES=engines(trio))
    await trio.all_busy.wait()
    assert process.stdout is not None
    first = await asyncio.to_thread(process.stdout.readline)
    process.send_signal(signal.SIGINT)
    out, err, code = await asyncio.to_thread(wait, process)
    (log,) = logs((first + out).decode())
    check_log(log)
    assert isinstance(log[-1], RunStopped)
    assert (err, code) == (b"", 130)
    assert await kept(run.folder) == []
