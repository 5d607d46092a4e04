"""Servers that transcribe or speak stand in for the installed parts, and are asked through the same doors."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest

from eclair.documents import background_reading
from eclair.settings import EndpointSettings, EngineSettings, Settings
from tests.llm.servers import Speaking
from tests.llm.standin import Call, standing_in
from tests.server.test_documents import add, ready
from tests.server.test_v1 import client_of
from tests.speech.conftest import SOUNDS, lend_listening, lend_speaking
from tests.support import Server, serving

ADDRESS = "/api/speech/recognizers"
SAID = [(0.5, 2.0, " The gate is closed."), (2.5, 4.0, " It opens on Friday.")]


class Ears(Speaking):
    """A server of Whisper and of a voice. With `plain`, it refuses to say times."""

    plain = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.lists = self.has = ["whisper-large", "tts-voice"]
        self.standin.routes["/v1/audio/transcriptions"] = self._keyed(self.transcribe)
        self.standin.routes["/v1/audio/speech"] = self._keyed(self.speak)

    async def transcribe(self, call: Call) -> None:
        text = "".join(said for *_, said in SAID).strip()
        if b"verbose_json" not in call.body:
            found: dict[str, Any] = {"text": text}
        elif self.plain:
            await call.reply(400, b'{"error": {"message": "verbose_json is not supported"}}')
            return
        else:
            segments = [{"start": start, "end": end, "text": said} for start, end, said in SAID]
            found = {"text": text, "language": "en", "duration": 5.0, "segments": segments}
        await call.reply(200, orjson.dumps(found), Content_Type="application/json")

    async def speak(self, call: Call) -> None:
        await call.reply(200, b"ID3" + orjson.dumps(call.json), Content_Type="audio/mpeg")


@asynccontextmanager
async def hearing(settings: Settings, **changed: str) -> AsyncGenerator[tuple[Server, Ears]]:
    async with standing_in() as stand:
        ears = Ears(stand)
        engines = {"ears": EngineSettings(ears.url)}
        async with serving(replace(settings, engines=engines, embedder="off", **changed)) as server:
            yield server, ears


async def test_a_servers_model_transcribes(settings: Settings) -> None:
    async with hearing(settings) as (server, ears), client_of(server) as client:
        sound = ("talk.webm", (SOUNDS / "english.webm").read_bytes())
        heard = await client.audio.transcriptions.create(
            model="whisper-large", file=sound, language="en", response_format="verbose_json"
        )
        assert [(each.start, each.text) for each in heard.segments or ()] == [
            (0.5, "The gate is closed."), (2.5, "It opens on Friday."),
        ]  # fmt: skip
        call = next(call for call in reversed(ears.standin.calls) if "audio" in call.path)
        assert sound[1] in call.body
        assert b'name="language"\r\n\r\nen\r\n' in call.body
        ears.plain = True
        plain = await client.audio.transcriptions.create(model="whisper-large", file=sound)
        assert plain.text == "The gate is closed. It opens on Friday."


@pytest.mark.parametrize("path", ["transcriptions", "speech"])
async def test_another_endpoint_takes_over(settings: Settings, path: str) -> None:
    async with standing_in() as first, standing_in() as second:
        bad, good = Ears(first), Ears(second)
        bad.standin.routes[f"/v1/audio/{path}"] = lambda call: call.reply(503)
        engine = EngineSettings(bad.url, weight=1000, endpoints=(EndpointSettings(good.url, 0.001),))
        async with serving(replace(settings, engines={"ears": engine}, embedder="off")) as server:
            async with client_of(server) as client:
                if path == "speech":
                    spoken = await client.audio.speech.create(model="tts-voice", voice="alloy", input="Hello.")
                    assert spoken.content.startswith(b"ID3")
                else:
                    sound = ("talk.webm", (SOUNDS / "english.webm").read_bytes())
                    heard = await client.audio.transcriptions.create(model="whisper-large", file=sound)
                    assert heard.text == "The gate is closed. It opens on Friday."
            metrics = (await server.get("/metrics")).raw.decode()
    assert [call.path for call in bad.standin.calls if "audio" in call.path] == [f"/v1/audio/{path}"]
    failed, answered = (each.standin.url.removeprefix("http://") for each in (bad, good))
    assert f'eclair_endpoint_failures_total{{endpoint="{failed}",engine="ears"}} 1.0' in metrics
    assert f'eclair_endpoint_answers_total{{endpoint="{answered}",engine="ears"}} 1.0' in metrics


async def test_the_chosen_model_hears_documents_and_openais_names(settings: Settings) -> None:
    async with hearing(settings, transcriber="whisper-large", speaker="tts-voice") as (server, _):
        file = await ready(server, await add(server, (SOUNDS / "english.webm").read_bytes(), "english.webm"))
        assert file["state"] == "ready", file
        sentences = (await server.get(f"/api/files/{file['id']}/transcript")).body["sentences"]
        assert [(each["start"], each["text"]) for each in sentences] == [
            (0.5, "The gate is closed."), (2.5, "It opens on Friday."),
        ]  # fmt: skip
        async with client_of(server) as client:
            spoken = await client.audio.speech.create(model="tts-1", voice="alloy", input="Hello.")
            assert orjson.loads(spoken.content[3:]) == {
                "input": "Hello.", "response_format": "mp3", "speed": 1.0, "voice": "alloy", "model": "tts-voice",
            }  # fmt: skip
            listed = {model.id: model async for model in client.models.list()}
            assert {"whisper-large", "tts-voice"} <= listed.keys()


async def test_a_recording_waits_for_an_engine_that_is_busy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_reading, "RETRY_DELAY_S", 0.01)
    async with hearing(settings, transcriber="whisper-large") as (server, ears):
        refusals = [b"Later.", b"Later."]

        async def refuse_for_now(call: Call) -> None:
            await (call.reply(429, refusals.pop()) if refusals else ears.transcribe(call))

        ears.standin.routes["/v1/audio/transcriptions"] = refuse_for_now
        file = await ready(server, await add(server, (SOUNDS / "english.webm").read_bytes(), "english.webm"))
    assert (file["state"], refusals) == ("ready", [])


async def test_what_is_installed_is_listed(settings: Settings) -> None:
    lend_listening(settings)
    lend_speaking(settings)
    async with hearing(settings) as (server, _):
        models = {each["id"]: each for each in (await server.get("/v1/models")).body["data"]}
        for id in ("whisper-base", "kokoro"):
            assert not models[id]["capabilities"]["completion_chat"]
            assert (await server.get(f"/v1/models/{id}")).body["id"] == id


async def test_an_administrator_chooses_what_hears_recordings(settings: Settings) -> None:
    async with hearing(settings) as (server, ears):
        listed = (await server.get(ADDRESS)).body
        assert {key: listed[key] for key in ("chosen", "used", "fixed", "fault")} == {
            "chosen": "auto", "used": "whisper-base", "fixed": False, "fault": None,
        }  # fmt: skip
        kinds = {each["id"]: (each["kind"], each["engine"], each["installed"]) for each in listed["recognizers"]}
        assert kinds["whisper-base"] == ("base", None, False)
        assert kinds["whisper-medium"] == ("larger", None, False)
        assert kinds["whisper-large"] == ("server", "ears", True)
        assert "tts-voice" not in kinds
        missing = await server.call("PUT", ADDRESS, {"transcriber": "whisper-medium"})
        assert missing.status == 404
        assert missing.body["error"]["message"].startswith(
            "whisper-medium, which was chosen for recordings, is missing;"
        )
        assert (await server.call("PUT", ADDRESS, {"transcriber": "whisper-large"})).body["used"] == "whisper-large"
        file = await ready(server, await add(server, (SOUNDS / "english.webm").read_bytes(), "english.webm"))
        assert file["state"] == "ready", file
        assert any("audio" in call.path for call in ears.standin.calls)


async def test_a_chosen_model_that_is_missing_says_so_until_it_is_back(settings: Settings) -> None:
    async with hearing(settings) as (server, _):
        assert (await server.call("PUT", ADDRESS, {"transcriber": "whisper-large"})).status == 200
    async with serving(replace(settings, embedder="off")) as server:
        listed = (await server.get(ADDRESS)).body
        assert (listed["chosen"], listed["used"]) == ("whisper-large", "whisper-large")
        assert listed["fault"].startswith("whisper-large, which was chosen for recordings, is missing;")
        file = await ready(server, await add(server, (SOUNDS / "english.webm").read_bytes(), "english.webm"))
        assert (file["state"], file["fault"]["code"]) == ("failed", "recognizer_missing")
        assert file["fault"]["message"].startswith("No server has whisper-large, which was chosen for recordings;")
    async with hearing(settings) as (server, _):
        assert (await ready(server, file))["state"] == "ready"


async def test_what_the_settings_file_says_is_not_chosen(settings: Settings) -> None:
    async with hearing(settings, transcriber="whisper-large") as (server, _):
        listed = (await server.get(ADDRESS)).body
        assert (listed["chosen"], listed["fixed"]) == ("whisper-large", True)
        assert (await server.call("PUT", ADDRESS, {"transcriber": "auto"})).status == 409
