"""Larger Whisper models: they come from a hub, hear recordings, are listed, and go again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import openai
import pytest

from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import recording_recognizer
from eclair.speech.whisper_models import WHISPER_MODELS, WhisperChoice
from tests.images.repository import Gallery
from tests.llm.standin import StandIn, standing_in
from tests.server.test_downloads import ended
from tests.server.test_v1 import client_of
from tests.speech.conftest import SOUNDS, lend_listening
from tests.support import Server, serving

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def hub() -> AsyncGenerator[StandIn]:
    async with standing_in() as hub:
        yield hub


@pytest.fixture
def repository(hub: StandIn) -> Gallery:
    """A hub whose Whisper small is Whisper base, since no package has a larger one."""
    return Gallery(hub, "Systran/faster-whisper-small", ListeningParts(Settings().data_dir).model)


@pytest.fixture
async def server(repository: Gallery, settings: Settings) -> AsyncGenerator[Server]:
    lend_listening(settings)
    async with serving(replace(settings, hub=repository.url, transcriber="whisper-small")) as server:
        yield server


async def transcribe(server: Server, model: str) -> str:
    """Return the text that OpenAI's client gets."""
    async with client_of(server) as client:
        once = client.with_options(max_retries=0)
        found = await once.audio.transcriptions.create(file=SOUNDS / "english.webm", model=model, language="en")
    return found.text


async def test_it_comes_hears_and_goes(server: Server, repository: Gallery, settings: Settings) -> None:
    with pytest.raises(openai.APIStatusError, match="eclair pull whisper-small"):
        await transcribe(server, "whisper-1")
    assert "harbour master" in await transcribe(server, "whisper-base")
    begun = await server.post("/api/models/pulls", {"name": "whisper-small"})
    pull = await ended(server, begun.body["id"])
    assert (pull["state"], pull["error"], pull["license"]) == ("finished", None, "MIT")
    assert repository.ranges[-1][0] == "model.bin"
    assert {name for name, _ in repository.ranges} == set(repository.wanted), "nothing else was fetched"
    for name in ("whisper-1", "whisper-small"):
        assert "harbour master" in await transcribe(server, name)
    listed = {each["id"] for each in (await server.get("/v1/models")).body["data"]}
    assert {"whisper-base", "whisper-small"} <= listed
    with pytest.raises(openai.NotFoundError):
        await transcribe(server, "whisper-medium")
    removed = await server.call("DELETE", "/api/models/whisper-small")
    assert removed.body == {"freed": repository.size}
    assert not WHISPER_MODELS[0].folder(settings.data_dir).exists()
    assert (await server.call("DELETE", "/api/models/whisper-small")).status == 404


def test_the_largest_on_this_machine_hears_unless_one_is_named(tmp_path: Path) -> None:
    assert WhisperChoice("auto", tmp_path).find_larger() is None
    for model in (*WHISPER_MODELS[2:], *WHISPER_MODELS[:2]):
        model.folder(tmp_path).mkdir(parents=True)
        (model.folder(tmp_path) / "model.bin").touch()
    largest = WhisperChoice("auto", tmp_path).find_larger()
    assert largest is not None
    assert largest.id == "whisper-large-v3"
    assert WhisperChoice("whisper-small", tmp_path).find_larger() == WHISPER_MODELS[0]
    assert WhisperChoice("whisper-base", tmp_path).find_larger() is None


def test_turbo_does_not_translate(tmp_path: Path) -> None:
    small, medium, _, turbo = WHISPER_MODELS
    for choice in (WhisperChoice("auto", tmp_path), WhisperChoice(turbo.id, tmp_path)):
        for there, translating in ((turbo, None), (small, small), (medium, medium)):
            there.folder(tmp_path).mkdir(parents=True, exist_ok=True)
            (there.folder(tmp_path) / "model.bin").touch()
            assert choice.find_larger() == turbo
            assert choice.find_larger("translate") == translating
        for there in (small, medium):
            (there.folder(tmp_path) / "model.bin").unlink()
    assert WhisperChoice(medium.id, tmp_path).find_larger("translate") == medium


async def test_whisper_1_translates_with_base_beside_turbo(settings: Settings) -> None:
    lend_listening(settings)
    turbo = WHISPER_MODELS[3]
    turbo.folder(settings.data_dir).mkdir(parents=True)
    (turbo.folder(settings.data_dir) / "model.bin").touch()
    async with serving(replace(settings, transcriber=turbo.id)) as server, client_of(server) as client:
        translations = client.with_options(max_retries=0).audio.translations
        french = SOUNDS / "french.ogg"
        with pytest.warns(DeprecationWarning, match="deprecated"):  # OpenAI's client calls its own route so
            heard = await translations.create(file=french, model="whisper-1")  # pyright: ignore[reportDeprecated]
        says_why = pytest.raises(openai.BadRequestError, match="was not trained to translate; use whisper-base")
        with says_why, pytest.warns(DeprecationWarning, match="deprecated"):
            await translations.create(file=french, model=turbo.id)  # pyright: ignore[reportDeprecated]
    assert "library" in heard.text.lower()


def test_larger_models_are_found_beside_the_parts(settings: Settings, tmp_path: Path) -> None:
    small = WHISPER_MODELS[0]
    small.folder(tmp_path).mkdir(parents=True)
    (small.folder(tmp_path) / "model.bin").touch()
    assert recording_recognizer(settings, ListeningParts(tmp_path)).find_larger() == small
    assert recording_recognizer(settings, ListeningParts(settings.data_dir)).find_larger() is None


async def test_one_that_comes_is_used_at_once(repository: Gallery, settings: Settings) -> None:
    lend_listening(settings)
    async with serving(replace(settings, hub=repository.url)) as server:
        assert "harbour master" in await transcribe(server, "whisper-1"), "its process can't read what isn't there yet"
        begun = await server.post("/api/models/pulls", {"name": "whisper-small"})
        assert (await ended(server, begun.body["id"]))["state"] == "finished"
        assert "harbour master" in await transcribe(server, "whisper-1")
        listed = {each["id"] for each in (await server.get("/v1/models")).body["data"]}
        assert {"whisper-base", "whisper-small"} <= listed


async def test_wrong_weights_are_not_used(server: Server, repository: Gallery, settings: Settings) -> None:
    weights = repository.files["model.bin"]
    repository.served = {"model.bin": weights[:-1] + bytes([weights[-1] ^ 1])}
    begun = await server.post("/api/models/pulls", {"name": "whisper-small"})
    pull = await ended(server, begun.body["id"])
    assert pull["state"] == "failed"
    assert "its hash differs" in pull["error"]["message"]
    assert not WHISPER_MODELS[0].is_installed(settings.data_dir)
