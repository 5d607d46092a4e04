"""`/api/speech/parts`: what recognizes and makes speech, which is installed when wanted."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.server.api.install_report import FreedSpace, InstallReport
from eclair.server.principal import Caller
from eclair.speech.speech_parts import SpeechPart, SpeechParts


class SpeechPartsReport(BaseModel):
    """The parts of speech, each with its state."""

    listening: InstallReport
    speaking: InstallReport

    @classmethod
    def from_parts(cls, parts: SpeechParts) -> SpeechPartsReport:
        return cls(
            listening=InstallReport.from_installation(parts.listening),
            speaking=InstallReport.from_installation(parts.speaking),
        )


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/speech/parts", tags=["speech"])

    @api.get("")
    async def list_speech_parts() -> SpeechPartsReport:
        return await asyncio.to_thread(SpeechPartsReport.from_parts, app.speech_parts)

    @api.post("/{part}", status_code=202)
    async def install_speech_part(principal: Caller, part: SpeechPart) -> InstallReport:
        installation = app.speech_parts.all[part]
        installation.begin()
        await app.storage.audit.add_act(principal, "model.pulled", part)
        return InstallReport.from_installation(installation)

    @api.delete("/{part}/installation", status_code=204)
    async def cancel_speech_part(part: SpeechPart) -> None:
        await app.speech_parts.all[part].cancel()

    @api.delete("/{part}")
    async def remove_speech_part(principal: Caller, part: SpeechPart) -> FreedSpace:
        freed = await app.speech_parts.all[part].remove()
        await app.storage.audit.add_act(principal, "model.removed", part)
        return FreedSpace(freed=freed)

    return api
