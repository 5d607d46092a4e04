"""`/api/speech`: the voices, an answer's sentences and the sound of each, to read it aloud, and its sound as a file."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from eclair.app import App
from eclair.server.api.exports import attachment_disposition
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.streaming import CLIENT_GONE, BytesStream, unless_disconnected
from eclair.speech.speech_request import SpeechRequest
from eclair.speech.spoken_text import SpokenSentence, SpokenTextReader
from eclair.speech.synthesis_protocol import MAX_SENTENCE_CHARS, MAX_SPEED, MEDIA_TYPES, MIN_SPEED
from eclair.speech.voices import VOICES, VoiceKind, choose_voice, find_voice
from eclair.transfer.export_view import file_name

MAX_TEXT_CHARS = 400_000
SYNTHETIC = {"X-Eclair-Synthetic-Voice": "true"}
"""Headers of sound."""

SpokenLanguage = Annotated[str, Field(min_length=2, max_length=20)]
VoiceNames = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=20)]


class VoiceEntry(BaseModel):
    """A voice. `natural` is false for one that sounds like a machine."""

    id: str
    name: str
    locale: str
    kind: VoiceKind
    natural: bool


class VoiceList(BaseModel):
    """The voices, which speak once the part `speaking` is installed."""

    ready: bool
    voices: list[VoiceEntry]


class SentencesBody(RequestBody):
    """Markdown so far; with `done`, its end is the end of its last sentence. Sentences before `start` are left out.

    `voices` are those that the person chose, `language` is that of sentences that tell none.
    """

    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
    start: Annotated[int, Field(ge=0)] = 0
    done: bool = True
    language: SpokenLanguage | None = None
    voices: VoiceNames = Field(default_factory=list[str])


class SentenceEntry(BaseModel):
    """A sentence to speak, its place in the Markdown, and its voice; null where no voice speaks its language."""

    start: int
    end: int
    text: str
    language: str | None
    voice: str | None


class SentenceList(BaseModel):
    sentences: list[SentenceEntry]


class SoundBody(RequestBody):
    """A sentence to speak, and the voice that does."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_SENTENCE_CHARS)]
    voice: Annotated[str, Field(max_length=100)] | None = None
    language: SpokenLanguage | None = None
    speed: Annotated[float, Field(ge=MIN_SPEED, le=MAX_SPEED)] = 1.0


class SoundFileBody(RequestBody):
    """Markdown to speak as one file, which `title` names; `voices` and `language` are as for sentences."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]
    title: Annotated[str, Field(max_length=200)] = ""
    voices: VoiceNames = Field(default_factory=list[str])
    language: SpokenLanguage | None = None
    speed: Annotated[float, Field(ge=MIN_SPEED, le=MAX_SPEED)] = 1.0


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/speech", tags=["speech"])

    @api.get("/voices")
    async def list_voices() -> VoiceList:
        entries = [
            VoiceEntry(id=each.id, name=each.name, locale=each.locale, kind=each.kind, natural=each.is_natural)
            for each in VOICES
        ]
        return VoiceList(ready=app.speaking.synthesizer.is_ready, voices=entries)

    @api.post("/sentences")
    async def list_sentences(body: SentencesBody) -> SentenceList:
        return SentenceList(sentences=await asyncio.to_thread(_find_sentences, body))

    @api.post("/sound", response_class=Response)
    async def make_sound(principal: Caller, body: SoundBody, request: Request) -> Response:
        voices = () if body.voice is None else (body.voice,)
        wanted = SpeechRequest(body.text, "mp3", voices, body.speed, body.language, use="live")

        async def speak() -> bytes:
            spoken = await app.speaking.start(principal, None, wanted)
            return b"".join([data async for data in spoken.sounds])

        with app.idle.conversing():
            data = await unless_disconnected(request, speak())
        if data is None:
            return CLIENT_GONE
        return Response(data, media_type="audio/mpeg", headers=SYNTHETIC)

    @api.post("/file", response_class=Response)
    async def make_file(principal: Caller, body: SoundFileBody, request: Request) -> Response:
        voices = tuple(name for name in body.voices if find_voice(name) is not None)  # one may be of an earlier version
        wanted = SpeechRequest(body.text, "mp3", voices, body.speed, body.language, use="file")
        started = await unless_disconnected(request, app.speaking.start(principal, None, wanted))
        if started is None:
            return CLIENT_GONE
        headers = {**SYNTHETIC, "Content-Disposition": attachment_disposition(f"{file_name(body.title)}.mp3")}
        return BytesStream(started.sounds, MEDIA_TYPES["mp3"], headers)

    return api


def _find_sentences(body: SentencesBody) -> list[SentenceEntry]:
    reader = SpokenTextReader(body.language, early=True, start=body.start)
    found = reader.add(body.text)
    if body.done:
        found += reader.finish()
    return [_describe(each, body) for each in found]


def _describe(sentence: SpokenSentence, body: SentencesBody) -> SentenceEntry:
    voice = choose_voice(sentence.language or body.language, body.voices)
    return SentenceEntry(
        start=sentence.start,
        end=sentence.end,
        text=sentence.text,
        language=sentence.language,
        voice=voice.id if voice is not None else None,
    )
