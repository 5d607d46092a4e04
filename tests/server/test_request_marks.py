"""Marks of requests: engines of the house learn what belongs together, by hashes, and nobody else does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from eclair.doctor import examine
from eclair.llm.base import PromptMessage, Request, TokenUsage
from eclair.llm.remote.request_marks import RequestMarks
from eclair.llm.servers.endpoint_pool import EndpointPool
from eclair.llm.servers.server_api import configured_engine
from eclair.network.client import OutboundGate
from eclair.settings import EngineSettings, LoadedSettings, SettingOrigin, Settings
from tests.llm.standin import standing_in
from tests.llm.vllm_standin import SpeakingVllm
from tests.server.test_accounts import member, set_up
from tests.support import serving, text_of

SESSION, DYNAMO, REQUEST_ID = "x-session-id", "x-dynamo-session-id", "x-request-id"
ASK = Request("muse", (PromptMessage("system", "Be brief. " * 9), PromptMessage("user", "Hello?")))


@pytest.fixture
async def rack() -> AsyncGenerator[SpeakingVllm]:
    async with standing_in() as standin:
        yield SpeakingVllm(standin)


def with_engine(settings: Settings, rack: SpeakingVllm, **more: Any) -> Settings:
    return replace(settings, engines={"rack": EngineSettings(rack.url, **more)}, model="muse", scripted=False)


async def answer_calls(rack: SpeakingVllm, settings: Settings) -> tuple[list[Mapping[str, str]], list[dict[str, Any]]]:
    """Ask twice in one conversation and once in another; return headers and bodies of the three questions."""
    async with serving(settings) as server:
        first = await server.begin()
        assert text_of(await server.say(first, "What is it?")) == "fine indeed"
        await server.say(first, "And now?")
        await server.say(await server.begin(), "What is it?")
        ids = [first, *(message["id"] for message in (await server.tree(first))["messages"])]
    calls = [call for call in rack.asked if b"What is it?" in call.body and b"2 to 6 words" not in call.body]
    assert not any(id.encode() in call.body or id in str(call.headers) for call in rack.asked for id in ids)
    questions = [call for call in calls if call.json.get("stream") and call.json["messages"][-1]["role"] == "user"]
    asked = [call for call in questions if call.json["messages"][-1]["content"] in ("What is it?", "And now?")]
    assert len(asked) == 3
    return [call.headers for call in asked], [call.json for call in asked]


async def test_an_engine_of_the_house_learns_what_belongs_together(settings: Settings, rack: SpeakingVllm) -> None:
    headers, bodies = await answer_calls(rack, with_engine(settings, rack))
    sessions = [each[SESSION] for each in headers]
    assert sessions[0] == sessions[1] != sessions[2]
    assert [each[DYNAMO] for each in headers] == sessions
    assert len({each[REQUEST_ID] for each in headers}) == 3
    assert len({body["cache_salt"] for body in bodies}) == 1
    assert [*bodies[0]] == [*bodies[1]] == [*bodies[2]]
    assert bodies[0]["messages"] == bodies[1]["messages"][: len(bodies[0]["messages"])]


async def test_names_stay_the_same_after_a_restart_and_differ_between_houses(
    settings: Settings, rack: SpeakingVllm
) -> None:
    one, _ = await answer_calls(rack, with_engine(settings, rack))
    rack.standin.calls.clear()
    marks = RequestMarks.configured(settings)
    assert marks.cache_salt() == RequestMarks.configured(settings).cache_salt()
    other = RequestMarks.configured(replace(settings, data_dir=settings.data_dir / "other"))
    assert other.cache_salt() != marks.cache_salt()
    assert all(len(each[SESSION]) == 32 for each in one)


async def test_sessions_can_be_turned_off(settings: Settings, rack: SpeakingVllm) -> None:
    headers, bodies = await answer_calls(rack, with_engine(settings, rack, sessions=False))
    assert not any(name in each for each in headers for name in (SESSION, DYNAMO, REQUEST_ID))
    assert not any("cache_salt" in body for body in bodies)


async def test_vllm_behind_ray_gets_a_salt(settings: Settings, rack: SpeakingVllm) -> None:
    rack.owner, rack.metadata = "organization-owner", {"model_id": "muse", "max_request_context_length": None}
    _, bodies = await answer_calls(rack, with_engine(settings, rack))
    assert all(body["cache_salt"] for body in bodies)


async def test_others_that_state_the_owner_of_ray_get_none(settings: Settings, rack: SpeakingVllm) -> None:
    rack.owner = "organization-owner"
    _, bodies = await answer_calls(rack, with_engine(settings, rack))
    assert not any("cache_salt" in body for body in bodies)


async def test_a_salt_goes_where_the_settings_say(settings: Settings, rack: SpeakingVllm) -> None:
    _, bodies = await answer_calls(rack, with_engine(settings, rack, cache_salt="nvext"))
    assert all(body["nvext"]["cache_salt"] and "cache_salt" not in body for body in bodies)
    rack.standin.calls.clear()
    headers, bodies = await answer_calls(rack, with_engine(settings, rack, cache_salt="off"))
    assert all("cache_salt" not in body and "nvext" not in body for body in bodies)
    assert all(SESSION in each for each in headers)


@pytest.mark.parametrize(("sessions", "is_told"), [(None, False), (True, True)])
def test_a_server_outside_is_told_nothing_unless_it_is_known_to_want_it(
    settings: Settings, sessions: bool | None, is_told: bool
) -> None:
    marks = RequestMarks.configured(settings)
    for url, in_house in [("https://api.example.org/v1", False), ("http://10.0.0.5:8000/v1", True)]:
        engine = configured_engine("far", EngineSettings(url, sessions=sessions), gate=OutboundGate(), marks=marks)
        assert not isinstance(engine, EndpointPool)
        assert (engine.marks is not None) == (is_told or in_house)


async def test_people_share_a_cache_as_the_setting_says(settings: Settings, rack: SpeakingVllm) -> None:
    salts: dict[str, list[str]] = {}
    for scope in ("everyone", "groups", "person"):
        rack.standin.calls.clear()
        data = settings.data_dir.with_name(scope)
        house = replace(with_engine(settings, rack), data_dir=data, accounts="on", cache_scope=scope)
        async with serving(house) as server:
            admin = await set_up(server)
            ben_id, ben = await member(server, admin)
            ann_id, ann = await member(server, admin, "ann")
            group = (await server.post("/api/groups", {"name": "Law"}, headers=admin)).body["id"]
            joined = await server.post(f"/api/groups/{group}/members", {"people": [ben_id, ann_id]}, headers=admin)
            assert joined.status == 204, joined
            for headers in (admin, ben, ann):
                ask = {"messages": [{"role": "user", "content": "Hello?"}], "model": "muse"}
                assert (await server.post("/v1/chat/completions", ask, headers=headers)).status == 200
        salts[scope] = [call.json["cache_salt"] for call in rack.asked if b"Hello?" in call.body]
    assert len(set(salts["everyone"])) == 1
    assert salts["groups"][1] == salts["groups"][2] != salts["groups"][0]
    assert len(set(salts["person"])) == 3


async def test_the_doctor_notes_a_cache_that_people_share(settings: Settings) -> None:
    async def notes(given: Settings, origins: Mapping[str, SettingOrigin] = {}) -> list[str]:
        report = await examine(LoadedSettings(given, origins, settings.data_dir / "eclair.toml"))
        return [check.detail for check in report.checks if check.name == "Cache of prompts"]

    alone = replace(settings, engines={"rack": EngineSettings("http://10.0.0.7:8000/v1")})
    house = replace(alone, accounts="on", api_key=None)
    (said,) = await notes(house)
    assert said.startswith("as far as rack can keep what was read of prompts, all people share it")
    assert await notes(house, {"cache_scope": "file"}) == [], "it was chosen"
    assert await notes(replace(house, cache_scope="person")) == []
    assert await notes(alone) == [], "one person is there"


async def test_what_was_read_under_one_salt_is_read_again_under_another(settings: Settings, rack: SpeakingVllm) -> None:
    cached: list[int | None] = []
    for house in ("one", "one", "other"):
        marks = RequestMarks(lambda house=house: house.encode().ljust(32))
        engine = configured_engine("rack", EngineSettings(rack.url), gate=OutboundGate(), marks=marks)
        try:
            pieces = [piece async for piece in engine.stream(ASK)]
        finally:
            await engine.close()
        cached += [piece.cached_tokens for piece in pieces if isinstance(piece, TokenUsage)]
    assert cached[0] == cached[2] == 0
    assert cached[1]
