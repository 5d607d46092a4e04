"""Sub-agents of a research, through the HTTP door: what they may do and spend, and how they go on after a kill."""

# ruff: noqa: ASYNC110 (what is waited for here happens behind the door)

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from eclair.chat.runs import Runs
from eclair.errors import EngineUnavailable
from eclair.llm.base import Delta, Request, Text
from eclair.research import search_agent, sub_agents
from eclair.schema.agents import AgentBudget
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage
from eclair.web import session
from tests.acting import Act
from tests.chat.test_calls import effects
from tests.researching import FURTHER, Researcher, asked, searching
from tests.server.test_documents import JSON, add, ready, sentence
from tests.support import Process, Server, text_of
from tests.web.internet import Internet
from tests.web.questions import Question, questions
from tests.web.search_server import looking


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for pages however busy the machine is."""
    monkeypatch.setattr(search_agent, "SEARCH_TIMEOUT_S", 60.0)
    monkeypatch.setattr(session, "PAGE_TIMEOUT_S", 60.0)
    monkeypatch.setattr(session, "BEST_PAGES_GRACE_S", 60.0)


@pytest.fixture
def plain(world: Internet) -> list[Question]:
    return [each for each in questions(world) if each.sort == "plain" and each.language == "en"]


def researcher(server: Server, acts: dict[str, list[Act]], *, further: str = "none.", says: str = "") -> Researcher:
    """The scripted engine as a model that researches."""
    model = Researcher(acts, further=further, says=says)
    server.engine.stream = model.stream
    return model


async def researched(server: Server, plan: list[str], request: str = "The towns", **more: Any) -> JSON:
    return dict(await server.say(await server.begin(), request, research=plan, model="scripted", **more))


async def until(server: Server, run: str, is_so: Callable[[JSON], object]) -> JSON:
    async with asyncio.timeout(30):
        while not is_so(message := await server.message(run)):
            await asyncio.sleep(0.02)
    return message


async def test_each_question_has_a_sub_agent_whose_notes_the_report_rests_on(
    settings: Settings, world: Internet, plain: list[Question]
) -> None:
    first, second = plain[0], plain[2]
    told = [world.pages[each.pages[0]].key for each in (first, second)]
    async with looking(settings, world, scripted=True) as (server, _, finder):
        model = researcher(
            server,
            {each.text: searching(each.text, notes=[key]) for each, key in zip((first, second), told, strict=True)},
            says=" ".join(told),
        )
        message = await researched(server, [first.text, second.text])
        assert {each.text for each in finder.asked} == {first.text, second.text}
        for agent, key in zip(message["agents"], told, strict=True):
            assert (agent["ending"], agent["is_further"], agent["fault"]) == ("done", False, None)
            assert (agent["spent"]["rounds"], agent["spent"]["tokens"]) == (2, 220)
            assert agent["budget"]["rounds"] == sub_agents.LOOP_BUDGET.rounds
            (note,) = agent["notes"]
            assert note["text"] == key
            assert set(note["passages"]) <= {passage["number"] for passage in message["passages"]}
        assert [(call["agent"], call["tool"], call["outcome"]) for call in message["calls"]] == [
            (agent, "search_web", "done") for agent in (call["agent"] for call in message["calls"])
        ]
        assert {call["agent"] for call in message["calls"]} == {"1", "2"}
        assert all(call["call"].startswith(f"{call['agent']}.") for call in message["calls"])
        offered = {tool["function"]["name"] for tool in model.of(first.text)[0].tools}
        assert offered == {"search_web", "read_page"}
        assert all(request.purpose == "notes" for request in model.of(first.text))
        sections = [each for each in model.requests if "one section of a report" in asked(each)]
        assert [f"- {key}" in asked(each) for each, key in zip(sections, told, strict=True)] == [True, True]
        text = text_of(message)
        assert [line for line in text.splitlines() if line.startswith("## ")] == [
            f"## 1. {first.text}",
            f"## 2. {second.text}",
            "## Sources",
        ]
        assert {sentence(message, each) for each in message["citations"]} >= set(told)
        following = await server.say(message["conversation"], "script: say=Yes.", model="scripted")
        assert following["status"] == "finished"
        assert not any(each.tool_calls for each in model.requests[-1].messages)
        exported = await server.get(f"/api/conversations/{message['conversation']}/export?format=markdown")
        assert "search_web" not in exported.raw.decode()


async def test_the_planner_sees_the_notes_and_asks_further_once(
    settings: Settings, world: Internet, plain: list[Question]
) -> None:
    first, second = plain[0], plain[2]
    async with looking(settings, world, scripted=True) as (server, _, _):
        model = researcher(
            server,
            {each.text: searching(each.text, notes=[world.pages[each.pages[0]].key]) for each in (first, second)},
            further=f"1. {second.text}\n2. {first.text}\nThat is all.",
            says="So.",
        )
        message = await researched(server, [first.text])
        assert [(each["agent"], each["is_further"]) for each in message["agents"]] == [("1", False), ("2", True)]
        reviews = [each for each in model.requests if FURTHER in asked(each)]
        assert len(reviews) == 1
        assert world.pages[first.pages[0]].key in asked(reviews[0])
        assert f"## 2. {second.text}" in text_of(message)


async def test_a_budget_that_runs_out_ends_in_notes(
    settings: Settings, world: Internet, plain: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sub_agents, "LOOP_BUDGET", AgentBudget(3, 400, 240.0))
    rounds, tokens, same = (each.text for each in plain[:3])
    async with looking(settings, world, scripted=True) as (server, _, finder):
        researcher(
            server,
            {
                rounds: [[("search_web", {"query": f"{rounds} {number}"})] for number in range(9)],
                same: [[("search_web", {"query": same})]] * 9,
                tokens: [[("search_web", {"query": tokens})]],
            },
        )
        message = await researched(server, [rounds])
        (agent,) = message["agents"]
        assert (agent["ending"], agent["spent"]["rounds"]) == ("rounds", 3)
        assert len(finder.asked) == 2
        monkeypatch.setattr(sub_agents, "LOOP_BUDGET", AgentBudget(9, 300, 240.0))
        (agent,) = (await researched(server, [tokens]))["agents"]
        assert agent["ending"] == "tokens"
        assert agent["spent"]["tokens"] <= 440
        monkeypatch.setattr(sub_agents, "LOOP_BUDGET", AgentBudget(9, 80_000, 240.0))
        message = await researched(server, [same])
        (agent,) = message["agents"]
        assert agent["ending"] == "repeated"
        assert len([each for each in finder.asked if each.text == same]) == 1
        assert message["status"] == "finished"


async def test_a_model_that_looks_nothing_up_has_the_program_do_it(
    settings: Settings, world: Internet, plain: list[Question]
) -> None:
    question = plain[0]
    async with looking(settings, world, scripted=True) as (server, _, finder):
        researcher(server, {question.text: ["I know all of it."]}, says=world.pages[question.pages[0]].key)
        message = await researched(server, [question.text])
        assert finder.asked
        assert message["agents"][0]["notes"]
        assert message["citations"]


async def test_a_page_that_hangs_holds_up_nothing(settings: Settings, world: Internet) -> None:
    slow = world.mood("/silent")
    question = f"What does {slow} say?"
    async with looking(settings, world, scripted=True, web_seconds=1.0) as (server, _, _):
        researcher(server, {question: [[("read_page", {"url": slow})], "nothing found."]})
        message = await researched(server, [question])
        (agent,) = message["agents"]
        assert (message["status"], agent["ending"], agent["notes"]) == ("finished", "done", [])
        assert [call["outcome"] for call in message["calls"]] == ["failed"]
        assert "No source was found for this." in text_of(message)


async def test_without_the_web_it_reads_documents_alone(settings: Settings, world: Internet) -> None:
    question = "How high is the tower?"
    async with looking(settings, world, scripted=True) as (server, reader, finder):
        file = await ready(server, await add(server))
        acts: list[Act] = [[("search_documents", {"query": "tower high"})], "- The tower is 330 metres high [1]."]
        model = researcher(server, {question: acts}, says="It is 330 metres high.")
        message = await researched(server, [question], files=[file["id"]], web="off")
        offered = {tool["function"]["name"] for tool in model.of(question)[0].tools}
        assert offered == {"search_documents", "read_document"}
        assert [note["text"] for note in message["agents"][0]["notes"]] == ["The tower is 330 metres high ."]
        assert message["citations"]
        assert "| 1 | tower.md |" in text_of(message)
        reader.says = "The tower is 330 metres high."
        by_rule = await server.say(
            await server.begin(), "The tower", research=[question], files=[file["id"]], web="off", model="reader"
        )
        assert by_rule["citations"]
        assert by_rule["agents"][0]["budget"]["tokens"] == 0
        assert finder.asked == []
        refused = await server.post(
            f"/api/conversations/{await server.begin()}/turns", {"text": "x", "research": [question], "web": "off"}
        )
        assert (refused.status, refused.error["code"]) == (400, "invalid_input")


async def test_one_is_stopped_and_the_report_wanted_now_by_way_of_another_process(
    settings: Settings, world: Internet, plain: list[Question]
) -> None:
    fast, slow, other = (each.text for each in plain[:3])
    async with looking(settings, world, scripted=True) as (server, _, _):
        model = researcher(server, {each: searching(each, notes=["x"]) for each in (fast, slow, other)}, says="So.")
        for held in (slow, other):
            model.hold(held)
        begun = await server.ask(await server.begin(), "Towns", research=[fast, slow, other], model="scripted")
        run = begun["run"]
        await until(server, run, lambda message: len([each for each in message["agents"] if each["ending"]]) == 1)
        assert (await server.post(f"/api/runs/{run}/agents/9/stop")).status == 404
        other = await asyncio.to_thread(open_storage, settings)
        record = await other.runs.get_run(LOCAL_PRINCIPAL, run)
        await Runs(other).finish_early(record, "2")
        message = await until(server, run, lambda message: message["agents"][1]["ending"])
        assert [each["ending"] for each in message["agents"]] == ["done", "stopped", None]
        await Runs(other).finish_early(record)
        await other.close()
        message = await server.answered(run)
        assert [each["ending"] for each in message["agents"]] == ["done", "stopped", "enough"]
        assert (message["status"], text_of(message).count("\n## ")) == ("finished", 3)


async def test_a_model_that_is_down_fails_the_run_which_goes_on_later(
    settings: Settings, world: Internet, plain: list[Question]
) -> None:
    question = plain[0]
    async with looking(settings, world, scripted=True) as (server, _, _):
        researcher(server, {question.text: [EngineUnavailable("The engine is down.")]})
        message = await researched(server, [question.text])
        assert (message["status"], message["fault"]["message"]) == ("failed", "The engine is down.")
        assert message["agents"][0]["fault"] == "The engine is down."
        key = world.pages[question.pages[0]].key
        researcher(server, {question.text: searching(question.text, notes=[key])}, says=key)
        begun = await server.turn(message["conversation"], model="scripted", **{"continue": message["id"]})
        message = await server.answered(begun["run"])
        assert (message["status"], message["agents"][0]["ending"]) == ("finished", "done")
        assert message["citations"]


async def test_a_stopped_report_goes_on_with_its_sections(
    settings: Settings, world: Internet, plain: list[Question]
) -> None:
    first, second = plain[0], plain[2]
    keys = {each.text: world.pages[each.pages[0]].key for each in (first, second)}
    async with looking(settings, world, scripted=True) as (server, _, finder):
        model = researcher(
            server, {text: searching(text, notes=[key]) for text, key in keys.items()}, says=keys[first.text]
        )
        begun = await server.ask(await server.begin(), "Towns", research=[*keys], model="scripted")
        stream, written = server.engine.stream, asyncio.Event()

        async def hang(request: Request) -> AsyncGenerator[Delta, None]:
            if f"The section answers: {second.text}" in asked(request):
                yield Text("Half a")
                written.set()
                await asyncio.Event().wait()
            async for delta in stream(request):
                yield delta

        server.engine.stream = hang
        await written.wait()
        await until(server, begun["run"], lambda message: "Half a" in text_of(message))
        await server.post(f"/api/runs/{begun['run']}/stop")
        stopped = await server.message(begun["run"])
        assert stopped["status"] == "stopped"
        searched, before = len(finder.asked), len(model.requests)
        server.engine.stream, model.says = stream, keys[second.text]
        again = await server.turn(stopped["conversation"], model="scripted", **{"continue": stopped["id"]})
        message = await server.answered(again["run"])
        assert (message["status"], len(finder.asked)) == ("finished", searched)
        assert len(model.requests) == before + 1
        text = text_of(message)
        assert "Half a" not in text
        assert [text.count(each) for each in keys.values()] == [1, 1]
        assert [line for line in text.splitlines() if line.startswith("## ")][:2] == [
            f"## 1. {first.text}",
            f"## 2. {second.text}",
        ]
        assert {sentence(message, each) for each in message["citations"]} == set(keys.values())
        assert [each["agent"] for each in message["agents"]] == ["1", "2"]


async def test_killed_amid_two_sub_agents_it_repeats_no_finished_call(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        server = await Process.start(tmp_path, http)
        try:
            done = _script("done")
            begun = await server.ask(
                await server.begin(),
                "Everything",
                research=[done, _script("one", "slow1"), _script("two", "slow2")],
                model="scripted",
                libraries=[],
                files=[(await ready(server, await add(server)))["id"]],
                web="off",
            )
            async with asyncio.timeout(30):
                while not {"done", "slow1", "slow2"} <= set(effects(tmp_path)):
                    await asyncio.sleep(0.02)
                while not await asyncio.to_thread(_is_stored, tmp_path, "agent.ended"):
                    await asyncio.sleep(0.02)
            await server.kill()
            server = await Process.start(tmp_path, http)
            cut = await server.message(begun["run"])
            assert cut["status"] == "interrupted"
            again = await server.turn(cut["conversation"], model="scripted", **{"continue": cut["id"]})
            message = await server.answered(again["run"])
            assert message["status"] == "finished"
            made = effects(tmp_path)
            assert [made.count(each) for each in ("done", "one", "two")] == [1, 1, 1]
            assert [made.count(each) for each in ("slow1", "slow2")] == [2, 2]
            assert [each["ending"] for each in message["agents"]] == ["done"] * 3
            assert sorted(call["agent"] for call in message["calls"]) == ["1", "2", "2", "3", "3"]
            assert all(call["outcome"] == "done" for call in message["calls"])
        finally:
            await server.close()


def _script(*texts: str) -> str:
    """A question that has the scripted engine call for each text in turn, slowly for the second."""
    lines = [
        f'script: tool=scripted_read{{"text":"{text}","linger":{8 if number else 0}}}'
        for number, text in enumerate(texts)
    ]
    return "\n".join([*lines, "script: say=nothing found."])


def _is_stored(folder: Path, type: str) -> bool:
    """Return whether an event of that type is in the log: it is written in batches."""
    with contextlib.closing(sqlite3.connect(folder / "eclair.db")) as db:
        rows = db.execute("SELECT lines FROM chunk").fetchall()
    return any(f'"type":"{type}"' in lines for (lines,) in rows)
