"""An engine of several endpoints: their shares, what stays where, and what happens when one is gone, slow or full."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from eclair.errors import EngineBroken, EngineBusy, EngineUnavailable
from eclair.llm.base import PromptMessage, Request, SoundUpload, Text
from eclair.llm.servers.endpoint_pool import EndpointPool
from eclair.llm.servers.jurisdiction import farthest, locate
from eclair.llm.servers.server_api import configured_engine
from eclair.network.client import OutboundGate
from eclair.settings import EndpointSettings, EngineSettings
from tests.llm.standin import cut, standing_in
from tests.llm.vllm_standin import SpeakingVllm

NOBODY = "http://127.0.0.1:9/v1"

MANY = 24
"""Questions, so many that of two endpoints at random each gets one."""


def ask(text: str = "Hello?") -> Request:
    return Request("muse", (PromptMessage("system", "Be brief."), PromptMessage("user", text)))


@pytest.fixture
async def racks() -> AsyncGenerator[list[SpeakingVllm]]:
    async with AsyncExitStack() as stack:
        yield [SpeakingVllm(await stack.enter_async_context(standing_in())) for _ in range(3)]


@asynccontextmanager
async def pooled(urls: list[str], weights: list[float] | None = None, **more: Any) -> AsyncGenerator[EndpointPool]:
    first, *rest = zip(urls, weights or [1.0] * len(urls), strict=True)
    settings = EngineSettings(first[0], weight=first[1], endpoints=tuple(EndpointSettings(*each) for each in rest))
    engine = configured_engine("rack", replace(settings, **more), gate=OutboundGate())
    assert isinstance(engine, EndpointPool)
    try:
        yield engine
    finally:
        await engine.close()


async def say(engine: EndpointPool, text: str = "Hello?") -> str:
    return "".join([piece.text async for piece in engine.stream(ask(text)) if isinstance(piece, Text)])


async def test_a_conversation_stays_where_its_beginning_was_read(racks: list[SpeakingVllm]) -> None:
    async with pooled([rack.url for rack in racks]) as engine:
        assert [model.id for model in await engine.models()] == ["muse"]
        for question in range(40):  # where each goes is a matter of chance
            for _ in range(3):
                assert await say(engine, f"Question {question}?") == "fine indeed"
    asked = [{call.json["messages"][-1]["content"] for call in rack.asked} for rack in racks]
    assert all(asked)
    assert sum(map(len, asked)) == 40
    assert not asked[0] & asked[1]


async def test_an_endpoint_gets_its_share(racks: list[SpeakingVllm]) -> None:
    async with pooled([racks[0].url, racks[1].url], [1, 4]) as engine:
        firsts = Counter(engine.order("muse", f"conversation {number}")[0].weight for number in range(1000))
    assert 150 < firsts[1] < 250


async def test_many_at_once_are_spread_though_they_begin_alike(racks: list[SpeakingVllm]) -> None:
    for rack in racks:
        rack.gate = asyncio.Event()
    async with pooled([rack.url for rack in racks]) as engine:
        answers = [asyncio.create_task(say(engine)) for _ in range(12)]
        while sum(rack.running for rack in racks) < 12:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.01)
        assert max(rack.running for rack in racks) <= 5
        for rack in racks:
            assert rack.gate is not None
            rack.gate.set()
        assert await asyncio.gather(*answers) == ["fine indeed"] * 12
        assert [each.running for each in engine.endpoints] == [0, 0, 0]


@pytest.mark.parametrize("how", ["gone", "dead", "deaf", "cut"])
async def test_another_takes_over_before_the_first_word(racks: list[SpeakingVllm], how: str) -> None:
    bad, good = racks[:2]
    bad.fault, bad.is_deaf = (500 if how == "dead" else None), how == "deaf"
    if how == "cut":
        bad.standin.routes["/v1/chat/completions"] = cut
    more: dict[str, Any] = {"hedge_after": 0.05} if how == "deaf" else {}
    async with pooled([NOBODY if how == "gone" else bad.url, good.url], **more) as engine:
        for number in range(MANY):
            assert await say(engine, f"Question {number}?") == "fine indeed"
        first = engine.endpoints[0]
        assert first.answers == 0
        assert (engine.hedges > 0) if how == "deaf" else first.failures > 0
    assert len(good.asked) == MANY


async def test_after_the_first_word_nobody_takes_over(racks: list[SpeakingVllm]) -> None:
    bad, good = racks[:2]
    bad.gate = asyncio.Event()
    async with pooled([bad.url, good.url], [1000, 0.001]) as engine, aclosing(engine.stream(ask())) as deltas:
        assert isinstance(await anext(deltas), Text)
        for call in bad.asked:
            call.writer.close()
        with pytest.raises(EngineBroken, match="broke off"):
            await anext(deltas)
        assert not good.asked


async def test_one_that_is_back_is_asked_again(racks: list[SpeakingVllm]) -> None:
    bad, good = racks[:2]
    bad.fault = 503
    naps: list[float] = []
    woken = asyncio.Event()

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        await woken.wait()
        await asyncio.sleep(0)

    engines = [(configured_engine("rack", EngineSettings(rack.url), gate=OutboundGate()), 1.0) for rack in (bad, good)]
    engine = EndpointPool("rack", engines, sleep=nap)  # pyright: ignore[reportArgumentType]
    try:
        for number in range(MANY):
            await say(engine, f"Question {number}?")
        first = engine.endpoints[0]
        assert (first.fault is not None, first.failures) == (True, 1)
        assert len(good.asked) == MANY
        bad.fault = None
        woken.set()
        while first.fault is not None:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.01)
        for number in range(MANY):
            await say(engine, f"Question {number}?")
        assert first.answers > 0
        assert naps[0] == 1.0
    finally:
        await engine.close()


async def test_one_that_hangs_while_it_lists_its_models_gets_one_question_at_a_time(racks: list[SpeakingVllm]) -> None:
    bad, good = racks[:2]
    bad.fault = 503

    async def nap(seconds: float) -> None:
        await asyncio.sleep(0)

    engines = [
        (configured_engine("rack", EngineSettings(rack.url), gate=OutboundGate()), weight)
        for rack, weight in ((bad, 1000.0), (good, 1.0))
    ]
    engine = EndpointPool("rack", engines, sleep=nap)  # pyright: ignore[reportArgumentType]
    try:
        assert await say(engine) == "fine indeed"
        bad.fault, bad.is_deaf = None, True
        first = engine.endpoints[0]
        while first.fault is not None:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.01)
        before = len(bad.asked)
        waiting = asyncio.create_task(say(engine))
        while len(bad.asked) == before:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.01)
        for number in range(4):
            assert await say(engine, f"Question {number}?") == "fine indeed"
        assert len(bad.asked) == before + 1
        waiting.cancel()
        await asyncio.wait([waiting])
        bad.is_deaf = False
        assert await say(engine) == "fine indeed"
        assert (len(bad.asked), first.answers, first.is_up) == (before + 2, 1, True)
    finally:
        await engine.close()


async def test_all_are_gone() -> None:
    async with pooled([NOBODY, NOBODY]) as engine:
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await say(engine)
        assert (await engine.health()).detail.startswith("0 of 2 endpoints answer.")


async def test_stopping_ends_the_work_of_both_that_were_asked(racks: list[SpeakingVllm]) -> None:
    slow, fast = racks[:2]
    slow.is_deaf, fast.gate = True, asyncio.Event()
    async with pooled([slow.url, fast.url], [1000, 0.001], hedge_after=0.05) as engine:
        async with aclosing(engine.stream(ask())) as deltas:
            assert isinstance(await anext(deltas), Text)
            await slow.until(aborted=1)
        await fast.until(aborted=1)
        assert [each.running for each in engine.endpoints] == [0, 0]


async def test_a_full_endpoint_sends_on_and_full_ones_refuse(racks: list[SpeakingVllm]) -> None:
    full, free = racks[:2]
    full.waiting = 40
    async with pooled([full.url, free.url], max_waiting=10) as engine:
        for number in range(6):
            assert await say(engine, f"Question {number}?") == "fine indeed"
        assert (len(full.asked), len(free.asked)) == (0, 6)
        assert engine.endpoints[0].fault is None
    free.waiting = 11
    async with pooled([full.url, free.url], max_waiting=10) as engine:
        with pytest.raises(
            EngineBusy, match=r"Too many questions wait for the engine rack already \(\d+\); try again in a moment"
        ):
            await say(engine)
        with pytest.raises(EngineBusy):
            await engine.embed("muse", ["a"], None)
        with pytest.raises(EngineBusy):
            await engine.rerank("muse", "a", ["a", "b"])
        with pytest.raises(EngineBusy):
            await engine.transcribe("muse", SoundUpload("talk.webm", b"sound"))
    assert [call.path for rack in (full, free) for call in rack.standin.calls if "embed" in call.path] == []


async def test_embeddings_have_endpoints_too(racks: list[SpeakingVllm]) -> None:
    racks[0].fault = 500
    async with pooled([rack.url for rack in racks[:2]]) as engine:
        for _ in range(4):
            assert (await engine.embed("muse", ["a", "b"], None)).vectors == [[0.1, 0.2], [0.1, 0.2]]


@pytest.mark.parametrize(
    ("urls", "where"),
    [
        (["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"], "machine"),
        (["http://127.0.0.1:1/v1", "http://10.0.0.5/v1"], "network"),
        (["http://10.0.0.5/v1", "https://api.mistral.ai/v1"], "FR"),
        (["https://api.mistral.ai/v1", "https://api.deepseek.com/v1"], "unknown"),
        (["http://127.0.0.1:1/v1", "https://llm.example.org/v1"], "unknown"),
    ],
)
def test_a_pool_is_as_far_away_as_its_farthest_endpoint(urls: list[str], where: str) -> None:
    assert farthest([locate(url) for url in urls]).code == where
