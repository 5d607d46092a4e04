"""`/v1/audio/transcriptions` and `/v1/audio/translations`: OpenAI's API over the recognition of speech.

Nothing of the sound or the text is kept. Unsupported fields are rejected by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response

from eclair.app import App
from eclair.errors import EclairError, InvalidInput, StoreError, TooLarge
from eclair.llm.base import JSON
from eclair.schema.principal import Principal
from eclair.server.openai import errors
from eclair.server.openai.files import safe_file_name
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sse import EventStream
from eclair.server.streaming import CLIENT_GONE, unless_disconnected
from eclair.speech.captions import write_srt, write_vtt
from eclair.speech.recognition import LANGUAGES, RecognitionOptions, Transcript
from eclair.speech.recognition_protocol import RecognitionTask, SpokenSegment
from eclair.util.scratch import ScratchFolder

SEEK_FRAMES_PER_S = 100

_TRANSLATION_FIELDS: dict[str, Any] = {
    "file": {"type": "string", "format": "binary"},
    "model": {"type": "string"},
    "prompt": {"type": "string"},
    "response_format": {"type": "string", "enum": ["json", "text", "srt", "verbose_json", "vtt"]},
    "temperature": {"type": "number"},
}
_TRANSCRIPTION_FIELDS: dict[str, Any] = {
    **_TRANSLATION_FIELDS,
    "language": {"type": "string"},
    "stream": {"type": "boolean"},
    "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": ["word", "segment"]}},
    "chunking_strategy": {"type": "string"},
}


def _describe_form(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what OpenAPI says about a form with these fields."""
    schema = {"type": "object", "required": ["file", "model"], "properties": fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


class TranslationRequest(RequestBody):
    """Fields of both forms, without their file."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    prompt: Annotated[str, Field(max_length=4000)] = ""
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: Annotated[float | None, Field(ge=0, le=1)] = None

    def options(self, task: RecognitionTask) -> RecognitionOptions:
        return RecognitionOptions(task=task, prompt=self.prompt, temperature=self.temperature)


class TranscriptionRequest(TranslationRequest):
    """Fields of a transcription. `chunking_strategy` is taken as it comes: sound is always cut where nobody speaks."""

    language: Annotated[str | None, Field(max_length=40)] = None
    stream: bool = False
    timestamp_granularities: tuple[Literal["word", "segment"], ...] = ()
    chunking_strategy: Annotated[str | None, Field(max_length=1000)] = None

    def options(self, task: RecognitionTask) -> RecognitionOptions:
        """Return the options. Raises InvalidInput."""
        has_words = "word" in self.timestamp_granularities
        if has_words and self.response_format != "verbose_json":
            message = "Only `verbose_json` has the times of words; set `response_format` to it."
            raise InvalidInput(message, param="timestamp_granularities")
        if self.stream and self.response_format not in ("json", "text"):
            raise InvalidInput("Only `json` and `text` can be streamed; leave `stream` out.", param="stream")
        language = (self.language or "").lower().partition("-")[0] or None
        if language is not None and language not in LANGUAGES:
            message = f"{self.language} is no language that is recognized; send a code of ISO 639-1, such as fr."
            raise InvalidInput(message, param="language")
        return RecognitionOptions(language, task, has_words, self.prompt, self.temperature)


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/audio", tags=["OpenAI"])

    @api.post("/transcriptions", openapi_extra=_describe_form(_TRANSCRIPTION_FIELDS))
    async def transcribe_audio(principal: Caller, request: Request) -> Response:
        return await answer(principal, request, TranscriptionRequest, "transcribe")

    @api.post("/translations", openapi_extra=_describe_form(_TRANSLATION_FIELDS))
    async def translate_audio(principal: Caller, request: Request) -> Response:
        return await answer(principal, request, TranslationRequest, "translate")

    async def answer(
        principal: Principal, request: Request, form: type[TranslationRequest], task: RecognitionTask
    ) -> Response:
        with contextlib.ExitStack() as stack:
            try:
                body, name, path = await _receive(request, form, stack, app.settings.max_file_mb)
            except ClientDisconnect:
                return CLIENT_GONE
            recognition = Recognition(app, principal, body, path, name, body.options(task))
            if isinstance(body, TranscriptionRequest) and body.stream:
                return EventStream(recognition.events(stack.pop_all()))
            transcript = await unless_disconnected(request, recognition.transcript())
        return CLIENT_GONE if transcript is None else _response(body, task, transcript)

    return api


@dataclass(frozen=True, slots=True)
class Recognition:
    """The recognition of an uploaded file."""

    app: App
    principal: Principal
    body: TranslationRequest
    path: Path
    name: str
    options: RecognitionOptions

    async def transcript(self) -> Transcript:
        """Return all that is said. Raises EclairError."""
        service = self.app.transcription
        return await service.transcribe(self.principal, self.body.model, self.path, self.name, self.options)

    async def events(self, stack: contextlib.ExitStack) -> AsyncGenerator[bytes, None]:
        """Yield the text as it is recognized, then close the stack."""
        service = self.app.transcription
        results = service.recognize(self.principal, self.body.model, self.path, self.name, self.options)
        text = ""
        with stack:
            try:
                async with contextlib.aclosing(results):
                    async for result in results:
                        if isinstance(result, SpokenSegment):
                            delta = f" {result.text}" if text else result.text
                            text += delta
                            yield _event({"type": "transcript.text.delta", "delta": delta})
                yield _event({"type": "transcript.text.done", "text": text})
            except EclairError as error:
                yield _event({"type": "error", **errors.body(error)})


async def _receive(
    request: Request, form: type[TranslationRequest], stack: contextlib.ExitStack, max_mb: int
) -> tuple[TranslationRequest, str, Path]:
    """Store the form's file until `stack` closes; return its fields, the file's name and its path.

    Raises UserError, StoreError and ClientDisconnect.
    """
    try:
        async with request.form(max_files=1, max_fields=20) as fields:
            body = _fields(fields, form)
            upload = fields.get("file")
            if not isinstance(upload, UploadFile):
                raise InvalidInput("The field 'file' is missing; send the sound.", param="file")
            name = safe_file_name(upload.filename or "sound")
            if (upload.size or 0) > max_mb * 1_000_000:
                raise TooLarge(f"{name} is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).", param="file")
            path = stack.enter_context(ScratchFolder("sound")).path / "sound"
            with path.open("wb") as target:
                while piece := await upload.read(1 << 20):
                    target.write(piece)
    except HTTPException as error:
        raise InvalidInput(f"The body is not a form with a file: {error.detail}") from error
    except OSError as error:
        raise StoreError(f"The upload cannot be stored: {error.strerror}.") from error
    return body, name, path


def _fields(form: FormData, kind: type[TranslationRequest]) -> TranslationRequest:
    """Validate a form's text fields. Raises RequestValidationError."""
    given: JSON = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            if name in ("timestamp_granularities[]", "timestamp_granularities"):
                given["timestamp_granularities"] = (*given.get("timestamp_granularities", ()), value)
            else:
                given[name] = value
    for name, parse in (("temperature", float), ("stream", partial(_parse_bool))):
        if name in given:
            with contextlib.suppress(ValueError):
                given[name] = parse(given[name])
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _parse_bool(value: str) -> bool:
    """Parse a boolean of a form. Raises ValueError."""
    match value.lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise ValueError(value)


def _response(body: TranslationRequest, task: RecognitionTask, transcript: Transcript) -> Response:
    match body.response_format:
        case "json":
            usage = {"type": "duration", "seconds": round(transcript.duration_s)}
            return JSONResponse({"text": transcript.text, "usage": usage})
        case "text":
            return PlainTextResponse(f"{transcript.text}\n")
        case "srt":
            return PlainTextResponse(write_srt(transcript.segments), media_type="application/x-subrip")
        case "vtt":
            return PlainTextResponse(write_vtt(transcript.segments), media_type="text/vtt")
        case "verbose_json":
            return JSONResponse(_verbose(body, task, transcript))


def _verbose(body: TranslationRequest, task: RecognitionTask, transcript: Transcript) -> JSON:
    wanted = body.timestamp_granularities if isinstance(body, TranscriptionRequest) else ()
    found: JSON = {
        "task": task,
        "language": transcript.language or "",
        "duration": transcript.duration_s,
        "text": transcript.text,
        "usage": {"type": "duration", "seconds": round(transcript.duration_s)},
    }
    if "segment" in wanted or not wanted:
        found["segments"] = [_segment(number, segment) for number, segment in enumerate(transcript.segments)]
    if "word" in wanted:
        words = [word for segment in transcript.segments for word in segment.words]
        found["words"] = [{"word": word.word.strip(), "start": word.start, "end": word.end} for word in words]
    return found


def _segment(number: int, segment: SpokenSegment) -> JSON:
    return {
        "id": number,
        "seek": round(segment.start * SEEK_FRAMES_PER_S),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": segment.temperature,
        "avg_logprob": segment.log_probability,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.silence_probability,
    }


def _event(body: JSON) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(body)
