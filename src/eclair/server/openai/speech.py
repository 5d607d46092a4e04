"""`/v1/audio/speech`: OpenAI's speech API over the installed voices, sent sentence by sentence."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from eclair.app import App
from eclair.errors import EclairError, InvalidInput
from eclair.llm.base import JSON
from eclair.server.openai import errors
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody, StrictModel
from eclair.server.sse import EventStream
from eclair.server.streaming import CLIENT_GONE, BytesStream, unless_disconnected
from eclair.speech.signed_speech import check_signed_form, sign_speech
from eclair.speech.speech_request import SpeechRequest, SpokenStream
from eclair.speech.synthesis_protocol import MAX_SPEED, MEDIA_TYPES, MIN_SPEED, SoundForm

MAX_INPUT_CHARS = 4096


class NamedVoice(StrictModel):
    id: Annotated[str, Field(min_length=1, max_length=100)]


class SpeechBody(RequestBody):
    """Fields of the route; `language` and `signed` are Éclair's own."""

    model: str | None = None
    input: Annotated[str, Field(min_length=1, max_length=MAX_INPUT_CHARS)]
    voice: Annotated[str, Field(min_length=1, max_length=100)] | NamedVoice | None = None
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None
    speed: Annotated[float, Field(ge=MIN_SPEED, le=MAX_SPEED)] | None = None
    stream_format: Literal["audio", "sse"] | None = None
    instructions: str | None = None
    language: Annotated[str, Field(min_length=2, max_length=20)] | None = None
    signed: bool = False
    user: str | None = None

    @property
    def form(self) -> SoundForm:
        """Raises InvalidInput for a form that no encoder here makes."""
        if self.response_format == "aac":
            raise InvalidInput("AAC isn't made here; ask for mp3 or opus.", param="response_format")
        return self.response_format or "mp3"

    def request(self) -> SpeechRequest:
        voice = self.voice.id if isinstance(self.voice, NamedVoice) else self.voice
        return SpeechRequest(self.input, self.form, (voice,) if voice else (), self.speed or 1.0, self.language)


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/audio", tags=["OpenAI"])

    @api.post("/speech")
    async def speak(principal: Caller, body: SpeechBody, request: Request) -> Response:
        form, wanted = body.form, body.request()
        if body.signed:
            _check_signed(app, body)
        started = await unless_disconnected(request, app.speaking.start(principal, body.model, wanted))
        if started is None:
            return CLIENT_GONE
        headers = {"X-Eclair-Synthetic-Voice": "true"}
        if body.instructions is not None:
            headers["X-Eclair-Ignored"] = "instructions"
        if body.signed:
            signed = await unless_disconnected(request, _signed(app, started, form))
            return CLIENT_GONE if signed is None else Response(signed, media_type=MEDIA_TYPES[form], headers=headers)
        if body.stream_format == "sse":
            return EventStream(_events(started), headers=headers)
        return BytesStream(started.sounds, MEDIA_TYPES[form], headers)

    return api


def _check_signed(app: App, body: SpeechBody) -> None:
    """Raises InvalidInput for sound that can't be signed."""
    check_signed_form(body.form)
    if body.stream_format == "sse":
        raise InvalidInput("Events can't be signed; leave stream_format or signed out.", param="signed")
    if not app.speaking.is_own(body.model):
        raise InvalidInput("The sound of a server's model isn't signed here; leave signed out.", param="signed")


async def _signed(app: App, spoken: SpokenStream, form: SoundForm) -> bytes:
    """Raises SettingsError, EngineBroken and BudgetExceeded."""
    async with aclosing(spoken.sounds) as sounds:
        sound = b"".join([data async for data in sounds])
    return await sign_speech(app.provenance, sound, form)


async def _events(spoken: SpokenStream) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(spoken.sounds) as sounds:
            async for data in sounds:
                yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
    except EclairError as error:
        yield _event({"type": "error", **errors.body(error)})
        return
    usage = {"input_tokens": spoken.tokens, "output_tokens": 0, "total_tokens": spoken.tokens}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(data: JSON) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(data)
