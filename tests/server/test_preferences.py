"""What a person likes is one document with a version; the model and the instructions in it reach every turn."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from tests.storage.test_feeds import feed
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHOLE: dict[str, Any] = {
    "language": "de",
    "theme": "dark",
    "contrast": "more",
    "text_size": 1.25,
    "motion": "less",
    "send_key": "ctrl-enter",
    "model": "scripted",
    "pinned_models": ["scripted", "other"],
    "instructions": "Be brief.",
    "draws": False,
    "follow_ups": True,
    "show_presence": False,
    "memory": False,
    "read_aloud": True,
    "voice_cues": False,
    "speech_speed": 1.5,
    "speech_voices": ["bf_emma", "ff_siwis"],
    "speech_language": "fr",
    "shortcuts": {"new": "Mod+Shift+N"},
}

READ_ONLY: dict[str, Any] = {"prompts": [], "temporary_only": False}


async def test_they_begin_with_defaults_and_are_kept_whole(settings: Settings) -> None:
    async with serving(settings) as server:
        first = await server.get("/api/preferences")
        assert first.status == 200
        assert first.body["version"] == 0
        assert first.body["theme"] == "system"
        assert set(first.body) == {"version", *READ_ONLY, *WHOLE}
        put = await server.call("PUT", "/api/preferences", {"version": 0, **WHOLE})
        assert (put.status, put.body) == (200, {"version": 1, **READ_ONLY, **WHOLE})
    async with serving(settings) as server:
        assert (await server.get("/api/preferences")).body == {"version": 1, **READ_ONLY, **WHOLE}


async def test_an_older_version_does_not_undo_a_newer_one(fresh: Server) -> None:
    assert (await fresh.call("PUT", "/api/preferences", {"version": 0, "theme": "dark"})).status == 200
    late = await fresh.call("PUT", "/api/preferences", {"version": 0, "theme": "light"})
    assert late.status == 409
    assert "changed elsewhere" in late.error["message"]
    assert (await fresh.get("/api/preferences")).body["theme"] == "dark"


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"theme": "purple"}, "theme"),
        ({"text_size": 3}, "text_size"),
        ({"text_size": "large"}, "text_size"),
        ({"language": "german"}, "language"),
        ({"instructions": "a" * 4001}, "instructions"),
        ({"instructions": "a\0b"}, "instructions"),
        ({"shortcuts": {"new": "k" * 41}}, "shortcuts.new"),
        ({"shortcuts": ["new"]}, "shortcuts"),
        ({"speech_speed": 3}, "speech_speed"),
        ({"speech_language": "french"}, "speech_language"),
        ({"colour": "red"}, "colour"),
        ({"version": -1}, "version"),
    ],
)
async def test_what_is_wrong_is_named(fresh: Server, wrong: dict[str, Any], name: str) -> None:
    reply = await fresh.call("PUT", "/api/preferences", {"version": 0, **wrong})
    assert (reply.status, reply.error["param"]) == (400, name)
    assert (await fresh.get("/api/preferences")).body["version"] == 0


async def test_half_a_character_is_refused(fresh: Server) -> None:
    reply = await fresh.call("PUT", "/api/preferences", data=b'{"version": 0, "instructions": "\\ud800"}')
    assert reply.status == 400


async def test_instructions_stand_below_the_system_prompt_of_every_turn(
    fresh: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    stream = fresh.engine.stream

    def spy(request: Any) -> Any:
        if request.purpose == "answer":
            asked.append(request)
        return stream(request)

    monkeypatch.setattr(fresh.engine, "stream", spy)
    id = await fresh.begin()
    put = await fresh.call("PUT", "/api/preferences", {"version": 0, "instructions": "  Answer in rhyme. "})
    assert put.status == 200
    await fresh.say(id, "script: words=1")
    await fresh.say(id, "script: words=1", system="Be brief.")
    await fresh.say(id, "script: words=1", system="")
    heads = [request.messages[0].content for request in asked]
    assert heads == [
        f"{fresh.app.settings.system_prompt}\n\nAnswer in rhyme.",
        "Be brief.\n\nAnswer in rhyme.",
        "Answer in rhyme.",
    ]
    await fresh.call("PUT", "/api/preferences", {"version": 1})
    await fresh.say(id, "script: words=1")
    assert asked[-1].messages[0].content == fresh.app.settings.system_prompt


async def test_the_preferred_model_answers_while_it_is_there(fresh: Server) -> None:
    for version, model in enumerate(["scripted", "gone"]):
        put = await fresh.call("PUT", "/api/preferences", {"version": version, "model": model})
        assert put.status == 200
        assert (await fresh.ask(await fresh.begin(), "script: words=1"))["model"] == "scripted"


async def test_about_says_the_version_and_what_leaves(fresh: Server) -> None:
    about = (await fresh.get("/api/about")).body
    assert set(about) == {"version", "leaving", "ai_notice", "works_council"}
    assert (len(about["ai_notice"]), about["works_council"]) == (24, False)
    told = [(each["kind"], each["hosts"], each["country"], each["asked"]) for each in about["leaving"]]
    assert told == [("search", ["wikipedia.org"], "US", True), ("pages", [], None, True)]
    later = int(time.time() * 1000) + 86_400_000
    feeds = [
        feed(name, "local", later, f"{host}.example") for name, host in (("a", "news"), ("b", "news"), ("c", "other"))
    ]
    await fresh.app.storage.feeds.add_feeds(LOCAL_PRINCIPAL, feeds)
    about = (await fresh.get("/api/about")).body
    assert about["leaving"][-1]["hosts"] == ["news.example", "other.example"]
    assert (about["leaving"][-1]["kind"], about["leaving"][-1]["asked"]) == ("feeds", False)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"egress": "offline"}, []),
        ({"egress": "eu"}, ["pages"]),
        ({"egress": "listed", "egress_hosts": ("wikipedia.org",)}, ["search", "pages"]),
        ({"searxng": "http://127.0.0.1:8888"}, ["search", "pages"]),
        ({"search_keys": {"mojeek": "k"}}, ["search", "search", "pages"]),
    ],
)
async def test_about_says_what_the_web_is_sent(settings: Settings, changed: dict[str, Any], told: list[str]) -> None:
    async with serving(replace(settings, **changed)) as server:
        about = (await server.get("/api/about")).body
        assert [each["kind"] for each in about["leaving"]] == told
