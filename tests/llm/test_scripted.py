from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import EngineBusy, EngineUnavailable, InvalidInput
from eclair.llm.base import Delta, Finish, PromptMessage, Reasoning, Request, Text, TokenUsage, ToolCall
from eclair.llm.scripted import ScriptedEngine, parse_script, prose
from eclair.schema.messages import Sampling


async def told(script: str, sampling: Sampling | None = None) -> list[Delta]:
    request = Request("scripted", (PromptMessage("user", f"Hello\nscript: {script}"),), sampling=sampling or Sampling())
    async with aclosing(ScriptedEngine().stream(request)) as pieces:
        return [piece async for piece in pieces]


def text(pieces: list[Delta]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


async def test_it_says_so_many_words_and_counts_them() -> None:
    pieces = await told("words=300")
    assert text(pieces) == "".join(prose(300))
    assert len(text(pieces).split()) == 300
    assert pieces[-2:] == [TokenUsage(3, 300, 0, 0), Finish("stop")]


async def test_it_says_the_same_each_time() -> None:
    assert text(await told("words=77")) == text(await told("words=77"))


@given(st.integers(0, 500))
def test_its_prose_has_so_many_words(count: int) -> None:
    assert len("".join(prose(count)).split()) == count


async def test_it_keeps_the_pace() -> None:
    began = time.perf_counter()
    assert len(text(await told("words=100 rate=500")).split()) == 100
    assert 0.19 <= time.perf_counter() - began < 2


async def test_a_pause_comes_before_its_word() -> None:
    request = Request("scripted", prompt="script: words=4 pause=0.2@2")
    came: list[tuple[float, str]] = []
    began = time.perf_counter()
    async for piece in ScriptedEngine().stream(request):
        if isinstance(piece, Text):
            came.append((time.perf_counter() - began, piece.text))
    assert [len(words.split()) for _, words in came] == [2, 2]
    assert came[1][0] - came[0][0] >= 0.19


async def test_below_says_the_lines_that_follow() -> None:
    lines = "# Bread\n\n```py\nprint(1)\n```\n\n- flour\n  - water\n"
    pieces = await told(f"rate=2000 below=1\n{lines}")
    assert text(pieces) == lines
    assert len([piece for piece in pieces if isinstance(piece, Text)]) > 1


async def test_say_takes_the_rest_of_the_line() -> None:
    assert text(await told("rate=0 say=Bread, and words=3.")) == "Bread, and words=3."


async def test_it_thinks_first() -> None:
    pieces = await told("words=2 reasoning=3")
    kinds = [type(piece) for piece in pieces]
    assert kinds == [Reasoning, Text, TokenUsage, Finish]


async def test_it_calls_a_tool() -> None:
    pieces = await told('tool=look_up{"city":"Aachen","days":3}')
    calls = [piece for piece in pieces if isinstance(piece, ToolCall)]
    assert (calls[0].id, calls[0].name) == ("call_1", "look_up")
    assert "".join(call.arguments for call in calls) == '{"city":"Aachen","days":3}'
    assert pieces[-1] == Finish("tool_calls")


async def test_it_fails_in_place_of_a_word() -> None:
    engine = ScriptedEngine()
    stream = engine.stream(Request("scripted", prompt="script: words=9 fail=3"))
    heard = [await anext(stream)]
    with pytest.raises(EngineUnavailable, match="fails"):
        await anext(stream)
    assert len(text(heard).split()) == 3


async def test_it_breaks_off_without_an_end() -> None:
    pieces = await told("words=9 break=3")
    assert len(text(pieces).split()) == 3
    assert not any(isinstance(piece, Finish) for piece in pieces)


async def test_it_is_busy() -> None:
    with pytest.raises(EngineBusy) as caught:
        await told("busy=7")
    assert caught.value.retry_after == 7


async def test_it_loads_and_says_so() -> None:
    engine = ScriptedEngine()
    stream = engine.stream(Request("scripted", prompt="script: words=1 load=0.2"))
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert (await engine.health()).state == "loading"
    await first
    assert (await engine.health()).state == "ready"
    await stream.aclose()


async def test_the_longest_length_cuts_it() -> None:
    pieces = await told("words=50", Sampling(max_tokens=7))
    assert len(text(pieces).split()) == 7
    assert pieces[-1] == Finish("length")


async def test_a_stop_sequence_ends_it() -> None:
    pieces = await told("say=one two three", Sampling(stop=("three", "two")))
    assert text(pieces) == "one "
    assert pieces[-1] == Finish("stop", "two")


async def test_closing_it_stops_it() -> None:
    engine = ScriptedEngine()
    stream = engine.stream(Request("scripted", prompt="script: words=100000"))
    await anext(stream)
    await stream.aclose()
    made = engine.made
    await asyncio.sleep(0.05)
    assert engine.made == made < 1000


async def test_its_last_question_is_what_counts() -> None:
    request = Request(
        "scripted",
        (
            PromptMessage("user", "script: say=old"),
            PromptMessage("assistant", "a"),
            PromptMessage("user", "script: say=new"),
        ),
    )
    assert text([piece async for piece in ScriptedEngine().stream(request)]) == "new"


@pytest.mark.parametrize("script", ["words=many", "rate=fast", "pause=1@x", "word=3", "fail=x"])
def test_a_script_that_is_wrong_is_refused(script: str) -> None:
    with pytest.raises(InvalidInput):
        parse_script(f"script: {script}")


async def test_it_counts_words() -> None:
    engine = ScriptedEngine()
    assert await engine.count("scripted", "one two  three\n") == 3
    assert [model.id for model in await engine.models()] == ["scripted"]
    await engine.prefill(Request("scripted"))
    await engine.close()
