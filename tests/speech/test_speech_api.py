"""`/v1/audio/speech` as OpenAI's client calls it, and what reads answers aloud, with the installed voices."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import wave
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import openai
import pytest
import pytest_asyncio

from eclair.settings import Settings
from eclair.speech.speech_request import MAX_WAITING
from eclair.speech.synthesis_protocol import SAMPLE_RATE
from tests.provenance.test_validator import validate_with_c2pa_ts
from tests.server.test_provenance import RAW
from tests.server.test_v1 import client_of
from tests.speech.conftest import lend_speaking
from tests.support import Server, live_children, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

SENTENCE = "Der Zug fährt heute nicht ab. "
HEADS = {"mp3": b"ID3", "opus": b"OggS", "flac": b"fLaC", "wav": b"RIFF"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def speaking(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server with the voices, whose process serves every test here."""
    folder: Path = tmp_path_factory.mktemp("speaking")
    settings = Settings(data_dir=folder / "data", embedded=False, scripted=True, port=0)
    lend_speaking(settings)
    async with serving(settings) as server:
        yield server


async def test_openais_client_gets_each_form(speaking: Server) -> None:
    async with client_of(speaking) as client:
        for form, head in HEADS.items():
            made = await client.audio.speech.create(
                model="tts-1", voice="alloy", input="Der Zug fährt ab.", response_format=form, instructions="Sing."  # pyright: ignore[reportArgumentType]
            )  # fmt: skip
            assert made.content.startswith(head)
            assert b"ynthetic voice" in made.content
            assert made.response.headers["x-eclair-ignored"] == "instructions"
        raw = await client.audio.speech.create(model="tts-1", voice="nova", input="Yes.", response_format="pcm")
        fast = await client.audio.speech.create(
            model="tts-1", voice="nova", input="Yes.", response_format="pcm", speed=2
        )
        assert 0.3 * 48_000 < len(fast.content) < len(raw.content) < 3 * 48_000


async def test_a_text_streams_sentence_by_sentence(speaking: Server) -> None:
    async with (
        client_of(speaking) as client,
        client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="onyx", input="Ja. Nein. Der Zug fährt ab.", response_format="wav"
        ) as spoken,
    ):
        pieces = [piece async for piece in spoken.iter_bytes()]
    data = b"".join(pieces)
    assert len(pieces) > 1
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)


async def test_events_carry_the_sound_too(speaking: Server) -> None:
    body = {"model": "kokoro", "input": "Ja.", "voice": "pico_de", "stream_format": "sse", "response_format": "pcm"}
    body["instructions"] = "Sing."
    reply = await speaking.post("/v1/audio/speech", body)
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert (reply.headers["X-Eclair-Synthetic-Voice"], reply.headers["X-Eclair-Ignored"]) == ("true", "instructions")
    assert b"speech.audio.delta" in reply.raw
    assert b'"type":"speech.audio.done","usage":' in reply.raw


@pytest.mark.parametrize(
    ("change", "param", "says"),
    [
        ({"voice": "nobody"}, "voice", "no voice 'nobody'"),
        ({"response_format": "aac"}, "response_format", "mp3 or opus"),
        ({"input": "```\ncode\n```"}, "input", "nothing that can be spoken"),
        ({"input": "Dzień dobry, jak się masz, czy to jest dobre?"}, "input", "No voice speaks Polish"),
        ({"speed": 9}, "speed", ""),
        ({"tempo": 1}, "tempo", ""),
        ({"signed": True, "response_format": "opus"}, "signed", "mp3, wav, flac"),
        ({"signed": True, "stream_format": "sse"}, "signed", "Events can't be signed"),
        ({"signed": True, "model": "scripted"}, "signed", "isn't signed here"),
    ],
)
async def test_what_cannot_be_spoken_says_why(
    speaking: Server, change: dict[str, object], param: str, says: str
) -> None:
    reply = await speaking.post("/v1/audio/speech", {"model": "tts-1", "input": "Yes.", "voice": "alloy", **change})
    assert (reply.status, reply.error["param"]) == (400, param)
    assert says in reply.error["message"]


async def test_without_the_parts_it_says_how_to_install_them(settings: Settings) -> None:
    async with serving(settings) as server, client_of(server) as client:
        with pytest.raises(openai.APIStatusError, match="eclair speech install speaking"):
            await client.with_options(max_retries=0).audio.speech.create(model="tts-1", voice="alloy", input="Yes.")
        assert not (await server.get("/api/speech/voices")).body["ready"]


async def test_an_answers_sentences_have_voices_and_sound(speaking: Server) -> None:
    voices = (await speaking.get("/api/speech/voices")).body
    assert voices["ready"]
    assert {each["locale"][:2] for each in voices["voices"]} == {"en", "fr", "es", "it", "pt", "de"}
    assert [each["id"] for each in voices["voices"] if not each["natural"]] == ["pico_de"]
    text = "Der Zug fährt heute nicht ab. Dzień dobry, jak się masz, czy to jest dobre? And th"
    body = {"text": text, "done": False, "voices": ["bm_george"]}
    found = (await speaking.post("/api/speech/sentences", body)).body["sentences"]
    assert [(each["voice"], each["language"]) for each in found] == [("pico_de", "de"), (None, "pl")]
    body = {"text": f"{text}e rest.", "start": found[-1]["end"], "language": "en", "voices": ["bm_george"]}
    [rest] = (await speaking.post("/api/speech/sentences", body)).body["sentences"]
    assert (rest["text"], rest["voice"]) == ("And the rest.", "bm_george")
    sound = await speaking.post("/api/speech/sound", {"text": found[0]["text"], "voice": "pico_de", "language": "de"})
    assert (sound.headers["Content-Type"], sound.raw[:3]) == ("audio/mpeg", b"ID3")


async def test_speech_begins_at_once_and_pauses_as_its_signs_say(speaking: Server) -> None:
    async with client_of(speaking) as client:
        lengths: list[float] = []
        for text in ("The bread is here,", "The bread is here.", "The bread is here"):
            raw = await client.audio.speech.create(model="tts-1", voice="nova", input=text, response_format="pcm")
            samples = np.frombuffer(raw.content, "<i2")
            loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
            assert loud[0] < 0.1 * SAMPLE_RATE
            lengths.append((len(samples) - loud[-1]) / SAMPLE_RATE)
    assert 0.1 < lengths[0] < 0.2 < 0.3 < min(lengths[1:]) <= max(lengths) < 0.45


async def test_the_voice_stays_loaded_when_who_listens_leaves(speaking: Server) -> None:
    short = {"text": "Yes.", "language": "en"}
    assert (await speaking.post("/api/speech/sound", short)).status == 200
    before = set(live_children(recursive=True))
    idle = speaking.app.idle
    begun = asyncio.create_task(idle.next_answer())
    listens = asyncio.create_task(
        speaking.post("/api/speech/sound", {"text": "It rains and rains, and then it rains. " * 90, "language": "en"})
    )
    await begun
    await asyncio.sleep(0.5)
    listens.cancel()
    await asyncio.wait([listens])
    async with asyncio.timeout(30):
        await idle.until_idle(0)
    assert (await speaking.post("/api/speech/sound", short)).status == 200
    assert set(live_children(recursive=True)) == before


async def test_background_work_waits_for_who_listens(speaking: Server) -> None:
    idle = speaking.app.idle
    begun = asyncio.create_task(idle.next_answer())
    body = {"text": "The bread is here, and the butter too.", "language": "en"}
    speaks = asyncio.create_task(speaking.post("/api/speech/sound", body))
    await asyncio.wait_for(begun, 60)
    assert idle.idle_seconds() == 0
    assert (await speaks).status == 200
    assert idle.idle_seconds() > 0


async def test_a_long_answer_becomes_one_file_as_it_is_spoken(speaking: Server) -> None:
    text = "# Abfahrt\n\n" + SENTENCE * 200
    body = {"text": text, "title": "Züge: heute", "language": "de", "speed": 4}
    assert len(text) > 4096
    async with speaking.http.post(f"{speaking.address}/api/speech/file", json=body) as reply:
        assert (reply.headers["Content-Type"], reply.headers["X-Eclair-Synthetic-Voice"]) == ("audio/mpeg", "true")
        assert "Z%C3%BCge-heute.mp3" in reply.headers["Content-Disposition"]
        data = await reply.content.readany()
        assert not reply.content.at_eof(), "it is sent as it is made"
        data += await reply.read()
    assert data.startswith(b"ID3")
    assert data.count(b"ID3") == 1
    assert b"ynthetic voice" in data
    refused = await speaking.post("/api/speech/file", {"text": "Dzień dobry, jak się masz, czy to jest dobre?"})
    assert (refused.status, "No voice speaks Polish" in refused.error["message"]) == (400, True)


async def test_who_listens_does_not_wait_for_a_file_which_ends_when_its_client_leaves(speaking: Server) -> None:
    wanted = {"text": "Ja.", "voice": "pico_de", "language": "de"}
    await speaking.post("/api/speech/sound", wanted)
    before = set(live_children(recursive=True))
    body = {"text": SENTENCE * 8000, "language": "de"}
    async with speaking.http.post(f"{speaking.address}/api/speech/file", json=body) as reply:
        await reply.content.readany()
        sound = await speaking.post("/api/speech/sound", wanted)
        assert (sound.status, reply.content.at_eof()) == (200, False)
        assert set(live_children(recursive=True)) - before
    while set(live_children(recursive=True)) - before:  # noqa: ASYNC110 (no event tells)
        await asyncio.sleep(0.01)
    gc.collect()  # what was left open warns, which is an error


async def test_files_wait_for_their_turn_and_too_many_are_refused(
    speaking: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eclair.speech.speech_request.FIRST_PIECE_S", 0.3)
    body = {"text": "It rains. " * 100, "language": "en", "voices": ["a_voice_of_an_earlier_version", "af_bella"]}
    async with contextlib.AsyncExitStack() as stack:
        replies = [
            await stack.enter_async_context(speaking.http.post(f"{speaking.address}/api/speech/file", json=body))
            for _ in range(1 + MAX_WAITING)
        ]
        assert {reply.status for reply in replies} == {200}
        refused = await speaking.post("/api/speech/file", body)
        assert (refused.status, refused.error["code"]) == (429, "too_busy")
        replies[0].close()
        await replies[1].content.readany()


@pytest.mark.parametrize("stream", ["audio", "sse"])
async def test_speech_for_programs_ends_when_its_client_leaves(speaking: Server, stream: str) -> None:
    body = {"model": "kokoro", "input": SENTENCE * 130, "voice": "pico_de", "speed": 0.25, "stream_format": stream}
    async with speaking.http.post(f"{speaking.address}/v1/audio/speech", json=body) as reply:
        await reply.content.readany()
        working = set(live_children(recursive=True))
    assert (await speaking.post("/v1/audio/speech", {**body, "input": "Ja."})).status == 200
    assert set(live_children(recursive=True)) == working
    gc.collect()


async def test_a_client_that_reads_slowly_holds_nobody_up(speaking: Server) -> None:
    body = {"model": "kokoro", "input": SENTENCE * 130, "voice": "pico_de", "response_format": "pcm"}
    async with speaking.http.post(f"{speaking.address}/v1/audio/speech", json=body) as reply:
        other = await speaking.post("/v1/audio/speech", {**body, "input": "Ja."})
        assert (other.status, reply.content.at_eof()) == (200, False)


async def test_who_listens_does_not_wait_for_programs(speaking: Server) -> None:
    program = {"model": "kokoro", "input": "It rains and rains. " * 200, "voice": "nova"}
    async with speaking.http.post(f"{speaking.address}/v1/audio/speech", json=program) as reply:
        sound = await speaking.post("/api/speech/sound", {"text": "Yes.", "language": "en"})
        assert (sound.status, reply.content.is_eof()) == (200, False)


@pytest.mark.parametrize("form", ["mp3", "wav", "flac"])
async def test_whole_sounds_are_signed_and_a_change_shows(speaking: Server, form: str, tmp_path: Path) -> None:
    body = {"model": "kokoro", "input": "Ja. Nein.", "voice": "pico_de", "response_format": form}
    plain = (await speaking.post("/v1/audio/speech", body)).raw
    assert await made_by(speaking, plain) == ("absent", None, "created")
    reply = await speaking.post("/v1/audio/speech", {**body, "signed": True})
    assert (reply.status, reply.headers["X-Eclair-Synthetic-Voice"]) == (200, "true")
    assert await made_by(speaking, reply.raw) == ("found", "own", "created")
    changed = reply.raw[:-5000] + bytes([reply.raw[-5000] ^ 1]) + reply.raw[-4999:]
    assert (await made_by(speaking, changed))[0] == "altered"
    if form == "wav":
        with wave.open(io.BytesIO(reply.raw)) as file:
            assert file.getnframes() * 2 == len(plain.partition(b"data")[2]) - 4
    if form == "mp3":
        paths = [tmp_path / "signed.mp3", tmp_path / "changed.mp3"]
        for path, data in zip(paths, (reply.raw, changed), strict=True):
            path.write_bytes(data)
        found = await asyncio.to_thread(validate_with_c2pa_ts, paths)
        assert [each["holds"] for each in found] == [True, False]


async def made_by(server: Server, sound: bytes) -> tuple[str, str | None, str | None]:
    """Credentials, whose they are, and the comment, as the page of marks reports them."""
    report = (await server.post("/api/marks/check?name=sound", data=sound, headers=RAW)).body
    assert report["media"].startswith("audio/")
    return report["credentials"]["state"], report["credentials"]["trust"], report["metadata"]["how"]
