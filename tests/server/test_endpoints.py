"""Endpoints of an engine as people and monitoring see them, and what happens when too many ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from eclair.settings import EndpointSettings, EngineSettings, Settings
from tests.llm.standin import standing_in
from tests.llm.vllm_standin import SpeakingVllm
from tests.support import Server, serving, text_of


@pytest.fixture
async def racks() -> AsyncGenerator[list[SpeakingVllm]]:
    async with AsyncExitStack() as stack:
        yield [SpeakingVllm(await stack.enter_async_context(standing_in())) for _ in range(2)]


async def state(server: Server) -> dict[str, str]:
    shown = (await server.get("/api/engines/rack")).body["endpoints"]
    return {each["url"]: each["state"] for each in shown}


async def test_one_endpoint_fails_and_answers_go_on(settings: Settings, racks: list[SpeakingVllm]) -> None:
    one, other = racks
    rack = EngineSettings(one.url, endpoints=(EndpointSettings(other.url, 2),))
    async with serving(replace(settings, engines={"rack": rack}, model="muse", scripted=False)) as server:
        for _ in range(2):
            assert text_of(await server.say(await server.begin(), "Hello?")) == "fine indeed"
        assert await state(server) == {one.url: "ready", other.url: "ready"}
        one.fault = 500
        for number in range(6):
            message = await server.say(await server.begin(), f"Question {number}?")
            assert (message["status"], text_of(message)) == ("finished", "fine indeed")
        metrics = (await server.get("/metrics")).raw.decode()
        name = other.standin.url.removeprefix("http://")
        assert f'eclair_endpoint_up{{endpoint="{name}",engine="rack"}} 1.0' in metrics
        assert f'eclair_endpoint_running{{endpoint="{name}",engine="rack"}} 0.0' in metrics
        assert 'eclair_hedges_total{engine="rack"} 0.0' in metrics
        assert "eclair_endpoint_answers_total{" in metrics
        server.app.registry.refresh()
        await server.get("/api/models")
        assert await state(server) == {one.url: "down", other.url: "ready"}
        shown = (await server.get("/api/engines/rack")).body
        assert (shown["state"], [each["weight"] for each in shown["endpoints"]]) == ("ready", [1.0, 2.0])
        assert "The engine is dead" in shown["endpoints"][0]["detail"]


async def test_who_comes_when_too_many_wait_is_told_so(settings: Settings, racks: list[SpeakingVllm]) -> None:
    rack = racks[0]
    rack.gate = asyncio.Event()
    engine = EngineSettings(rack.url, parallel=1, max_waiting=1)
    async with serving(replace(settings, engines={"rack": engine}, model="muse", scripted=False)) as server:
        runs = [await server.turn(await server.begin(), text="Hello?") for _ in range(2)]
        while server.app.ledger.waiting() != {("rack", "muse"): 1}:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.01)
        metrics = (await server.get("/metrics")).raw.decode()
        assert 'eclair_engine_queue_length{engine="rack",model="muse"} 1.0' in metrics
        refused = await server.say(await server.begin(), "Hello?")
        assert (refused["status"], refused["fault"]["code"]) == ("failed", "engine_busy")
        assert (
            refused["fault"]["message"]
            == "Too many questions wait for the engine rack already (1); try again in a moment."
        )
        ask = {"model": "muse", "messages": [{"role": "user", "content": "Hello?"}]}
        program = await server.post("/v1/chat/completions", ask)
        assert (program.status, program.headers["Retry-After"]) == (429, "5")
        rack.gate.set()
        for run in runs:
            await server.answered(run["run"])
