"""Port of the settings of speech that were chosen in the app."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.principal import Principal


class SpeechSettingsStore(Protocol):
    """The settings of speech. They belong to the installation: who may change them is up to the caller."""

    async def get_transcriber(self) -> str | None:
        """Return the model that was chosen to transcribe recordings; None where none was."""
        ...

    async def put_transcriber(self, principal: Principal, model: str) -> None:
        """Replace the model that was chosen. The act in the audit log names it."""
        ...
