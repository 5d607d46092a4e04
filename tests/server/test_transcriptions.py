"""`/v1/audio/transcriptions` and `/v1/audio/translations`, as OpenAI's client calls them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
import pytest_asyncio
from openai.types.audio import Transcription, TranscriptionVerbose

from eclair.settings import Settings
from tests.server.test_v1 import client_of
from tests.speech.conftest import SOUNDS, lend_listening
from tests.speech.recordings import RATE, live_recording, music, noise, recording, silence, spoken
from tests.support import Server, live_children, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENGLISH = SOUNDS / "english.webm"
SPEECH_END_S = 6.2
"""The second of the sentence at which its last word ends."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listening(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server that recognizes speech."""
    folder = tmp_path_factory.mktemp("listening")
    settings = Settings(data_dir=folder / "data", embedded=False, scripted=True, port=0, access_log=True)
    lend_listening(settings)
    async with serving(settings) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def client(listening: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(listening) as client:
        yield client


async def test_sound_becomes_text(client: openai.AsyncOpenAI) -> None:
    for model in ("whisper-base", "whisper-1"):
        found = await client.audio.transcriptions.create(file=ENGLISH, model=model, language="en")
        assert isinstance(found, Transcription)
        assert "Tuesday" in found.text
        assert found.usage is not None
        assert (found.usage.type, found.usage.seconds) == ("duration", 7)  # pyright: ignore[reportAttributeAccessIssue]


async def test_verbose_transcripts_have_times(client: openai.AsyncOpenAI) -> None:
    found = await client.audio.transcriptions.create(
        file=ENGLISH,
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        temperature=0,
        prompt="harbour",
    )
    assert isinstance(found, TranscriptionVerbose)
    assert found.language == "en"
    assert found.segments is not None
    assert found.words is not None
    assert found.segments[0].start < 1
    assert 5 < found.segments[-1].end < 8
    assert found.words[-1].word.strip(".") == "cranes"


async def test_subtitles_and_plain_text(client: openai.AsyncOpenAI) -> None:
    srt = await client.audio.transcriptions.create(
        file=ENGLISH, model="whisper-1", language="en", response_format="srt"
    )
    assert str(srt).startswith("1\n00:00:00,")
    vtt = await client.audio.transcriptions.create(
        file=ENGLISH, model="whisper-1", language="en", response_format="vtt"
    )
    assert str(vtt).startswith("WEBVTT\n\n00:00:00.")
    text = await client.audio.transcriptions.create(
        file=ENGLISH, model="whisper-1", language="en", response_format="text"
    )
    assert "Tuesday" in str(text)


async def test_a_transcript_is_streamed(client: openai.AsyncOpenAI) -> None:
    stream = await client.audio.transcriptions.create(file=ENGLISH, model="whisper-1", language="en", stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events][-1] == "transcript.text.done"
    deltas = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == deltas
    assert "cranes" in deltas


async def test_speech_is_translated(client: openai.AsyncOpenAI) -> None:
    french = SOUNDS / "french.ogg"
    with pytest.warns(DeprecationWarning, match="deprecated"):  # OpenAI's client calls its own route so
        found = await client.audio.translations.create(file=french, model="whisper-1")  # pyright: ignore[reportDeprecated]
    assert "library" in found.text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "whisper-huge"}, "model"),
        ({"language": "xx"}, "language"),
        ({"response_format": "docx"}, "response_format"),
        ({"response_format": "srt", "stream": True}, "stream"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"extra_body": {"diarize": "yes"}}, "diarize"),
    ],
)
async def test_wrong_fields_are_named(client: openai.AsyncOpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        await client.audio.transcriptions.create(**{"file": ENGLISH, "model": "whisper-1", **fields})  # pyright: ignore
    assert refused.value.status_code in (400, 404)
    assert param in str(refused.value.body)


async def test_what_is_no_sound_is_refused(client: openai.AsyncOpenAI, tmp_path: Path) -> None:
    path = tmp_path / "note.mp3"
    path.write_text("no sound at all" * 100)
    with pytest.raises(openai.UnprocessableEntityError, match=r"note\.mp3 can't be decoded"):
        await client.audio.transcriptions.create(file=path, model="whisper-1")
    stream = await client.audio.transcriptions.create(file=path, model="whisper-1", stream=True)
    with pytest.raises(openai.APIError, match="can't be decoded"):
        _ = [event async for event in stream]


@pytest.mark.parametrize("route", ["transcriptions", "translations"])
async def test_recordings_may_be_as_large_as_files(listening: Server, route: str) -> None:
    form = aiohttp.FormData({"model": "whisper-1"})
    form.add_field("file", io.BytesIO(bytes(33 << 20)), filename="long.mp3")
    async with listening.http.post(f"{listening.address}/v1/audio/{route}", data=form) as reply:
        assert (reply.status, "long.mp3 can't be decoded" in await reply.text()) == (422, True)


async def test_without_the_parts_the_remedy_is_named(settings: Settings) -> None:
    async with (
        serving(replace(settings, data_dir=settings.data_dir / "without")) as server,
        client_of(server) as client,
    ):
        with pytest.raises(openai.InternalServerError, match="eclair speech install"):
            await client.with_options(max_retries=0).audio.transcriptions.create(file=ENGLISH, model="whisper-1")
        assert (await server.post("/api/speech/dictation/warm")).status == 503


async def test_a_recording_is_dictated_while_it_is_made(listening: Server) -> None:
    data = ENGLISH.read_bytes()
    for part, word in ((data[:12_000], "north"), (data, "cranes")):
        status, said = await dictate(listening, "language=en", part)
        assert (status, said["language"]) == (200, "en")
        assert word in " ".join(segment["text"] for segment in said["segments"])
    status, said = await dictate(listening, "likely=fr&likely=xx", data)
    assert (status, said["language"]) == (200, "en")
    many = "&".join(["likely=fr"] * 21)
    for query, part, refused in (
        ("language=xx", b"1", 400),
        (many, b"1", 400),
        ("", b"", 400),
        ("", b"no sound" * 99, 422),
    ):
        assert (await dictate(listening, query, part))[0] == refused


async def test_a_dictation_says_until_when_somebody_spoke_and_how_sure_it_is(listening: Server, tmp_path: Path) -> None:
    said = spoken("english.webm")
    for name, behind in (("silence", silence(3)), ("noise", noise(3)), ("music", music(3))):
        path = recording(tmp_path / f"{name}.wav", [said, behind])
        status, found = await dictate(listening, "language=en", path.read_bytes())
        assert (status, "cranes" in found["segments"][-1]["text"]) == (200, True)
        assert found["heard_until"] == pytest.approx(len(said) / RATE + 3, abs=0.1)
        assert found["speech_end"] == pytest.approx(SPEECH_END_S, abs=0.4), name
        assert found["segments"][0]["log_probability"] > -0.8
        assert found["segments"][0]["silence_probability"] < 0.6
        assert found["segments"][0]["compression_ratio"] < 2.4
        _, found = await dictate(listening, "language=en", recording(path, [behind]).read_bytes())
        assert (found["segments"], found["speech_end"], found["language"]) == ([], None, None), name
    path = recording(tmp_path / "later.wav", [said, silence(1)])
    _, found = await dictate(listening, "language=en&after=2", path.read_bytes())
    assert found["speech_end"] == pytest.approx(SPEECH_END_S, abs=0.4), "in the whole recording"


async def test_sound_that_was_dictated_before_may_be_left_out(listening: Server, tmp_path: Path) -> None:
    said = spoken("english.webm")
    slices = live_recording(tmp_path / "live.webm", [silence(1), said, silence(3), said, silence(1)])
    second = 1 + len(said) / RATE + 3
    query = f"language=en&after={second - 1}"
    _, whole = await dictate(listening, query, b"".join(slices))
    part = slices[0] + b"".join(slices[int(second) - 3 :])
    status, found = await dictate(listening, f"{query}&partial=true", part)
    assert (status, found["heard_until"]) == (200, pytest.approx(whole["heard_until"], abs=0.05))
    [heard], [expected] = found["segments"], whole["segments"]
    assert (heard["text"], heard["start"]) == (expected["text"], pytest.approx(expected["start"], abs=0.05))
    assert heard["start"] == pytest.approx(second, abs=0.7)
    assert "harbour master" in heard["text"]
    for first in (1, int(second) + 2, len(slices)):
        status, found = await dictate(listening, f"{query}&partial=true", slices[0] + b"".join(slices[first:]))
        assert (status, "lacks sound" in found["error"]["message"]) == (422, True), first


async def test_sound_that_was_cut_within_a_cluster_is_asked_for_whole(listening: Server, tmp_path: Path) -> None:
    slices = live_recording(tmp_path / "live.webm", [silence(65)], cluster_s=30)
    query = "language=en&after=43"
    status, found = await dictate(listening, query, b"".join(slices))
    assert (status, found["heard_until"]) == (200, pytest.approx(65, abs=0.05))
    for last in (55, len(slices)):  # the sound from second 40 on would be read as that from second 10 on
        status, found = await dictate(listening, f"{query}&partial=true", slices[0] + b"".join(slices[40:last]))
        assert (status, "lacks sound" in found["error"]["message"]) == (422, True), last


@pytest.mark.parametrize(
    ("path", "content_type", "beginning"),
    [
        ("/api/speech/dictation", "audio/webm", b"the first part"),
        ("/v1/audio/transcriptions", "multipart/form-data; boundary=x", b"--x\r\n"),
    ],
)
async def test_a_client_that_goes_while_it_sends_is_no_fault(
    listening: Server, caplog: pytest.LogCaptureFixture, path: str, content_type: str, beginning: bytes
) -> None:
    caplog.set_level("INFO", "eclair.access")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(listening.address.rpartition(":")[2]))
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\nContent-Length: 9000\r\n"
    writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(beginning)
    await writer.drain()
    writer.close()
    async with asyncio.timeout(30):
        while not caplog.records:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.01)
    assert [" 499 " in record.getMessage() for record in caplog.records] == [True]


async def test_the_model_is_there_before_the_first_words(listening: Server) -> None:
    async with listening.http.post(f"{listening.address}/api/speech/dictation/warm") as reply:
        assert reply.status == 202
    loaded = set(live_children(recursive=True))
    status, said = await dictate(listening, "language=en", ENGLISH.read_bytes())
    assert (status, said["language"]) == (200, "en")
    assert set(live_children(recursive=True)) == loaded


async def test_who_dictates_does_not_wait_for_programs(
    listening: Server, client: openai.AsyncOpenAI, tmp_path: Path
) -> None:
    path = recording(tmp_path / "long.wav", [spoken("english.webm")] * 30)
    transcribing = asyncio.create_task(client.audio.transcriptions.create(file=path, model="whisper-base"))
    queue = listening.app.transcription.queue
    while not queue.running:  # noqa: ASYNC110 (no event tells)
        await asyncio.sleep(0.01)
    status, said = await dictate(listening, "language=en", ENGLISH.read_bytes())
    assert (status, "cranes" in said["segments"][-1]["text"]) == (200, True)
    assert not transcribing.done()
    transcribing.cancel()
    await asyncio.wait([transcribing])
    while queue.running:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def dictate(server: Server, query: str, data: bytes) -> tuple[int, Any]:
    async with server.http.post(f"{server.address}/api/speech/dictation?{query}", data=data) as reply:
        return reply.status, await reply.json()
