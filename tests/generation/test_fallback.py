"""Another model answers where one is down or slow, by rule, before its first word; and the answer says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import openai
import orjson
import pytest

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import EngineSettings, Settings
from tests.cli.test_cli import Eclair
from tests.llm.servers import Speaking
from tests.llm.standin import Answer, Call, cut, standing_in
from tests.server.test_v1 import client_of
from tests.support import Server, check_log, parse, serving, text_of

DOWN = "http://127.0.0.1:9/v1"


def refusing(status: int, text: str = "no") -> Answer:
    return lambda call: call.reply(status, orjson.dumps({"error": {"message": text}}))


async def silent(call: Call) -> None:
    assert await call.gone()


async def empty(call: Call) -> None:
    await call.stream(b"data: [DONE]\n\n")


@asynccontextmanager
async def two(
    settings: Settings, small: int | None = None, **rules: Any
) -> AsyncGenerator[tuple[Server, Speaking, Speaking]]:
    """Éclair before two servers; where `main` is down, `other` answers, and then the scripted engine."""
    async with AsyncExitStack() as stack:
        main, other = [Speaking(await stack.enter_async_context(standing_in())) for _ in range(2)]
        main.lists = main.has = ["main"]
        other.lists = other.has = ["other"]
        main.says, other.says = "By main.", "By other."
        engines = {"one": EngineSettings(main.url), "two": EngineSettings(other.url, context=small)}
        fallbacks = {"main": ("gone", "other", "scripted")}
        wanted = replace(settings, engines=engines, **{"fallbacks": fallbacks, **rules})
        yield await stack.enter_async_context(serving(wanted)), main, other


async def ask(server: Server, text: str = "Hello?", **more: Any) -> dict[str, Any]:
    return await server.say(await server.begin(), text, model="main", **more)


def remarks(message: dict[str, Any]) -> list[str]:
    return [remark["message"] for remark in message["remarks"] if remark["code"] == "answered_by"]


async def test_nothing_is_said_where_the_first_answers(settings: Settings) -> None:
    async with two(settings) as (server, _, other):
        message = await ask(server)
        assert (text_of(message), message["model"], message["remarks"]) == ("By main.", "main", [])
        assert not any("chat" in call.path for call in other.standin.calls)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (refusing(503, "Warming up"), "Warming up."),
        (refusing(429, "Too many"), "Too many."),
        (refusing(500, "Oh"), "Oh."),
        (cut, "cannot be reached"),
        (empty, "broke off"),
    ],
)
async def test_the_next_answers_and_the_answer_says_so(settings: Settings, fault: Answer, why: str) -> None:
    async with two(settings) as (server, main, _):
        main.standin.routes["/v1/chat/completions"] = fault
        conversation = await server.begin()
        begun = await server.ask(conversation, "Hello?", model="main")
        events = [event for _, event in parse(await server.stream(begun["run"]))]
        check_log(events)
        assert [event.type for event in events][:3] == ["run.started", "model.changed", "remark"]
        message = await server.message(begun["run"])
        assert (text_of(message), message["model"], message["status"]) == ("By other.", "other", "finished")
        (remark,) = remarks(message)
        assert remark.startswith("main did not answer: ")
        assert why in remark
        assert "gone did not answer: There is no model 'gone'" in remark
        assert remark.endswith("other answered in its place, by the engine two (on this machine).")
        kept = (await server.tree(conversation))["messages"][-1]
        assert kept == message
        main.standin.routes["/v1/chat/completions"] = main.chat
        again = await server.say(conversation, "And now?", model="main")
        assert (text_of(again), again["model"], again["remarks"]) == ("By main.", "main", [])


async def test_a_refusal_is_the_questions_fault_and_moves_nothing(settings: Settings) -> None:
    async with two(settings) as (server, main, other):
        main.standin.routes["/v1/chat/completions"] = refusing(400, "That is too long")
        message = await ask(server)
        assert (message["status"], message["fault"]["code"], message["model"]) == ("failed", "engine_refused", "main")
        assert not any("chat" in call.path for call in other.standin.calls)


async def test_once_words_have_come_nobody_else_is_asked(settings: Settings) -> None:
    async def half(call: Call) -> None:
        frame = {"choices": [{"index": 0, "delta": {"content": "By m"}}]}
        await call.stream(b"data: " + orjson.dumps(frame) + b"\n\n", end=False)
        await cut(call)

    async with two(settings) as (server, main, other):
        main.standin.routes["/v1/chat/completions"] = half
        message = await ask(server)
        assert (text_of(message), message["status"], message["model"]) == ("By m", "failed", "main")
        assert not any("chat" in call.path for call in other.standin.calls)


async def test_a_slow_one_is_left_and_closed(settings: Settings) -> None:
    async with two(settings, slow_after=1.5) as (server, main, _):
        main.standin.routes["/v1/chat/completions"] = silent
        message = await ask(server)
        assert (text_of(message), message["model"]) == ("By other.", "other")
        assert remarks(message)[0].startswith("main did not answer: main said nothing for 1.5 seconds. ")


async def test_a_slow_one_is_waited_for_where_nobody_else_is_there(settings: Settings) -> None:
    async def slow(call: Call) -> None:
        await asyncio.sleep(0.5)
        await main.chat(call)

    async with two(settings, slow_after=0.1, fallbacks={"main": ("gone",)}) as (server, main, _):
        main.standin.routes["/v1/chat/completions"] = slow
        message = await ask(server)
        assert (text_of(message), message["model"], message["remarks"]) == ("By main.", "main", [])


async def test_a_model_that_was_never_seen_has_its_rule_too(settings: Settings) -> None:
    rules: dict[str, Any] = {"engines": {"one": EngineSettings(DOWN)}, "fallbacks": {"main": ("scripted",)}}
    async with serving(replace(settings, **rules)) as server:
        message = await ask(server, "script: say=fine")
        assert (text_of(message), message["model"]) == ("fine", "scripted")
        assert "cannot be reached" in remarks(message)[0]
    gone = replace(settings, fallbacks={"main": ("gone", "scripted")})
    async with serving(gone) as server:
        message = await ask(server, "script: say=fine")
        assert (text_of(message), message["model"]) == ("fine", "scripted")
        assert remarks(message)[0].startswith("main did not answer: There is no model 'main'")
        unknown = await server.post(
            "/v1/chat/completions", {"model": "mian", "messages": [{"role": "user", "content": "Hi"}]}
        )
        assert unknown.status == 404
    async with serving(replace(settings, **rules, model="main")) as server:
        message = await server.say(await server.begin(), "script: say=fine")
        assert (text_of(message), len(remarks(message))) == ("fine", 1)


async def test_where_all_fail_each_is_named(settings: Settings) -> None:
    async with two(settings, fallbacks={"main": ("other",)}) as (server, main, other):
        main.standin.routes["/v1/chat/completions"] = refusing(500, "Oh")
        other.standin.routes["/v1/chat/completions"] = refusing(502, "Ah")
        message = await ask(server)
        assert (message["status"], message["fault"]["code"]) == ("failed", "engine_unavailable")
        said = message["fault"]["message"]
        assert "main did not answer: The engine one failed: Oh." in said
        assert "other did not answer: The engine two is not available: Ah." in said
        assert message["remarks"] == []


async def test_the_history_is_laid_out_for_the_window_of_the_one_that_answers(settings: Settings) -> None:
    async with two(settings, small=400) as (server, main, other):
        conversation = await server.begin()
        for number in range(4):
            await server.say(conversation, f"{number} " + "word " * 100, model="main", max_tokens=50)
        main.standin.routes["/v1/chat/completions"] = refusing(503)
        message = await server.say(conversation, "Last", model="main", max_tokens=50)
        assert message["model"] == "other"
        assert [remark["code"] for remark in message["remarks"]] == ["answered_by", "history_trimmed"]
        asked = next(call for call in reversed(other.standin.calls) if "chat" in call.path)
        assert len(asked.json["messages"]) < 9
        assert asked.json["messages"][-1]["content"] == "Last"


async def test_an_answer_is_continued_by_another(settings: Settings) -> None:
    async with two(settings) as (server, main, _):
        conversation = await server.begin()
        begun = await server.ask(conversation, "script: words=100000 rate=50", model="scripted")
        async with aclosing(
            server.app.runs.follow(await server.app.storage.runs.get_run(LOCAL_PRINCIPAL, begun["run"]), 0)
        ) as batches:
            async for batch in batches:
                if any(b"part.delta" in line for line in batch.lines):
                    break
        await server.post(f"/api/runs/{begun['run']}/stop")
        before = text_of(await server.message(begun["run"]))
        main.standin.routes["/v1/chat/completions"] = refusing(503)
        rest = await server.turn(conversation, **{"continue": begun["answer"], "model": "main"})
        message = await server.answered(rest["run"])
        assert text_of(message) == f"{before}By other."
        assert message["model"] == "other"


async def test_a_temporary_chat_falls_back_too(settings: Settings) -> None:
    async with two(settings) as (server, main, _):
        main.standin.routes["/v1/chat/completions"] = refusing(503)
        body = {"messages": [{"role": "user", "text": "Hello?"}], "model": "main"}
        events = [event.type for _, event in parse((await server.post("/api/answers", body)).raw)]
        assert events[:3] == ["run.started", "model.changed", "remark"]


@pytest.mark.parametrize("slow", [False, True])
async def test_openais_dialect_names_the_model_that_answered(settings: Settings, slow: bool) -> None:
    async with two(settings, slow_after=1.0 if slow else 0) as (server, main, _), client_of(server) as client:
        main.standin.routes["/v1/chat/completions"] = silent if slow else refusing(503)
        whole = await client.chat.completions.create(
            model="main", messages=[{"role": "user", "content": "Hello?"}], n=2
        )
        assert (whole.model, [choice.message.content for choice in whole.choices]) == ("other", ["By other."] * 2)
        stream = await client.chat.completions.create(
            model="main", messages=[{"role": "user", "content": "Hello?"}], stream=True
        )
        assert {chunk.model async for chunk in stream} == {"other"}
        response = await client.responses.create(model="main", input="Hello?")
        assert (response.model, response.output_text) == ("other", "By other.")
        claude = anthropic.AsyncAnthropic(base_url=server.address, api_key="none")
        async with claude:
            message = await claude.messages.create(
                model="main", max_tokens=9, messages=[{"role": "user", "content": "Hello?"}]
            )
        assert message.model == "other"


async def test_openais_dialect_says_whose_fault_it_is(settings: Settings) -> None:
    async with two(settings, fallbacks={"main": ("other",)}) as (server, main, other), client_of(server) as client:
        main.standin.routes["/v1/chat/completions"] = refusing(500, "Oh")
        other.standin.routes["/v1/chat/completions"] = refusing(500, "Ah")
        with pytest.raises(openai.InternalServerError, match=r"Oh\..*Ah\."):
            await client.chat.completions.create(model="main", messages=[{"role": "user", "content": "Hello?"}])


def test_the_terminal_says_who_answered(tmp_path: Path) -> None:
    run = Eclair(tmp_path)
    rules = {"main": ["scripted"]}
    engines = {"one": {"url": DOWN}}
    env = {"ECLAIR_ENGINES": orjson.dumps(engines).decode(), "ECLAIR_FALLBACKS": orjson.dumps(rules).decode()}
    done = run("ask", "--model", "main", "script: say=fine", **env)
    assert (done.returncode, done.stdout) == (0, "fine\n")
    assert "by the engine scripted (on this machine)." in done.stderr
    wrong = run("config", ECLAIR_FALLBACKS='{"main": "other"}')
    assert wrong.stderr == "The environment sets ECLAIR_FALLBACKS.main, which is not a list of models.\n"
