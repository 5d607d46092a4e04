"""The embedded engine as it is: llama.cpp with the real model, in a real process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from eclair.errors import (
    Conflict,
    ContextExceeded,
    EclairError,
    EngineMissing,
    EngineRefused,
    EngineUnavailable,
    ModelMissing,
    NotFound,
)
from eclair.llm.base import Delta, Finish, PromptMessage, Request, Text, TokenUsage, ToolCall
from eclair.llm.json_schema import SchemaCheck
from eclair.llm.local import llama_server, speculative
from eclair.llm.local.endpoint_file import endpoint_path
from eclair.llm.local.llama_engine import LlamaEngine
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.model_process import ModelProcess
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.models.catalog import starter_entry
from eclair.schema.messages import Sampling
from eclair.settings import Settings
from tests.support import has_walls

MODEL = starter_entry().id
SYSTEM = Settings().system_prompt


def asking(question: str, tokens: int = 8, *before: PromptMessage) -> Request:
    messages = (PromptMessage("system", SYSTEM), *before, PromptMessage("user", question))
    return Request(MODEL, messages, sampling=Sampling(temperature=0, max_tokens=tokens))


async def ask(engine: LocalEngine, request: Request) -> list[Delta]:
    return [piece async for piece in engine.stream(request)]


def said(pieces: list[Delta]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


def cached(pieces: list[Delta]) -> int:
    return next(piece.cached_tokens or 0 for piece in pieces if isinstance(piece, TokenUsage))


READING = "reading the system prompt"
"""The task that does so after a model was loaded."""


async def until(condition: object, within: float = 20.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[LocalEngine]:
    engine = LocalEngine.start(settings)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
def home(tmp_path: Path, model_file: Path) -> Settings:
    """A data folder of its own with the model in it, and a small engine."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / model_file.name).symlink_to(model_file)
    return Settings(data_dir=tmp_path, embedded_parallel=4, embedded_context=2048)


@pytest.fixture
async def engine(home: Settings) -> AsyncGenerator[LocalEngine]:
    async with running(home) as engine:
        yield engine


async def test_it_loads_by_itself_and_answers(engine: LocalEngine, home: Settings) -> None:
    assert (await engine.health()).state == "loading"
    loaded: list[str] = []
    engine.watch_loading(loaded.append)
    assert await engine.count(MODEL, "Hello world, hello world.") == 9
    pieces = await ask(engine, asking("Name three rivers."))
    assert said(pieces)
    assert isinstance(pieces[-1], Finish)
    assert (await engine.health()).state == "ready"
    engine.watch_loading(loaded.append)
    assert loaded == [MODEL, MODEL], "when it was loaded, and as it already was"
    model = (await engine.models())[0]
    assert (model.id, model.context, model.license, model.size) == (
        MODEL,
        2048,
        "Apache-2.0",
        starter_entry().files[0].size,
    )
    assert await engine.count(MODEL, "Hello world, hello world.") == 6
    assert endpoint_path(home.data_dir, MODEL).stat().st_mode & 0o777 == 0o600


async def test_the_head_is_cached_for_all_who_ask_at_once_and_turns_reuse_theirs(engine: LocalEngine) -> None:
    await engine.prefill(asking("Hi"))
    head = await engine.count(MODEL, SYSTEM)
    first = await asyncio.gather(*(ask(engine, asking(f"What is {number} plus one?")) for number in range(4)))
    assert min(map(cached, first)) >= head
    question = asking("Tell me a story about a fox.", 60)
    answer = await ask(engine, question)
    await asyncio.gather(*(ask(engine, asking(f"And {number}?", 4)) for number in range(4)))
    history = (question.messages[1], PromptMessage("assistant", said(answer)))
    second = await ask(engine, asking("And then?", 8, *history))
    assert cached(second) >= head + 60


async def test_a_turn_that_brings_much_along_reads_its_conversation_once(engine: LocalEngine) -> None:
    await engine.prefill(asking("Hi"))
    first = asking("What does this say? " + "The river is wide. " * 40)
    answer = await ask(engine, first)
    read = (first.messages[1], PromptMessage("assistant", said(answer)))
    second = await ask(engine, asking("And this? " + "The forest is old. " * 80, 8, *read))
    assert cached(second) >= 200
    count = next(piece for piece in second if isinstance(piece, TokenUsage))
    assert count.prompt_tokens > 2.5 * cached(second)


async def test_reading_a_long_prompt_is_no_silence(home: Settings) -> None:
    async with running(replace(home, first_word_seconds=0.2)) as engine:
        await ask(engine, asking("Hello?"))
        began = time.monotonic()
        assert said(await ask(engine, asking("The river is wide. " * 350)))
        assert time.monotonic() - began > 1.0


async def test_what_was_read_ahead_is_not_read_again(engine: LocalEngine) -> None:
    history = (PromptMessage("user", "One stone and another. " * 60), PromptMessage("assistant", "I see."))
    await engine.prefill(asking(".", 8, *history))
    answer = await ask(engine, asking("And then?", 8, *history))
    assert cached(answer) >= 300


async def test_an_answer_is_continued_without_its_beginning(engine: LocalEngine) -> None:
    asked = asking("Count to ten in words.")
    going_on = replace(asked, messages=(*asked.messages, PromptMessage("assistant", "One, two, three, fo")))
    text = said(await ask(engine, replace(going_on, sampling=Sampling(temperature=0, max_tokens=12))))
    assert "One" not in text
    assert "five" in text


FERRY = (
    "The ferry leaves the island at seven and at noon, when the wind allows it. Whoever misses it waits in the old "
    "customs house, where a stove burns and the keeper sells tea. In winter the ferry stays in the harbour for days."
)
REPEATED = asking(
    f"Repeat this text word for word:\n\n{FERRY}", 60, PromptMessage("user", FERRY), PromptMessage("assistant", FERRY)
)


def guessed(pieces: list[Delta]) -> tuple[int | None, int | None]:
    counted = next(piece for piece in pieces if isinstance(piece, TokenUsage))
    return counted.drafted_tokens, counted.accepted_tokens


async def test_guessing_ahead_changes_no_word(home: Settings) -> None:
    async with running(home) as engine:
        with_guesses = await ask(engine, REPEATED)
    async with running(replace(home, speculation="off")) as engine:
        without = await ask(engine, REPEATED)
    assert said(with_guesses) == said(without)
    drafted, accepted = guessed(with_guesses)
    assert drafted is not None
    assert accepted is not None
    assert drafted >= accepted > 0
    assert guessed(without) == (None, None)


async def test_guesses_that_do_not_pay_end_when_nobody_is_answered(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speculative, "MIN_JUDGED_TOKENS", 1)
    monkeypatch.setattr(speculative, "MIN_SPEEDUP", 100.0)
    async with running(home) as engine:
        await ask(engine, asking("Hello?"))
        before = engine.pid
        endless = replace(asking("Tell me a very long story.", 200), extra={"ignore_eos": True})
        story = asyncio.create_task(ask(engine, endless))
        assert guessed(await ask(engine, REPEATED))[0]
        assert engine.pid == before
        assert isinstance((await story)[-1], Finish)
        await until(lambda: engine.pid != before)
        assert guessed(await ask(engine, REPEATED)) == (None, None)
    async with running(home) as engine:
        assert guessed(await ask(engine, REPEATED)) == (None, None)


async def test_what_does_not_fit_is_refused(engine: LocalEngine) -> None:
    with pytest.raises(ContextExceeded, match="2,048") as caught:
        await ask(engine, asking("word " * 3000))
    assert caught.value.context == 2048
    assert caught.value.prompt_tokens is not None
    assert caught.value.prompt_tokens > 2048


async def test_prompts_are_counted_as_the_template_writes_them(engine: LocalEngine) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"a":1}'}}
    said = PromptMessage("assistant", None, tool_calls=(call,), reasoning="Hm.")
    asked = (
        asking("Hello?"),
        asking("Ünïcödé 東京 <|im_end|>", 8, PromptMessage("user", "a"), PromptMessage("assistant", "b")),
        Request(MODEL, (PromptMessage("user", "One two three."),), sampling=Sampling(max_tokens=1)),
        replace(asking("And?", 8, PromptMessage("user", "x"), said, PromptMessage("tool", "y")), tools=(tool,)),
        replace(asking("x"), tools=(tool,), extra={"reasoning_effort": "none"}),
    )
    await ask(engine, asking("It is loaded now.", 1))
    for request in asked:
        counted = await engine.count_prompt(request)
        usage = next(piece for piece in await ask(engine, request) if isinstance(piece, TokenUsage))
        assert counted is not None
        assert abs(counted - usage.prompt_tokens) <= 2


async def test_stop_reaches_the_engine(engine: LocalEngine, home: Settings) -> None:
    await engine.prefill(asking("Hi"))
    endless = replace(asking("Tell me a very long story.", 1500), extra={"ignore_eos": True})
    async with aclosing(engine.stream(endless)) as pieces:
        async for _ in pieces:
            break
    shared = orjson.loads(endpoint_path(home.data_dir, MODEL).read_bytes())
    client = OpenAIEngine("probe", f"{shared['url']}/v1", shared["key"], dialect=DIALECTS[0])
    try:
        before = await _tokens(client, shared["url"])
        await asyncio.sleep(0.5)
        assert await _tokens(client, shared["url"]) == before
        assert before < 100
    finally:
        await client.close()


async def _tokens(client: OpenAIEngine, url: str) -> int:
    """The tokens that the engine has made by the time that it answers nobody, which is soon."""
    slots = [{"is_processing": True}]
    async with asyncio.timeout(3):
        while any(slot["is_processing"] for slot in slots):
            async with client.http.get(f"{url}/slots") as reply:
                slots = orjson.loads(await reply.body(1 << 20))
    async with client.http.get(f"{url}/metrics") as reply:
        lines = (await reply.body(1 << 20)).decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("llamacpp:tokens_predicted_total "))


async def test_a_death_is_told_and_mended(engine: LocalEngine, home: Settings) -> None:
    await ask(engine, asking("Hello?"))
    endless = replace(asking("Tell me a very long story.", 1500), extra={"ignore_eos": True})
    seen: list[Delta] = []

    async def read() -> None:
        async for piece in engine.stream(endless):
            seen.append(piece)

    reading = asyncio.create_task(read())
    await until(lambda: seen)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable, match="signal 9"):
        await reading
    assert said(await ask(engine, asking("Hello?")))
    assert [log.name for log in (home.data_dir / "logs").iterdir()] == [f"{MODEL}.log"]


async def test_it_reaches_nothing_but_its_model_and_its_scratch_folder(engine: LocalEngine) -> None:
    await ask(engine, asking("Hello?"))
    assert engine.pid is not None
    assert has_walls(engine.pid)


async def test_closing_ends_the_process(home: Settings) -> None:
    async with running(home) as engine:
        await ask(engine, asking("Hello?"))
        pid = engine.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert not endpoint_path(home.data_dir, MODEL).exists()
    assert list((home.data_dir / "scratch").iterdir()) == []


async def test_another_shares_it_and_leaves_it(engine: LocalEngine, home: Settings) -> None:
    await ask(engine, asking("Hello?"))
    async with running(home) as second:
        assert said(await ask(second, asking("Hello?")))
        assert second.pid is None
        assert "another" in (await second.health()).detail
    assert engine.pid is not None
    assert psutil.pid_exists(engine.pid)


async def test_what_an_answer_takes_is_noted_by_whoever_asks_also_where_it_is_stopped(
    engine: LocalEngine, home: Settings
) -> None:
    asked = asking("Tell me a story about a fox.", 60)
    await ask(engine, asked)
    assert asked.energy.measured_joules + asked.energy.estimated_joules > 0
    async with running(home) as other:
        theirs = asking("Tell me a story about a bear.", 60)
        await ask(other, theirs)
        assert theirs.energy.measured_joules + theirs.energy.estimated_joules > 0
    stopped = asking("Tell me a long story about a wolf.", 2000)
    async with aclosing(engine.stream(stopped)) as pieces:
        for _ in range(60):
            await anext(pieces)
    assert stopped.energy.measured_joules + stopped.energy.estimated_joules > 0


async def test_a_stale_share_is_no_obstacle(home: Settings) -> None:
    stale = {"url": "http://127.0.0.1:9", "key": "x", "model": MODEL, "context": 2048, "pid": 1}
    endpoint_path(home.data_dir, MODEL).parent.mkdir()
    endpoint_path(home.data_dir, MODEL).write_bytes(orjson.dumps(stale))
    async with running(home) as engine:
        assert said(await ask(engine, asking("Hello?")))
        assert orjson.loads(endpoint_path(home.data_dir, MODEL).read_bytes())["pid"] == os.getpid()


async def test_it_dies_with_a_parent_that_is_killed(home: Settings) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from eclair.llm.local.local_engine import LocalEngine\n"
        "from eclair.settings import Settings\n"
        "async def main():\n"
        "    engine = LocalEngine.start(Settings(data_dir=pathlib.Path(sys.argv[1]), embedded_parallel=1))\n"
        "    while engine.pid is None: await asyncio.sleep(0.05)\n"
        "    print(engine.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", program, str(home.data_dir)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    await until(lambda: not _alive(pid), 10)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_model_that_is_not_there_and_comes_later(tmp_path: Path, model_file: Path) -> None:
    settings = Settings(data_dir=tmp_path, embedded_parallel=1, embedded_context=512)
    async with running(settings) as engine:
        with pytest.raises(ModelMissing, match="eclair pull"):
            await ask(engine, asking("Hello?"))
        assert (await engine.health()).state == "down"
        assert (await engine.models())[0].size is None
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / model_file.name).symlink_to(model_file)
        await asyncio.sleep(0.7)
        assert said(await ask(engine, asking("Hello?")))


async def test_it_has_no_embeddings_and_says_what_has(tmp_path: Path) -> None:
    async with running(Settings(data_dir=tmp_path)) as engine:
        with pytest.raises(EngineRefused, match=r"llama-server --embeddings.*`engines` in the settings"):
            await engine.embed(MODEL, ["Hello?"], None)


@pytest.fixture
def two(home: Settings, model_file: Path) -> Settings:
    """The same weights once more, as a file that somebody put into the folder."""
    (home.data_dir / "models" / "Other-Q4_1.gguf").symlink_to(model_file)
    (home.data_dir / "models" / "noise.gguf").write_bytes(b"noise")
    return replace(home, embedded_parallel=1, model=MODEL)


OTHER = "other-q4_1"


def of(model: str, request: Request) -> Request:
    return replace(request, model=model)


async def test_any_model_in_the_folder_is_loaded_when_it_is_asked(two: Settings) -> None:
    async with running(two) as engine:
        models = {model.id: model for model in await engine.models()}
        assert list(models) == [MODEL, OTHER]
        assert (models[OTHER].context, models[OTHER].size) == (2048, starter_entry().files[0].size)
        assert engine.loaded == [MODEL]
        assert (await engine.health(OTHER)).state == "loading"
        assert said(await ask(engine, of(OTHER, asking("Hello?"))))
        assert said(await ask(engine, asking("Hello?")))
        assert engine.loaded == [OTHER, MODEL]
        assert (await engine.health(OTHER)).state == "ready"
        assert await engine.count(OTHER, "Hello world, hello world.") == 6
        with pytest.raises(NotFound, match="none"):
            await ask(engine, of("none", asking("Hello?")))


async def test_the_one_not_asked_for_longest_makes_room_unless_it_answers(two: Settings) -> None:
    async with running(replace(two, embedded_memory=1)) as engine:
        endless = replace(asking("Tell me a very long story.", 1500), extra={"ignore_eos": True})
        async with aclosing(engine.stream(endless)) as pieces:
            await anext(pieces)
            waiting = asyncio.create_task(ask(engine, of(OTHER, asking("Hello?"))))
            await asyncio.sleep(0.3)
            assert engine.loaded == [MODEL]
            async with asyncio.timeout(1):
                assert await engine.count(OTHER, "Hello world, hello world.") == 9
            await anext(pieces)
        assert said(await waiting)
        assert engine.loaded == [OTHER]
        assert engine.pid is None
        assert (await engine.health()).state == "ready"
        async with aclosing(engine.stream(of(OTHER, endless))) as pieces:
            await anext(pieces)
            with pytest.raises(Conflict, match="answering"):
                await engine.release(OTHER)
        await engine.release(OTHER)
        assert engine.loaded == []
        (two.data_dir / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf").rename(two.data_dir / "away")
        assert (await engine.health()).state == "down"
        (two.data_dir / "away").rename(two.data_dir / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf")
        assert said(await ask(engine, asking("Hello?")))
        assert engine.loaded == [MODEL]


async def test_no_model_is_loaded_for_a_title_or_a_probe(two: Settings) -> None:
    async with running(two) as engine:
        for purpose in ("title", "probe"):
            with pytest.raises(EngineUnavailable, match="not loaded"):
                await ask(engine, replace(of(OTHER, asking("Hello?")), purpose=purpose))
        assert said(await ask(engine, replace(asking("Hello?"), purpose="title")))
        assert engine.loaded == [MODEL]


async def test_the_next_is_loaded_when_the_one_before_has_ended_though_nobody_waits(two: Settings) -> None:
    async with running(replace(two, embedded_memory=1)) as engine:
        await ask(engine, asking("Hello?"))
        await until(lambda: READING not in {task.get_name() for task in asyncio.all_tasks()})
        pid = engine.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        first = asyncio.create_task(ask(engine, of(OTHER, asking("Hello?"))))
        await until(lambda: engine.loaded == [])
        first.cancel()
        second = asyncio.create_task(ask(engine, of(OTHER, asking("Hello?"))))
        await asyncio.sleep(0.3)
        assert first.cancelled()
        assert engine.loaded == []
        os.kill(pid, signal.SIGCONT)
        assert said(await second)
        assert not psutil.pid_exists(pid)


async def test_closing_in_the_moment_it_is_ready_leaves_nothing(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = ModelProcess._set  # pyright: ignore[reportPrivateUsage]

    async def tell_and_wait(
        resident: ModelProcess, client: LlamaEngine | None, fault: EclairError | None = None, *, hopeless: bool = False
    ) -> None:
        await tell(resident, client, fault, hopeless=hopeless)
        if client is not None:
            await asyncio.Event().wait()

    monkeypatch.setattr(ModelProcess, "_set", tell_and_wait)
    async with running(home) as engine:
        async with asyncio.timeout(20):
            while (await engine.health()).state != "ready":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert endpoint_path(home.data_dir, MODEL).exists()
    assert not endpoint_path(home.data_dir, MODEL).exists()
    assert READING not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_model_that_memory_cannot_hold(two: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eclair.models.memory.physical", lambda: 100_000_000)
    async with running(two) as engine:
        with pytest.raises(EngineRefused, match="of memory and this machine has 100 MB"):
            await ask(engine, of(OTHER, asking("Hello?")))


async def test_the_default_model_is_the_one_of_the_settings(two: Settings) -> None:
    async with running(replace(two, model=OTHER)) as engine:
        assert said(await ask(engine, of(OTHER, asking("Hello?"))))
        assert engine.loaded == [OTHER]
        assert [model.id for model in await engine.models()] == [OTHER, MODEL]
        async with running(replace(two, model=OTHER)) as second:
            assert said(await ask(second, of(OTHER, asking("Hello?"))))
            assert second.pid is None


@pytest.mark.parametrize("damage", ["short", "header", "middle"])
async def test_a_damaged_model_is_said_and_not_tried_again(
    tmp_path: Path, model_file: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    content = bytearray(model_file.read_bytes())  # noqa: ASYNC240
    match damage:
        case "short":
            content = content[:1000]
        case "header":
            content[:4] = b"nope"
        case _:
            content[8:4096] = bytes(4088)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / model_file.name).write_bytes(content)
    async with running(Settings(data_dir=tmp_path)) as engine:
        with pytest.raises(ModelMissing, match="damaged"):
            await ask(engine, asking("Hello?"))
        await asyncio.sleep(0.3)
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


async def test_a_platform_without_the_engine(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = home.data_dir / "blind"
    (blind / "xllamacpp").mkdir(parents=True)
    (blind / "xllamacpp" / "__init__.py").write_text("raise ImportError('no wheel for this machine')")
    monkeypatch.setenv("PYTHONPATH", f"{blind}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    async with running(home) as engine:
        with pytest.raises(EngineMissing, match="no wheel for this machine"):
            await ask(engine, asking("Hello?"))


async def test_one_that_never_starts_is_tried_ever_more_rarely(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = home.data_dir / "broken"
    (broken / "xllamacpp").mkdir(parents=True)
    (broken / "xllamacpp" / "__init__.py").write_text("import os\nos.write(2, b'oh no\\n')\nos._exit(7)\n")
    monkeypatch.setenv("PYTHONPATH", f"{broken}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr("eclair.llm.local.model_process.RESTART_PAUSES_S", (0.0, 0.0, 60.0))
    async with running(home) as engine:
        with pytest.raises(EngineUnavailable, match="exit status 7; its log ends with: oh no"):
            await ask(engine, asking("Hello?"))
        began = time.monotonic()
        with pytest.raises(EngineUnavailable):
            await ask(engine, asking("Hello?"))
        assert time.monotonic() - began < 1
        assert (await engine.health()).state == "down"


def test_without_an_order_the_process_ends() -> None:
    done = subprocess.run([sys.executable, "-P", "-m", llama_server.__name__], input=b"", timeout=30, check=True)
    assert done.returncode == 0


FORCED: tuple[dict[str, Any], ...] = (
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
                "required": ["city", "unit"],
                "additionalProperties": False,
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "add",
            "parameters": {
                "type": "object",
                "$defs": {"Number": {"type": "integer"}},
                "properties": {"a": {"$ref": "#/$defs/Number"}, "b": {"$ref": "#/$defs/Number"}},
                "required": ["a", "b"],
            },
        },
    },
)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "add"}}])
async def test_demanded_calls_come_and_fit_whatever_is_said(engine: LocalEngine, choice: str | dict[str, Any]) -> None:
    for question in ("What is the weather in Paris?", "Tell me a joke.", "2 + 2?"):
        asked = replace(asking(question, 400), tools=FORCED, tool_choice=choice)
        pieces = await ask(engine, asked)
        calls: dict[int, list[str]] = {}
        for piece in pieces:
            if isinstance(piece, ToolCall):
                calls.setdefault(piece.index, []).append(piece.name or piece.arguments)
        assert not said(pieces)
        assert pieces[-1] == Finish("tool_calls")
        assert calls
        schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in FORCED}
        for name, *arguments in calls.values():
            assert SchemaCheck(schemas[name]).fits(orjson.loads("".join(arguments)))
            assert choice == "required" or name == "add"


async def test_a_prompt_of_tokens_and_what_they_are_worth(engine: LocalEngine) -> None:
    tokens = 19556, 905
    text = await engine.detokenize(MODEL, tokens)
    assert text == "Hello world"
    with pytest.raises(EngineRefused, match="no such tokens"):
        await engine.detokenize(MODEL, [1 << 30])
    asked = Request(MODEL, prompt=text, sampling=Sampling(temperature=0, max_tokens=4), extra={"logprobs": 2})
    scored = [token for piece in await ask(engine, asked) if isinstance(piece, Text) for token in piece.logprobs]
    assert len(scored) == 4
    assert all(len(token["top_logprobs"]) == 2 for token in scored)
    with pytest.raises(EngineRefused, match="not supported by this model"):
        await ask(engine, replace(asked, suffix="!"))
