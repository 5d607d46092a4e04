"""`/api/speech/dictation`: writes what is said in a recording that is still being made. Nothing is kept of it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from eclair.app import App
from eclair.errors import InvalidInput, StoreError, TooLarge
from eclair.server.principal import Caller
from eclair.server.streaming import CLIENT_GONE, unless_disconnected
from eclair.speech.recognition import LANGUAGES, RecognitionOptions
from eclair.speech.transcription import WHISPER
from eclair.util.scratch import ScratchFolder

MAX_RECORDING_BYTES = 32 << 20
MAX_RECORDING_S = 1800.0
MAX_LIKELY_LANGUAGES = 20
NAME = "The recording"

LikelyLanguage = Annotated[str, Field(max_length=20)]


class DictatedSegment(BaseModel):
    """About a sentence, from `start` to `end` in seconds of the recording.

    `log_probability` is the mean of its tokens, `silence_probability` how likely it is that nobody spoke, and
    `compression_ratio` grows where it repeats itself: they tell what was said from what the model invents for a noise.
    """

    start: float
    end: float
    text: str
    log_probability: float
    silence_probability: float
    compression_ratio: float


class Dictation(BaseModel):
    """The words so far; `language` is null while nobody has spoken.

    `heard_until` is the second up to which there is sound, and `speech_end` that up to which somebody spoke, as voice
    activity detection tells; null if nobody did.
    """

    segments: list[DictatedSegment]
    language: str | None
    heard_until: float
    speech_end: float | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/speech/dictation", tags=["speech"])

    @api.post("", response_model=Dictation)
    async def dictate(
        principal: Caller,
        request: Request,
        language: Annotated[str | None, Query(max_length=10)] = None,
        after: Annotated[float, Query(ge=0, le=MAX_RECORDING_S)] = 0.0,
        partial: bool = False,
        likely: Annotated[list[LikelyLanguage], Query(max_length=MAX_LIKELY_LANGUAGES)] = [],  # noqa: B006
    ) -> Dictation | Response:
        if language is not None and language not in LANGUAGES:
            raise InvalidInput(f"{language} is no language that is recognized; choose another.", param="language")
        options = RecognitionOptions(
            language, quick=True, after_s=after, partial=partial, max_s=MAX_RECORDING_S, likely=tuple(likely)
        )
        with _scratch_folder() as folder:
            path = folder.path / "sound"
            try:
                await _receive(request, path)
            except ClientDisconnect:
                return CLIENT_GONE
            recognizing = app.transcription.transcribe(principal, WHISPER.id, path, NAME, options)
            with app.idle.conversing():
                transcript = await unless_disconnected(request, recognizing)
        if transcript is None:
            return CLIENT_GONE
        return Dictation(
            segments=[
                DictatedSegment(
                    start=each.start,
                    end=each.end,
                    text=each.text,
                    log_probability=each.log_probability,
                    silence_probability=each.silence_probability,
                    compression_ratio=each.compression_ratio,
                )
                for each in transcript.segments
            ],
            language=transcript.language,
            heard_until=transcript.duration_s,
            speech_end=transcript.speech_end_s,
        )

    @api.post("/warm", status_code=202, response_class=Response)
    async def warm(_: Caller, request: Request) -> None:
        with app.idle.conversing():
            await unless_disconnected(request, app.transcription.recognizer.warm())

    return api


def _scratch_folder() -> ScratchFolder:
    """Make a folder for a recording. Raises StoreError."""
    try:
        return ScratchFolder("sound")
    except OSError as error:
        raise StoreError(f"The recording cannot be stored: {error.strerror}.") from error


async def _receive(request: Request, path: Path) -> None:
    """Store the body. Raises InvalidInput, TooLarge, StoreError and ClientDisconnect."""
    size = 0
    try:
        with path.open("wb") as target:
            async with contextlib.aclosing(request.stream()) as pieces:
                async for piece in pieces:
                    size += len(piece)
                    if size > MAX_RECORDING_BYTES:
                        raise TooLarge("The recording is too long; send what is written and begin another.")
                    target.write(piece)
    except OSError as error:
        raise StoreError(f"The recording cannot be stored: {error.strerror}.") from error
    if not size:
        raise InvalidInput("The recording is empty; check the microphone.")
