"""Recordings are documents: heard in the background, found, cited by their moments, and played from there."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from eclair.documents import background_reading, document_parser, ingest
from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import RecognitionOptions
from tests.documents import files
from tests.llm.servers import Speaking
from tests.server.test_documents import JSON, add, reading, ready
from tests.server.test_v1 import client_of
from tests.speech.conftest import SOUNDS, installed_listening, lend_listening
from tests.speech.recordings import RATE, music, packed_recording, recording, silence, spoken
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True, scope="module")
def is_heard_at_once() -> Iterator[None]:
    """Run recognition at normal priority: at idle priority it would wait for other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_parser, "LISTENING", RecognitionOptions())
        yield


@asynccontextmanager
async def hearing(settings: Settings) -> AsyncGenerator[tuple[Server, Speaking]]:
    lend_listening(settings)
    async with reading(settings) as (server, model):
        yield server, model


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listening(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[Server, Speaking]]:
    """A server that hears, whose process serves most tests here."""
    folder: Path = tmp_path_factory.mktemp("listening")
    async with hearing(Settings(data_dir=folder / "data", embedded=False, port=0)) as found:
        yield found


async def sentences(server: Any, file: JSON) -> list[JSON]:
    return list((await server.get(f"/api/files/{file['id']}/transcript")).body["sentences"])


async def test_an_answer_cites_the_moment(listening: tuple[Server, Speaking], tmp_path: Path) -> None:
    talk = recording(tmp_path / "talk.wav", [silence(65), spoken("english.webm")])
    server, model = listening
    file = await ready(server, await add(server, talk.read_bytes(), "talk.wav"), 110)
    assert (file["state"], file["pages"], file["pages_read"]) == ("ready", 2, 2), file
    model.says = "The northern gate was closed on Tuesday."
    conversation = await server.begin()
    message = await server.say(conversation, "When was the northern gate closed?", files=[file["id"]])
    (citation,) = message["citations"]
    assert (citation["page"], citation["label"]) == (2, "1:05")
    page = (await server.get(f"/api/files/{file['id']}/pages/2")).body
    assert (page["read"], page["label"], page["blocks"][0]["kind"]) == ("speech", "1:00", "speech")
    first, *_ = heard = await sentences(server, file)
    assert 65 <= first["start"] <= 66.5
    assert first["end"] <= 75
    assert any(each["first"] <= citation["quote_start"] <= each["last"] for each in heard)
    exported = (await server.get(f"/api/conversations/{conversation}/export?format=markdown")).raw.decode()
    assert "talk.wav, 1:05: " in exported
    async with client_of(server) as client:
        reply = await client.chat.completions.create(
            model="reader", messages=[{"role": "user", "content": [
                {"type": "text", "text": "When was the northern gate closed?"},
                {"type": "file", "file": {"file_id": file["id"]}},
            ]}],
        )  # fmt: skip
        notes = reply.choices[0].message.annotations or ()
        assert ["1:05" in note.url_citation.title for note in notes] == [True]
    found = await server.get(f"/api/files/{file['id']}/transcript?format=vtt")
    assert found.raw.startswith(b"WEBVTT\n\n00:01:05")
    assert 'filename="talk.vtt"' in found.headers["Content-Disposition"]
    played = await server.get(f"/api/files/{file['id']}/sound", headers={"Range": "bytes=0-3"})
    assert (played.status, played.raw, played.headers["Content-Type"]) == (206, b"RIFF", "audio/wav")


async def test_recordings_in_an_archive(listening: tuple[Server, Speaking], tmp_path: Path) -> None:
    talk = recording(tmp_path / "talk.wav", [silence(65), spoken("english.webm")])
    mail = files.eml({"voice.m4a": (SOUNDS / "spanish.m4a").read_bytes()})
    packed = {"talks/talk.wav": talk.read_bytes(), "mail.eml": mail, "cut.mp3": b"ID3" + b"\1" * 4000, "a.md": b"# A"}
    server, model = listening
    file = await ready(server, await add(server, files.zipped(packed), "all.zip"), 110)
    assert file["state"] == "ready", file
    pages = [(await server.get(f"/api/files/{file['id']}/pages/{n}")).body for n in range(1, file["pages"] + 1)]
    assert [(page["member"], page["read"]) for page in pages] == [
        ("mail.eml", "text"), ("a.md", "text"),
        ("talks/talk.wav", "speech"), ("talks/talk.wav", "speech"), ("mail.eml/voice.m4a", "speech"),
    ]  # fmt: skip
    (remark,) = file["remarks"]
    assert remark.startswith("In all.zip: cut.mp3 ")

    model.says = "The northern gate was closed on Tuesday."
    conversation = await server.begin()
    message = await server.say(conversation, "When was the northern gate closed?", files=[file["id"]])
    (citation,) = message["citations"]
    assert (citation["page"], citation["label"]) == (4, "1:05")
    source = next(each for each in message["passages"] if each["number"] == citation["passage"])
    assert source["member"] == "talks/talk.wav"

    member = {"member": "talks/talk.wav"}
    heard = (await server.get(f"/api/files/{file['id']}/transcript?{urlencode(member)}")).body["sentences"]
    assert 65 <= heard[0]["start"] <= 66.5
    assert any(each["first"] <= citation["quote_start"] <= each["last"] for each in heard)
    found = await server.get(f"/api/files/{file['id']}/transcript?format=text&{urlencode(member)}")
    assert 'filename="talk.txt"' in found.headers["Content-Disposition"]
    assert await sentences(server, file) == []
    address = f"/api/files/{file['id']}/sound?"
    played = await server.get(address + urlencode(member), headers={"Range": "bytes=0-3"})
    assert (played.status, played.raw, played.headers["Content-Type"]) == (206, b"RIFF", "audio/wav")
    whole = await server.get(address + urlencode({"member": "mail.eml/voice.m4a"}))
    assert (whole.status, whole.raw) == (200, (SOUNDS / "spanish.m4a").read_bytes())
    for other in ("a.md", "nobody.wav", "mail.eml", "mail.eml/b.wav"):
        assert (await server.get(address + urlencode({"member": other}))).status == 404
    text = await add(server)
    assert (await server.get(f"/api/files/{text['id']}/sound?member=a.wav")).status == 404


async def test_each_stretch_has_its_language(listening: tuple[Server, Speaking], tmp_path: Path) -> None:
    both = recording(tmp_path / "both.wav", [spoken("german.mp3"), silence(4), spoken("french.ogg")])
    server, _ = listening
    file = await ready(server, await add(server, both.read_bytes(), "both.wav"), 110)
    text = " ".join(each["text"] for each in await sentences(server, file))
    assert "Hafenmeister" in text
    assert "bibliothèque" in text


async def test_silence_and_music_say_so(listening: tuple[Server, Speaking], tmp_path: Path) -> None:
    server, _ = listening
    for name, samples in (("quiet.wav", silence(90)), ("song.wav", music(20))):
        data = recording(tmp_path / name, [samples]).read_bytes()
        file = await ready(server, await add(server, data, name))
        assert (file["state"], file["chunks"]) == ("ready", 0)
        assert file["remarks"] == [f"Nobody was heard speaking in {name}."]


def wav(codec: int, data: bytes) -> bytes:
    """A WAV file of a codec by its number."""
    form = struct.pack("<HHIIHH", codec, 1, RATE, RATE * 2, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


async def test_what_cannot_be_heard_says_why(listening: tuple[Server, Speaking]) -> None:
    server, _ = listening
    cases = {
        "cut.m4a": ((SOUNDS / "spanish.m4a").read_bytes()[:5000], "damaged|can't be decoded"),
        "odd.wav": (wav(0x5A5A, b"x" * 4000), "nobody knows|can't be decoded"),
        "hollow.wav": (wav(1, b""), "no sound"),
        "fake.mp3": (b"ID3" + b"\1" * 4000, "can't be decoded"),
    }
    for name, (data, why) in cases.items():
        file = await ready(server, await add(server, data, name))
        assert file["state"] == "failed"
        assert file["fault"]["code"] == "unreadable_file"
        assert any(each in file["fault"]["message"] for each in why.split("|")), file["fault"]
        assert file["fault"]["message"].startswith(name)


@pytest.mark.timeout(300)
async def test_a_recording_waits_for_what_recognizes_speech(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "POLL_INTERVAL_S", 0.05)
    monkeypatch.setattr(background_reading, "RECORDING_DELAY_S", 0.5)
    monkeypatch.setattr(background_reading, "MEMBER_DELAY_S", 0.5)
    async with reading(settings) as (server, _):
        sound = (SOUNDS / "english.webm").read_bytes()
        file = await ready(server, await add(server, sound, "english.webm"))
        assert (file["state"], file["fault"]["code"]) == ("failed", "speech_part_missing")
        packed = await ready(server, await add(server, files.zipped({"a.md": b"# A", "b.webm": sound}), "all.zip"))
        assert (packed["state"], packed["pages"]) == ("ready", 1)
        assert packed["remarks"] == [f"In all.zip: b.webm {document_parser.UNHEARD}"]
        with monkeypatch.context() as before:  # recordings in other files were left out
            before.setattr(document_parser, "UNHEARD", document_parser.SET_ASIDE)
            older = await ready(server, await add(server, files.zipped({"b.md": b"# B", "b.webm": sound}), "older.zip"))
        assert older["remarks"] == [f"In older.zip: b.webm {document_parser.SET_ASIDE}"]
        target = ListeningParts(settings.data_dir).folder
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(installed_listening())
        async with asyncio.timeout(110):
            while (file := (await server.get(f"/api/files/{file['id']}")).body)["state"] != "ready":
                await asyncio.sleep(0.05)
        assert "cranes" in (await sentences(server, file))[-1]["text"]
        async with asyncio.timeout(110):
            while (packed := (await server.get(f"/api/files/{packed['id']}")).body)["pages"] != 2:
                await asyncio.sleep(0.05)
        assert (packed["state"], packed["remarks"]) == ("ready", [])
        async with asyncio.timeout(110):
            while (older := (await server.get(f"/api/files/{older['id']}")).body)["pages"] != 2:
                await asyncio.sleep(0.05)
        assert (older["state"], older["remarks"]) == ("ready", [])


def three_hours(path: Path) -> Path:
    """A packed recording with a sentence at its beginning, in its middle and at its end."""
    talk, rest = spoken("english.webm"), silence(5400)
    return packed_recording(path, [talk, rest[len(talk) :], talk, rest[2 * len(talk) :], talk])


@pytest.mark.timeout(300)
async def test_hours_go_on_where_they_stopped(settings: Settings, tmp_path: Path) -> None:
    """Éclair is restarted while it hears three hours."""
    hours = await asyncio.to_thread(three_hours, tmp_path / "hours.flac")
    async with hearing(settings) as (server, _):
        file = await add(server, hours.read_bytes(), "hours.flac")
        assert (await begun(server, file))["pages"] == 180
    async with reading(settings) as (server, _):
        file = await ready(server, file, 240)
        heard = await sentences(server, file)
        starts = [each["start"] for each in heard]
        assert starts == sorted(starts)
        assert [each["start"] // 60 for each in heard if "cranes" in each["text"]] == [0, 90, 179]
        assert (file["state"], file["pages_read"]) == ("ready", 180)
        other = await add(server, hours.read_bytes() + bytes(1), "more.flac")
        await begun(server, other)
        text = await ready(server, await add(server))
        assert text["state"] == "ready", "a text waits for no recording"
        assert (await server.call("DELETE", f"/api/files/{other['id']}")).status == 204
        german = await ready(server, await add(server, (SOUNDS / "german.mp3").read_bytes(), "german.mp3"))
        assert german["state"] == "ready"


async def begun(server: Server, file: JSON) -> JSON:
    """The file once its first minute was heard."""
    async with asyncio.timeout(110):
        while not (state := dict((await server.get(f"/api/files/{file['id']}")).body))["pages_read"]:
            await asyncio.sleep(0.02)
    return state
