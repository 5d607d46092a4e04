"""`/api/speech/recognizers`: the models that transcribe recordings, and the choice of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.speech.recognizer_choice import RecognizerKind


class RecognizerBody(BaseModel):
    """A model that can transcribe recordings. `size` is the bytes of its weights in memory; null on a server."""

    id: str
    name: str
    kind: RecognizerKind
    engine: str | None
    size: int | None
    installed: bool


class RecognizerList(BaseModel):
    """The models, the one that is `chosen` (a name or `auto`), and the one that is `used`.

    `fixed` says that the settings file chose it; `fault` is a sentence where the chosen one is missing.
    """

    chosen: str
    used: str
    fixed: bool
    fault: str | None
    recognizers: list[RecognizerBody]


class ChosenTranscriber(RequestBody):
    """The id of the model that is to transcribe recordings, or `auto`: the largest Whisper model on this machine."""

    transcriber: Annotated[str, Field(min_length=1, max_length=200)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/speech/recognizers", tags=["speech"])

    async def body() -> RecognizerList:
        report = await app.recognizers.report()
        entries = [
            RecognizerBody(
                id=each.id,
                name=each.name,
                kind=each.kind,
                engine=each.engine,
                size=each.size,
                installed=each.is_installed,
            )
            for each in report.recognizers
        ]
        return RecognizerList(
            chosen=report.chosen,
            used=report.used,
            fixed=report.is_fixed,
            fault=report.fault,
            recognizers=entries,
        )

    @api.get("")
    async def list_recognizers() -> RecognizerList:
        return await body()

    @api.put("")
    async def choose_recognizer(principal: Caller, chosen: ChosenTranscriber) -> RecognizerList:
        await app.recognizers.choose(principal, chosen.transcriber)
        app.changes.publish_to_all("models")
        return await body()

    return api
